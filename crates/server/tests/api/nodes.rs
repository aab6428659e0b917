//! Several servers over one database: what one of them ends, ends on all.

use std::time::{Duration, Instant};

use axum::http::{Method, StatusCode};
use jiff::SignedDuration;
use maitred_core::scope::Environment;
use maitred_token::mint_hs256;
use serde_json::{Value, json};

use super::{
    support::{Answer, Events, TestApp, Visitor, browser::Browser},
    turns::{Gate, held_script},
};

/// In that time whatever ends somewhere ends everywhere (rule S6).
const SOON: Duration = Duration::from_secs(2);

/// Sarah's streams on two nodes of one installation, and Tom's on the second.
struct Streams {
    hers_here: Events,
    hers_there: Events,
    toms: Events,
}

impl Streams {
    async fn open(sarah: &Visitor<'_>, there: &Visitor<'_>, tom: &Visitor<'_>) -> Self {
        let mut streams = Self {
            hers_here: sarah.follows(None).await,
            hers_there: there.follows(None).await,
            toms: tom.follows(None).await,
        };
        let Self {
            hers_here,
            hers_there,
            toms,
        } = &mut streams;
        for events in [hers_here, hers_there, toms] {
            events.until("hello").await;
        }
        streams
    }

    /// Hers have ended, since that was begun.
    async fn have_ended(&mut self, begun: Instant) {
        for events in [&mut self.hers_here, &mut self.hers_there] {
            let end = events.until("session").await;
            assert_eq!(end.data["code"], "session_revoked");
            assert!(events.next().await.is_none(), "the stream is closed");
            assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
        }
    }
}

/// The same session, met on another node.
fn on<'a>(node: &'a TestApp, opened: &Answer) -> Visitor<'a> {
    Visitor::of(node, opened)
}

async fn opened(node: &TestApp, subject: &str) -> Answer {
    let token = json!({ "token": node.token(subject) });
    let opened = node.opens(Environment::Production, token).await;
    assert_eq!(opened.status, StatusCode::CREATED, "{}", opened.body);
    opened
}

#[tokio::test]
async fn s6_logging_out_everywhere_ends_streams_on_all_nodes_within_two_seconds() {
    let here = TestApp::new().await;
    let there = here.another_node().await;
    let hers = opened(&here, "sarah").await;
    let (sarah, tom) = (on(&here, &hers), there.visitor("tom").await);
    let mut streams = Streams::open(&sarah, &on(&there, &hers), &tom).await;
    let operator = here.operator().await;
    let path = format!("/api/agents/{}/contacts/logout", here.agent);

    let begun = Instant::now();
    let done = operator.post(&path, json!({ "subject": "sarah" })).await;

    assert_eq!(done.status, StatusCode::OK, "{}", done.body);
    streams.have_ended(begun).await;
    let session = on(&there, &hers).get("/v1/session").await;
    assert_eq!(session.code(), "session_revoked");
    assert_eq!(tom.get("/v1/session").await.status, StatusCode::OK);
    let conversation = tom.opens_conversation().await;
    tom.says(&conversation, "hello").await;
    assert_eq!(streams.toms.next().await.unwrap().name, "entry");
}

#[tokio::test]
async fn s6_a_turn_ends_although_its_subject_was_logged_out_on_another_node() {
    let gate = Gate::new().await;
    let here = TestApp::with_script(&held_script(&gate)).await;
    let there = here.another_node().await;
    let sarah = here.visitor("sarah").await;
    let conversation = sarah.opens_conversation().await;
    sarah.says(&conversation, "hello").await;
    let _held = gate.reached().await;
    let scope = there.scope(Environment::Production);

    let begun = Instant::now();
    let subject = "sarah".parse().unwrap();
    let done = there.store.log_out_everywhere(scope, &subject).await;

    assert_eq!(done.unwrap().unwrap().sessions.len(), 1);
    while !here
        .store
        .conversations_with_a_turn()
        .await
        .unwrap()
        .is_empty()
    {
        assert!(begun.elapsed() < SOON, "the turn goes on");
        tokio::task::yield_now().await;
    }
    let id = conversation.parse().unwrap();
    let entries = here.store.entries_after(id, 0, 10).await.unwrap();
    assert_eq!(entries.len(), 2, "what was said, and that it was cancelled");
}

#[tokio::test]
async fn s5_a_logout_closes_the_streams_of_that_browser_on_all_nodes() {
    let here = TestApp::new().await;
    let there = here.another_node().await;
    let browser = Browser::new();
    let token = json!({ "token": here.token("sarah") });
    let one = here.opens_in(&browser, token.clone()).await;
    let other = there.opens_in(&browser, token).await;
    let sarah = Visitor::of_browser(&here, &browser, &one);
    let tab = Visitor::of_browser(&there, &browser, &other);
    let tom = there.visitor("tom").await;
    let mut streams = Streams::open(&sarah, &tab, &tom).await;

    let begun = Instant::now();
    assert_eq!(sarah.logs_out().await.status, StatusCode::NO_CONTENT);

    streams.have_ended(begun).await;
    assert_eq!(tom.get("/v1/session").await.status, StatusCode::OK);
}

#[tokio::test]
async fn s8_a_rise_on_one_node_closes_the_anonymous_streams_on_all() {
    let here = TestApp::new().await;
    let there = here.another_node().await;
    let anonymous = here.opens(Environment::Production, json!({})).await;
    let (stranger, tom) = (on(&here, &anonymous), there.visitor("tom").await);
    let mut streams = Streams::open(&stranger, &on(&there, &anonymous), &tom).await;

    let begun = Instant::now();
    let risen = stranger.shows_a_token(&here.token("sarah")).await;

    assert_eq!(risen.status, StatusCode::OK, "{}", risen.body);
    streams.have_ended(begun).await;
}

#[tokio::test]
async fn m2_a_stream_on_another_node_reads_again_after_not_mine() {
    let here = TestApp::new().await;
    let there = here.another_node().await;
    let stranger = here.stranger().await;
    let conversation = stranger.opens_conversation().await;
    stranger.says(&conversation, "hello").await;
    let risen = stranger.shows_a_token(&here.token("sarah")).await;
    let mut stream = on(&there, &risen).follows(None).await;
    stream.until("hello").await;

    let path = format!("/v1/conversations/{conversation}/not-mine");
    let begun = Instant::now();
    let split = on(&here, &risen)
        .sends(Method::POST, &path, json!({}))
        .await;

    assert_eq!(split.status, StatusCode::NO_CONTENT, "{}", split.body);
    stream.until("resync").await;
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
}

/// Opens a session with a token of that key; what it was answered with.
async fn shown(node: &TestApp, (id, secret): (&str, &str), subject: &str) -> Answer {
    let claims = Value::Object(node.claims(subject));
    let token = mint_hs256(secret.as_bytes(), Some(id), &claims);
    let token = json!({ "token": token });
    node.opens(Environment::Production, token).await
}

#[tokio::test]
async fn k6_a_key_is_rotated_over_the_api_and_nobody_with_the_new_one_notices() {
    let here = TestApp::new().await;
    let there = here.another_node().await;
    let operator = here.operator().await;
    let keys = operator.path("production/keys");
    let (old_id, old_secret) = here.key(Environment::Production);
    let old_id = old_id.to_string();
    let old = (old_id.as_str(), old_secret.expose());
    let old_path = format!("{keys}/{old_id}");

    let made = operator.post(&keys, json!({})).await;
    let text = |name: &str| made.body[name].as_str().unwrap();
    let new = (text("id"), text("secret"));
    let sarah = shown(&here, old, "sarah").await;
    let tom = shown(&here, new, "tom").await;
    assert_eq!(sarah.status, StatusCode::CREATED, "the old one is good");
    assert_eq!(tom.status, StatusCode::CREATED, "and so is the new one");

    let until = here.clock.now() + SignedDuration::from_hours(1);
    let body = json!({ "accepted_until": until.to_string() });
    let retired = operator.patch(&old_path, body).await;
    assert_eq!(retired.body["state"], "retiring", "{}", retired.body);
    assert_eq!(retired.body["accepted_until"], until.to_string());
    let still = shown(&here, old, "sarah").await;
    assert_eq!(still.status, StatusCode::CREATED, "until then");

    let toms = on(&there, &tom);
    let mut streams = Streams::open(&on(&here, &sarah), &on(&there, &sarah), &toms).await;
    let begun = Instant::now();
    let revoked = operator.delete(&old_path).await;
    assert_eq!(revoked.status, StatusCode::NO_CONTENT, "{}", revoked.body);
    streams.have_ended(begun).await;
    let session = on(&there, &sarah).get("/v1/session").await;
    assert_eq!(session.code(), "session_revoked");
    for node in [&here, &there] {
        let refused = shown(node, old, "sarah").await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
        let opened = shown(node, new, "sarah").await;
        assert_eq!(opened.status, StatusCode::CREATED, "{}", opened.body);
    }
    let conversation = toms.opens_conversation().await;
    toms.says(&conversation, "hello").await;
    assert_eq!(streams.toms.next().await.unwrap().name, "entry");
}
