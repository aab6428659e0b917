//! From anonymous to verified, and back.

use maitred_core::{
    conversation::{Body, Entry, Status},
    id::{ConversationId, EntryId},
};
use maitred_store::Replay;

use super::support::{Person, Site, TestStore, identity, was, words};

/// A stranger says two things in a conversation, and signs in as Sarah.
async fn moved<'s>(site: Site<'s>) -> (Person<'s>, ConversationId) {
    let stranger = site.meets_a_stranger().await;
    let id = stranger.begins_with("a private thing").await;
    site.store.answers(id, "an answer to it").await;
    let before = Some(stranger.visitor());
    (site.signs_in(identity("sarah"), before).await, id)
}

#[tokio::test]
async fn m1_the_open_conversation_comes_along_and_says_so() {
    let store = TestStore::new().await;
    let site = store.site().await;

    let (sarah, id) = moved(site).await;

    let conversation = sarah.conversation(id).await.unwrap();
    assert!(conversation.from_before_sign_in);
    assert_eq!(conversation.title.as_deref(), Some("a private thing"));
    let last = store.entries(id).await.pop().unwrap();
    assert_eq!(last.body, Body::Status(Status::ContinuedFromBeforeSignIn));
    assert_eq!(store.owner_of(id).await.unwrap(), Some(sarah.owner()));
    let latest = store.waiting_for(sarah.owner()).await.unwrap().open;
    assert_eq!(latest.map(|it| it.id), Some(id));
    assert_eq!(store.audited().await.last().unwrap(), "conversation_moved");
}

#[tokio::test]
async fn m1_a_conversation_last_spoken_in_thirty_minutes_ago_stays() {
    for (minutes, comes_along) in [(29, true), (30, false), (31, false)] {
        let store = TestStore::new().await;
        let site = store.site().await;
        let stranger = site.meets_a_stranger().await;
        let id = stranger.begins_with("hi").await;
        store.passes(minutes);

        let sarah = site
            .signs_in(identity("sarah"), Some(stranger.visitor()))
            .await;

        let moved = sarah.conversation(id).await.is_some();
        assert_eq!(moved, comes_along, "{minutes}");
    }
}

#[tokio::test]
async fn m1_it_is_the_visitors_last_message_that_counts_and_not_the_agents() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let stranger = site.meets_a_stranger().await;
    let id = stranger.begins_with("hi").await;
    store.passes(31);
    store.answers(id, "sorry that I am late").await;

    let sarah = site
        .signs_in(identity("sarah"), Some(stranger.visitor()))
        .await;

    assert_eq!(sarah.conversation(id).await, None);
}

#[tokio::test]
async fn m1_other_anonymous_conversations_stay_where_they_are() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let stranger = site.meets_a_stranger().await;
    let bystander = site.meets_a_stranger().await;
    let earlier = stranger.begins_with("earlier").await;
    let theirs = bystander.begins_with("theirs").await;
    store.passes(1);
    let latest = stranger.begins_with("latest").await;

    let sarah = site
        .signs_in(identity("sarah"), Some(stranger.visitor()))
        .await;

    assert_eq!(sarah.list().await, [latest]);
    assert_eq!(stranger.list().await, [earlier]);
    assert_eq!(bystander.list().await, [theirs]);
}

#[tokio::test]
async fn m1_a_visitor_who_belonged_to_another_contact_brings_nothing() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let stranger = site.meets_a_stranger().await;
    let first = stranger.begins_with("first").await;
    store.passes(1);
    let second = stranger.begins_with("second").await;
    let sarah = site
        .signs_in(identity("sarah"), Some(stranger.visitor()))
        .await;

    let tom = site
        .signs_in(identity("tom"), Some(stranger.visitor()))
        .await;

    assert_eq!(sarah.list().await, [second]);
    assert_eq!(tom.list().await, []);
    assert_eq!(
        stranger.conversation(first).await.map(|it| it.id),
        Some(first)
    );
}

#[tokio::test]
async fn d1_a_visitor_of_another_agent_brings_nothing_and_loses_nothing() {
    let store = TestStore::new().await;
    let (site, elsewhere) = (store.site().await, store.site().await);
    let stranger = elsewhere.meets_a_stranger().await;
    let id = stranger.begins_with("hi").await;

    let sarah = site
        .signs_in(identity("sarah"), Some(stranger.visitor()))
        .await;

    assert_eq!(sarah.conversation(id).await, None);
    assert!(stranger.conversation(id).await.is_some());
    assert!(stranger.is_live().await);
}

#[tokio::test]
async fn m1_a_stranger_who_said_nothing_becomes_a_contact_without_conversations() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let stranger = site.meets_a_stranger().await;
    stranger.opens_conversation().await;

    let sarah = site
        .signs_in(identity("sarah"), Some(stranger.visitor()))
        .await;

    assert_eq!(sarah.list().await, []);
    assert!(
        !store
            .audited()
            .await
            .contains(&"conversation_moved".to_owned())
    );
}

#[tokio::test]
async fn m3_two_contacts_with_the_same_address_and_name_stay_two() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let sarah = site.meets("sarah").await;
    let id = sarah.begins_with("mine").await;
    let mut namesake = identity("sarah");
    namesake.subject = "42".to_owned();

    let other = site.signs_in(namesake, None).await;

    assert_ne!(sarah.contact(), other.contact());
    assert_eq!(other.conversation(id).await, None);
}

#[tokio::test]
async fn m4_order_numbers_and_ids_survive_the_move() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let stranger = site.meets_a_stranger().await;
    let id = stranger.begins_with("1").await;
    store.answers(id, "2").await;
    stranger.says(id, "3").await;
    let before = store.entries(id).await;
    let sarah = site
        .signs_in(identity("sarah"), Some(stranger.visitor()))
        .await;

    sarah.says(id, "5").await;

    let after = store.entries(id).await;
    assert_eq!(after[..3], before);
    let numbers: Vec<i64> = after.iter().map(|entry| entry.number).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn m1_a_message_of_the_stranger_after_the_move_finds_no_conversation() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let stranger = site.meets_a_stranger().await;
    let id = stranger.begins_with("hi").await;
    site.signs_in(identity("sarah"), Some(stranger.visitor()))
        .await;

    let posted = stranger.posts(id, uuid::Uuid::new_v4(), "still me").await;

    assert!(posted.is_none());
}

/// What a reader sees, and what each of the entries is called.
fn ids(entries: &[Entry]) -> Vec<(EntryId, i64)> {
    entries.iter().map(|it| (it.id, it.number)).collect()
}

#[tokio::test]
async fn m1_not_mine_takes_away_what_was_said_before_and_leaves_what_was_said_since() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let (sarah, id) = moved(site).await;
    store.passes(1);
    sarah.says(id, "something of mine").await;
    let before = store.entries(id).await;

    let split = store.split(site.scope, sarah.contact(), id).await.unwrap();

    assert!(split);
    let left = store.entries(id).await;
    assert_eq!(ids(&left), ids(&before[2..]));
    let conversation = sarah.conversation(id).await.unwrap();
    assert!(!conversation.from_before_sign_in);
    assert_eq!(conversation.title, None);
    let last = conversation.last_message.map(|it| it.text);
    assert_eq!(last.as_deref(), Some("something of mine"));
    assert_eq!(store.audited().await.last().unwrap(), "conversation_split");
}

#[tokio::test]
async fn m1_not_mine_leaves_no_word_of_it_with_the_contact() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let (sarah, id) = moved(site).await;
    let seen = sarah.position().await;

    store.split(site.scope, sarah.contact(), id).await.unwrap();

    let conversation = sarah.conversation(id).await.unwrap();
    assert_eq!(
        (conversation.title, conversation.last_message),
        (None, None)
    );
    let replay = store.replay(sarah.owner(), &seen).await.unwrap();
    let Replay::Resync(now) = replay else {
        panic!("a stream must read everything again")
    };
    // Nor from a position that was never given out.
    let from = maitred_core::event::Position { number: 0, ..now };
    let told = format!("{:?}", store.replay(sarah.owner(), &from).await.unwrap());
    assert!(!told.contains("private"), "{told}");
    let listed = format!("{:?}", store.conversations(sarah.owner(), None, 50).await);
    assert!(!listed.contains("private"), "{listed}");
}

#[tokio::test]
async fn m2_what_was_taken_away_is_kept_in_order_for_operators_and_nobody_else() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let (sarah, id) = moved(site).await;
    let before = store.entries(id).await;

    store.split(site.scope, sarah.contact(), id).await.unwrap();

    let ownerless = "SELECT id FROM conversations WHERE owner IS NULL";
    let [apart] = <[String; 1]>::try_from(store.column(ownerless).await).unwrap();
    let apart: ConversationId = apart.parse().unwrap();
    let kept = store.entries(apart).await;
    assert_eq!(ids(&kept), ids(&before[..2]));
    assert_eq!(words(&kept[0]), "a private thing");
    assert_eq!(store.scope_of(apart).await.unwrap(), Some(site.scope));
    assert_eq!(store.owner_of(apart).await.unwrap(), None);
    assert_eq!(sarah.conversation(apart).await, None);
}

#[tokio::test]
async fn a_line_added_where_only_operators_see_it_is_announced_to_nobody() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let (sarah, id) = moved(site).await;
    store.split(site.scope, sarah.contact(), id).await.unwrap();
    let ownerless = "SELECT id FROM conversations WHERE owner IS NULL";
    let apart: ConversationId = store.column(ownerless).await[0].parse().unwrap();
    let entries = vec![store.new_entry(super::support::answer("a note"))];

    let appended = store
        .append(apart, Some(2), entries, maitred_store::TurnMark::Ended)
        .await
        .unwrap();

    assert_eq!(appended.owner, None);
    assert!(appended.events.is_empty());
    assert_eq!(store.entries(apart).await.len(), 3);
}

#[tokio::test]
async fn not_mine_is_said_once_and_the_conversation_goes_on() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let (sarah, id) = moved(site).await;
    assert!(store.split(site.scope, sarah.contact(), id).await.unwrap());

    let again = store.split(site.scope, sarah.contact(), id).await.unwrap();
    sarah.says(id, "now for my own question").await;

    assert!(!again);
    let conversation = sarah.conversation(id).await.unwrap();
    assert_eq!(
        conversation.title.as_deref(),
        Some("now for my own question")
    );
    let numbers: Vec<i64> = store.entries(id).await.iter().map(|it| it.number).collect();
    assert_eq!(numbers, [3, 4]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn not_mine_said_twice_at_once_splits_once() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let (sarah, id) = moved(site).await;
    let (scope, contact) = (site.scope, sarah.contact());

    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let store = (*store).clone();
        tasks.spawn(async move { store.split(scope, contact, id).await.unwrap() });
    }
    let split = tasks.join_all().await.into_iter().filter(|split| *split);

    assert_eq!(split.count(), 1);
    let ownerless = "SELECT id FROM conversations WHERE owner IS NULL";
    assert_eq!(store.column(ownerless).await.len(), 1);
}

#[tokio::test]
async fn d1_nobody_else_can_split_a_conversation_and_one_that_was_never_moved_stays_whole() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let (sarah, id) = moved(site).await;
    let own = sarah.begins_with("mine from the start").await;
    let tom = site.meets("tom").await;
    let staging = site.staging().await.scope;

    for (scope, contact, id) in [
        (site.scope, tom.contact(), id),
        (staging, sarah.contact(), id),
        (site.scope, sarah.contact(), own),
        (
            site.scope,
            sarah.contact(),
            ConversationId::new(&store.clock),
        ),
    ] {
        assert!(!store.split(scope, contact, id).await.unwrap());
    }
    assert_eq!(store.entries(id).await.len(), 3);
}

/// A message and a sign-in at the same moment neither fail nor lose anything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn m1_a_message_posted_during_the_move_is_kept_or_finds_nothing() {
    let store = TestStore::new().await;
    let site = store.site().await;

    for round in 0..15 {
        let stranger = site.meets_a_stranger().await;
        let id = stranger.begins_with("hi").await;
        let (owner, session, visitor) = (stranger.owner(), stranger.session(), stranger.visitor());
        let mut tasks = tokio::task::JoinSet::new();
        for n in 0..4 {
            let store = (*store).clone();
            tasks.spawn(async move {
                let said = super::support::text(&format!("more {n}"));
                let client_id = uuid::Uuid::new_v4();
                let posted = store.post(owner, id, session, client_id, &said).await;
                posted.unwrap().is_some()
            });
        }
        let at_work = (*store).clone();
        let (opening, proven) = (
            site.opening(),
            site.proves(identity(&format!("sarah-{round}"))),
        );
        tasks.spawn(async move {
            at_work
                .open_verified(opening, proven, Some(was(visitor)))
                .await
                .unwrap();
            false
        });
        let kept = tasks.join_all().await.into_iter().filter(|kept| *kept);

        // Besides those: the first message, and the line that says it moved.
        let entries = store.entries(id).await;
        assert_eq!(entries.len(), 2 + kept.count());
        let numbers: Vec<i64> = entries.iter().map(|it| it.number).collect();
        assert!(numbers.iter().copied().eq(1..=numbers.len() as i64));
    }
}
