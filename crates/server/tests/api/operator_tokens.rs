//! The checker of tokens (rule L2).

use axum::http::StatusCode;
use maitred_core::scope::Environment;
use maitred_token::Check;
use serde_json::{Value, json};

use super::support::{Answer, TestApp};

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
    let walked = Check::ALL.map(Check::name).into_iter();
    assert_eq!(checks, walked.chain(["admission"]).collect::<Vec<_>>());
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

/// The code, and what is said of what was stored.
fn admission(answer: &Answer) -> (&Value, &Value) {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let admission = answer.body["steps"].as_array().unwrap().last().unwrap();
    assert_eq!(admission["check"], "admission");
    (&answer.body["code"], admission)
}

#[tokio::test]
async fn s6_the_checker_says_that_a_user_was_logged_out_everywhere() {
    let app = TestApp::new().await;
    let operator = app.operator().await;
    let token = app.token("sarah");
    let without_iat = {
        let mut claims = app.claims("sarah");
        claims.remove("iat");
        app.signed(Environment::Production, &claims)
    };
    let before = operator.checks("production", &token).await;
    assert_eq!(admission(&before).1["outcome"], "passed");
    let path = format!("/api/agents/{}/contacts/logout", app.agent);
    let out = json!({ "environment": "production", "subject": "sarah" });
    operator.post(&path, out).await;

    for token in [token, without_iat] {
        let checked = operator.checks("production", &token).await;
        let widget = app
            .opens(Environment::Production, json!({ "token": token }))
            .await;

        let (code, step) = admission(&checked);
        assert_eq!(
            (code, widget.code()),
            (&json!("token_revoked"), "token_revoked")
        );
        assert_eq!(step["outcome"], "failed");
        assert_eq!(step["message"], widget.error()["message"]);
        assert_eq!(step["fix"], widget.error()["hint"]);
        assert_eq!(checked.body["fix"], step["fix"]);
        assert_eq!(checked.body["accepted"], false);
        assert_eq!(checked.body["identity"], Value::Null);
    }
    let tom = operator.checks("production", &app.token("tom")).await;
    assert_eq!(tom.body["accepted"], true);
    let staging = app.signed(Environment::Staging, &app.claims("sarah"));
    let staging = operator.checks("staging", &staging).await;
    assert_eq!(staging.body["accepted"], true);
}

#[tokio::test]
async fn t9_the_checker_says_that_a_token_was_used_and_does_not_use_it() {
    let app = TestApp::new().await;
    let operator = app.operator().await;
    let once = json!({ "tokens": { "one_time": true } });
    operator
        .patch(&operator.path("production/policy"), once)
        .await;
    let mut claims = app.claims("sarah");
    claims.insert("jti".to_owned(), json!("a"));
    let token = app.signed(Environment::Production, &claims);

    for _ in 0..2 {
        let unused = operator.checks("production", &token).await;
        assert_eq!(unused.body["accepted"], true, "{}", unused.body);
    }
    let opened = app
        .opens(Environment::Production, json!({ "token": token }))
        .await;
    assert_eq!(opened.status, StatusCode::CREATED, "{}", opened.body);
    let used = operator.checks("production", &token).await;

    let (code, step) = admission(&used);
    assert_eq!(code, "token_replayed");
    assert_eq!(step["outcome"], "failed");
    let again = app
        .opens(Environment::Production, json!({ "token": token }))
        .await;
    assert_eq!(again.error()["message"], step["message"]);
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
