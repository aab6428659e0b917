//! PostgreSQL goes away under load and comes back.

use std::{
    collections::BTreeMap,
    process::Command,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    time::{Duration, Instant},
};

use axum::http::StatusCode;
use maitred_core::scope::Environment;
use serde_json::json;
use tokio::time::sleep;
use uuid::Uuid;

use super::support::{Answer, TestApp, Visitor};

/// How long the database is away.
const AWAY: Duration = Duration::from_secs(3);

/// The most that a request may wait for it.
const QUICKLY: Duration = Duration::from_secs(7);

/// When everything must be as before, once it is back: sooner than anybody looks for
/// what was not told.
const BACK: Duration = Duration::from_secs(10);

/// What happened while it was away.
#[derive(Default)]
struct Load {
    is_over: AtomicBool,
    accepted: AtomicUsize,
    refused: AtomicUsize,
}

#[tokio::test]
#[ignore = "takes the server away from all other tests: scripts/check runs it alone"]
async fn r8_postgresql_is_restarted_under_load_and_nothing_is_lost_or_there_twice() {
    let here = TestApp::new().await;
    assert!(here.store.is_shared(), "run it by scripts/with-postgres");
    let there = here.another_node().await;
    let token = json!({ "token": here.token("sarah") });
    let session = here.opens(Environment::Production, token).await;
    let sarah = Visitor::of(&here, &session);
    let conversation = sarah.opens_conversation().await;
    let load = Load::default();
    let hello = Visitor::of(&there, &session).follows(None).await;
    let begin = { hello }.until("hello").await.id;

    let (mut said, followed, ()) = tokio::join!(
        posts([&here, &there], &session, &conversation, &load),
        follows([&there, &here], &session, begin, &load),
        async {
            reaches(&load.accepted, 10).await;
            postgres("stop").await;
            sleep(AWAY).await;
            let before = load.accepted.load(SeqCst);
            postgres("start").await;
            reaches(&load.accepted, before + 10).await;
            load.is_over.store(true, SeqCst);
        },
    );

    assert!(load.refused.load(SeqCst) > 0, "it was away");
    let stored = here.database_lines("visitor").await;
    let mut once = stored.clone();
    once.sort();
    said.sort();
    assert_eq!(once, said, "what was acknowledged is stored, and once");
    assert_eq!(followed, stored, "and was seen, once and in order");
    is_live_again(&here, &there, &session, &conversation).await;
}

/// Says one thing after the other, each until it is acknowledged, at either node in
/// turn. What was acknowledged.
async fn posts(
    nodes: [&TestApp; 2],
    session: &Answer,
    conversation: &str,
    load: &Load,
) -> Vec<String> {
    let mut said = Vec::new();
    while !load.is_over.load(SeqCst) {
        let text = format!("thing number {}", said.len());
        let id = Uuid::new_v4().to_string();
        for node in nodes.iter().cycle() {
            let begun = Instant::now();
            let answer = Visitor::of(node, session)
                .says_as(conversation, &id, &text)
                .await;
            assert!(begun.elapsed() < QUICKLY, "{:?}", begun.elapsed());
            if answer.status.is_success() {
                load.accepted.fetch_add(1, SeqCst);
                break;
            }
            let (status, code) = (answer.status, answer.code().to_owned());
            assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{code}");
            load.refused.fetch_add(1, SeqCst);
            sleep(Duration::from_millis(50)).await;
        }
        said.push(text);
        sleep(Duration::from_millis(20)).await;
    }
    said
}

/// Follows as a browser does: comes back with the last id whenever it is cut off. The
/// visitor's words that it was shown.
async fn follows(
    nodes: [&TestApp; 2],
    session: &Answer,
    mut last: Option<String>,
    load: &Load,
) -> Vec<String> {
    let mut seen = Vec::new();
    for node in nodes.iter().cycle() {
        let visitor = Visitor::of(node, session);
        let Ok(mut events) = visitor.tries_to_follow(last.as_deref()).await else {
            sleep(Duration::from_millis(50)).await;
            continue;
        };
        loop {
            let wait = tokio::time::timeout(Duration::from_secs(5), events.next());
            let Ok(event) = wait.await else {
                if load.is_over.load(SeqCst) {
                    // Nobody has anything to say any more.
                    return seen;
                }
                continue;
            };
            let Some(event) = event else {
                break;
            };
            assert_ne!(event.name, "resync");
            last = event.id.or(last);
            if event.name == "entry" && event.data["by"] == "visitor" {
                seen.push(event.data["text"].as_str().unwrap().to_owned());
            }
        }
    }
    seen
}

/// A turn on one node is seen at once on the other, as before.
async fn is_live_again(here: &TestApp, there: &TestApp, session: &Answer, conversation: &str) {
    for (one, other) in [(here, there), (there, here)] {
        let mut events = Visitor::of(other, session).follows(None).await;
        events.until("hello").await;
        let begun = Instant::now();
        Visitor::of(one, session).says(conversation, "hello").await;
        while events.reply().await.data["text"] != "Good day." {}
        assert!(begun.elapsed() < BACK, "{:?}", begun.elapsed());
    }
}

async fn reaches(count: &AtomicUsize, enough: usize) {
    while count.load(SeqCst) < enough {
        sleep(Duration::from_millis(20)).await;
    }
}

/// Stops or starts the database server.
async fn postgres(what: &'static str) {
    #[expect(
        clippy::disallowed_methods,
        reason = "no configuration is loaded here, and CI names it this way"
    )]
    let power = std::env::var("MAITRED_TEST_POSTGRES").expect("scripts/with-postgres sets it");
    let done = tokio::task::spawn_blocking(move || Command::new(power).arg(what).status());
    assert!(done.await.unwrap().unwrap().success(), "{what}");
}

impl TestApp {
    /// What was said by somebody, as it is stored, in its order.
    async fn database_lines(&self, by: &str) -> Vec<String> {
        let bodies = self
            .stored_column(&format!(
                "SELECT body FROM entries WHERE author = '{by}' ORDER BY number"
            ))
            .await;
        bodies
            .iter()
            .map(|body| {
                let body: BTreeMap<String, serde_json::Value> = serde_json::from_str(body).unwrap();
                body["text"].as_str().unwrap().to_owned()
            })
            .collect()
    }
}
