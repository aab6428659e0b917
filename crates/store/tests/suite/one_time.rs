//! Tokens that are good once.

use jiff::SignedDuration;
use maitred_store::{Once, Proven, StoreError};

use super::support::{Site, TestStore, identity};

/// What a token brings along that is good once, for ten minutes.
fn once(site: Site<'_>, jti: &str) -> Proven {
    Proven {
        once: Some(Once {
            jti: jti.to_owned(),
            expires_at: site.store.now() + SignedDuration::from_mins(10),
        }),
        ..site.proves(identity("sarah"))
    }
}

#[tokio::test]
async fn t9_a_token_that_is_good_once_opens_one_session() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let (first, other) = (once(site, "a"), once(site, "b"));

    let opened = store
        .open_verified(site.opening(), first.clone(), None)
        .await;
    let again = store.open_verified(site.opening(), first, None).await;

    assert!(opened.is_ok());
    assert!(matches!(again, Err(StoreError::TokenReplayed)), "{again:?}");
    let opened = store.open_verified(site.opening(), other, None).await;
    assert!(opened.is_ok());
    let sessions = store.column("SELECT id FROM sessions").await;
    assert_eq!(sessions.len(), 2);
}

#[tokio::test]
async fn t9_another_process_knows_that_it_was_used() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let node = store.another().await;
    let token = once(site, "a");
    store
        .open_verified(site.opening(), token.clone(), None)
        .await
        .unwrap();

    let again = node.open_verified(site.opening(), token, None).await;

    assert!(matches!(again, Err(StoreError::TokenReplayed)));
}

#[tokio::test]
async fn t9_a_renewal_uses_a_token_up_too() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let sarah = site.meets("sarah").await;
    let token = once(site, "a");

    let session = &sarah.opened.session;
    let renewed = store.renew(session, token.clone()).await;
    let again = store.renew(session, token.clone()).await;
    let elsewhere = store.open_verified(site.opening(), token, None).await;

    assert!(renewed.is_ok());
    assert!(matches!(again, Err(StoreError::TokenReplayed)));
    assert!(matches!(elsewhere, Err(StoreError::TokenReplayed)));
}

#[tokio::test]
async fn t9_a_token_that_opened_nothing_is_not_used_up() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let sarah = site.meets("sarah").await;
    store.end_session(&sarah.opened.session).await.unwrap();
    let token = once(site, "a");

    let refused = store.renew(&sarah.opened.session, token.clone()).await;

    assert!(matches!(refused, Err(StoreError::Conflict)));
    let opened = store.open_verified(site.opening(), token, None).await;
    assert!(opened.is_ok());
}

#[tokio::test]
async fn t9_the_same_id_of_another_key_or_environment_is_another_token() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let staging = site.staging().await;
    let key = site.with_a_spare_key().await.key;

    for (site, token) in [
        (site, once(site, "a")),
        (
            site,
            Proven {
                key,
                ..once(site, "a")
            },
        ),
        (staging, once(staging, "a")),
    ] {
        let opened = store.open_verified(site.opening(), token, None).await;
        assert!(opened.is_ok(), "{opened:?}");
    }
}

#[tokio::test]
async fn t9_what_was_used_is_remembered_until_it_expires_and_not_by_name() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let token = once(site, "hunter2");
    store
        .open_verified(site.opening(), token.clone(), None)
        .await
        .unwrap();
    assert!(!store.dump().await.contains("hunter2"));

    // Its time, and the leeway in which it would still be good.
    store.passes(12);
    assert_eq!(store.sweep().await.unwrap().spent_tokens, 0);
    let again = store.open_verified(site.opening(), token, None).await;
    assert!(matches!(again, Err(StoreError::TokenReplayed)));

    store.passes(10);
    assert_eq!(store.sweep().await.unwrap().spent_tokens, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t9_of_many_at_once_one_is_let_in() {
    let store = TestStore::new().await;
    let site = store.site().await;

    for round in 0..10 {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..6 {
            let (store, opening) = ((*store).clone(), site.opening());
            let token = once(site, &format!("a-{round}"));
            tasks.spawn(async move { store.open_verified(opening, token, None).await.is_ok() });
        }
        let let_in = tasks.join_all().await.into_iter().filter(|it| *it);

        assert_eq!(let_in.count(), 1);
    }
}

#[tokio::test]
async fn t9_asking_whether_a_token_would_be_admitted_does_not_use_it_up() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let token = once(site, "a");

    let asked = store.would_admit(site.scope, &token).await;
    let asked_again = store.would_admit(site.scope, &token).await;
    let opened = store
        .open_verified(site.opening(), token.clone(), None)
        .await;
    let asked_then = store.would_admit(site.scope, &token).await;

    assert!(asked.is_ok() && asked_again.is_ok());
    assert!(opened.is_ok());
    assert!(matches!(asked_then, Err(StoreError::TokenReplayed)));
}

#[tokio::test]
async fn l2_asking_whether_a_token_would_be_admitted_gets_the_answer_of_the_exchange() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let proven = site.proves(identity("sarah"));
    let before = store.would_admit(site.scope, &proven).await;
    let subject = "sarah".parse().unwrap();
    store
        .log_out_everywhere(site.scope, &subject)
        .await
        .unwrap();

    let logged_out = store.would_admit(site.scope, &proven).await;
    store.revoke_key(site.scope, site.key).await.unwrap();
    let revoked = store.would_admit(site.scope, &proven).await;

    assert!(before.is_ok());
    assert!(matches!(logged_out, Err(StoreError::TokenRevoked)));
    assert!(matches!(revoked, Err(StoreError::KeyRevoked)));
}
