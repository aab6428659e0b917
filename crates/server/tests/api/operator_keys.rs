//! Signing keys, over the API.

use axum::http::StatusCode;
use maitred_core::scope::Environment;
use maitred_token::mint_hs256;
use serde_json::{Value, json};

use super::support::{Answer, Operator, TestApp};

/// RFC 8037, appendix A: the public half, and what makes it private.
const PUBLIC_X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
const PRIVATE_D: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
const CERTIFICATE: &str = include_str!("../../../token/src/tests/fixtures/ec-certificate.pem");
const SECRET: &str = "correct horse battery staple, thirty-two";

fn jwk() -> Value {
    json!({ "kty": "OKP", "crv": "Ed25519", "kid": "2026-05", "x": PUBLIC_X })
}

async fn imports(operator: &Operator<'_>, what: Value) -> Answer {
    let path = operator.path("production/keys/import");
    operator.post(&path, what).await
}

/// The keys of an environment.
async fn keys(operator: &Operator<'_>, environment: &str) -> Vec<Value> {
    let list = operator
        .get(&operator.path(&format!("{environment}/keys")))
        .await;
    assert_eq!(list.status, StatusCode::OK, "{}", list.body);
    list.body["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn k1_a_made_key_counts_at_once_and_its_secret_is_told_once() {
    let app = TestApp::new().await;
    let operator = app.operator().await;
    app.visitor("tom").await;
    let path = operator.path("production/keys");

    let made = operator.post(&path, json!({})).await;

    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    let secret = made.body["secret"].as_str().unwrap();
    assert!(secret.starts_with("mtd_live_"), "{secret}");
    let id = made.body["id"].as_str().unwrap();
    let claims = Value::Object(app.claims("sarah"));
    let token = mint_hs256(secret.as_bytes(), Some(id), &claims);
    let opened = app
        .opens(Environment::Production, json!({ "token": token }))
        .await;
    assert_eq!(opened.status, StatusCode::CREATED, "{}", opened.body);
    let listed = keys(&operator, "production").await;
    assert_eq!(listed.len(), 2);
    assert_eq!(listed[1]["last_four"], json!(secret[secret.len() - 4..]));
    assert!(!json!(listed).to_string().contains(secret));
    let mut shown = listed[1].clone();
    for random in ["id", "kid", "last_four"] {
        assert!(shown[random].is_string());
        shown[random] = json!("…");
    }
    insta::assert_json_snapshot!(shown, @r#"
    {
      "accepted_today": 0,
      "algorithm": "HS256",
      "audiences": [],
      "created_at": "2026-03-01T12:00:00Z",
      "id": "…",
      "imported": false,
      "issuer": null,
      "kid": "…",
      "kind": "secret",
      "last_four": "…",
      "last_used_at": null,
      "state": "active"
    }
    "#);
}

#[tokio::test]
async fn k5_a_made_key_has_the_algorithm_that_was_asked_for_and_no_other() {
    let app = TestApp::new().await;
    let operator = app.operator().await;
    let path = operator.path("staging/keys");

    let made = operator.post(&path, json!({ "algorithm": "HS512" })).await;

    assert_eq!(made.body["algorithm"], "HS512");
    assert!(
        made.body["secret"]
            .as_str()
            .unwrap()
            .starts_with("mtd_test_")
    );
    for (body, code) in [
        (json!({ "algorithm": "RS256" }), "unusable_key"),
        (json!({ "algorithm": "none" }), "invalid_value"),
        (json!({ "secret": SECRET }), "unknown_field"),
        (json!({ "issuer": "" }), "unusable_key"),
    ] {
        let refused = operator.post(&path, body.clone()).await;
        assert_eq!(refused.code(), code, "{body}");
    }
}

#[tokio::test]
async fn k1_k3_keys_of_every_kind_are_imported() {
    let app = TestApp::new().await;
    let operator = app.operator().await;

    let secret = imports(&operator, json!({ "secret": SECRET })).await;
    let pem = imports(&operator, json!({ "pem": CERTIFICATE, "kid": "mine" })).await;
    let jwk = imports(
        &operator,
        json!({ "jwk": jwk(), "issuer": "https://id.example" }),
    )
    .await;

    for answer in [&secret, &pem, &jwk] {
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
    }
    assert_eq!(secret.body["imported"], true);
    assert_eq!(secret.body["last_four"], "-two");
    assert_eq!(pem.body["algorithm"], "ES256");
    assert_eq!(pem.body["kid"], "mine");
    assert_eq!(jwk.body["kid"], "2026-05");
    assert_eq!(jwk.body["issuer"], "https://id.example");
    assert_eq!(jwk.body["fingerprint"].as_str().map(str::len), Some(43));
    assert!(!secret.body.to_string().contains(SECRET));
    let listed = keys(&operator, "production").await;
    assert_eq!(listed[1..], [secret.body, pem.body, jwk.body]);
}

#[tokio::test]
async fn what_is_no_key_is_refused_by_its_code() {
    let app = TestApp::new().await;
    let operator = app.operator().await;

    for (body, status, code) in [
        (json!({}), 400, "bad_request"),
        (
            json!({ "pem": CERTIFICATE, "secret": SECRET }),
            400,
            "bad_request",
        ),
        (json!({ "secret": "short" }), 422, "weak_key"),
        (
            json!({ "secret": SECRET, "encoding": "hex" }),
            422,
            "invalid_value",
        ),
        (
            json!({ "secret": "not base64!", "encoding": "base64" }),
            422,
            "unusable_key",
        ),
        (json!({ "secret": CERTIFICATE }), 422, "invalid_value"),
        (json!({ "pem": SECRET }), 422, "unusable_key"),
        (
            json!({ "jwk": { "kty": "oct", "k": "AAAA" } }),
            422,
            "private_key_refused",
        ),
        (json!({ "jwk": [1] }), 422, "unusable_key"),
        (
            json!({ "jwks_url": "https://id.example/jwks" }),
            422,
            "unusable_key",
        ),
        (
            json!({ "jwks_url": "http://id.example/jwks", "issuer": "i", "audiences": ["a"] }),
            422,
            "unusable_key",
        ),
        (
            json!({ "jwks_url": "https://127.0.0.1:1/jwks", "issuer": "i", "audiences": ["a"] }),
            422,
            "unusable_key",
        ),
    ] {
        let answer = imports(&operator, body.clone()).await;

        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (status, code),
            "{body}"
        );
    }
    assert_eq!(keys(&operator, "production").await.len(), 1);
}

#[tokio::test]
async fn k3_a_private_key_leaves_no_trace() {
    let app = TestApp::new().await;
    let operator = app.operator().await;
    let (_, pkcs8) = maitred_token::AssertionKey::generate();
    let base64 = {
        use base64::Engine;
        base64::engine::general_purpose::STANDARD.encode(&pkcs8)
    };
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{base64}\n-----END PRIVATE KEY-----\n");
    let mut jwk = jwk();
    jwk["d"] = json!(PRIVATE_D);
    let traces = [&base64[20..40], &PRIVATE_D[..20]];
    for trace in traces {
        app.never_logs(trace);
    }

    for body in [
        json!({ "pem": pem }),
        json!({ "secret": pem }),
        json!({ "pem": base64 }),
        json!({ "jwk": jwk }),
        json!({ "jwk": { "keys": [jwk] } }),
        json!({ "secret": jwk.to_string() }),
    ] {
        let answer = imports(&operator, body).await;

        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(answer.code(), "private_key_refused");
        let hint = answer.body["error"]["hint"].as_str().unwrap();
        assert!(hint.contains("as leaked"), "{hint}");
        for trace in traces {
            assert!(!answer.body.to_string().contains(trace));
        }
    }
    // In a field where it does not belong, and as what it is not.
    for body in [
        json!({ "pem": CERTIFICATE, "kid": [pem] }),
        json!({ "pem": [pem] }),
        json!({ "audiences": pem }),
        json!({ "algorithm": pem, "jwk": jwk }),
    ] {
        let answer = imports(&operator, body).await;

        assert!(answer.status.is_client_error(), "{}", answer.body);
        assert!(
            !answer.body.to_string().contains(traces[0]),
            "{}",
            answer.body
        );
    }
    let stored = app.stored_bytes().await;
    for trace in traces {
        let is_there = stored.windows(trace.len()).any(|it| it == trace.as_bytes());
        assert!(!is_there, "in the database");
    }
    assert_eq!(keys(&operator, "production").await.len(), 1);
}

#[tokio::test]
async fn k7_k8_a_key_that_is_there_already_is_a_conflict() {
    let app = TestApp::new().await;
    let operator = app.operator().await;
    let first = imports(&operator, json!({ "jwk": jwk() })).await;
    assert_eq!(first.status, StatusCode::CREATED, "{}", first.body);

    let same_kid = imports(&operator, json!({ "pem": CERTIFICATE, "kid": "2026-05" })).await;
    let staging = operator.path("staging/keys/import");
    let elsewhere = operator.post(&staging, json!({ "jwk": jwk() })).await;

    assert_eq!(
        (same_kid.status, same_kid.code()),
        (StatusCode::CONFLICT, "duplicate_kid")
    );
    assert_eq!(
        (elsewhere.status, elsewhere.code()),
        (StatusCode::CONFLICT, "key_reused")
    );
}

#[tokio::test]
async fn k6_an_eleventh_active_key_is_a_conflict() {
    let app = TestApp::new().await;
    let operator = app.operator().await;
    let path = operator.path("production/keys");
    let there = keys(&operator, "production").await.len();
    for _ in there..10 {
        let made = operator.post(&path, json!({})).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    }

    let eleventh = operator.post(&path, json!({})).await;

    assert_eq!(eleventh.status, StatusCode::CONFLICT);
    assert_eq!(eleventh.code(), "too_many_keys");
    assert!(eleventh.body["error"]["hint"].is_string());
    assert_eq!(keys(&operator, "production").await.len(), 10);
}

#[tokio::test]
async fn k6_a_key_is_retired_until_a_date_and_not_longer() {
    let app = TestApp::new().await;
    let operator = app.operator().await;
    let (key, _) = app.key(Environment::Production);
    let path = operator.path(&format!("production/keys/{key}"));
    let token = app.token("sarah");

    let retired = operator
        .patch(&path, json!({ "accepted_until": "2026-03-01T12:05:00Z" }))
        .await;

    assert_eq!(retired.status, StatusCode::OK, "{}", retired.body);
    assert_eq!(retired.body["state"], "retiring");
    assert_eq!(retired.body["accepted_until"], "2026-03-01T12:05:00Z");
    assert_eq!(
        operator.checks("production", &token).await.body["accepted"],
        true
    );
    app.clock.advance(jiff::SignedDuration::from_mins(6));
    let refused = operator.checks("production", &app.token("sarah")).await;
    assert_eq!(refused.body["accepted"], false);
    for wrong in ["2026-03-01T12:00:00Z", "2037-01-01T00:00:00Z"] {
        let answer = operator
            .patch(&path, json!({ "accepted_until": wrong }))
            .await;
        assert_eq!(answer.code(), "invalid_value", "{wrong}");
    }
    let unread = operator
        .patch(&path, json!({ "accepted_until": "soon" }))
        .await;
    assert_eq!(unread.code(), "bad_request");
}

#[tokio::test]
async fn k6_a_revoked_key_ends_its_sessions_and_their_streams_at_once() {
    let app = TestApp::new().await;
    let operator = app.operator().await;
    let sarah = app.visitor("sarah").await;
    let stranger = app.stranger().await;
    let mut stream = sarah.follows(None).await;
    stream.until("hello").await;
    let (key, _) = app.key(Environment::Production);
    let path = operator.path(&format!("production/keys/{key}"));

    let revoked = operator.delete(&path).await;

    assert_eq!(revoked.status, StatusCode::NO_CONTENT, "{}", revoked.body);
    assert_eq!(
        stream.until("session").await.data["code"],
        "session_revoked"
    );
    assert_eq!(sarah.get("/v1/session").await.code(), "session_revoked");
    assert_eq!(stranger.get("/v1/session").await.status, StatusCode::OK);
    let again = app
        .opens(
            Environment::Production,
            json!({ "token": app.token("sarah") }),
        )
        .await;
    assert_eq!(again.code(), "invalid_token");
    assert_eq!(operator.delete(&path).await.code(), "not_found");
    assert_eq!(keys(&operator, "production").await[0]["state"], "revoked");
    let log = operator.get("/api/audit?limit=1").await;
    assert_eq!(log.body["items"][0]["kind"], "key_revoked");
}

#[tokio::test]
async fn d1_the_key_of_the_other_environment_does_not_exist() {
    let app = TestApp::new().await;
    let operator = app.operator().await;
    let (staging, _) = app.key(Environment::Staging);
    let nothing = "key_00000000000000000000000000000099";
    let later = json!({ "accepted_until": "2026-03-02T12:00:00Z" });

    for key in [staging.to_string().as_str(), nothing, "x"] {
        let path = operator.path(&format!("production/keys/{key}"));
        let answers = [
            operator.patch(&path, later.clone()).await,
            operator.delete(&path).await,
        ];
        for answer in answers {
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{key}");
            assert_eq!(
                answer.error(),
                json!({ "code": "not_found", "message": "no such key" })
            );
        }
    }
    assert_eq!(keys(&operator, "staging").await[0]["state"], "active");
}
