//! What an operator asks of tokens: each setting changes what is let in.

use axum::http::StatusCode;
use maitred_core::{
    agent::Settings,
    policy::{Leeway, MaxLifetime},
    scope::Environment,
};
use serde_json::{Map, Value, json};

use super::support::TestApp;

const PRODUCTION: Environment = Environment::Production;

/// With these settings, set before anybody came.
async fn with(change: impl FnOnce(&mut Settings)) -> TestApp {
    let app = TestApp::new().await;
    let scope = app.scope(PRODUCTION);
    let mut settings = app.store.settings(scope).await.unwrap().unwrap();
    change(&mut settings);
    assert!(app.store.change_settings(scope, &settings).await.unwrap());
    app
}

/// What a token with those claims is answered: `verified`, or a code.
async fn answered(app: &TestApp, claims: &Map<String, Value>) -> String {
    let token = app.signed(PRODUCTION, claims);
    let answer = app.opens(PRODUCTION, json!({ "token": token })).await;
    match answer.status {
        StatusCode::CREATED => answer.body["assurance"].as_str().unwrap().to_owned(),
        StatusCode::UNAUTHORIZED => answer.code().to_owned(),
        other => panic!("{other}: {}", answer.body),
    }
}

#[tokio::test]
async fn t5_an_email_is_required_unless_the_policy_says_otherwise() {
    let strict = TestApp::new().await;
    let lenient = with(|it| it.tokens.email_required = false).await;

    for (app, expected) in [(strict, "missing_email"), (lenient, "verified")] {
        let mut claims = app.claims("sarah");
        claims.remove("email");

        assert_eq!(answered(&app, &claims).await, expected);
    }
}

#[tokio::test]
async fn t6_the_leeway_is_what_is_set() {
    for (leeway, expected) in [(0, "token_expired"), (60, "verified")] {
        let app = with(|it| it.tokens.leeway = Leeway::new(leeway).unwrap()).await;
        let mut claims = app.claims("sarah");
        let now = app.clock.now().as_second();
        claims.insert("iat".to_owned(), json!(now - 300));
        claims.insert("exp".to_owned(), json!(now - 30));

        assert_eq!(answered(&app, &claims).await, expected);
    }
}

#[tokio::test]
async fn t7_the_longest_lifetime_is_what_is_set() {
    for (limit, expected) in [(599, "lifetime_too_long"), (600, "verified")] {
        let app = with(|it| it.tokens.max_lifetime = MaxLifetime::new(limit).unwrap()).await;

        assert_eq!(answered(&app, &app.claims("sarah")).await, expected);
    }
}

#[tokio::test]
async fn t8_an_audience_and_an_issuer_can_be_required() {
    let app = with(|it| it.tokens.audience_required = true).await;
    let mut claims = app.claims("sarah");
    assert_eq!(answered(&app, &claims).await, "wrong_audience");
    claims.insert("aud".to_owned(), json!(app.agent.to_string()));
    assert_eq!(answered(&app, &claims).await, "verified");

    let app = with(|it| it.tokens.issuer_required = true).await;
    let mut claims = app.claims("sarah");
    assert_eq!(answered(&app, &claims).await, "wrong_issuer");
    claims.insert("iss".to_owned(), json!("https://shop.example"));
    assert_eq!(answered(&app, &claims).await, "verified");
}

#[tokio::test]
async fn t10_whether_staff_may_act_as_a_user_is_what_is_set() {
    let open = TestApp::new().await;
    let closed = with(|it| it.tokens.actors_allowed = false).await;

    for (app, expected) in [(open, "verified"), (closed, "actor_not_allowed")] {
        let mut claims = app.claims("sarah");
        assert_eq!(answered(&app, &claims).await, "verified");
        claims.insert("act".to_owned(), json!({ "sub": "staff-7" }));

        assert_eq!(answered(&app, &claims).await, expected);
    }
}
