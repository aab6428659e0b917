//! What nodes tell each other.

use maitred_core::secret::{Secret, SecretFor};
use maitred_store::{Found, Notice, Store};

use super::support::{Person, TestStore, identity};

/// What a node reads that has read so far.
async fn news(node: &Store, after: i64) -> Vec<Notice> {
    let news = node.notices_after(after).await.unwrap();
    news.into_iter().map(|(_, notice)| notice).collect()
}

/// The session, as a request shows it.
async fn ends(person: &Person<'_>) {
    let Some(Found::Live(session)) = person.found().await else {
        panic!("not live")
    };
    person.store.end_session(&session).await.unwrap();
}

#[tokio::test]
async fn s5_a_logout_is_told_to_every_node_and_a_second_one_tells_nothing() {
    let store = TestStore::new().await;
    let node = store.another().await;
    let sarah = store.site().await.in_browser("a").meets("sarah").await;
    let Some(Found::Live(session)) = sarah.found().await else {
        panic!("not live")
    };

    store.end_session(&session).await.unwrap();
    store.end_session(&session).await.unwrap();

    let hers = Notice::SessionsEnded(Some(sarah.owner()));
    assert_eq!(news(&node, 0).await, [hers]);
}

#[tokio::test]
async fn s8_a_rise_is_told_to_every_node_and_so_is_what_comes_along() {
    let store = TestStore::new().await;
    let node = store.another().await;
    let site = store.site().await;
    let stranger = site.meets_a_stranger().await;
    stranger.begins_with("hi").await;

    let sarah = site
        .signs_in(identity("sarah"), Some(stranger.visitor()))
        .await;

    let ended = Notice::SessionsEnded(Some(stranger.owner()));
    let moved = Notice::Renumbered(sarah.owner());
    assert_eq!(news(&node, 0).await, [moved, ended]);
}

#[tokio::test]
async fn k6_a_revoked_key_is_told_to_everybody_once() {
    let store = TestStore::new().await;
    let node = store.another().await;
    let site = store.site().await;
    site.meets("sarah").await;

    store.revoke_key(site.scope, site.key).await.unwrap();
    store.revoke_key(site.scope, site.key).await.unwrap();

    assert_eq!(news(&node, 0).await, [Notice::SessionsEnded(None)]);
}

#[tokio::test]
async fn what_visitors_say_is_told_to_no_other_node() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let sarah = site.meets("sarah").await;
    let again = site.meets("sarah").await;
    let secret = Secret::parse(SecretFor::Session, again.opened.secret.expose()).unwrap();

    let id = sarah.begins_with("hi").await;
    store.answers(id, "hello").await;
    store.session(&secret).await.unwrap();

    assert_eq!(store.last_notice().await.unwrap(), 0);
}

#[tokio::test]
async fn a_notice_is_kept_until_every_node_has_read_it() {
    let store = TestStore::new().await;
    let site = store.site().await;
    ends(&site.meets("sarah").await).await;
    store.passes(24 * 60);
    ends(&site.meets("tom").await).await;
    assert_eq!(store.sweep().await.unwrap().notices, 0);

    store.passes(1);

    assert_eq!(store.sweep().await.unwrap().notices, 1);
    assert_eq!(news(&store, 0).await.len(), 1);
    assert_eq!(store.last_notice().await.unwrap(), 2);
}

/// Whoever reads on from the last that it saw must see them all: a number never
/// becomes visible after a later one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s6_a_node_that_reads_on_misses_nothing_while_others_write() {
    const EACH: usize = 15;
    let store = TestStore::new().await;
    let site = store.site().await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (node, opening, token) = (
            store.another().await,
            site.opening(),
            site.proves(identity("sarah")),
        );
        tasks.spawn(async move {
            for _ in 0..EACH {
                let opened = node.open_verified(opening.clone(), token.clone(), None);
                let opened = opened.await.unwrap();
                node.end_session(&opened.session).await.unwrap();
            }
        });
    }

    let (mut seen, mut read) = (0, 0);
    while read < 4 * EACH {
        for (number, _) in store.notices_after(seen).await.unwrap() {
            assert_eq!(number, seen + 1);
            seen = number;
            read += 1;
        }
        tokio::task::yield_now().await;
    }
    tasks.join_all().await;
    assert_eq!(store.last_notice().await.unwrap(), seen);
}
