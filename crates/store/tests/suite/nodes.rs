//! Several nodes: who lives, who runs a turn, and what they tell each other.

use jiff::{SignedDuration, Timestamp};
use maitred_core::{
    conversation::NewEntry,
    event::{Event, Position, Typist},
    id::{ConversationId, EntryId, NodeId},
    message::MessageText,
};
use maitred_store::{Heard, NodeRow, Store, StoreError, Told, TurnMark};
use uuid::Uuid;

use super::support::{TestStore, answer};

/// Before anything that is done here.
const LONG_AGO: Timestamp = Timestamp::UNIX_EPOCH;

impl TestStore {
    /// The store of one more node. On SQLite it is the only one from then on.
    async fn node(&self) -> Store {
        let node = self.another().await;
        node.joined_by(NodeId::new(&self.clock)).await.unwrap()
    }

    /// A store that several nodes can serve at once; none on SQLite, where one does.
    async fn of_nodes() -> Option<Self> {
        Some(Self::new().await).filter(|store| store.is_shared())
    }
}

async fn says(node: &Store, store: &TestStore, id: ConversationId) {
    let owner = store.owner_of(id).await.unwrap().unwrap();
    let session = store.transcript(id).await.unwrap().session().unwrap();
    let client_id = Uuid::new_v4();
    let text = MessageText::parse("hello").unwrap();
    let posted = node.post(owner, id, session, client_id, &text).await;
    assert!(posted.unwrap().is_some());
}

async fn appends(node: &Store, id: ConversationId, turn: TurnMark) -> Result<(), StoreError> {
    let entry = NewEntry {
        id: EntryId::new(&node.clock),
        body: answer("done"),
    };
    node.append(id, None, vec![entry], turn).await.map(drop)
}

async fn is_ours(node: &Store, id: ConversationId) -> bool {
    node.turn_place(id).await.unwrap().unwrap().is_ours
}

/// As another node does that saw it stand still.
async fn is_thought_dead(node: &Store, by: &Store) {
    let id = node.node().unwrap();
    if let Some(row) = by.nodes().await.unwrap().iter().find(|row| row.id == id) {
        assert!(by.remove_node(*row).await.unwrap());
    }
}

#[tokio::test]
async fn a_node_lives_from_its_joining_to_its_leaving() {
    let store = TestStore::new().await;
    let node = store.node().await;
    let id = node.node().unwrap();
    assert_eq!(store.nodes().await.unwrap(), [NodeRow { id, beats: 0 }]);

    assert!(node.beat().await.unwrap());
    let row = NodeRow { id, beats: 1 };
    assert_eq!(store.nodes().await.unwrap(), [row]);
    let stale = NodeRow { id, beats: 0 };
    assert!(
        !store.remove_node(stale).await.unwrap(),
        "it has beaten since"
    );

    node.leave().await.unwrap();
    assert_eq!(store.nodes().await.unwrap(), []);
}

#[tokio::test]
async fn a_node_knows_that_there_are_others_from_what_it_stores() {
    let Some(store) = TestStore::of_nodes().await else {
        return;
    };
    let here = store.node().await;
    assert!(!here.has_peers());
    let there = store.node().await;
    assert!(there.has_peers());

    let id = store
        .site()
        .await
        .meets("sarah")
        .await
        .begins_with("one")
        .await;
    says(&here, &store, id).await;
    assert!(here.has_peers(), "without having asked");

    there.leave().await.unwrap();
    here.nodes().await.unwrap();
    assert!(!here.has_peers());
}

#[tokio::test]
async fn r3_a_turn_that_runs_stays_with_its_node_whoever_takes_the_next_message() {
    let Some(store) = TestStore::of_nodes().await else {
        return;
    };
    let (here, there) = (store.node().await, store.node().await);
    let sarah = store.site().await.meets("sarah").await;
    let id = sarah.begins_with("one").await;

    says(&here, &store, id).await;
    says(&there, &store, id).await;

    assert!(is_ours(&here, id).await && !is_ours(&there, id).await);
    let refused = appends(&there, id, TurnMark::Ended).await;
    assert!(matches!(refused, Err(StoreError::TurnTaken)), "{refused:?}");
    assert_eq!(there.turns_left_open(LONG_AGO).await.unwrap(), []);
    assert!(there.take_up_turn(id, LONG_AGO).await.unwrap().is_none());

    appends(&here, id, TurnMark::Ended).await.unwrap();
    assert!(!is_ours(&here, id).await, "it has ended");
    says(&there, &store, id).await;
    assert!(is_ours(&there, id).await);
}

#[tokio::test]
async fn r3_a_node_that_comes_back_has_lost_the_turn_that_was_taken_up() {
    let store = TestStore::new().await;
    let slow = store.node().await;
    let id = store
        .site()
        .await
        .meets("sarah")
        .await
        .begins_with("one")
        .await;
    says(&slow, &store, id).await;
    let other = store.node().await;
    is_thought_dead(&slow, &other).await;

    assert_eq!(other.turns_left_open(LONG_AGO).await.unwrap(), [id]);
    let taken = other.take_up_turn(id, LONG_AGO).await.unwrap();
    assert_eq!(
        taken.unwrap().events.len(),
        1,
        "it is said in the conversation"
    );
    assert!(other.take_up_turn(id, LONG_AGO).await.unwrap().is_none());

    assert!(!slow.beat().await.unwrap(), "it hears of it");
    assert!(slow.beat().await.unwrap(), "and lives again");
    for mark in [TurnMark::Running, TurnMark::Ended] {
        let refused = appends(&slow, id, mark).await;
        assert!(matches!(refused, Err(StoreError::TurnTaken)), "{refused:?}");
    }
    let last = store.transcript(id).await.unwrap().last_number();
    slow.end_turn(id, last).await.unwrap();
    assert!(is_ours(&other, id).await, "nor can it end it");
    appends(&other, id, TurnMark::Ended).await.unwrap();
}

#[tokio::test]
async fn r3_of_many_nodes_one_takes_up_a_turn() {
    let Some(store) = TestStore::of_nodes().await else {
        return;
    };
    let dead = store.node().await;
    let id = store
        .site()
        .await
        .meets("sarah")
        .await
        .begins_with("one")
        .await;
    says(&dead, &store, id).await;
    let mut others = Vec::new();
    for _ in 0..5 {
        others.push(store.node().await);
    }
    is_thought_dead(&dead, &others[0]).await;

    let taken = others.iter().map(|node| node.take_up_turn(id, LONG_AGO));
    let taken = futures_util::future::join_all(taken).await;

    let n_taken = taken.into_iter().filter(|it| matches!(it, Ok(Some(_))));
    assert_eq!(n_taken.count(), 1);
}

#[tokio::test]
async fn r3_a_turn_that_its_own_node_left_open_is_found_when_it_has_stood_still() {
    let store = TestStore::new().await;
    let node = store.node().await;
    let id = store
        .site()
        .await
        .meets("sarah")
        .await
        .begins_with("one")
        .await;
    says(&node, &store, id).await;
    let a_while_ago = || store.now() - SignedDuration::from_secs(10);
    assert_eq!(node.turns_left_open(a_while_ago()).await.unwrap(), []);
    assert!(
        node.take_up_turn(id, a_while_ago())
            .await
            .unwrap()
            .is_none()
    );

    store.passes(1);

    assert_eq!(node.turns_left_open(a_while_ago()).await.unwrap(), [id]);
    assert!(
        node.take_up_turn(id, a_while_ago())
            .await
            .unwrap()
            .is_some()
    );
}

#[tokio::test]
async fn r3_a_dead_nodes_turns_come_before_slow_ones_of_its_own() {
    let Some(store) = TestStore::of_nodes().await else {
        return;
    };
    let (here, dead) = (store.node().await, store.node().await);
    let sarah = store.site().await.meets("sarah").await;
    let slow = sarah.begins_with("one").await;
    says(&here, &store, slow).await;
    store.passes(5);
    let left = sarah.begins_with("two").await;
    says(&dead, &store, left).await;
    store.passes(20);

    dead.leave().await.unwrap();

    let open = here.turns_left_open(store.now()).await.unwrap();
    assert_eq!(open, [left, slow]);
}

#[tokio::test]
async fn what_one_node_tells_the_others_hear_and_itself_does_not() {
    let Some(store) = TestStore::of_nodes().await else {
        return;
    };
    let (here, there) = (store.node().await, store.node().await);
    let mut heard_here = here.listen().await.unwrap().unwrap();
    let mut heard_there = there.listen().await.unwrap().unwrap();
    let sarah = store.site().await.meets("sarah").await;
    let conversation = sarah.begins_with("one").await;
    let position = Position {
        epoch: "epoch".to_owned(),
        number: 7,
    };
    let typing = |by| Event::Typing {
        conversation,
        by,
        typing: true,
    };
    let told = vec![
        Told::Event(sarah.owner(), Event::Moved(position)),
        Told::Event(sarah.owner(), typing(Typist::Agent)),
        Told::LookAtTurn(conversation),
    ];

    here.tell_nodes(&told).await.unwrap();
    there.tell_nodes(&told[..1]).await.unwrap();

    assert_eq!(heard_there.hear().await.unwrap(), Heard::Told(told.clone()));
    assert_eq!(
        heard_here.hear().await.unwrap(),
        Heard::Told(told[..1].to_vec())
    );
}

#[tokio::test]
async fn a_reply_longer_than_a_notification_is_heard_whole() {
    let Some(store) = TestStore::of_nodes().await else {
        return;
    };
    let (here, there) = (store.node().await, store.node().await);
    let mut listener = there.listen().await.unwrap().unwrap();
    let sarah = store.site().await.meets("sarah").await;
    let conversation = sarah.begins_with("one").await;
    let reply = EntryId::new(&store.clock);
    // Every one of the first is six bytes when it is escaped.
    let long = format!("{}{}", "\u{1}".repeat(10_000), "ü".repeat(5_000));
    let delta = Event::Delta {
        conversation,
        reply,
        text: long.clone(),
    };

    here.tell_nodes(&[Told::Event(sarah.owner(), delta)])
        .await
        .unwrap();

    let mut whole = String::new();
    while whole.len() < long.len() {
        let Heard::Told(told) = listener.hear().await.unwrap() else {
            panic!("nothing was lost");
        };
        for told in told {
            let Told::Event(_, Event::Delta { text, .. }) = told else {
                panic!("{told:?}");
            };
            whole.push_str(&text);
        }
    }
    assert!(whole == long);
}

#[tokio::test]
async fn r8_whoever_listens_is_told_that_the_connection_was_lost() {
    let Some(store) = TestStore::of_nodes().await else {
        return;
    };
    let node = store.node().await;
    let mut listener = node.listen().await.unwrap().unwrap();

    store
        .tamper(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND query LIKE 'LISTEN%'",
        )
        .await;

    assert_eq!(listener.hear().await.unwrap(), Heard::Again);
}

#[tokio::test]
async fn r4_how_far_many_owners_have_come_is_one_query() {
    let Some(store) = TestStore::of_nodes().await else {
        return;
    };
    let site = store.site().await;
    let sarah = site.meets("sarah").await;
    let stranger = site.meets_a_stranger().await;
    sarah.begins_with("one").await;
    let owners = [sarah.owner(), stranger.owner()];

    let mut positions = store.positions(&owners).await.unwrap();

    assert_eq!(positions.len(), 2);
    positions.sort_by_key(|(owner, _)| owners.iter().position(|it| it == owner));
    for (owner, position) in positions {
        assert_eq!(store.position(owner).await.unwrap(), Some(position));
    }
}
