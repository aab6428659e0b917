//! The checker of tokens (rule L2).

use axum::http::StatusCode;
use maitred_core::scope::Environment;
use maitred_token::Check;
use serde_json::json;

use super::support::TestApp;

#[tokio::test]
async fn l2_a_good_token_passes_every_step_and_says_whom_it_proves() {
    let app = TestApp::new().await;
    let operator = app.operator().await;
    let token = app.token("sarah");

    let answer = operator.checks("production", &token).await;

    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert_eq!(answer.body["accepted"], true);
    let steps = answer.body["steps"].as_array().unwrap();
    let checks: Vec<_> = steps.iter().map(|step| &step["check"]).collect();
    assert_eq!(checks, Check::ALL.map(Check::name));
    assert!(steps.iter().all(|step| step["outcome"] == "passed"));
    insta::assert_json_snapshot!(answer.body["identity"], @r#"
    {
      "email": "sarah@example.com",
      "email_verified": true,
      "expires_at": "2026-03-01T12:10:00Z",
      "name": "sarah Example",
      "subject": "sarah"
    }
    "#);
    assert!(!answer.body.to_string().contains(&token));
}

#[tokio::test]
async fn l2_the_step_that_failed_is_named_with_its_fix_in_production_too() {
    let app = TestApp::new().await;
    let operator = app.operator().await;
    let mut claims = app.claims("sarah");
    let now = app.clock.now().as_second();
    claims.insert("iat".to_owned(), json!(now - 780));
    claims.insert("exp".to_owned(), json!(now - 180));
    let expired = app.signed(Environment::Production, &claims);

    let answer = operator.checks("production", &expired).await;

    assert_eq!(answer.body["accepted"], false);
    assert_eq!(answer.body["code"], "token_expired");
    assert_eq!(answer.body["identity"], json!(null));
    let failed: Vec<_> = answer.body["steps"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|step| step["outcome"] == "failed")
        .collect();
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0]["check"], "times");
    assert_eq!(failed[0]["fix"], answer.body["fix"]);
    let last = answer.body["steps"].as_array().unwrap().last();
    assert_eq!(last.unwrap()["outcome"], "not_reached");
    assert!(!answer.body.to_string().contains("sarah"), "no claim");
}

#[tokio::test]
async fn k7_the_checker_says_that_the_other_environment_signed() {
    let app = TestApp::new().await;
    let operator = app.operator().await;
    let staging = app.signed(Environment::Staging, &app.claims("sarah"));

    let answer = operator.checks("production", &staging).await;

    assert_eq!(answer.body["code"], "wrong_environment");
    let steps = answer.body["steps"].as_array().unwrap();
    let failed = steps.iter().find(|step| step["outcome"] == "failed");
    let message = failed.unwrap()["message"].as_str().unwrap();
    assert!(message.contains("staging"), "{message}");
}

#[tokio::test]
async fn l2_the_checker_says_what_the_widget_is_told() {
    let app = TestApp::new().await;
    let operator = app.operator().await;
    let now = app.clock.now().as_second();
    for (claim, value) in [
        ("exp", json!("soon")),
        ("aud", json!("agt_another")),
        ("sub", json!("")),
        ("email", json!("nobody")),
        ("iat", json!(now + 300)),
    ] {
        let mut claims = app.claims("sarah");
        claims.insert(claim.to_owned(), value);
        let token = app.signed(Environment::Staging, &claims);

        let widget = app
            .opens(Environment::Staging, json!({ "token": token }))
            .await;
        let checker = operator.checks("staging", &token).await;

        assert_eq!(checker.body["code"], json!(widget.code()), "{claim}");
    }
}

#[tokio::test]
async fn a_token_that_is_none_is_checked_and_not_echoed() {
    let app = TestApp::new().await;
    let operator = app.operator().await;

    let answer = operator.checks("production", " hunter2 ").await;
    let unknown = operator
        .post(
            &format!("/api/agents/{}/tokens/check", app.agent),
            json!({ "token": "x", "now": 0 }),
        )
        .await;

    assert_eq!(answer.body["code"], "malformed");
    assert!(!answer.body.to_string().contains("hunter2"));
    assert_eq!(unknown.code(), "unknown_field");
}
