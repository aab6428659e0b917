//! What a refused token is told, in staging and in production.

use aws_lc_rs::hmac;
use axum::http::StatusCode;
use maitred_core::scope::Environment;
use maitred_token::{Secret, base64url, mint_hs256};
use serde_json::{Value, json};

use super::support::{TestApp, make_key};

/// A change of good claims, the code that staging answers, and the one of production.
type Case = (&'static str, Value, &'static str);

/// Faults behind a good signature: both environments say what it is.
fn faults(now: i64) -> Vec<Case> {
    vec![
        ("exp", json!(now - 120), "token_expired"),
        ("exp", Value::Null, "invalid_time"),
        ("exp", json!("soon"), "invalid_time"),
        ("exp", json!(now + 7_200), "lifetime_too_long"),
        ("nbf", json!(now + 300), "not_yet_valid"),
        ("iat", json!(now + 300), "issued_in_future"),
        ("aud", json!("agt_another"), "wrong_audience"),
        ("sub", json!(""), "invalid_subject"),
        ("sub", json!(["sarah"]), "invalid_subject"),
        ("user_id", json!("tom"), "conflicting_subject"),
        ("email", Value::Null, "missing_email"),
        ("email", json!("nobody"), "invalid_email"),
    ]
}

#[tokio::test]
async fn behind_a_good_signature_both_environments_name_the_fault() {
    let app = TestApp::new().await;
    let now = app.clock.now().as_second();

    for environment in Environment::ALL {
        for (claim, value, code) in faults(now) {
            let mut claims = app.claims("sarah");
            claims.insert(claim.to_owned(), value.clone());

            let token = app.signed(environment, &claims);
            let answer = app.opens(environment, json!({ "token": token })).await;

            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{claim}={value}");
            assert_eq!(answer.code(), code, "{environment}: {claim}={value}");
            assert!(answer.body["error"]["hint"].is_string(), "{claim}={value}");
        }
    }
}

#[tokio::test]
async fn without_exp_or_sub_the_fault_is_named() {
    let app = TestApp::new().await;

    for (claim, code) in [
        ("exp", "missing_expiry"),
        ("sub", "missing_subject"),
        ("email", "missing_email"),
    ] {
        let mut claims = app.claims("sarah");
        claims.remove(claim);

        let token = app.signed(Environment::Production, &claims);
        let answer = app
            .opens(Environment::Production, json!({ "token": token }))
            .await;

        assert_eq!(answer.code(), code);
    }
}

#[tokio::test]
async fn until_the_signature_is_good_only_staging_names_the_fault() {
    let app = TestApp::new().await;

    for environment in Environment::ALL {
        let (id, secret) = app.key(environment);
        let claims = Value::Object(app.claims("sarah"));
        let kid = id.to_string();
        let forged = mint_hs256(&[7; 32], Some(&kid), &claims);
        let other_key = mint_hs256(secret.expose().as_bytes(), Some("key_another"), &claims);
        let unsigned = {
            let part = |value: &Value| base64url(value.to_string().as_bytes());
            format!(
                "{}.{}.{}",
                part(&json!({ "alg": "none" })),
                part(&claims),
                "AA"
            )
        };
        let nested = format!("{forged}.x.y");
        let huge = "a".repeat(9_000);

        // Well signed all of them, but what is wrong with the header comes first.
        let headed = |more: &str| {
            let header = format!(r#"{{"alg":"HS256","kid":"{kid}"{more}}}"#);
            signed(secret, &header, &claims.to_string())
        };

        for (token, code) in [
            (forged, "bad_signature"),
            (other_key, "unknown_key"),
            (unsigned, "algorithm_not_allowed"),
            (nested, "malformed"),
            (huge, "too_large"),
            (headed(r#","crit":["exp"]"#), "header_not_supported"),
            (headed(r#","typ":"at+jwt""#), "type_not_allowed"),
            (headed(r#","alg":"HS256""#), "duplicate_member"),
        ] {
            let answer = app.opens(environment, json!({ "token": token })).await;

            let expected = match environment {
                Environment::Staging => code,
                Environment::Production => "invalid_token",
            };
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
            assert_eq!(answer.code(), expected, "{environment}: {code}");
        }
    }
}

#[tokio::test]
async fn t12_until_the_signature_is_good_production_answers_alike_to_the_last_header() {
    let app = TestApp::new().await;
    let scope = app.scope(Environment::Production);
    let (old, old_secret) = make_key(&app.store, scope).await;
    let (gone, gone_secret) = make_key(&app.store, scope).await;
    let until = app.clock.now();
    assert!(app.store.retire_key(scope, old, until).await.unwrap());
    assert!(app.store.revoke_key(scope, gone).await.unwrap());
    let (id, secret) = app.key(Environment::Production);
    let claims = Value::Object(app.claims("sarah"));
    let by = |secret: &[u8], kid: &str| mint_hs256(secret, Some(kid), &claims);
    let headed = |header: &str| signed(secret, header, &claims.to_string());

    let mut answers = Vec::new();
    for token in [
        by(&[7; 32], &id.to_string()),
        by(secret.expose().as_bytes(), "key_another"),
        by(old_secret.expose().as_bytes(), &old.to_string()),
        by(gone_secret.expose().as_bytes(), &gone.to_string()),
        app.signed(Environment::Staging, &app.claims("sarah")),
        mint_hs256(&[7; 32], None, &claims),
        headed(r#"{"alg":"none"}"#),
        headed(r#"{"alg":"RS256"}"#),
        headed(r#"{"alg":"HS256","typ":"at+jwt"}"#),
        headed(r#"{"alg":"HS256","zip":"DEF"}"#),
        headed(r#"{"alg":"HS256","alg":"HS256"}"#),
        headed("[]"),
        "a".repeat(9_000),
        "..".to_owned(),
        String::new(),
    ] {
        let answer = app
            .opens(scope.environment, json!({ "token": token }))
            .await;
        let mut headers = answer.headers.clone();
        headers.remove("x-request-id");
        answers.push((answer.status, answer.error(), headers));
    }

    let first = &answers[0];
    assert_eq!(first.0, StatusCode::UNAUTHORIZED);
    for answer in &answers {
        assert_eq!(answer, first);
    }
}

#[tokio::test]
async fn t3_a_claim_that_is_there_twice_is_named_behind_a_good_signature() {
    let app = TestApp::new().await;
    let (id, secret) = app.key(Environment::Production);
    let now = app.clock.now().as_second();
    let claims = format!(
        r#"{{"sub":"sarah","email":"sarah@example.com","exp":{},"sub":"tom"}}"#,
        now + 600
    );
    let header = format!(r#"{{"alg":"HS256","kid":"{id}"}}"#);

    let answer = app
        .opens(
            Environment::Production,
            json!({ "token": signed(secret, &header, &claims) }),
        )
        .await;

    assert_eq!(answer.code(), "duplicate_member");
}

#[tokio::test]
async fn k6_a_token_of_a_key_that_is_revoked_or_past_its_date_is_refused() {
    let app = TestApp::new().await;
    let token = app.token("sarah");
    let staging = app.signed(Environment::Staging, &app.claims("sarah"));
    for environment in Environment::ALL {
        let (id, _) = app.key(environment);
        let revoked = app.store.revoke_key(app.scope(environment), *id).await;
        assert!(revoked.unwrap());
    }

    let production = app.opens(Environment::Production, json!({ "token": token }));
    let staging = app.opens(Environment::Staging, json!({ "token": staging }));
    let (production, staging) = tokio::join!(production, staging);

    assert_eq!(production.code(), "invalid_token");
    assert_eq!(staging.code(), "key_revoked");
}

/// A token over exactly this text, where a library would write its own.
fn signed(secret: &Secret, header: &str, claims: &str) -> String {
    let message = format!(
        "{}.{}",
        base64url(header.as_bytes()),
        base64url(claims.as_bytes())
    );
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
    let signature = hmac::sign(&key, message.as_bytes());
    format!("{message}.{}", base64url(signature.as_ref()))
}

/// Every code that the rules promise today is in an assertion of this suite.
#[test]
fn every_code_of_a_refusal_is_tried_over_http() {
    let rules = include_str!("../../../../docs/rules/identity.md");
    let table = rules
        .split_once("## What a refusal looks like")
        .expect("the rules list the codes")
        .1;
    let promised: Vec<&str> = table
        .lines()
        .filter(|line| line.starts_with("| `") && line.ends_with("| yes |"))
        .flat_map(|line| line.split('|').nth(1).unwrap().split('`'))
        .filter(|code| code.len() > 5 && code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
        .collect();
    assert!(promised.len() >= 30, "the table is not read any more");
    let here = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/api");
    let tests: String = std::fs::read_dir(here)
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|path| path.is_file())
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();

    let untried: Vec<&str> = promised
        .into_iter()
        .filter(|code| !tests.contains(&format!("\"{code}\"")))
        .collect();

    assert_eq!(untried, Vec::<&str>::new());
}

#[tokio::test]
async fn a_token_of_the_other_environment_is_refused() {
    let app = TestApp::new().await;
    let staging = app.signed(Environment::Staging, &app.claims("sarah"));

    let answer = app
        .opens(Environment::Production, json!({ "token": staging }))
        .await;

    assert_eq!(
        (answer.status, answer.code()),
        (StatusCode::UNAUTHORIZED, "invalid_token")
    );
}

#[tokio::test]
async fn what_is_refused_says_nothing_of_the_token() {
    let app = TestApp::new().await;
    let mut claims = app.claims("sarah");
    claims.insert("exp".to_owned(), json!(app.clock.now().as_second() - 120));
    let token = app.signed(Environment::Staging, &claims);

    let answer = app
        .opens(Environment::Staging, json!({ "token": token }))
        .await;

    let said = answer.body.to_string();
    assert!(!said.contains("sarah") && !said.contains(&token), "{said}");
}
