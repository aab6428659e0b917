//! Turns that the visitor stops, whatever they are doing.

use axum::http::{Method, StatusCode};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{
    support::{Answer, TestApp, Visitor},
    turns::{Gate, app_with_orders_at, held_script, let_go},
};

async fn cancel(visitor: &Visitor<'_>, conversation: &str) -> Answer {
    let path = format!("/v1/conversations/{conversation}/cancel");
    visitor.post(&path, json!({})).await
}

#[tokio::test]
async fn a_turn_that_waits_for_its_model_is_stopped_at_once_and_on_every_device() {
    let gate = Gate::new().await;
    let app = TestApp::with_script(&held_script(&gate)).await;
    let (laptop, phone) = (app.visitor("sarah").await, app.visitor("sarah").await);
    let conversation = laptop.opens_conversation().await;
    let mut on_laptop = laptop.follows(None).await;
    laptop.says(&conversation, "hello").await;
    let mut held = gate.reached().await;

    let stopped = cancel(&phone, &conversation).await;
    let twice = cancel(&phone, &conversation).await;

    assert_eq!(stopped.status, StatusCode::NO_CONTENT);
    assert_eq!(twice.status, StatusCode::NO_CONTENT);
    let told = on_laptop.until_status().await.data;
    assert_eq!(
        (&told["status"], &told["text"]),
        (&json!("stopped"), &json!("You stopped this answer."))
    );
    assert_eq!(on_laptop.until("typing").await.data["typing"], false);
    // The model's connection is dropped: nobody waits for what it would say.
    let mut asked = Vec::new();
    held.read_to_end(&mut asked).await.unwrap();
    laptop.says(&conversation, "again").await;
    assert_eq!(on_laptop.reply().await.data["text"], "Once more.");
    assert_eq!(
        laptop.reads(&conversation).await,
        [
            "visitor: hello",
            "status: stopped",
            "visitor: again",
            "agent: Once more."
        ]
    );
}

#[tokio::test]
async fn where_nothing_runs_nothing_is_stopped() {
    let app = TestApp::new().await;
    let sarah = app.visitor("sarah").await;
    let conversation = sarah.opens_conversation().await;
    let mut events = sarah.follows(None).await;
    sarah.says(&conversation, "hello").await;
    events.reply().await;

    let answer = cancel(&sarah, &conversation).await;

    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert_eq!(
        sarah.reads(&conversation).await,
        ["visitor: hello", "agent: Good day."]
    );
}

#[tokio::test]
async fn closing_stops_the_turn_that_runs() {
    let gate = Gate::new().await;
    let app = TestApp::with_script(&held_script(&gate)).await;
    let sarah = app.visitor("sarah").await;
    let conversation = sarah.opens_conversation().await;
    let mut events = sarah.follows(None).await;
    sarah.says(&conversation, "hello").await;
    let _held = gate.reached().await;

    let path = format!("/v1/conversations/{conversation}");
    let closed = sarah
        .sends(Method::PATCH, &path, json!({ "closed": true }))
        .await;

    assert_eq!(closed.status, StatusCode::OK);
    assert_eq!(events.until_status().await.data["status"], "closed");
    assert_eq!(events.until("typing").await.data["typing"], false);
    assert_eq!(
        sarah.reads(&conversation).await,
        ["visitor: hello", "status: closed"]
    );
}

#[tokio::test]
async fn a_call_that_runs_gets_its_result_and_the_next_is_not_sent() {
    let api = Gate::new().await;
    let call = json!({ "call": "order_status", "arguments": {} });
    let script = json!({ "replies": [
        { "when": "order", "deltas": [call, call] },
        { "when": "order", "after_call": true, "deltas": [{ "text": "Never said." }] },
    ] });
    let app = app_with_orders_at(&api.host(), &script).await;
    let sarah = app.visitor("sarah").await;
    let conversation = sarah.opens_conversation().await;
    let mut events = sarah.follows(None).await;
    sarah.says(&conversation, "where is my order").await;
    let mut asked = api.reached().await;

    cancel(&sarah, &conversation).await;
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}";
    asked.write_all(answer).await.unwrap();

    assert_eq!(events.until("typing").await.data["typing"], true);
    assert_eq!(events.until("typing").await.data["typing"], false);
    assert_eq!(
        sarah.reads(&conversation).await,
        [
            "visitor: where is my order",
            "call order_status started",
            "status: stopped",
            "call order_status finished (succeeded)",
            "call order_status finished (refused)",
        ]
    );
}

#[tokio::test]
async fn a_turn_of_another_node_finds_that_it_was_stopped() {
    let gate = Gate::new().await;
    let app = TestApp::with_script(&held_script(&gate)).await;
    let elsewhere = app.another_node().await;
    let sarah = app.visitor("sarah").await;
    let conversation = sarah.opens_conversation().await;
    let mut events = sarah.follows(None).await;
    sarah.says(&conversation, "hello").await;
    let held = gate.reached().await;

    let opened = elsewhere.visitor("sarah").await;
    cancel(&opened, &conversation).await;
    let_go(held).await;

    assert_eq!(events.until("typing").await.data["typing"], true);
    assert_eq!(events.until("typing").await.data["typing"], false);
    assert_eq!(
        sarah.reads(&conversation).await,
        ["visitor: hello", "status: stopped"]
    );
}
