//! A new master key (rules K2, D4).

use maitred_core::scope::Environment;
use maitred_store::{KeyedFor, MasterKey, OpenError, StoreError};

use super::support::{TestStore, made};

#[tokio::test]
async fn d4_after_a_rotation_the_new_key_opens_everything_and_the_old_one_nothing() {
    let store = TestStore::new().await;
    let site = store.site().await;
    store
        .insert_assertion_key(Environment::Production, "k1", b"pkcs8")
        .await
        .unwrap();
    let hash = store.keyed_hash(KeyedFor::SharedSecret, b"42");
    let new = MasterKey::at(&store.path("new.key")).unwrap();

    let sealed = store.rotate_master(&new).await.unwrap();

    // The check, the key of hashes, two secrets, a key for assertions.
    assert_eq!(sealed, 5);
    let again = store.open_with("new.key").await.unwrap();
    assert_eq!(again.keys(site.scope).await.unwrap().len(), 1);
    let staging = site.staging_scope();
    assert_eq!(again.keys(staging).await.unwrap().len(), 1);
    let production = Environment::Production;
    assert_eq!(again.assertion_keys(production).await.unwrap().len(), 1);
    assert_eq!(again.keyed_hash(KeyedFor::SharedSecret, b"42"), hash);
    let old = store.open_with("master.key").await.unwrap_err();
    assert!(matches!(old, OpenError::WrongMasterKey), "{old:?}");
    let audited = store.audited().await;
    assert_eq!(audited.last().map(String::as_str), Some("master_rotated"));
}

#[tokio::test]
async fn d4_what_does_not_open_stops_a_rotation_and_nothing_is_sealed_anew() {
    let store = TestStore::new().await;
    let site = store.site().await;
    store
        .tamper(&format!(
            "UPDATE signing_keys SET secret = 'AAAA' WHERE id = '{}'",
            site.key
        ))
        .await;
    let new = MasterKey::at(&store.path("new.key")).unwrap();

    let refused = store.rotate_master(&new).await;

    assert!(matches!(refused, Err(StoreError::Sealed(id)) if id == site.key.to_string()));
    assert!(store.open_with("new.key").await.is_err());
    let again = store.open_with("master.key").await.unwrap();
    assert_eq!(again.keys(site.staging_scope()).await.unwrap().len(), 1);
}

/// However the two fall together, a key that was acknowledged opens afterwards.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d4_a_key_made_during_a_rotation_is_refused_or_sealed_with_the_new_key() {
    for round in 0..10 {
        let store = TestStore::new().await;
        let site = store.site().await;
        let new = MasterKey::at(&store.path("new.key")).unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        for n in 0..4 {
            let (store, scope) = (store.clone(), site.scope);
            tasks.spawn(async move {
                let secret = made(&[10 * round + n; 32]);
                match store.insert_key(scope, &secret).await {
                    Ok(_) => 1,
                    Err(StoreError::Sealed(_)) => 0,
                    Err(other) => panic!("{other:?}"),
                }
            });
        }
        let rotating = store.clone();
        #[expect(clippy::disallowed_methods, reason = "ends with the test")]
        let rotation = tokio::spawn(async move { rotating.rotate_master(&new).await });

        let kept: usize = tasks.join_all().await.into_iter().sum();
        rotation.await.unwrap().unwrap();

        let again = store.open_with("new.key").await.unwrap();
        assert_eq!(again.keys(site.scope).await.unwrap().len(), 1 + kept);
    }
}
