//! Tokens that are good once.

use axum::http::{Method, StatusCode};
use maitred_core::scope::Environment;
use serde_json::{Value, json};

use super::support::{Answer, TestApp};

const PRODUCTION: Environment = Environment::Production;

/// Where each token is good once.
async fn strict() -> TestApp {
    let app = TestApp::new().await;
    let scope = app.scope(PRODUCTION);
    let mut settings = app.store.settings(scope).await.unwrap().unwrap();
    settings.tokens.one_time = true;
    assert!(app.store.change_settings(scope, &settings).await.unwrap());
    app
}

/// A good token with that `jti`.
fn token(app: &TestApp, jti: Value) -> String {
    let mut claims = app.claims("sarah");
    claims.insert("jti".to_owned(), jti);
    app.signed(PRODUCTION, &claims)
}

fn refusal(answer: &Answer) -> (StatusCode, &str) {
    (answer.status, answer.code())
}

#[tokio::test]
async fn t9_a_token_opens_one_session_and_a_retry_is_a_replay() {
    let app = strict().await;
    let first = token(&app, json!("a"));

    let opened = app.opens(PRODUCTION, json!({ "token": first })).await;
    let again = app.opens(PRODUCTION, json!({ "token": first })).await;

    assert_eq!(opened.status, StatusCode::CREATED);
    assert_eq!(
        again.error(),
        json!({
            "code": "token_replayed",
            "message": "the token was used before, and is good once only",
            "hint": "make a fresh token, with a `jti` of its own, each time the widget asks for one"
        })
    );
    let fresh = token(&app, json!("b"));
    let opened = app.opens(PRODUCTION, json!({ "token": fresh })).await;
    assert_eq!(opened.status, StatusCode::CREATED);
}

#[tokio::test]
async fn t9_rising_and_renewing_use_a_token_up_too() {
    let app = strict().await;
    let (first, second) = (token(&app, json!("a")), token(&app, json!("b")));
    let stranger = app.stranger().await;

    let risen = stranger.shows_a_token(&first).await;
    let sarah = super::support::Visitor::of(&app, &risen);
    let replayed = sarah.shows_a_token(&first).await;
    let renewed = sarah.shows_a_token(&second).await;
    let again = sarah.shows_a_token(&second).await;

    assert_eq!(risen.status, StatusCode::OK);
    assert_eq!(renewed.status, StatusCode::OK);
    for answer in [replayed, again] {
        let expected = (StatusCode::UNAUTHORIZED, "token_replayed");
        assert_eq!(refusal(&answer), expected);
    }
}

#[tokio::test]
async fn t9_a_token_without_an_id_is_refused() {
    let app = strict().await;

    for jti in [json!(null), json!("")] {
        let token = token(&app, jti);
        let answer = app.opens(PRODUCTION, json!({ "token": token })).await;

        let expected = (StatusCode::UNAUTHORIZED, "missing_jti");
        assert_eq!(refusal(&answer), expected);
    }
}

#[tokio::test]
async fn t9_without_the_policy_a_token_may_be_used_again() {
    let app = TestApp::new().await;
    let token = token(&app, json!("a"));

    for _ in 0..2 {
        let answer = app.opens(PRODUCTION, json!({ "token": token })).await;
        assert_eq!(answer.status, StatusCode::CREATED);
    }
}

#[tokio::test]
async fn t9_the_widget_is_told_that_a_token_in_the_page_will_not_do() {
    for (app, expected) in [(strict().await, true), (TestApp::new().await, false)] {
        let path = format!("/v1/agents/{}/production", app.agent);
        let answer = app.send(Method::GET, &path, None, None).await;

        assert_eq!(answer.body["one_time_tokens"], expected);
    }
}
