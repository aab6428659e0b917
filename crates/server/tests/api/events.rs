use std::time::{Duration, Instant};

use axum::http::{Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use maitred_core::scope::Environment;
use serde_json::json;

use super::support::{TestApp, Visitor};

#[tokio::test]
async fn a_reply_comes_in_pieces_and_then_whole() {
    let app = TestApp::new().await;
    let sarah = app.visitor("sarah").await;
    let conversation = sarah.opens_conversation().await;
    let mut events = sarah.follows(None).await;

    sarah.says(&conversation, "hello").await;

    let (one, two) = (events.until("delta").await, events.until("delta").await);
    let whole = events.reply().await;
    assert_eq!(
        (&one.data["text"], &two.data["text"]),
        (&json!("Good "), &json!("day."))
    );
    assert_eq!(one.data["reply"], whole.data["id"]);
    assert!(
        one.id.is_none(),
        "what is not stored cannot be asked for again"
    );
    assert!(whole.id.is_some());
}

#[tokio::test]
async fn r4_a_stream_that_comes_back_gets_what_it_missed_once_and_in_order() {
    let app = TestApp::new().await;
    let sarah = app.visitor("sarah").await;
    let conversation = sarah.opens_conversation().await;
    let mut events = sarah.follows(None).await;
    let start = events.next().await.unwrap();
    sarah.says(&conversation, "hello").await;
    let first = events.until("entry").await;
    events.reply().await;
    drop(events);

    let mut from_start = sarah.follows(start.id.as_deref()).await;
    let mut from_first = sarah.follows(first.id.as_deref()).await;

    assert_eq!(from_start.next().await.unwrap().id, first.id);
    assert_eq!(from_start.next().await.unwrap().data["text"], "Good day.");
    assert_eq!(from_first.next().await.unwrap().data["text"], "Good day.");
}

#[tokio::test]
async fn r4_a_position_of_another_numbering_is_a_resync() {
    let app = TestApp::new().await;
    let sarah = app.visitor("sarah").await;

    for last in ["another:1", "another:999999", "x:-1"] {
        let mut events = sarah.follows(Some(last)).await;

        assert_eq!(events.next().await.unwrap().name, "resync", "{last}");
    }
}

#[tokio::test]
async fn r4_a_position_that_cannot_be_read_is_a_resync() {
    let app = TestApp::new().await;
    let sarah = app.visitor("sarah").await;

    for last in ["", "nonsense", "another:many", "1"] {
        let mut events = sarah.follows(Some(last)).await;

        assert_eq!(events.next().await.unwrap().name, "resync", "{last}");
    }
}

#[tokio::test]
async fn s2_a_stream_ends_when_its_session_expires() {
    let app = TestApp::new().await;
    let sarah = app.visitor("sarah").await;
    let left = SignedDuration::from_secs(1);
    app.clock.advance(lasts_for(&app, &sarah).await - left);
    let mut events = sarah.follows(None).await;
    events.next().await;
    let opened = Instant::now();

    app.clock.advance(left);

    assert_eq!(
        events.until("session").await.data["code"],
        "session_expired"
    );
    assert!(events.next().await.is_none());
    assert!(
        opened.elapsed() < Duration::from_secs(10),
        "before it beats"
    );
}

#[tokio::test]
async fn s2_nothing_is_sent_to_a_session_that_has_expired() {
    let app = TestApp::new().await;
    let (laptop, phone) = (app.visitor("sarah").await, app.visitor("sarah").await);
    let conversation = laptop.opens_conversation().await;
    let mut events = laptop.follows(None).await;
    events.next().await;
    laptop.says(&conversation, "hello").await;
    app.clock.advance(lasts_for(&app, &phone).await);

    assert_eq!(events.next().await.unwrap().name, "session");
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn s3_a_stream_goes_on_when_its_session_was_renewed() {
    let app = TestApp::new().await;
    let sarah = app.visitor("sarah").await;
    let conversation = sarah.opens_conversation().await;
    let left = SignedDuration::from_secs(1);
    app.clock.advance(lasts_for(&app, &sarah).await - left);
    let mut events = sarah.follows(None).await;
    events.next().await;

    sarah.shows_a_token(&app.token("sarah")).await;
    app.clock.advance(left);
    sarah.says(&conversation, "hello").await;

    assert_eq!(events.reply().await.data["text"], "Good day.");
}

/// How long that session has left.
async fn lasts_for(app: &TestApp, visitor: &Visitor<'_>) -> SignedDuration {
    let session = visitor.get("/v1/session").await.body;
    let expires_at: Timestamp = session["expires_at"].as_str().unwrap().parse().unwrap();
    expires_at.duration_since(app.clock.now())
}

#[tokio::test]
async fn r4_signing_in_makes_other_devices_read_everything_again() {
    let app = TestApp::new().await;
    let phone = app.visitor("sarah").await;
    let mut on_phone = phone.follows(None).await;
    on_phone.next().await;
    let stranger = app.stranger().await;
    let conversation = stranger.opens_conversation().await;
    stranger.says(&conversation, "hello").await;

    Visitor::of(&app, &stranger.shows_a_token(&app.token("sarah")).await);

    assert_eq!(on_phone.until("resync").await.name, "resync");
    assert_eq!(
        phone.get("/v1/conversations").await.body["items"][0]["id"],
        conversation.as_str()
    );
}

#[tokio::test]
async fn s8_the_streams_of_the_anonymous_visitor_close_at_sign_in() {
    let app = TestApp::new().await;
    let stranger = app.stranger().await;
    let mut events = stranger.follows(None).await;
    events.next().await;

    stranger.shows_a_token(&app.token("sarah")).await;

    assert_eq!(
        events.until("session").await.data["code"],
        "session_revoked"
    );
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn a_stream_needs_a_session() {
    let app = TestApp::new().await;

    let answer = app.send(Method::GET, "/v1/events", None, None).await;

    assert_eq!(
        (answer.status, answer.code()),
        (StatusCode::UNAUTHORIZED, "unauthorized")
    );
}

#[tokio::test]
async fn k6_a_stream_that_is_behind_sends_nothing_more_once_its_session_is_revoked() {
    let app = TestApp::new().await;
    let sarah = app.visitor("sarah").await;
    let conversation = sarah.opens_conversation().await;
    let start = sarah.follows(None).await.next().await.unwrap();
    for _ in 0..5 {
        sarah.says(&conversation, "hello").await;
    }
    let mut events = sarah.follows(start.id.as_deref()).await;
    assert_eq!(events.next().await.unwrap().name, "entry");

    let (key, _) = app.key(Environment::Production);
    let scope = app.scope(Environment::Production);
    assert!(app.store.revoke_key(scope, *key).await.unwrap());
    app.clock.advance(SignedDuration::from_secs(1));

    let next = events.next().await.unwrap();
    assert_eq!(next.data["code"], "session_revoked", "{next:?}");
    assert!(events.next().await.is_none());
}
