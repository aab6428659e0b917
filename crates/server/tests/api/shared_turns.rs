//! Several servers over one PostgreSQL are one maitred: a turn has one owner, and
//! whatever comes of it is live on the streams of all.
//!
//! On SQLite one server serves, and there is nothing of this to see.

use std::{sync::Arc, time::Duration};

use axum::http::{Method, StatusCode};
use futures_util::FutureExt;
use jiff::SignedDuration;
use maitred_core::scope::Environment;
use serde_json::json;
use tokio::{io::AsyncReadExt, runtime::Runtime};

use super::{
    support::{Answer, Events, TestApp, Visitor},
    turns::{Gate, app_with_orders_at, held_script, let_go},
};

/// As long as rule R3 gives it.
const R3: Duration = Duration::from_secs(30);

async fn opened(node: &TestApp, subject: &str) -> Answer {
    let token = json!({ "token": node.token(subject) });
    let opened = node.opens(Environment::Production, token).await;
    assert_eq!(opened.status, StatusCode::CREATED, "{}", opened.body);
    opened
}

/// A server in threads of its own, which can stop dead: none of its tasks goes on,
/// and none of them is told.
struct Doomed {
    runtime: Runtime,
    node: Arc<TestApp>,
}

impl Doomed {
    async fn beside(here: &Arc<TestApp>) -> Self {
        let runtime = Runtime::new().unwrap();
        let here = here.clone();
        let started = runtime.spawn(async move { Arc::new(here.another_node().await) });
        let node = started.await.unwrap();
        Self { runtime, node }
    }

    /// Takes a message of whoever has that session.
    async fn hears(&self, session: &Arc<Answer>, conversation: &str, text: &'static str) {
        let (node, session) = (self.node.clone(), session.clone());
        let conversation = conversation.to_owned();
        let said = self.runtime.spawn(async move {
            let said = Visitor::of(&node, &session).says(&conversation, text).await;
            assert_eq!(said.status, StatusCode::ACCEPTED, "{}", said.body);
        });
        said.await.unwrap();
    }

    fn dies(self) {
        self.runtime.shutdown_background();
    }
}

#[tokio::test]
async fn r4_a_turn_is_live_on_the_streams_of_another_node() {
    let gate = Gate::new().await;
    let here = TestApp::with_script(&held_script(&gate)).await;
    if !here.store.is_shared() {
        return;
    }
    let there = here.another_node().await;
    let session = opened(&here, "sarah").await;
    let sarah = Visitor::of(&here, &session);
    let conversation = sarah.opens_conversation().await;
    let mut stream = Visitor::of(&there, &session).follows(None).await;
    stream.until("hello").await;

    sarah.says(&conversation, "hello").await;

    let said = stream.until("entry").await;
    assert_eq!(said.data["text"], "hello");
    assert_eq!(stream.until("typing").await.data["typing"], true);
    assert_eq!(stream.until("delta").await.data["text"], "Well");
    let_go(gate.reached().await).await;
    assert_eq!(stream.until("delta").await.data["text"], ", late");
    let answer = stream.reply().await;
    assert_eq!(answer.data["text"], "Well, late");
    assert_eq!(stream.until("typing").await.data["typing"], false);
    let path = format!("/v1/conversations/{conversation}");
    let renamed = sarah
        .sends(Method::PATCH, &path, json!({ "title": "Hats" }))
        .await;
    assert_eq!(renamed.status, StatusCode::OK, "{}", renamed.body);
    assert_eq!(stream.until("status").await.data["title"], "Hats");
}

#[tokio::test]
async fn typing_on_one_node_is_seen_on_another_and_not_by_who_types() {
    let here = TestApp::new().await;
    if !here.store.is_shared() {
        return;
    }
    let there = here.another_node().await;
    let (phone, laptop) = (opened(&here, "sarah").await, opened(&there, "sarah").await);
    let sarah = Visitor::of(&here, &phone);
    let conversation = sarah.opens_conversation().await;
    let mut others = Visitor::of(&there, &laptop).follows(None).await;
    let mut own = Visitor::of(&there, &phone).follows(None).await;
    others.until("hello").await;
    own.until("hello").await;
    // So that this node has met the other.
    sarah.says(&conversation, "hello").await;
    own.reply().await;
    own.until("typing").await;

    let path = format!("/v1/conversations/{conversation}/typing");
    sarah.post(&path, json!({ "typing": true })).await;
    sarah.says(&conversation, "hello").await;

    loop {
        let typing = others.until("typing").await;
        if typing.data["by"] == "visitor" {
            assert_eq!(typing.data["typing"], true);
            break;
        }
    }
    let next = own.next().await.unwrap();
    assert_eq!(next.name, "entry", "{next:?}");
}

#[tokio::test]
async fn r3_the_turn_of_a_node_that_died_goes_on_at_another() {
    let gate = Gate::new().await;
    let here = Arc::new(TestApp::with_script(&held_script(&gate)).await);
    if !here.store.is_shared() {
        return;
    }
    let dead = Doomed::beside(&here).await;
    let session = Arc::new(opened(&here, "sarah").await);
    let sarah = Visitor::of(&here, &session);
    let conversation = sarah.opens_conversation().await;
    let mut stream = sarah.follows(None).await;
    dead.hears(&session, &conversation, "hello").await;
    let _held = gate.reached().await;
    stream.until("delta").await;

    dead.dies();
    let finished = tokio::time::timeout(R3, async {
        // Whoever watches must have seen the beats stand still, and for how long.
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        here.clock.advance(SignedDuration::from_secs(11));
        let_go(gate.reached().await).await;
        stream.until_status().await;
        stream.reply().await
    });

    let answer = finished.await.expect("within 30 s of the death");
    assert_eq!(answer.data["text"], "Well, late");
    assert_eq!(
        sarah.reads(&conversation).await,
        ["visitor: hello", "status: resumed", "agent: Well, late"]
    );
}

#[tokio::test]
async fn r3_an_unsafe_action_of_a_node_that_died_is_not_repeated() {
    let orders = Gate::new().await;
    let script = json!({ "replies": [
        { "when": "order", "deltas": [{ "call": "order_status", "arguments": {} }] },
        { "when": "order", "after_call": true, "deltas": [{ "text": "I cannot say." }] },
    ] });
    let here = Arc::new(app_with_orders_at(&orders.host(), &script).await);
    if !here.store.is_shared() {
        return;
    }
    let dead = Doomed::beside(&here).await;
    let session = Arc::new(opened(&here, "sarah").await);
    let sarah = Visitor::of(&here, &session);
    let conversation = sarah.opens_conversation().await;
    let mut stream = sarah.follows(None).await;
    dead.hears(&session, &conversation, "where is my order")
        .await;
    let _sent = orders.reached().await;

    dead.dies();
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    here.clock.advance(SignedDuration::from_secs(11));

    assert_eq!(stream.until_status().await.data["status"], "resumed");
    assert_eq!(stream.reply().await.data["text"], "I cannot say.");
    assert_eq!(
        sarah.reads(&conversation).await,
        [
            "visitor: where is my order",
            "call order_status started",
            "status: resumed",
            "call order_status finished (unknown)",
            "agent: I cannot say.",
        ]
    );
    assert!(orders.reached().now_or_never().is_none(), "sent once");
}

#[tokio::test]
async fn r3_two_nodes_never_answer_one_message() {
    let here = TestApp::new().await;
    if !here.store.is_shared() {
        return;
    }
    let there = here.another_node().await;
    let session = opened(&here, "sarah").await;
    let (sarah, elsewhere) = (Visitor::of(&here, &session), Visitor::of(&there, &session));
    let mut conversations = Vec::new();
    for _ in 0..8 {
        let conversation = sarah.opens_conversation().await;
        let said = tokio::join!(
            sarah.says(&conversation, "hello"),
            elsewhere.says(&conversation, "hello"),
            sarah.says(&conversation, "hello"),
        );
        for said in [said.0, said.1, said.2] {
            assert_eq!(said.status, StatusCode::ACCEPTED, "{}", said.body);
        }
        conversations.push(conversation);
    }

    for conversation in conversations {
        let lines = ends(&sarah, &conversation).await;
        assert_eq!(lines.last().unwrap(), "agent: Good day.", "{lines:?}");
        let said = lines
            .iter()
            .filter(|line| *line == "visitor: hello")
            .count();
        assert_eq!(said, 3, "{lines:?}");
        let twice = lines
            .windows(2)
            .any(|pair| pair[0] == pair[1] && pair[0].starts_with("agent"));
        assert!(!twice, "{lines:?}");
    }
}

/// What stands in a conversation whose last message was answered.
async fn ends(visitor: &Visitor<'_>, conversation: &str) -> Vec<String> {
    let mut events: Events = visitor.follows(None).await;
    loop {
        let lines = visitor.reads(conversation).await;
        if lines.last().is_some_and(|line| line.starts_with("agent")) {
            return lines;
        }
        events.next().await.expect("the stream goes on");
    }
}

#[tokio::test]
async fn an_answer_is_stopped_from_another_node() {
    let gate = Gate::new().await;
    let here = TestApp::with_script(&held_script(&gate)).await;
    if !here.store.is_shared() {
        return;
    }
    let there = here.another_node().await;
    let session = opened(&here, "sarah").await;
    let sarah = Visitor::of(&here, &session);
    let conversation = sarah.opens_conversation().await;
    sarah.says(&conversation, "hello").await;
    let mut held = gate.reached().await;

    let path = format!("/v1/conversations/{conversation}/cancel");
    let stopped = Visitor::of(&there, &session).post(&path, json!({})).await;

    assert_eq!(stopped.status, StatusCode::NO_CONTENT, "{}", stopped.body);
    // The model's connection is dropped, here where it runs.
    let mut asked = Vec::new();
    held.read_to_end(&mut asked).await.unwrap();
    assert_eq!(
        sarah.reads(&conversation).await,
        ["visitor: hello", "status: stopped"]
    );
}
