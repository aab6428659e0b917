//! Logging out everywhere, as a command beside the server does it.

use axum::http::StatusCode;
use maitred_core::scope::Environment;
use serde_json::json;

use super::{
    support::TestApp,
    turns::{Gate, held_script},
};

const PRODUCTION: Environment = Environment::Production;

/// Somebody with a shell logs Sarah out: the server is told by the database alone.
async fn log_out(app: &TestApp) {
    let subject = "sarah".parse().unwrap();
    let done = app
        .store
        .log_out_everywhere(app.scope(PRODUCTION), &subject)
        .await;
    assert!(done.unwrap().is_some());
}

#[tokio::test]
async fn s6_streams_and_turns_end_on_every_node() {
    let gate = Gate::new().await;
    let app = TestApp::with_script(&held_script(&gate)).await;
    let (sarah, tom) = (app.visitor("sarah").await, app.visitor("tom").await);
    let conversation = sarah.opens_conversation().await;
    sarah.says(&conversation, "hello").await;
    // The model is in the middle of a word.
    let _held = gate.reached().await;
    let mut events = sarah.follows(None).await;

    log_out(&app).await;

    let ended = events.until("session").await;
    assert_eq!(ended.data["code"], "session_revoked");
    assert!(events.next().await.is_none(), "the stream is closed");
    let answer = sarah.get("/v1/conversations").await;
    assert_eq!(
        (answer.status, answer.code()),
        (StatusCode::UNAUTHORIZED, "session_revoked")
    );
    assert_eq!(tom.get("/v1/session").await.status, StatusCode::OK);
    app.clock.advance(jiff::SignedDuration::from_mins(2));
    let again = app.visitor("sarah").await;
    let mut events = again.follows(Some("0:0")).await;
    loop {
        let lines = again.reads(&conversation).await;
        if lines == ["visitor: hello", "status: cancelled"] {
            break;
        }
        assert_eq!(lines, ["visitor: hello"], "nothing is said in her name");
        events.next().await.expect("the turn ends");
    }
}

#[tokio::test]
async fn k6_a_turn_of_a_revoked_key_ends_although_the_key_was_revoked_beside_the_server() {
    let gate = Gate::new().await;
    let app = TestApp::with_script(&held_script(&gate)).await;
    let sarah = app.visitor("sarah").await;
    let conversation = sarah.opens_conversation().await;
    sarah.says(&conversation, "hello").await;
    let _held = gate.reached().await;
    let (key, _) = app.key(PRODUCTION);
    let scope = app.scope(PRODUCTION);
    let id = conversation.parse().unwrap();

    assert!(app.store.revoke_key(scope, *key).await.unwrap());

    let waits = tokio::time::timeout(std::time::Duration::from_secs(20), async {
        while !app
            .store
            .conversations_with_a_turn()
            .await
            .unwrap()
            .is_empty()
        {
            tokio::task::yield_now().await;
        }
    });
    waits.await.expect("the turn ends");
    let entries = app.store.entries_after(id, 0, 10).await.unwrap();
    assert_eq!(entries.len(), 2, "what was said, and that it was cancelled");
}

#[tokio::test]
async fn s6_a_token_from_before_is_revoked_and_says_so() {
    let app = TestApp::new().await;
    let stranger = app.stranger().await;
    let before = app.token("sarah");
    let mut timeless = app.claims("sarah");
    timeless.remove("iat");
    let timeless = app.signed(PRODUCTION, &timeless);
    log_out(&app).await;
    app.clock.advance(jiff::SignedDuration::from_mins(2));
    let sarah = app.visitor("sarah").await;

    for token in [before, timeless] {
        let opened = app.opens(PRODUCTION, json!({ "token": token })).await;
        let risen = stranger.shows_a_token(&token).await;
        let renewed = sarah.shows_a_token(&token).await;

        for answer in [opened, risen, renewed] {
            assert_eq!(
                (answer.status, answer.code()),
                (StatusCode::UNAUTHORIZED, "token_revoked")
            );
            assert_eq!(
                answer.body["error"]["message"],
                "the token was made before its user was logged out everywhere"
            );
        }
    }
    assert_eq!(sarah.get("/v1/session").await.status, StatusCode::OK);
}
