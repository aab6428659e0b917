//! Events: what was missed is told again, in order and once.

use maitred_core::{event::Position, id::VisitorId, scope::Owner};
use maitred_store::Replay;

use super::support::{TestStore, identity, words};

#[tokio::test]
async fn r4_a_new_owner_stands_before_the_first_event() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let (sarah, stranger) = (site.meets("sarah").await, site.meets_a_stranger().await);

    let (one, other) = (sarah.position().await, stranger.position().await);

    assert_eq!((one.number, other.number), (0, 0));
    assert_ne!(one.epoch, other.epoch);
    assert!(sarah.missed(&one).await.is_empty());
}

#[tokio::test]
async fn r4_a_replay_gives_every_later_event_of_all_conversations_in_order() {
    let store = TestStore::new().await;
    let sarah = store.site().await.meets("sarah").await;
    let one = sarah.begins_with("1").await;
    let seen = sarah.position().await;
    let other = sarah.begins_with("2").await;
    store.answers(one, "3").await;
    store.answers(other, "4").await;

    let missed = sarah.missed(&seen).await;

    let told: Vec<(i64, &str)> = missed
        .iter()
        .map(|event| (event.position.number, words(event.entry().unwrap())))
        .collect();
    assert_eq!(told, [(2, "2"), (3, "3"), (4, "4")]);
    assert!(missed.iter().all(|it| it.position.epoch == seen.epoch));
    assert_eq!(missed[1].entry().unwrap().conversation, one);
    assert!(sarah.missed(&sarah.position().await).await.is_empty());
}

#[tokio::test]
async fn r4_a_replay_from_any_position_goes_on_where_it_was_cut() {
    let store = TestStore::new().await;
    let sarah = store.site().await.meets("sarah").await;
    let start = sarah.position().await;
    let id = sarah.begins_with("1").await;
    for n in 2..=12 {
        sarah.says(id, &n.to_string()).await;
    }
    let all = sarah.missed(&start).await;

    for cut in 0..=12 {
        let from = Position {
            number: i64::try_from(cut).unwrap(),
            ..start.clone()
        };

        assert_eq!(sarah.missed(&from).await, all[cut..]);
    }
}

#[tokio::test]
async fn r4_a_long_replay_comes_in_parts_that_join_up() {
    let store = TestStore::new().await;
    let sarah = store.site().await.meets("sarah").await;
    let mut from = sarah.position().await;
    let id = sarah.opens_conversation().await;
    let entries = (1..=450).map(|n| store.new_entry(super::support::answer(&n.to_string())));
    let entries: Vec<_> = entries.collect();
    store
        .append(id, None, entries, maitred_store::TurnMark::Ended)
        .await
        .unwrap();

    let mut told: Vec<String> = Vec::new();
    let mut parts = 0;
    loop {
        let replay = store.replay(sarah.owner(), &from).await.unwrap();
        let Replay::Events { events, more } = replay else {
            panic!("{from} cannot be replayed")
        };
        parts += 1;
        told.extend(
            events
                .iter()
                .map(|it| words(it.entry().unwrap()).to_owned()),
        );
        if !more {
            break;
        }
        from = events.last().unwrap().position.clone();
    }

    let expected: Vec<String> = (1..=450).map(|n: i32| n.to_string()).collect();
    assert_eq!(told, expected);
    assert_eq!(parts, 3);
}

#[tokio::test]
async fn r4_a_position_of_another_epoch_or_none_that_was_gets_resync() {
    let store = TestStore::new().await;
    let sarah = store.site().await.meets("sarah").await;
    sarah.begins_with("1").await;
    let now = sarah.position().await;
    let at = |epoch: &str, number| Position {
        epoch: epoch.to_owned(),
        number,
    };

    for wrong in [
        at("another", 1),
        at("", 0),
        at(&now.epoch, 2),
        at(&now.epoch, -1),
        at(&now.epoch, i64::MAX),
        at(&now.epoch, i64::MIN),
    ] {
        let replay = store.replay(sarah.owner(), &wrong).await.unwrap();

        assert!(
            matches!(&replay, Replay::Resync(to) if *to == now),
            "{wrong}"
        );
    }
}

#[tokio::test]
async fn r4_an_event_that_is_gone_gets_resync_and_never_a_silent_gap() {
    let store = TestStore::new().await;
    let sarah = store.site().await.meets("sarah").await;
    let start = sarah.position().await;
    let id = sarah.begins_with("1").await;
    sarah.says(id, "2").await;
    sarah.says(id, "3").await;
    let now = sarah.position().await;

    for gone in [2, 3] {
        store
            .tamper(&format!("DELETE FROM events WHERE number = {gone}"))
            .await;

        let replay = store.replay(sarah.owner(), &start).await.unwrap();

        assert!(
            matches!(&replay, Replay::Resync(to) if *to == now),
            "{gone}: {replay:?}"
        );
    }
}

#[tokio::test]
async fn an_owner_that_does_not_exist_has_no_position() {
    let store = TestStore::new().await;
    let nobody = Owner::Visitor(VisitorId::new(&store.clock));
    let from = Position {
        epoch: "e".to_owned(),
        number: 0,
    };

    assert_eq!(store.position(nobody).await.unwrap(), None);
    let replay = store.replay(nobody, &from).await.unwrap();
    assert!(matches!(replay, Replay::Resync(_)));
}

#[tokio::test]
async fn r4_a_merge_begins_the_numbering_anew() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let sarah = site.meets("sarah").await;
    sarah.begins_with("before").await;
    let seen = sarah.position().await;
    let stranger = site.meets_a_stranger().await;
    let id = stranger.begins_with("hi").await;
    site.signs_in(identity("sarah"), Some(stranger.visitor()))
        .await;

    let replay = store.replay(sarah.owner(), &seen).await.unwrap();

    let now = sarah.position().await;
    assert!(matches!(&replay, Replay::Resync(to) if *to == now));
    assert_ne!(now.epoch, seen.epoch);
    sarah.says(id, "after").await;
    let missed = sarah.missed(&now).await;
    assert_eq!(words(missed[0].entry().unwrap()), "after");
}
