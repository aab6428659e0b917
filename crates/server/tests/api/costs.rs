//! What a request costs, in statements and commits: counts, that hold on any machine.

use axum::http::{Method, StatusCode};
use maitred_core::{
    conversation::{Author, Body, Message, NewEntry},
    id::EntryId,
    message::MessageText,
    scope::Environment,
};
use maitred_store::TurnMark;
use serde_json::json;
use tracing::{Instrument, info_span};
use uuid::Uuid;

use super::support::{TestApp, canary};

const PRODUCTION: Environment = Environment::Production;

/// What the store was asked to do.
#[derive(Debug, PartialEq)]
struct Cost {
    statements: usize,
    commits: usize,
}

/// What came of a request, and what the store did for it, on whatever thread.
async fn counted<T>(request: impl Future<Output = T>) -> (T, Cost) {
    let id = Uuid::new_v4();
    let answer = request.instrument(info_span!("counted", %id)).await;
    let lines = canary::lines_with(&id.to_string());
    let of = |what| lines.iter().filter(|line| line.contains(what)).count();
    let cost = Cost {
        // The driver notes every statement, also those that begin and end transactions.
        statements: of("sqlx::query: ") - of("summary=\"COMMIT\"") - of("summary=\"BEGIN\""),
        commits: of("maitred_store::db: commit"),
    };
    (answer, cost)
}

#[tokio::test]
async fn t13_the_token_of_somebody_known_costs_three_statements_and_one_commit() {
    let app = TestApp::new().await;
    app.visitor("sarah").await.opens_conversation().await;
    let body = json!({ "token": app.token("sarah") });

    let (answer, cost) = counted(app.opens(PRODUCTION, body)).await;

    assert_eq!(answer.status, StatusCode::CREATED);
    let (statements, commits) = (3, 1);
    assert_eq!(
        cost,
        Cost {
            statements,
            commits
        }
    );
}

#[tokio::test]
async fn t13_with_warm_keys_the_database_has_no_part_in_judging_a_token() {
    let app = TestApp::new().await;
    app.visitor("sarah").await;
    let mut claims = app.claims("sarah");
    claims.insert("exp".to_owned(), json!(app.clock.now().as_second() - 600));
    let body = json!({ "token": app.signed(PRODUCTION, &claims) });

    let (answer, cost) = counted(app.opens(PRODUCTION, body)).await;

    assert_eq!(answer.code(), "token_expired");
    let (statements, commits) = (0, 0);
    assert_eq!(
        cost,
        Cost {
            statements,
            commits
        }
    );
}

#[tokio::test]
async fn a_message_is_one_text_and_so_is_its_answer() {
    let app = TestApp::new().await;
    let sarah = app.visitor("sarah").await;
    let conversation = sarah.opens_conversation().await.parse().unwrap();
    let session = sarah.stored().await;
    let said = MessageText::parse("hello").unwrap();
    let answer = NewEntry {
        id: EntryId::new(&app.clock),
        body: Body::Message(Message {
            by: Author::Agent,
            text: "Good day.".to_owned(),
            citations: Vec::new(),
            client_id: None,
            session: None,
        }),
    };
    let (store, owner) = (&app.store, session.owner());

    let posted = store.post(owner, conversation, session.id, Uuid::new_v4(), &said);
    let (_, message) = counted(posted).await;
    let answered = store.append(conversation, Some(1), vec![answer], TurnMark::Ended);
    let (_, answer) = counted(answered).await;

    for (cost, statements) in [(message, 1), (answer, 1)] {
        let commits = 1;
        assert_eq!(
            cost,
            Cost {
                statements,
                commits
            }
        );
    }
}

#[tokio::test]
async fn a_read_mark_costs_six_statements_and_one_commit_or_two_and_none() {
    let app = TestApp::new().await;
    let sarah = app.visitor("sarah").await;
    let conversation = sarah.opens_conversation().await;
    let mut events = sarah.follows(None).await;
    sarah.says(&conversation, "hello").await;
    events.reply().await;
    drop(events);
    let read = async || {
        let path = format!("/v1/conversations/{conversation}/read");
        counted(sarah.post(&path, json!({ "up_to": 2 }))).await.1
    };

    let (first, again) = (read().await, read().await);

    let (statements, commits) = (6, 1);
    assert_eq!(
        first,
        Cost {
            statements,
            commits
        }
    );
    let (statements, commits) = (2, 0);
    assert_eq!(
        again,
        Cost {
            statements,
            commits
        }
    );
}

#[tokio::test]
async fn what_a_request_costs_is_seen() {
    let app = TestApp::new().await;
    let sarah = app.visitor("sarah").await;
    let session = Some(sarah.session.as_str());

    let (_, cost) = counted(app.send(Method::DELETE, "/v1/session", session, None)).await;

    assert!(cost.statements >= 2 && cost.commits == 1, "{cost:?}");
}

#[tokio::test]
async fn a_stream_that_waits_asks_the_database_nothing() {
    let app = TestApp::new().await;
    let mut events = app.visitor("sarah").await.follows(None).await;
    events.until("hello").await;

    // Whoever asks it from here on is cut off.
    app.store.close().await;
    tokio::time::pause();

    events.beats(20).await;
}
