//! Test identities: operators act as somebody in staging, and it shows (rule A4).

use axum::http::{StatusCode, header};
use jiff::SignedDuration;
use maitred_core::{id::AgentId, scope::Environment};
use maitred_token::decode_base64url;
use serde_json::{Value, json};

use super::{
    support::{Answer, Operator, TestApp, Visitor},
    turns::{Orders, asks_for_the_order, claims, script},
};

const STAGING: Environment = Environment::Staging;

/// Somebody whom operators may act as.
fn tess() -> Value {
    json!({
        "subject": "test-1", "email": "tess@shop.example", "name": "Tess Try",
        "attributes": { "plan": "gold" },
    })
}

fn path(operator: &Operator<'_>, rest: &str) -> String {
    operator.path(&format!("staging/test-identities{rest}"))
}

async fn listed(operator: &Operator<'_>) -> String {
    let added = operator.post(&path(operator, ""), tess()).await;
    assert_eq!(added.status, StatusCode::CREATED, "{}", added.body);
    added.body["id"].as_str().unwrap().to_owned()
}

/// A token to act as her.
async fn token(operator: &Operator<'_>, which: &str) -> Answer {
    let path = path(operator, &format!("/{which}/token"));
    operator.post(&path, json!({})).await
}

async fn opens(app: &TestApp, environment: Environment, token: &Value) -> Answer {
    let opened = app.opens(environment, json!({ "token": token })).await;
    assert_eq!(opened.status, StatusCode::CREATED, "{}", opened.body);
    opened
}

/// An app whose Action is there in both environments.
async fn app_with(orders: &Orders) -> TestApp {
    let script = script(json!({ "order_number": "A-10001" }));
    let app = TestApp::with_script_and_hosts(&script, std::slice::from_ref(&orders.host)).await;
    let url = format!("{}/customers/{{{{user.id}}}}/orders", orders.url);
    let definition = json!({
        "name": "order_status",
        "description": "Looks up orders",
        "assurance": "verified",
        "labels": { "running": "Looking up your orders…", "done": "Looked up your orders" },
        "parameters": { "type": "object", "properties": { "order_number": { "type": "string" } } },
        "http": { "method": "GET", "url": { "production": url, "staging": url }, "query": {} },
    });
    app.store
        .put_action(app.agent, "order_status", &definition.to_string())
        .await
        .unwrap();
    app
}

#[tokio::test]
async fn a4_what_acts_as_a_test_identity_says_that_it_is_a_test_and_who_acts() {
    let orders = Orders::answering(200, "{}").await;
    let app = app_with(&orders).await;
    let operator = app.operator().await;
    listed(&operator).await;

    let made = token(&operator, "test-1").await;

    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    assert_eq!(made.headers[header::CACHE_CONTROL], "private, no-store");
    assert_eq!(made.body["expires_at"], "2026-03-01T12:10:00Z");
    let key = operator.get("/api/api-keys").await.body["items"][0]["id"].clone();
    assert_eq!(made.body["operator"], key);
    let opened = opens(&app, STAGING, &made.body["token"]).await;
    assert_eq!(opened.body["test"], true);
    assert_eq!(opened.body["actor"]["id"], key);
    assert_eq!(opened.body["contact"]["name"], "Tess Try");
    let tess = Visitor::of(&app, &opened);
    assert_eq!(tess.get("/v1/session").await.body["test"], true);
    asks_for_the_order(&tess).await;
    let requests = orders.requests();
    let [(uri, headers)] = requests.as_slice() else {
        panic!("one request: {requests:?}")
    };
    assert_eq!(uri.path(), "/customers/test-1/orders");
    let told = claims(headers["maitred-assertion"].to_str().unwrap());
    assert_eq!(told["test"], true);
    assert_eq!(told["act"], json!({ "sub": key }));
    assert_eq!(told["sub"], "test-1");
    assert_eq!(told["environment"], "staging");
}

#[tokio::test]
async fn a4_a_token_of_the_sites_own_for_a_listed_subject_is_a_test_too() {
    let app = TestApp::new().await;
    let operator = app.operator().await;
    listed(&operator).await;

    let pasted = app.signed(STAGING, &app.claims("test-1"));
    let opened = opens(&app, STAGING, &pasted.into()).await;

    assert_eq!(opened.body["test"], true);
    assert_eq!(opened.body["actor"], Value::Null, "nobody was named");
    let tess = Visitor::of(&app, &opened);
    let again = app.signed(STAGING, &app.claims("test-1"));
    let renewed = tess.shows_a_token(&again).await;
    assert_eq!(renewed.body["test"], true, "{}", renewed.body);
}

#[tokio::test]
async fn a4_in_production_nothing_makes_a_test() {
    let orders = Orders::answering(200, "{}").await;
    let app = app_with(&orders).await;
    let operator = app.operator().await;
    listed(&operator).await;
    let made = token(&operator, "test-1").await;

    let mut said = app.claims("test-1");
    said.insert("test".to_owned(), true.into());
    let signed = app.signed(Environment::Production, &said);
    let opened = opens(&app, Environment::Production, &signed.into()).await;

    assert_eq!(opened.body["test"], Value::Null);
    asks_for_the_order(&Visitor::of(&app, &opened)).await;
    let told = claims(
        orders.requests()[0].1["maitred-assertion"]
            .to_str()
            .unwrap(),
    );
    assert_eq!(
        (&told["test"], &told["sub"]),
        (&Value::Null, &json!("test-1"))
    );
    // And what was made for staging opens nothing.
    let refused = app
        .opens(
            Environment::Production,
            json!({ "token": made.body["token"] }),
        )
        .await;
    assert_eq!(refused.code(), "invalid_token");
    for (method, rest) in [
        ("GET", ""),
        ("POST", ""),
        ("POST", "/test-1/token"),
        ("DELETE", "/test-1"),
    ] {
        let path = operator.path(&format!("production/test-identities{rest}"));
        let body = match (method, rest) {
            ("POST", "") => Some(tess()),
            ("POST", _) => Some(json!({})),
            _ => None,
        };
        let refused = operator.sends(method.parse().unwrap(), &path, body).await;
        assert_eq!(
            refused.status,
            StatusCode::UNPROCESSABLE_ENTITY,
            "{method} {rest}"
        );
        assert_eq!(
            refused.error(),
            json!({
                "code": "staging_only",
                "message": "test identities exist in staging only",
                "hint": "name `staging`; in production, nobody but your site's users is ever acted as",
            })
        );
    }
}

#[tokio::test]
async fn a4_a_claim_makes_no_test_of_a_user_of_staging() {
    let app = TestApp::new().await;
    let mut said = app.claims("sarah");
    said.insert("test".to_owned(), true.into());
    said.insert("is_test".to_owned(), true.into());

    let signed = app.signed(STAGING, &said);
    let opened = opens(&app, STAGING, &signed.into()).await;

    assert_eq!(opened.body["test"], Value::Null);
}

#[tokio::test]
async fn a4_sessions_end_when_their_subject_becomes_a_test_and_when_it_is_none_any_more() {
    let app = TestApp::new().await;
    let operator = app.operator().await;
    let signed = Value::from(app.signed(STAGING, &app.claims("test-1")));
    let before = Visitor::of(&app, &opens(&app, STAGING, &signed).await);
    let tom = Value::from(app.signed(STAGING, &app.claims("tom")));
    let tom = Visitor::of(&app, &opens(&app, STAGING, &tom).await);
    let mut stream = before.follows(None).await;
    stream.until("hello").await;

    let id = listed(&operator).await;

    assert_eq!(
        stream.until("session").await.data["code"],
        "session_revoked"
    );
    let meanwhile = Visitor::of(&app, &opens(&app, STAGING, &signed).await);
    let removed = operator.delete(&path(&operator, &format!("/{id}"))).await;
    assert_eq!(removed.status, StatusCode::NO_CONTENT, "{}", removed.body);
    assert_eq!(meanwhile.get("/v1/session").await.code(), "session_revoked");
    assert_eq!(tom.get("/v1/session").await.status, StatusCode::OK);
    let after = opens(&app, STAGING, &signed).await;
    assert_eq!(after.body["test"], Value::Null);
    assert_eq!(token(&operator, "test-1").await.code(), "not_found");
}

#[tokio::test]
async fn a4_without_a_signing_secret_a_token_is_to_be_pasted() {
    let app = TestApp::new().await;
    let operator = app.operator().await;
    listed(&operator).await;
    let import = operator.path("staging/keys/import");
    let jwk = json!({
        "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    });
    let imported = operator
        .post(&import, json!({ "jwk": jwk, "kid": "mine" }))
        .await;
    assert_eq!(imported.status, StatusCode::CREATED, "{}", imported.body);
    let secret = app.key(STAGING).0;
    let revoked = operator
        .delete(&operator.path(&format!("staging/keys/{secret}")))
        .await;
    assert_eq!(revoked.status, StatusCode::NO_CONTENT);

    let refused = token(&operator, "test-1").await;

    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert_eq!(
        refused.error(),
        json!({
            "code": "no_signing_secret",
            "message": "there is no secret in staging that a token could be signed with",
            "hint": "maitred holds no key of yours that signs: paste a token that your staging server made for this subject, or make a secret for staging",
        })
    );
}

#[tokio::test]
async fn a4_a_token_is_made_as_the_policy_and_the_key_ask_for_or_not_at_all() {
    let app = TestApp::new().await;
    let operator = app.operator().await;
    listed(&operator).await;
    let secret = app.key(STAGING).0;
    operator
        .delete(&operator.path(&format!("staging/keys/{secret}")))
        .await;
    let made = operator
        .post(
            &operator.path("staging/keys"),
            json!({ "algorithm": "HS512", "issuer": "https://staging.shop.example" }),
        )
        .await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    let policy = operator.path("staging/policy");
    let strict = json!({ "tokens": {
        "max_lifetime": 60, "one_time": true, "audience_required": true, "issuer_required": true,
    } });
    assert_eq!(operator.patch(&policy, strict).await.status, StatusCode::OK);

    let good = token(&operator, "test-1").await;

    assert_eq!(
        good.body["expires_at"], "2026-03-01T12:01:00Z",
        "{}",
        good.body
    );
    assert_eq!(
        opens(&app, STAGING, &good.body["token"]).await.body["test"],
        true
    );
    // Whether a member of staff may act as somebody is the operator's to say.
    let no_actors = json!({ "tokens": { "actors_allowed": false } });
    operator.patch(&policy, no_actors).await;
    let refused = token(&operator, "test-1").await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert_eq!(refused.code(), "actor_not_allowed");
}

#[tokio::test]
async fn a4_they_are_listed_found_by_subject_and_in_the_audit_log() {
    let app = TestApp::new().await;
    let operator = app.operator().await;
    let id = listed(&operator).await;

    let twice = operator.post(&path(&operator, ""), tess()).await;
    let list = operator.get(&path(&operator, "")).await;
    token(&operator, &id).await;
    let removed = operator.delete(&path(&operator, "/test-1")).await;

    assert_eq!(
        (twice.status, twice.code()),
        (StatusCode::CONFLICT, "already_listed")
    );
    assert_eq!(
        list.body["items"],
        json!([{
            "id": id, "subject": "test-1", "email": "tess@shop.example", "name": "Tess Try",
            "attributes": { "plan": "gold" }, "created_at": "2026-03-01T12:00:00Z",
        }])
    );
    assert_eq!(removed.status, StatusCode::NO_CONTENT);
    let audit = operator.get("/api/audit?limit=3").await;
    let mut kinds = Vec::new();
    for line in audit.body["items"].as_array().unwrap() {
        assert_eq!(line["environment"], "staging");
        assert_eq!(line["details"]["test_identity"], json!(id));
        assert!(line["actor"].as_str().unwrap().starts_with("apk_"));
        kinds.push(line["kind"].as_str().unwrap());
    }
    kinds.sort_unstable();
    assert_eq!(
        kinds,
        [
            "test_identity_added",
            "test_identity_removed",
            "test_token_made"
        ]
    );
    for (body, code) in [
        (json!({}), "bad_request"),
        (json!({ "subject": "" }), "invalid_value"),
        (
            json!({ "subject": "x", "attributes": { "sub": "42" } }),
            "invalid_value",
        ),
        (
            json!({ "subject": "x", "environment": "production" }),
            "unknown_field",
        ),
        (json!({ "subject": "x", "test": false }), "unknown_field"),
    ] {
        let refused = operator.post(&path(&operator, ""), body.clone()).await;
        assert_eq!(refused.code(), code, "{body}");
    }
}

#[tokio::test]
async fn a4_of_another_agent_they_do_not_exist() {
    let app = TestApp::new().await;
    let operator = app.operator().await;
    let id = listed(&operator).await;
    let settings = maitred_core::agent::Settings::default();
    let bea = app.store.create_agent("Bea", &settings, &settings).await;
    let bea: AgentId = bea.unwrap().id;
    let of_bea = app.operator_of(Some(bea)).await;
    let theirs = format!("/api/agents/{bea}/environments/staging/test-identities");

    for which in [id.as_str(), "test-1", "nobody", "%00"] {
        let token = of_bea
            .post(&format!("{theirs}/{which}/token"), json!({}))
            .await;
        let removed = of_bea.delete(&format!("{theirs}/{which}")).await;
        for answer in [token, removed] {
            assert_eq!(answer.status, StatusCode::NOT_FOUND);
            assert_eq!(
                answer.error(),
                json!({ "code": "not_found", "message": "no such test identity" })
            );
        }
    }
    let own = of_bea.get(&path(&operator, "")).await;
    assert_eq!(own.status, StatusCode::NOT_FOUND);
    assert_eq!(of_bea.get(&theirs).await.body["items"], json!([]));
    assert_eq!(app.store.test_identities(app.agent).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a4_a_token_lasts_for_minutes_and_says_nothing_but_what_is_listed() {
    let app = TestApp::new().await;
    let operator = app.operator().await;
    listed(&operator).await;
    let made = token(&operator, "test-1").await;
    let text = made.body["token"].as_str().unwrap();

    let payload = text.split('.').nth(1).unwrap();
    let mut said: Value = serde_json::from_slice(&decode_base64url(payload).unwrap()).unwrap();

    let said = said.as_object_mut().unwrap();
    assert!(said.remove("jti").unwrap().is_string());
    assert_eq!(said.remove("act").unwrap()["sub"], made.body["operator"]);
    let now = app.clock.now().as_second();
    assert_eq!(
        Value::Object(said.clone()),
        json!({
            "sub": "test-1", "email": "tess@shop.example", "name": "Tess Try", "plan": "gold",
            "aud": format!("{}/staging", app.agent), "iat": now, "exp": now + 600,
        })
    );
    app.clock.advance(SignedDuration::from_mins(12));
    let late = app.opens(STAGING, json!({ "token": text })).await;
    assert_eq!(late.code(), "token_expired");
}
