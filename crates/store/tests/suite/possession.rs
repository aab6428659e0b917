//! Sessions and visitors that are bound to the key of a browser.

use maitred_core::{agent::ProofOfPossession, session::Session};
use maitred_store::{Found, StoreError};

use super::support::{Person, TestStore, identity};

async fn live(person: &Person<'_>) -> Session {
    match person.found().await {
        Some(Found::Live(session)) => session,
        other => panic!("not live: {other:?}"),
    }
}

#[tokio::test]
async fn s4_a_session_keeps_the_key_that_it_was_made_with() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let laptop = site.in_browser("laptop");
    let (sarah, stranger) = (laptop.meets("sarah").await, laptop.meets_a_stranger().await);
    let session = &sarah.opened.session;
    let renewed = store.renew(session, site.proves(identity("sarah"))).await;

    for session in [live(&sarah).await, live(&stranger).await, renewed.unwrap()] {
        assert_eq!(session.proof_key, laptop.proof_key());
        let Some(Found::Live(by_id)) = store.session_by_id(session.id).await.unwrap() else {
            panic!("not live")
        };
        assert_eq!(by_id.proof_key, laptop.proof_key());
    }
    assert_eq!(live(&site.meets("sarah").await).await.proof_key, None);
}

#[tokio::test]
async fn s4_a_stored_key_that_is_none_is_not_taken_for_no_key() {
    let store = TestStore::new().await;
    let sarah = store.site().await.in_browser("laptop").meets("sarah").await;
    store.tamper("UPDATE sessions SET proof_key = ''").await;

    let found = store.session(&sarah.opened.secret).await;

    assert!(matches!(
        found,
        Err(StoreError::Corrupt {
            table: "sessions",
            column: "proof_key"
        })
    ));
}

#[tokio::test]
async fn s4_settings_from_before_there_was_a_policy_have_the_default() {
    let store = TestStore::new().await;
    let site = store.site().await;
    store
        .tamper(
            r#"UPDATE environments SET settings = '{"origins":[],"sign_in_url":null,
            "suggestions":[],"accent":null,"leeway":60,"max_lifetime":3600,
            "email_required":true}'"#,
        )
        .await;

    let settings = store.settings(site.scope).await.unwrap().unwrap();

    assert_eq!(
        settings.proof_of_possession,
        ProofOfPossession::WhenAvailable
    );
}

#[tokio::test]
async fn s5_logging_out_ends_the_sessions_of_the_same_subject_in_the_same_browser() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let laptop = site.in_browser("laptop");
    let (sarah, tab) = (laptop.meets("sarah").await, laptop.meets("sarah").await);
    let others = [
        site.in_browser("phone").meets("sarah").await,
        site.meets("sarah").await,
        laptop.meets("tom").await,
        laptop.meets_a_stranger().await,
        laptop.staging().await.meets("sarah").await,
    ];

    let mut ended = store.end_session(&sarah.opened.session).await.unwrap();

    ended.sort();
    let mut both = [sarah.session(), tab.session()];
    both.sort();
    assert_eq!(ended, both);
    assert!(!sarah.is_live().await && !tab.is_live().await);
    for other in others {
        assert!(other.is_live().await, "{:?}", other.opened.session);
    }
    let again = store.end_session(&sarah.opened.session).await.unwrap();
    assert_eq!(again, [], "what has ended does not end again");
}

#[tokio::test]
async fn s5_a_stranger_who_leaves_ends_their_sessions_in_this_browser() {
    let store = TestStore::new().await;
    let laptop = store.site().await.in_browser("laptop");
    let stranger = laptop.meets_a_stranger().await;
    let tab = laptop.meets_again(stranger.visitor_secret()).await;
    let other = laptop.meets_a_stranger().await;

    let ended = store.end_session(&stranger.opened.session).await.unwrap();

    assert_eq!(ended.len(), 2);
    assert!(!stranger.is_live().await && !tab.is_live().await);
    assert!(other.is_live().await);
}

#[tokio::test]
async fn s5_without_a_key_one_session_ends() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let (sarah, tab) = (site.meets("sarah").await, site.meets("sarah").await);

    let ended = store.end_session(&sarah.opened.session).await.unwrap();

    assert_eq!(ended, [sarah.session()]);
    assert!(tab.is_live().await);
}

/// All of them end, once each, and none waits for another for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s5_tabs_that_log_out_at_once_do_not_get_in_each_others_way() {
    let store = TestStore::new().await;
    let laptop = store.site().await.in_browser("laptop");

    for _ in 0..10 {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..6 {
            let session = laptop.meets("sarah").await.opened.session;
            let store = (*store).clone();
            tasks.spawn(async move { store.end_session(&session).await.unwrap().len() });
        }
        let ended: usize = tasks.join_all().await.into_iter().sum();

        assert_eq!(ended, 6);
    }
}

#[tokio::test]
async fn s7_a_visitor_made_with_a_key_is_known_with_that_key_only() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let (laptop, phone) = (site.in_browser("laptop"), site.in_browser("phone"));
    let stranger = laptop.meets_a_stranger().await;
    let secret = stranger.visitor_secret();

    for elsewhere in [phone, site] {
        assert_eq!(elsewhere.knows(secret).await, None);
        let copied = elsewhere.meets_again(secret).await;
        assert_ne!(copied.visitor(), stranger.visitor());
        assert_ne!(copied.visitor_secret().expose(), secret.expose());
    }

    assert_eq!(laptop.knows(secret).await, Some(stranger.visitor()));
    let again = laptop.meets_again(secret).await;
    assert_eq!(again.visitor(), stranger.visitor());
}

#[tokio::test]
async fn s7_a_visitor_made_without_a_key_is_known_with_any() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let stranger = site.meets_a_stranger().await;

    let again = site
        .in_browser("laptop")
        .meets_again(stranger.visitor_secret())
        .await;

    assert_eq!(again.visitor(), stranger.visitor());
    assert!(live(&again).await.proof_key.is_some());
}
