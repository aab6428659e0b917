//! What a visitor looks for in their conversations, and takes away of them.

use axum::http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use maitred_core::{
    conversation::{Author, Body, Message, NewEntry},
    id::EntryId,
};
use maitred_store::TurnMark;
use serde_json::{Value, json};

use super::support::{HOST, TestApp, Visitor};

/// The agent says these, one after another.
async fn hears(app: &TestApp, conversation: &str, texts: impl IntoIterator<Item = String>) {
    let entries = texts.into_iter().map(|text| NewEntry {
        id: EntryId::new(&app.clock),
        body: Body::Message(Message {
            by: Author::Agent,
            text,
            citations: Vec::new(),
            client_id: None,
            session: None,
        }),
    });
    let id = conversation.parse().unwrap();
    let entries = entries.collect();
    let appended = app.store.append(id, None, entries, TurnMark::Ended).await;
    appended.unwrap();
}

/// A conversation in which "hello" was answered.
async fn answered(visitor: &Visitor<'_>) -> String {
    let conversation = visitor.opens_conversation().await;
    let mut events = visitor.follows(None).await;
    visitor.says(&conversation, "hello").await;
    events.reply().await;
    conversation
}

#[tokio::test]
async fn what_was_said_is_found_with_a_piece_of_it() {
    let app = TestApp::new().await;
    let sarah = app.visitor("sarah").await;
    let conversation = answered(&sarah).await;
    let other = answered(&sarah).await;
    let long = format!(
        "{}The Größte of all{}",
        "before ".repeat(40),
        " after".repeat(40)
    );
    hears(&app, &conversation, [long]).await;
    let path = format!("/v1/conversations/{other}");
    let title = json!({ "title": "The grosste parcel" });
    sarah.sends(Method::PATCH, &path, title).await;
    let listed = sarah.get("/v1/conversations").await.body;

    let found = sarah.get("/v1/conversations?q=GROSSTE").await;

    assert_eq!(found.status, StatusCode::OK);
    let items = found.body["items"].as_array().unwrap();
    assert_eq!(items.len(), 2, "{}", found.body);
    for item in items {
        let mut conversation = item.clone();
        let matched = conversation.as_object_mut().unwrap().remove("match");
        assert!(listed["items"].as_array().unwrap().contains(&conversation));
        if item["id"] == other.as_str() {
            assert_eq!(matched, Some(Value::Null), "only the title says it");
        } else {
            let matched = matched.unwrap();
            assert_eq!(matched["number"], 3);
            let piece = matched["text"].as_str().unwrap();
            assert!(piece.contains("before The Größte of all after"), "{piece}");
            assert!(piece.starts_with('…') && piece.chars().count() <= 122);
        }
    }
    assert!(found.body["next"].is_null());
    let nothing = sarah.get("/v1/conversations?q=nowhere").await;
    assert_eq!(nothing.body, json!({ "items": [], "next": null }));
}

#[tokio::test]
async fn what_cannot_be_looked_for_is_a_bad_request() {
    let app = TestApp::new().await;
    let sarah = app.visitor("sarah").await;

    for q in ["", "a", "%20a%20", "a%00b", &"x".repeat(201)] {
        let answer = sarah.get(&format!("/v1/conversations?q={q}")).await;

        assert_eq!(
            (answer.status, answer.code()),
            (StatusCode::BAD_REQUEST, "bad_request"),
            "{q}: {}",
            answer.body
        );
    }
}

#[tokio::test]
async fn a_transcript_is_downloaded_to_be_read() {
    let app = TestApp::new().await;
    let sarah = app.visitor("sarah").await;
    let conversation = answered(&sarah).await;
    let forged = "One\r\n\n[2026-03-01 12:00] You:\u{2028}    I owe you \u{202e}all\u{1b}[2A";
    hears(&app, &conversation, [forged.to_owned()]).await;
    let path = format!("/v1/conversations/{conversation}");
    let closed = json!({ "title": "The parcel", "closed": true });
    sarah.sends(Method::PATCH, &path, closed).await;

    let answer = sarah.get(&format!("{path}/transcript?format=text")).await;

    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(
        answer.headers[header::CONTENT_DISPOSITION],
        "attachment; filename=\"conversation-2026-03-01.txt\""
    );
    assert_eq!(
        answer.headers[header::CONTENT_TYPE],
        "text/plain; charset=utf-8"
    );
    assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
    assert_eq!(answer.headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    let text = "The parcel
With Ada, since 2026-03-01 12:00 UTC. All times are UTC.

[2026-03-01 12:00] You:
    hello

[2026-03-01 12:00] Ada:
    Good day.

[2026-03-01 12:00] Ada:
    One


    [2026-03-01 12:00] You:
        I owe you all[2A

[2026-03-01 12:00] * You closed this conversation.
";
    assert_eq!(answer.body, text);
    let by_default = sarah.get(&format!("{path}/transcript")).await;
    assert_eq!(by_default.body, text);
}

#[tokio::test]
async fn a_transcript_for_programs_is_all_that_the_visitor_may_see() {
    let app = TestApp::new().await;
    let sarah = app.visitor("sarah").await;
    let conversation = answered(&sarah).await;
    hears(&app, &conversation, (3..=250).map(|n| format!("line {n}"))).await;
    let path = format!("/v1/conversations/{conversation}");

    let answer = sarah.get(&format!("{path}/transcript?format=json")).await;

    assert_eq!(
        answer.headers[header::CONTENT_DISPOSITION],
        "attachment; filename=\"conversation-2026-03-01.json\""
    );
    assert_eq!(answer.headers[header::CONTENT_TYPE], "application/json");
    assert_eq!(answer.body["conversation"], sarah.get(&path).await.body);
    let entries = answer.body["entries"].as_array().unwrap();
    let numbers = entries
        .iter()
        .map(|entry| entry["number"].as_i64().unwrap());
    assert!(numbers.eq(1..=250), "each once, in order");
    let page = sarah.get(&format!("{path}/entries?limit=100")).await.body;
    assert_eq!(entries[..100], page["items"].as_array().unwrap()[..]);
}

#[tokio::test]
async fn the_transcript_of_an_empty_conversation_is_empty() {
    let app = TestApp::new().await;
    let sarah = app.visitor("sarah").await;
    let conversation = sarah.opens_conversation().await;
    let path = format!("/v1/conversations/{conversation}/transcript?format=");

    let json = sarah.get(&format!("{path}json")).await;
    let text = sarah.get(&format!("{path}text")).await;
    let other = sarah.get(&format!("{path}pdf")).await;

    assert_eq!(json.body["entries"], json!([]));
    assert_eq!(
        text.body,
        "Conversation\nWith Ada, since 2026-03-01 12:00 UTC. All times are UTC.\n"
    );
    assert_eq!(other.code(), "bad_request");
}

#[tokio::test]
async fn s5_a_download_breaks_off_when_its_session_ends() {
    let app = TestApp::new().await;
    let sarah = app.visitor("sarah").await;
    let conversation = answered(&sarah).await;
    hears(&app, &conversation, (3..=250).map(|n| format!("line {n}"))).await;
    let request = Request::builder()
        .uri(format!("/v1/conversations/{conversation}/transcript"))
        .header(header::HOST, HOST)
        .header(header::AUTHORIZATION, format!("Bearer {}", sarah.session))
        .body(axum::body::Body::empty())
        .unwrap();
    let mut body = app.response(request).await.into_body();
    for _ in 0..2 {
        body.frame().await.unwrap().unwrap();
    }

    sarah.logs_out().await;

    assert!(body.frame().await.unwrap().is_err());
}
