//! Entries: posted once, numbered without holes.

use std::collections::BTreeSet;

use maitred_core::{
    action::{Call, Failure, Outcome, Refused},
    conversation::{Author, Body, Citation, Entry, Message, Status},
    event::Position,
    id::{CallId, ConversationId},
};
use maitred_store::{Posted, StoreError, TurnMark};
use serde_json::json;
use uuid::Uuid;

use super::support::{TestStore, answer, only, text, words};

#[tokio::test]
async fn a_posted_message_is_the_next_entry_and_the_next_event() {
    let store = TestStore::new().await;
    let sarah = store.site().await.meets("sarah").await;
    let id = sarah.opens_conversation().await;
    let client_id = Uuid::new_v4();

    let posted = sarah.posts(id, client_id, "hi").await;

    let Some(Posted::New(appended)) = posted else {
        panic!("not new: {posted:?}")
    };
    assert_eq!(appended.owner, Some(sarah.owner()));
    let event = only(appended);
    let expected = Entry {
        id: event.entry().unwrap().id,
        conversation: id,
        number: 1,
        added_at: store.now(),
        body: Body::Message(Message {
            by: Author::Visitor,
            text: "hi".to_owned(),
            citations: Vec::new(),
            client_id: Some(client_id),
            session: Some(sarah.session()),
        }),
    };
    assert_eq!(*event.entry().unwrap(), expected);
    assert_eq!(event.position.number, 1);
    assert_eq!(event.position, sarah.position().await);
    assert_eq!(store.entries(id).await, [expected]);
}

#[tokio::test]
async fn r1_a_retry_is_the_same_entry() {
    let store = TestStore::new().await;
    let sarah = store.site().await.meets("sarah").await;
    let id = sarah.opens_conversation().await;
    let client_id = Uuid::new_v4();
    sarah.posts(id, client_id, "hi").await;
    store.answers(id, "hello").await;
    let before = sarah.conversation(id).await;
    store.passes(1);

    let retried = sarah.posts(id, client_id, "hi").await;

    let Some(Posted::Duplicate(entry)) = retried else {
        panic!("not a duplicate: {retried:?}")
    };
    let entries = store.entries(id).await;
    assert_eq!(*entry, entries[0]);
    assert_eq!(entries.len(), 2);
    assert_eq!(sarah.conversation(id).await, before);
    assert_eq!(store.conversations_with_a_turn().await.unwrap(), []);
}

#[tokio::test]
async fn r1_a_retry_from_another_session_is_the_same_entry() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let (sarah, reloaded) = (site.meets("sarah").await, site.meets("sarah").await);
    let id = sarah.opens_conversation().await;
    let client_id = Uuid::new_v4();
    sarah.posts(id, client_id, "hi").await;

    let retried = reloaded.posts(id, client_id, "hi").await;

    assert!(matches!(retried, Some(Posted::Duplicate(_))));
}

#[tokio::test]
async fn r1_other_words_under_the_same_id_are_refused() {
    let store = TestStore::new().await;
    let sarah = store.site().await.meets("sarah").await;
    let id = sarah.opens_conversation().await;
    let client_id = Uuid::new_v4();
    sarah.posts(id, client_id, "hi").await;

    let refused = store
        .post(sarah.owner(), id, sarah.session(), client_id, &text("bye"))
        .await;

    assert!(matches!(refused, Err(StoreError::IdempotencyMismatch)));
    assert_eq!(store.entries(id).await.len(), 1);
}

#[tokio::test]
async fn r1_the_same_id_in_another_conversation_is_another_message() {
    let store = TestStore::new().await;
    let sarah = store.site().await.meets("sarah").await;
    let (one, other) = (
        sarah.opens_conversation().await,
        sarah.opens_conversation().await,
    );
    let client_id = Uuid::new_v4();
    sarah.posts(one, client_id, "hi").await;

    let posted = sarah.posts(other, client_id, "bye").await;

    assert!(matches!(posted, Some(Posted::New(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r1_twenty_retries_at_once_are_one_entry() {
    let store = TestStore::new().await;
    let sarah = store.site().await.meets("sarah").await;
    let id = sarah.opens_conversation().await;
    let (owner, session, client_id) = (sarah.owner(), sarah.session(), Uuid::new_v4());

    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let store = (*store).clone();
        tasks.spawn(async move {
            let posted = store.post(owner, id, session, client_id, &text("hi")).await;
            matches!(posted.unwrap(), Some(Posted::New(_)))
        });
    }
    let new = tasks.join_all().await.into_iter().filter(|new| *new);

    assert_eq!(new.count(), 1);
    assert_eq!(store.entries(id).await.len(), 1);
}

#[tokio::test]
async fn what_was_not_committed_is_not_there() {
    let store = TestStore::new().await;
    let sarah = store.site().await.meets("sarah").await;
    let id = sarah.begins_with("one").await;
    let taken = store.entries(id).await[0].id;
    let mut twice = vec![
        store.new_entry(answer("two")),
        store.new_entry(answer("three")),
    ];
    twice[1].id = taken;
    let before = (sarah.position().await, sarah.conversation(id).await);

    let refused = store.append(id, None, twice, TurnMark::Ended).await;

    assert!(matches!(refused, Err(StoreError::Db(_))));
    assert_eq!(store.entries(id).await.len(), 1);
    let after = (sarah.position().await, sarah.conversation(id).await);
    assert_eq!(after, before);
}

#[tokio::test]
async fn an_append_after_another_number_than_the_last_is_a_conflict() {
    let store = TestStore::new().await;
    let sarah = store.site().await.meets("sarah").await;
    let id = sarah.begins_with("one").await;
    sarah.says(id, "two").await;

    for (after, fits) in [(1, false), (3, false), (2, true)] {
        let entries = vec![store.new_entry(answer("answer"))];

        let appended = store
            .append(id, Some(after), entries, TurnMark::Ended)
            .await;

        match appended {
            Ok(appended) => assert!(fits, "{appended:?}"),
            Err(StoreError::Conflict) => assert!(!fits),
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(store.entries(id).await.len(), 3);
}

#[tokio::test]
async fn an_append_to_a_conversation_that_does_not_exist_is_a_conflict() {
    let store = TestStore::new().await;
    let id = ConversationId::new(&store.clock);
    let entries = vec![store.new_entry(answer("hello?"))];

    let refused = store.append(id, None, entries, TurnMark::Ended).await;

    assert!(matches!(refused, Err(StoreError::Conflict)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_drivers_of_one_turn_only_one_gets_through() {
    let store = TestStore::new().await;
    let sarah = store.site().await.meets("sarah").await;
    let id = sarah.begins_with("one").await;

    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..8 {
        let store = (*store).clone();
        let entry = maitred_core::conversation::NewEntry {
            id: maitred_core::id::EntryId::new(&store.clock),
            body: answer(&format!("driver {n}")),
        };
        tasks.spawn(async move {
            match store
                .append(id, Some(1), vec![entry], TurnMark::Ended)
                .await
            {
                Ok(_) => true,
                Err(StoreError::Conflict) => false,
                Err(other) => panic!("{other:?}"),
            }
        });
    }
    let through = tasks.join_all().await.into_iter().filter(|it| *it);

    assert_eq!(through.count(), 1);
    assert_eq!(store.entries(id).await.len(), 2);
}

#[tokio::test]
async fn every_kind_of_entry_is_read_back_as_it_was_written() {
    let store = TestStore::new().await;
    let sarah = store.site().await.meets("sarah").await;
    let id = sarah.opens_conversation().await;
    let bodies = every_body(CallId::new(&store.clock));
    let entries = bodies.iter().cloned().map(|it| store.new_entry(it));
    let entries: Vec<_> = entries.collect();

    let appended = store.append(id, Some(0), entries, TurnMark::Ended).await;

    let read = store.entries(id).await;
    let announced: Vec<Entry> = appended
        .unwrap()
        .events
        .into_iter()
        .filter_map(|it| it.entry().cloned())
        .collect();
    assert_eq!(read, announced);
    let read: Vec<Body> = read.into_iter().map(|it| it.body).collect();
    assert_eq!(read, bodies);
    let kinds = store.column("SELECT DISTINCT kind FROM entries").await;
    let kinds: BTreeSet<&str> = kinds.iter().map(String::as_str).collect();
    assert_eq!(kinds, BTreeSet::from(["call", "message", "status"]));
}

fn every_body(call: CallId) -> Vec<Body> {
    let finished = |outcome| Body::CallFinished {
        call,
        action: "order_status".to_owned(),
        label: "Looked up".to_owned(),
        outcome,
    };
    let mut bodies = vec![
        Body::Message(Message {
            by: Author::Operator,
            text: "ünï \u{1f600} \\ \"quoted\" \u{202e}\ttab".to_owned(),
            citations: vec![Citation {
                title: "Shipping".to_owned(),
                url: "https://shop.example/help#a".to_owned(),
            }],
            client_id: Some(Uuid::nil()),
            session: None,
        }),
        Body::CallAsked(Call {
            id: call,
            action: "order_status".to_owned(),
            arguments: [("n".to_owned(), json!({"deep": [1, 2.5, null, "\u{0}"]}))]
                .into_iter()
                .collect(),
        }),
        Body::CallStarted {
            call,
            action: "order_status".to_owned(),
            label: "Looking up".to_owned(),
            details: vec![("Order".to_owned(), "A-1".to_owned())],
        },
        finished(Outcome::Succeeded(
            json!({"state": "shipped", "n": u64::MAX}),
        )),
        finished(Outcome::Failed(Failure::NotFound)),
        finished(Outcome::Failed(Failure::InvalidArguments)),
        finished(Outcome::Failed(Failure::Rejected)),
        finished(Outcome::Failed(Failure::Unavailable)),
        finished(Outcome::Failed(Failure::NotSetUp)),
        finished(Outcome::Refused(Refused::AssuranceTooLow)),
        finished(Outcome::Refused(Refused::NoSuchAction)),
        finished(Outcome::Unknown),
    ];
    bodies.extend(
        [
            Status::ContinuedFromBeforeSignIn,
            Status::Resumed,
            Status::Interrupted,
            Status::GaveUp,
            Status::Cancelled,
            Status::Stopped,
            Status::Closed,
            Status::Reopened,
        ]
        .map(Body::Status),
    );
    bodies
}

#[tokio::test]
async fn entries_are_read_after_a_number_and_up_to_a_limit() {
    let store = TestStore::new().await;
    let sarah = store.site().await.meets("sarah").await;
    let id = sarah.begins_with("1").await;
    for n in 2..=5 {
        sarah.says(id, &n.to_string()).await;
    }

    let read = async |after, limit| -> Vec<String> {
        let entries = store.entries_after(id, after, limit).await.unwrap();
        entries
            .iter()
            .map(|entry| words(entry).to_owned())
            .collect()
    };

    assert_eq!(read(0, 2).await, ["1", "2"]);
    assert_eq!(read(3, 10).await, ["4", "5"]);
    assert!(read(5, 10).await.is_empty());
}

/// Twenty appends at once, to two conversations of one owner.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r4_numbers_have_no_gaps_over_twenty_appends_at_once() {
    let store = TestStore::new().await;
    let sarah = store.site().await.meets("sarah").await;
    let ids = [
        sarah.opens_conversation().await,
        sarah.opens_conversation().await,
    ];
    let start = sarah.position().await;
    let (owner, session) = (sarah.owner(), sarah.session());

    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..20 {
        let (store, id) = ((*store).clone(), ids[n % 2]);
        tasks.spawn(async move {
            let said = text(&format!("message {n}"));
            let posted = store.post(owner, id, session, Uuid::new_v4(), &said).await;
            assert!(matches!(posted.unwrap(), Some(Posted::New(_))));
        });
    }
    tasks.join_all().await;

    for id in ids {
        let numbers: Vec<i64> = store.entries(id).await.iter().map(|it| it.number).collect();
        assert_eq!(numbers, (1..=10).collect::<Vec<i64>>());
    }
    let events = sarah.missed(&start).await;
    let places: Vec<Position> = events.iter().map(|it| it.position.clone()).collect();
    let epoch = start.epoch;
    let expected = (1..=20).map(|number| Position {
        epoch: epoch.clone(),
        number,
    });
    assert_eq!(places, expected.collect::<Vec<Position>>());
    let distinct: BTreeSet<String> = events
        .iter()
        .map(|it| it.entry().unwrap().id.to_string())
        .collect();
    assert_eq!(distinct.len(), 20);
}

#[tokio::test]
async fn in_one_text_or_step_by_step_the_same_is_stored() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let mut stored = Vec::new();
    for after in [Some(1), None] {
        // One of each kind of owner, so that both tables are seen.
        for person in [site.meets_a_stranger().await, site.meets("sarah").await] {
            let id = person.begins_with("one").await;
            let entries = vec![store.new_entry(answer("two"))];
            let appended = store.append(id, after, entries, TurnMark::Ended).await;
            let numbered = only(appended.unwrap());
            let position = store.position(person.owner()).await.unwrap().unwrap();
            assert_eq!(position, numbered.position);
            let conversation = store.conversation(person.owner(), id).await.unwrap();
            let conversation = conversation.unwrap();
            assert_eq!(conversation.last_message.unwrap().text, "two");
            let unended = store.conversations_with_a_turn().await.unwrap();
            assert!(!unended.contains(&id));
            let entry = numbered.entry().unwrap();
            stored.push((entry.number, entry.body.clone(), conversation.unread));
        }
    }

    assert!(stored.iter().all(|it| *it == stored[0]), "{stored:?}");
}
