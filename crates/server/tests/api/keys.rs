//! Keys of every kind, what their tokens must say, and how they change.

use std::time::{Duration, Instant};

use axum::http::StatusCode;
use jiff::SignedDuration;
use maitred_core::{id::KeyId, scope::Environment};
use maitred_store::{BroughtKey, KeyMaterial, KeyTerms};
use maitred_token::{Algorithm, AssertionKey, PublicKey, Secret, mint_hs256};
use serde_json::{Value, json};

use super::support::{Answer, TestApp, Visitor, make_key};

async fn shown(app: &TestApp, (key, secret): &(KeyId, Secret), subject: &str) -> Answer {
    let claims = Value::Object(app.claims(subject));
    let kid = key.to_string();
    let token = mint_hs256(secret.expose().as_bytes(), Some(&kid), &claims);
    let token = json!({ "token": token });
    app.opens(Environment::Production, token).await
}

/// Until a server has seen what was written beside it.
async fn until_shown(app: &TestApp, key: &(KeyId, Secret), status: StatusCode) {
    let begun = Instant::now();
    while shown(app, key, "sarah").await.status != status {
        assert!(begun.elapsed() < Duration::from_secs(20), "it never is so");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn k6_while_keys_change_both_are_accepted_and_then_the_new_one_alone() {
    let app = TestApp::new().await;
    let scope = app.scope(Environment::Production);
    let old = app.key(Environment::Production);
    assert_eq!(shown(&app, old, "sarah").await.status, StatusCode::CREATED);

    let new = make_key(&app.store, scope).await;
    until_shown(&app, &new, StatusCode::CREATED).await;
    let until = app.clock.now() + SignedDuration::from_hours(1);
    assert!(app.store.retire_key(scope, old.0, until).await.unwrap());

    app.clock.advance(SignedDuration::from_mins(59));
    assert_eq!(shown(&app, old, "sarah").await.status, StatusCode::CREATED);
    app.clock.advance(SignedDuration::from_mins(1));
    until_shown(&app, old, StatusCode::UNAUTHORIZED).await;
    assert_eq!(shown(&app, &new, "sarah").await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn k6_a_revoked_key_ends_its_sessions_and_streams_within_a_second_and_no_others() {
    let app = TestApp::new().await;
    let scope = app.scope(Environment::Production);
    let old = app.key(Environment::Production);
    let new = make_key(&app.store, scope).await;
    until_shown(&app, &new, StatusCode::CREATED).await;
    let sarah = shown(&app, old, "sarah").await;
    let sarah = Visitor::of(&app, &sarah);
    let tom = shown(&app, &new, "tom").await;
    let tom = Visitor::of(&app, &tom);
    let mut hers = sarah.follows(None).await;
    let mut his = tom.follows(None).await;
    his.until("hello").await;

    let begun = Instant::now();
    assert!(app.store.revoke_key(scope, old.0).await.unwrap());
    let end = hers.until("session").await;

    // Nodes look once in a second; the rest is for a machine that is busy.
    assert!(begun.elapsed() < Duration::from_secs(3), "{begun:?}");
    assert_eq!(end.data["code"], "session_revoked");
    assert!(hers.next().await.is_none(), "the stream is closed");
    assert_eq!(sarah.get("/v1/session").await.code(), "session_revoked");
    until_shown(&app, old, StatusCode::UNAUTHORIZED).await;
    assert_eq!(tom.get("/v1/session").await.status, StatusCode::OK);
    let conversation = tom.opens_conversation().await;
    tom.says(&conversation, "hello").await;
    his.until("entry").await;
}

/// A public key that is trusted in production, with these audiences.
async fn is_brought(
    app: &TestApp,
    key: &AssertionKey,
    kid: Option<&str>,
    terms: KeyTerms,
) -> KeyId {
    let material = KeyMaterial::Public(BroughtKey {
        key: PublicKey::parse(&key.public_jwk().to_string()).unwrap(),
        kid: kid.map(str::to_owned),
        algorithm: Algorithm::EdDsa,
        terms,
    });
    let scope = app.scope(Environment::Production);
    app.store.insert_key(scope, &material).await.unwrap()
}

#[tokio::test]
async fn k3_a_public_key_verifies_under_its_own_kid_and_its_sessions_end_with_it() {
    let app = TestApp::new().await;
    let (pair, _) = AssertionKey::generate();
    let key = is_brought(&app, &pair, Some(pair.kid()), KeyTerms::default()).await;
    let token = pair.sign("JWT", &Value::Object(app.claims("sarah")));

    let opened = app
        .opens(Environment::Production, json!({ "token": token }))
        .await;

    assert_eq!(opened.status, StatusCode::CREATED, "{}", opened.body);
    let sarah = Visitor::of(&app, &opened);
    let scope = app.scope(Environment::Production);
    assert!(app.store.revoke_key(scope, key).await.unwrap());
    assert_eq!(sarah.get("/v1/session").await.code(), "session_revoked");
}

#[tokio::test]
async fn t8_a_key_with_an_issuer_and_audiences_requires_them() {
    let app = TestApp::new().await;
    let (pair, _) = AssertionKey::generate();
    let terms = KeyTerms {
        issuer: Some("https://shop.example".to_owned()),
        audiences: vec!["chat".to_owned()],
    };
    is_brought(&app, &pair, Some(pair.kid()), terms).await;
    let agent = app.agent.to_string();

    for (aud, iss, code) in [
        (Some("chat"), Some("https://shop.example"), ""),
        (Some(agent.as_str()), Some("https://shop.example"), ""),
        (None, Some("https://shop.example"), "wrong_audience"),
        (
            Some("other"),
            Some("https://shop.example"),
            "wrong_audience",
        ),
        (Some("chat"), Some("https://evil.example"), "wrong_issuer"),
        (Some("chat"), None, "wrong_issuer"),
    ] {
        let mut claims = app.claims("sarah");
        for (name, value) in [("aud", aud), ("iss", iss)] {
            if let Some(value) = value {
                claims.insert(name.to_owned(), value.into());
            }
        }
        let token = pair.sign("JWT", &Value::Object(claims));

        let answer = app
            .opens(Environment::Production, json!({ "token": token }))
            .await;

        assert_eq!(answer.code(), code, "{aud:?} {iss:?}");
    }
}
