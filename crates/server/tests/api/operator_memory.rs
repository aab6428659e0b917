//! What the agent remembers of contacts between conversations.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use maitred_core::{
    agent::{Remembering, Settings},
    scope::Environment,
};
use serde_json::{Value, json};

use super::support::{Operator, TestApp, Visitor};

const PRODUCTION: Environment = Environment::Production;

/// Says something, hears the answer, and closes the conversation.
async fn talks(visitor: &Visitor<'_>, text: &str) {
    let conversation = visitor.opens_conversation().await;
    let mut events = visitor.follows(None).await;
    visitor.says(&conversation, text).await;
    events.reply().await;
    let path = format!("/v1/conversations/{conversation}");
    let close = json!({ "closed": true });
    let closed = visitor.sends(Method::PATCH, &path, close).await;
    assert_eq!(closed.status, StatusCode::OK, "{}", closed.body);
}

async fn remembered(operator: &Operator<'_>, app: &TestApp, subject: &str) -> Vec<Value> {
    let path = format!(
        "/api/agents/{}/contacts/memory?subject={subject}",
        app.agent
    );
    let answer = operator.get(&path).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    answer.body["items"].as_array().unwrap().clone()
}

/// Once the conversation was looked at.
async fn soon(operator: &Operator<'_>, app: &TestApp, subject: &str) -> Vec<Value> {
    for _ in 0..500 {
        let found = remembered(operator, app, subject).await;
        if !found.is_empty() {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("nothing is remembered of {subject}");
}

#[tokio::test]
async fn what_a_contact_said_of_themselves_is_remembered_shown_changed_and_forgotten() {
    let app = TestApp::new().await;
    let operator = app.operator().await;
    let sarah = app.visitor("sarah").await;

    talks(&sarah, "hello, I live in Cork. Where are your shops?").await;
    let found = soon(&operator, &app, "sarah").await;

    let texts: Vec<(&str, &str)> = found
        .iter()
        .map(|it| (it["kind"].as_str().unwrap(), it["text"].as_str().unwrap()))
        .collect();
    assert_eq!(
        texts,
        [
            ("fact", "hello, I live in Cork."),
            ("topic", "hello, I live in Cork. Where are your shops?"),
        ]
    );
    assert_eq!(found[0]["noted_by"], "agent");
    assert!(found[0]["conversation"].is_string());

    let one = format!(
        "/api/agents/{}/environments/production/memories/{}",
        app.agent,
        found[0]["id"].as_str().unwrap()
    );
    let changed = operator
        .sends(
            Method::PATCH,
            &one,
            Some(json!({ "text": "Lives in Galway" })),
        )
        .await;
    assert_eq!(changed.status, StatusCode::NO_CONTENT, "{}", changed.body);
    let other = one.replace("production", "staging");
    for path in [&other, &one.replace("mem_", "msg_")] {
        let refused = operator.sends(Method::DELETE, path, None).await;
        assert_eq!(refused.code(), "not_found");
    }
    let now = remembered(&operator, &app, "sarah").await;
    let changed = now.iter().find(|it| it["id"] == found[0]["id"]).unwrap();
    assert_eq!(changed["text"], "Lives in Galway");
    assert_eq!(changed["noted_by"], "operator");

    let forgotten = operator.sends(Method::DELETE, &one, None).await;
    assert_eq!(forgotten.status, StatusCode::NO_CONTENT);
    assert_eq!(remembered(&operator, &app, "sarah").await.len(), 1);
}

#[tokio::test]
async fn a_memory_that_must_not_be_kept_is_refused_and_said_why() {
    let app = TestApp::new().await;
    let operator = app.operator().await;
    talks(&app.visitor("sarah").await, "hello, I live in Cork.").await;
    let found = soon(&operator, &app, "sarah").await;
    let path = format!(
        "/api/agents/{}/environments/production/memories/{}",
        app.agent,
        found[0]["id"].as_str().unwrap()
    );

    for (text, why) in [
        ("  ", "empty"),
        ("her card is 4111 1111 1111 1111", "long number"),
    ] {
        let body = Some(json!({ "text": text }));
        let refused = operator.sends(Method::PATCH, &path, body).await;
        assert_eq!(refused.code(), "invalid_value");
        let message = refused.body["error"]["message"].as_str().unwrap();
        assert!(message.contains(why), "{message}");
    }
}

#[tokio::test]
async fn g12_nobody_else_and_nobody_anonymous_is_remembered_with_them() {
    let app = TestApp::new().await;
    let operator = app.operator().await;
    let tom = app.visitor("tom").await;

    talks(&app.stranger().await, "hello, I live in Derry.").await;
    talks(&app.visitor("sarah").await, "hello, I live in Cork.").await;
    soon(&operator, &app, "sarah").await;

    assert_eq!(
        remembered(&operator, &app, "tom").await,
        Vec::<Value>::new()
    );
    drop(tom);
    let bytes = String::from_utf8_lossy(&app.stored_bytes().await).into_owned();
    assert!(bytes.contains("fact"), "else this test sees nothing");
}

#[tokio::test]
async fn with_memory_off_nothing_is_noted() {
    let app = TestApp::new().await;
    let scope = app.scope(PRODUCTION);
    let mut settings: Settings = app.store.settings(scope).await.unwrap().unwrap();
    settings.remembering = Remembering::Off;
    assert!(app.store.change_settings(scope, &settings).await.unwrap());
    let operator = app.operator().await;

    talks(&app.visitor("sarah").await, "hello, I live in Cork.").await;
    // Looked at one after the other: when the second is through, so is the first.
    let token = app.signed(Environment::Staging, &app.claims("tom"));
    let opened = app.opens(Environment::Staging, json!({ "token": token }));
    talks(
        &Visitor::of(&app, &opened.await),
        "hello, I live in Galway.",
    )
    .await;
    soon(&operator, &app, "tom&environment=staging").await;

    assert_eq!(
        remembered(&operator, &app, "sarah").await,
        Vec::<Value>::new()
    );
}
