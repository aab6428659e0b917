//! A conversation as a whole: titles, closing, read marks, ratings, stopped turns.

use maitred_core::{
    action::Call,
    conversation::{Body, Conversation, Rating, Status},
    event::{Numbered, Stored},
    id::{CallId, ConversationId},
    message::Title,
};
use maitred_store::{Changed, Changes, Posted, Replay, StoreError, TurnMark};
use uuid::Uuid;

use super::support::{Person, TestStore, answer, identity};

fn titled(title: &str) -> Changes {
    Changes {
        title: Some(Some(Title::parse(title).unwrap())),
        closed: None,
    }
}

fn closed(closed: bool) -> Changes {
    Changes {
        title: None,
        closed: Some(closed),
    }
}

impl Person<'_> {
    async fn changes(&self, id: ConversationId, changes: Changes) -> Changed {
        let changed = self.store.change_conversation(self.owner(), id, changes);
        changed.await.unwrap().expect("it is theirs")
    }

    async fn reads(&self, id: ConversationId, up_to: i64) -> Changed {
        let changed = self.store.mark_read(self.owner(), id, up_to).await;
        changed.unwrap().expect("it is theirs")
    }

    async fn stops(&self, id: ConversationId) -> Changed {
        let changed = self.store.stop_turn(self.owner(), id).await;
        changed.unwrap().expect("it is theirs")
    }

    /// How far it was read, and what is left.
    async fn marks(&self, id: ConversationId) -> (i64, i64) {
        let conversation = self.conversation(id).await.unwrap();
        (conversation.read_to, conversation.unread)
    }
}

/// What an event says, in a word.
fn told(event: &Numbered) -> String {
    match &event.what {
        Stored::Entry(entry) => match &entry.body {
            Body::Message(message) => message.text.clone(),
            Body::Status(status) => format!("{status:?}"),
            other @ (Body::CallAsked(_) | Body::CallStarted { .. } | Body::CallFinished { .. }) => {
                panic!("{other:?}")
            }
        },
        Stored::Status(_) => "status".to_owned(),
    }
}

fn all_told(events: &[Numbered]) -> Vec<String> {
    events.iter().map(told).collect()
}

#[tokio::test]
async fn r4_every_change_of_a_conversation_is_numbered_and_replayed_as_it_is_now() {
    let store = TestStore::new().await;
    let sarah = store.site().await.meets("sarah").await;
    let id = sarah.begins_with("where is it").await;
    store.answers(id, "on its way").await;
    let start = sarah.position().await;

    let title = sarah.changes(id, titled("The parcel")).await;
    let read = sarah.reads(id, 2).await;
    let rating = Rating::parse(5, Some("quick")).unwrap();
    let rated = store.rate(sarah.owner(), id, &rating).await.unwrap();

    let rated = rated.unwrap();
    let live = [title.events, read.events, rated.events].concat();
    let replayed = sarah.missed(&start).await;
    let positions = |events: &[Numbered]| -> Vec<i64> {
        events.iter().map(|event| event.position.number).collect()
    };
    let next = start.number + 1;
    assert_eq!(positions(&live), [next, next + 1, next + 2]);
    assert_eq!(positions(&replayed), positions(&live));
    let now = sarah.conversation(id).await.unwrap();
    assert_eq!(now.title.as_deref(), Some("The parcel"));
    assert_eq!((now.read_to, now.unread), (2, 0));
    assert_eq!(now.rating, Some(rating));
    assert_eq!(now, rated.conversation);
    for event in replayed {
        assert_eq!(event.what, Stored::Status(now.clone()));
    }
}

#[tokio::test]
async fn what_changes_nothing_is_no_event() {
    let store = TestStore::new().await;
    let sarah = store.site().await.meets("sarah").await;
    let id = sarah.begins_with("hello").await;
    sarah.changes(id, titled("Mine")).await;
    sarah.reads(id, 1).await;
    let before = sarah.position().await;

    for changes in [Changes::default(), titled("Mine"), closed(false)] {
        assert!(sarah.changes(id, changes).await.events.is_empty());
    }
    assert!(sarah.reads(id, 1).await.events.is_empty());

    assert_eq!(sarah.position().await, before);
}

#[tokio::test]
async fn without_a_given_title_it_is_the_beginning_of_what_was_said_first() {
    let store = TestStore::new().await;
    let sarah = store.site().await.meets("sarah").await;
    let id = sarah.opens_conversation().await;
    let early = sarah.changes(id, titled("Before anything")).await;
    assert_eq!(early.conversation.title.as_deref(), Some("Before anything"));
    sarah.says(id, "said first").await;
    let given = sarah.conversation(id).await.unwrap();
    assert_eq!(given.title.as_deref(), Some("Before anything"));

    let back = Changes {
        title: Some(None),
        closed: None,
    };
    let back = sarah.changes(id, back).await;

    assert_eq!(back.conversation.title.as_deref(), Some("said first"));
}

#[tokio::test]
async fn closing_says_so_and_a_message_opens_it_again_in_one_transaction() {
    let store = TestStore::new().await;
    let sarah = store.site().await.meets("sarah").await;
    let id = sarah.begins_with("hello").await;
    store.answers(id, "good day").await;
    store.passes(1);

    let shut = sarah.changes(id, closed(true)).await;

    assert_eq!(all_told(&shut.events), ["Closed", "status"]);
    assert_eq!(shut.conversation.closed_at, Some(store.now()));
    let open = store.waiting_for(sarah.owner()).await.unwrap().open;
    assert_eq!(open, None);

    let client_id = Uuid::new_v4();
    let posted = sarah.posts(id, client_id, "more").await;
    let Some(Posted::New(appended)) = posted else {
        panic!("not new: {posted:?}")
    };

    assert_eq!(all_told(&appended.events), ["Reopened", "more", "status"]);
    assert_eq!(sarah.conversation(id).await.unwrap().closed_at, None);
    // A retry after it was closed once more opens nothing.
    let again = sarah.changes(id, closed(true)).await;
    let retried = sarah.posts(id, client_id, "more").await;
    assert!(matches!(retried, Some(Posted::Duplicate(_))));
    let now = sarah.conversation(id).await.unwrap();
    assert_eq!(now, again.conversation);
}

#[tokio::test]
async fn an_answer_that_comes_late_leaves_it_closed() {
    let store = TestStore::new().await;
    let sarah = store.site().await.meets("sarah").await;
    let id = sarah.begins_with("hello").await;
    sarah.changes(id, closed(true)).await;

    store.answers(id, "good day").await;

    let now = sarah.conversation(id).await.unwrap();
    assert!(now.closed_at.is_some());
    let reopened = sarah.changes(id, closed(false)).await;
    assert_eq!(all_told(&reopened.events), ["Reopened", "status"]);
}

#[tokio::test]
async fn unread_counts_what_others_said_after_the_mark() {
    let store = TestStore::new().await;
    let sarah = store.site().await.meets("sarah").await;
    let id = sarah.begins_with("one").await;
    store.answers(id, "two").await;
    sarah.says(id, "three").await;
    let call = Body::CallAsked(Call {
        id: CallId::new(&store.clock),
        action: "order_status".to_owned(),
        arguments: serde_json::Map::new(),
    });
    let entries = vec![
        store.new_entry(call),
        store.new_entry(answer("five")),
        store.new_entry(Body::Status(Status::Resumed)),
        store.new_entry(answer("seven")),
    ];
    store
        .append(id, None, entries, TurnMark::Ended)
        .await
        .unwrap();
    assert_eq!(sarah.marks(id).await, (0, 3));

    for (up_to, marks) in [
        (-1, (0, 3)),
        (1, (1, 3)),
        (2, (2, 2)),
        (5, (5, 1)),
        (3, (5, 1)),
        (i64::MAX, (7, 0)),
    ] {
        sarah.reads(id, up_to).await;

        assert_eq!(sarah.marks(id).await, marks, "up to {up_to}");
    }
    store.answers(id, "eight").await;
    assert_eq!(sarah.marks(id).await, (7, 1));
}

/// Answers and marks at once, from everywhere: the count is what is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unread_is_right_however_marks_and_answers_race() {
    let store = TestStore::new().await;
    let sarah = store.site().await.meets("sarah").await;
    let id = sarah.begins_with("1").await;
    for n in 2..=12 {
        store.answers(id, &n.to_string()).await;
    }
    let owner = sarah.owner();

    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..24 {
        let (store, entry) = ((*store).clone(), store.new_entry(answer(&n.to_string())));
        tasks.spawn(async move {
            if n % 2 == 0 {
                let appended = store.append(id, None, vec![entry], TurnMark::Ended).await;
                appended.map(drop).unwrap();
            } else {
                store.mark_read(owner, id, n / 2).await.map(drop).unwrap();
            }
        });
    }
    tasks.join_all().await;

    let (read_to, unread) = sarah.marks(id).await;
    let after = store.entries_after(id, read_to, 100).await.unwrap();
    assert_eq!(unread, i64::try_from(after.len()).unwrap());
    assert_eq!(read_to, 11, "marks never go back, whoever comes last");
}

#[tokio::test]
async fn m4_what_was_read_and_not_read_stays_so_through_a_merge_and_a_split() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let stranger = site.meets_a_stranger().await;
    let id = stranger.begins_with("a private thing").await;
    store.answers(id, "an answer to it").await;
    store.answers(id, "and another").await;
    stranger.reads(id, 2).await;
    let rating = Rating::parse(1, Some("a private word")).unwrap();
    store.rate(stranger.owner(), id, &rating).await.unwrap();
    stranger.changes(id, titled("A private title")).await;
    let sarah = site
        .signs_in(identity("sarah"), Some(stranger.visitor()))
        .await;
    assert_eq!(sarah.marks(id).await, (2, 1));
    store.answers(id, "something new").await;
    assert_eq!(sarah.marks(id).await, (2, 2));

    assert!(store.split(site.scope, sarah.contact(), id).await.unwrap());

    let left = sarah.conversation(id).await.unwrap();
    assert_eq!((left.read_to, left.unread), (2, 1));
    assert_eq!((left.title, left.rating), (None, None));
    let apart = "SELECT id FROM conversations WHERE unread <> 0 OR given_title IS NOT NULL";
    assert_eq!(store.column(apart).await, [id.to_string()]);
}

#[tokio::test]
async fn a_stop_is_kept_once_and_only_while_a_turn_runs() {
    let store = TestStore::new().await;
    let sarah = store.site().await.meets("sarah").await;
    let id = sarah.opens_conversation().await;
    assert!(sarah.stops(id).await.events.is_empty(), "nothing runs");
    sarah.says(id, "hello").await;

    let first = sarah.stops(id).await;
    let second = sarah.stops(id).await;

    assert_eq!(all_told(&first.events), ["Stopped"]);
    assert!(second.events.is_empty());
    // Until its driver has seen it, a crash must find it.
    assert_eq!(store.conversations_with_a_turn().await.unwrap(), [id]);
    let late = vec![store.new_entry(answer("too late"))];
    let refused = store.append(id, Some(1), late, TurnMark::Ended).await;
    assert!(matches!(refused, Err(StoreError::Conflict)));
    store.end_turn(id, 2).await.unwrap();
    sarah.says(id, "again").await;
    assert_eq!(all_told(&sarah.stops(id).await.events), ["Stopped"]);
}

#[tokio::test]
async fn closing_is_a_stop() {
    let store = TestStore::new().await;
    let sarah = store.site().await.meets("sarah").await;
    let id = sarah.begins_with("hello").await;

    sarah.changes(id, closed(true)).await;

    assert!(sarah.stops(id).await.events.is_empty(), "it is closed");
    let entries = store.entries(id).await;
    assert_eq!(entries.last().unwrap().body, Body::Status(Status::Closed));
}

#[tokio::test]
async fn d1_nobody_else_changes_reads_rates_or_stops_it() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let (sarah, tom) = (site.meets("sarah").await, site.meets("tom").await);
    let id = sarah.begins_with("hello").await;
    let before: Option<Conversation> = sarah.conversation(id).await;
    let rating = Rating::parse(1, None).unwrap();

    let changed = store
        .change_conversation(tom.owner(), id, closed(true))
        .await;
    let read = store.mark_read(tom.owner(), id, 1).await;
    let rated = store.rate(tom.owner(), id, &rating).await;
    let stopped = store.stop_turn(tom.owner(), id).await;

    for result in [changed, read, rated, stopped] {
        assert!(result.unwrap().is_none());
    }
    assert_eq!(sarah.conversation(id).await, before);
}

#[tokio::test]
async fn r4_a_replay_of_a_conversation_that_is_gone_is_a_resync() {
    let store = TestStore::new().await;
    let sarah = store.site().await.meets("sarah").await;
    let start = sarah.position().await;
    let id = sarah.begins_with("hello").await;
    sarah.changes(id, titled("Mine")).await;
    store
        .tamper(&format!(
            "UPDATE conversations SET owner = NULL WHERE id = '{id}'"
        ))
        .await;

    let replay = store.replay(sarah.owner(), &start).await.unwrap();

    assert!(matches!(replay, Replay::Resync(_)));
}
