//! Somebody else's thing is a thing that does not exist (rule D1).

use axum::http::StatusCode;
use maitred_core::scope::Environment;
use serde_json::json;

use super::support::{TestApp, Visitor};

#[tokio::test]
async fn d1_nobody_reaches_the_conversation_of_another() {
    let app = TestApp::new().await;
    let sarah = app.visitor("sarah").await;
    let conversation = sarah.opens_conversation().await;
    sarah.says(&conversation, "hello").await;
    let staging = app.signed(Environment::Staging, &app.claims("sarah"));
    let staging = app
        .opens(Environment::Staging, json!({ "token": staging }))
        .await;

    for other in [
        app.visitor("tom").await,
        app.stranger().await,
        Visitor::of(&app, &staging),
    ] {
        let path = format!("/v1/conversations/{conversation}");
        let answers = [
            other.get(&path).await,
            other.get(&format!("{path}/entries")).await,
            other.says(&conversation, "hello").await,
            other.post(&format!("{path}/not-mine"), json!({})).await,
        ];
        let of_nothing = other
            .get("/v1/conversations/cnv_00000000000000000000000000000099")
            .await;

        for answer in answers {
            assert_eq!(answer.status, StatusCode::NOT_FOUND);
            assert_eq!(
                answer.error(),
                of_nothing.error(),
                "the same body as for nothing"
            );
        }
        let list = other.get("/v1/conversations").await;
        assert_eq!(list.body["items"], json!([]));
    }
}

#[tokio::test]
async fn d1_every_visitor_route_wants_a_session() {
    let app = TestApp::new().await;
    let nobody = [None, Some("mtd_session_x"), Some("Basic abc")];

    for session in nobody {
        for (method, path) in [
            ("GET", "/v1/session"),
            ("DELETE", "/v1/session"),
            ("GET", "/v1/conversations"),
            ("POST", "/v1/conversations"),
            (
                "GET",
                "/v1/conversations/cnv_00000000000000000000000000000099",
            ),
            (
                "GET",
                "/v1/conversations/cnv_00000000000000000000000000000099/entries",
            ),
            (
                "POST",
                "/v1/conversations/cnv_00000000000000000000000000000099/messages",
            ),
            (
                "POST",
                "/v1/conversations/cnv_00000000000000000000000000000099/not-mine",
            ),
            ("POST", "/v1/session/identity"),
            ("GET", "/v1/events"),
        ] {
            let answer = app
                .send(method.parse().unwrap(), path, session, Some(json!({})))
                .await;

            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn the_same_subject_in_staging_is_another_contact() {
    let app = TestApp::new().await;
    let production = app.opens(
        Environment::Production,
        json!({ "token": app.token("sarah") }),
    );
    let staging_token = app.signed(Environment::Staging, &app.claims("sarah"));
    let staging = app.opens(Environment::Staging, json!({ "token": staging_token }));

    let (production, staging) = tokio::join!(production, staging);

    assert_ne!(
        production.body["contact"]["id"],
        staging.body["contact"]["id"]
    );
}
