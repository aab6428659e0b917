//! What comes along when somebody signs in, and taking it away again.

use axum::http::StatusCode;
use jiff::SignedDuration;
use maitred_core::scope::Environment;
use maitred_store::Undone;
use serde_json::{Value, json};

use super::support::{Answer, TestApp, Visitor};

const PRODUCTION: Environment = Environment::Production;

/// A stranger with two conversations: the older is the one this frame shows.
async fn two_conversations(app: &TestApp) -> (Visitor<'_>, String, String) {
    let stranger = app.stranger().await;
    let shown = stranger.opens_conversation().await;
    stranger.says(&shown, "hello").await;
    app.clock.advance(SignedDuration::from_mins(1));
    let later = stranger.opens_conversation().await;
    stranger.says(&later, "hello").await;
    (stranger, shown, later)
}

/// Which conversations came along.
async fn came_along(app: &TestApp, answer: &Answer) -> Vec<String> {
    assert!(answer.status.is_success(), "{}", answer.body);
    let list = Visitor::of(app, answer).get("/v1/conversations").await;
    let items = list.body["items"].as_array().unwrap().clone();
    let ids = items.iter().map(|it| it["id"].as_str().unwrap().to_owned());
    ids.collect()
}

#[tokio::test]
async fn m1_the_conversation_open_in_the_frame_comes_along_and_no_other() {
    let app = TestApp::new().await;
    let (stranger, shown, _) = two_conversations(&app).await;
    let (reloaded, also_shown, _) = two_conversations(&app).await;

    let risen = stranger
        .post(
            "/v1/session/identity",
            json!({ "token": app.token("sarah"), "conversation": shown }),
        )
        .await;
    let opened = app
        .opens(
            PRODUCTION,
            json!({ "token": app.token("tom"), "visitor": reloaded.secret, "conversation": also_shown }),
        )
        .await;

    assert_eq!(came_along(&app, &risen).await, [shown.as_str()]);
    assert_eq!(risen.body["conversation"]["id"], shown.as_str());
    assert_eq!(came_along(&app, &opened).await, [also_shown]);
}

#[tokio::test]
async fn m1_without_saying_which_the_latest_comes_along() {
    let app = TestApp::new().await;
    let (stranger, _, later) = two_conversations(&app).await;

    let risen = stranger.shows_a_token(&app.token("sarah")).await;

    assert_eq!(came_along(&app, &risen).await, [later]);
}

#[tokio::test]
async fn m1_nobody_elses_conversation_comes_along_by_naming_it() {
    let app = TestApp::new().await;
    let bystander = app.stranger().await;
    let theirs = bystander.opens_conversation().await;
    bystander.says(&theirs, "hello").await;
    let (stranger, ..) = two_conversations(&app).await;

    let risen = stranger
        .post(
            "/v1/session/identity",
            json!({ "token": app.token("sarah"), "conversation": theirs }),
        )
        .await;

    assert_eq!(came_along(&app, &risen).await, [] as [String; 0]);
    let still = bystander.get(&format!("/v1/conversations/{theirs}")).await;
    assert_eq!(still.status, StatusCode::OK);
}

#[tokio::test]
async fn m2_an_open_stream_reads_again_after_an_operators_undo() {
    let app = TestApp::new().await;
    let (stranger, shown, _) = two_conversations(&app).await;
    let risen = stranger
        .post(
            "/v1/session/identity",
            json!({ "token": app.token("sarah"), "conversation": shown }),
        )
        .await;
    let sarah = Visitor::of(&app, &risen);
    let mut events = sarah.follows(None).await;
    assert_eq!(events.next().await.unwrap().name, "hello");
    let scope = app.scope(PRODUCTION);
    let merges = app.store.merges(scope, None, 10).await.unwrap();

    // As a command beside the server does it.
    let undone = app.store.undo_merge(scope, merges[0].id).await.unwrap();

    assert!(matches!(undone, Some(Undone::Split(_))), "{undone:?}");
    events.until("resync").await;
    let path = format!("/v1/conversations/{shown}");
    let left = sarah.get(&path).await.body;
    assert_eq!(left["from_before_sign_in"], false);
    assert_eq!(left["title"], Value::Null);
    let not_mine = sarah.post(&format!("{path}/not-mine"), json!({})).await;
    assert_eq!(not_mine.status, StatusCode::NOT_FOUND, "it is undone");
}
