use axum::http::StatusCode;
use serde_json::json;

use super::support::TestApp;

#[tokio::test]
async fn a_message_is_kept_and_answered() {
    let app = TestApp::new().await;
    let sarah = app.visitor("sarah").await;
    let conversation = sarah.opens_conversation().await;
    let mut events = sarah.follows(None).await;

    let answer = sarah.says(&conversation, "  hello  ").await;

    assert_eq!(answer.status, StatusCode::ACCEPTED);
    assert_eq!(answer.body["duplicate"], false);
    assert_eq!(answer.body["entry"]["text"], "hello");
    assert_eq!(events.reply().await.data["text"], "Good day.");
    assert_eq!(
        sarah.reads(&conversation).await,
        ["visitor: hello", "agent: Good day."]
    );
}

#[tokio::test]
async fn r1_a_retry_under_the_same_id_is_the_same_entry() {
    let app = TestApp::new().await;
    let sarah = app.visitor("sarah").await;
    let conversation = sarah.opens_conversation().await;
    let id = "6f6f3b0e-6f4e-4f0a-9d0a-3d1f6f4e0a11";

    let first = sarah.says_as(&conversation, id, "hello").await;
    let second = sarah.says_as(&conversation, id, "hello").await;
    let other = sarah.says_as(&conversation, id, "hello!").await;

    assert_eq!(second.status, StatusCode::ACCEPTED);
    assert_eq!(second.body["duplicate"], true);
    assert_eq!(second.body["entry"], first.body["entry"]);
    assert_eq!(
        (other.status, other.code()),
        (StatusCode::UNPROCESSABLE_ENTITY, "idempotency_mismatch")
    );
}

#[tokio::test]
async fn a_message_that_is_none_is_refused() {
    let app = TestApp::new().await;
    let sarah = app.visitor("sarah").await;
    let conversation = sarah.opens_conversation().await;

    for text in ["", "  \n", "a\0b", &"x".repeat(8_001)] {
        let answer = sarah.says(&conversation, text).await;

        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(answer.code(), "bad_message");
    }
    let path = format!("/v1/conversations/{conversation}/messages");
    let answer = sarah
        .post(&path, json!({ "id": "not a uuid", "text": "hello" }))
        .await;
    assert_eq!(
        (answer.status, answer.code()),
        (StatusCode::BAD_REQUEST, "bad_request")
    );
}

#[tokio::test]
async fn the_same_person_finds_the_conversation_on_another_device() {
    let app = TestApp::new().await;
    let (laptop, phone) = (app.visitor("sarah").await, app.visitor("sarah").await);
    let conversation = laptop.opens_conversation().await;
    let mut on_phone = phone.follows(None).await;

    laptop.says(&conversation, "hello").await;

    assert_eq!(on_phone.until("entry").await.data["text"], "hello");
    assert_eq!(on_phone.reply().await.data["text"], "Good day.");
    let list = phone.get("/v1/conversations").await;
    assert_eq!(list.body["items"][0]["id"], conversation.as_str());
    assert_eq!(list.body["items"][0]["title"], "hello");
    assert_eq!(list.body["items"][0]["last_message"]["text"], "Good day.");
}

#[tokio::test]
async fn lists_are_read_in_parts() {
    let app = TestApp::new().await;
    let sarah = app.visitor("sarah").await;
    for _ in 0..3 {
        let conversation = sarah.opens_conversation().await;
        sarah.says(&conversation, "hello").await;
        app.clock.advance(jiff::SignedDuration::from_secs(1));
    }

    let first = sarah.get("/v1/conversations?limit=2").await;
    let cursor = first.body["next"].as_str().unwrap();
    let second = sarah
        .get(&format!("/v1/conversations?limit=2&cursor={cursor}"))
        .await;

    assert_eq!(first.body["items"].as_array().unwrap().len(), 2);
    assert_eq!(second.body["items"].as_array().unwrap().len(), 1);
    assert!(second.body["next"].is_null());
    assert_eq!(
        sarah.get("/v1/conversations?limit=101").await.code(),
        "bad_request"
    );
}

#[tokio::test]
async fn a_query_that_cannot_be_read_is_a_bad_request() {
    let app = TestApp::new().await;
    let sarah = app.visitor("sarah").await;
    let conversation = sarah.opens_conversation().await;
    let entries = format!("/v1/conversations/{conversation}/entries");

    for path in [
        "/v1/conversations?limit=abc",
        "/v1/conversations?cursor=nonsense",
        "/v1/conversations?cursor=1.cnv_1",
        &format!("{entries}?after=first"),
        &format!("{entries}?cursor=nonsense"),
    ] {
        let answer = sarah.get(path).await;

        assert_eq!(
            (answer.status, answer.code()),
            (StatusCode::BAD_REQUEST, "bad_request"),
            "{path}: {}",
            answer.body
        );
    }
}

#[tokio::test]
async fn a_body_over_64_kib_is_too_large() {
    let app = TestApp::new().await;
    let sarah = app.visitor("sarah").await;

    let answer = sarah
        .post("/v1/conversations", json!({ "x": "x".repeat(64 * 1024) }))
        .await;

    assert_eq!(
        (answer.status, answer.code()),
        (StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
        "{}",
        answer.body
    );
}
