//! Signing keys of the sites, and our own.

use jiff::SignedDuration;
use maitred_core::scope::Environment;
use maitred_store::{KeyMaterial, KeyState, KeyTerms, Proven, SharedSecret, StoreError, StoredKey};
use maitred_token::Algorithm;
use secrecy::ExposeSecret;

use super::support::{TestStore, identity, made, secret_of};

fn secret(key: StoredKey) -> SharedSecret {
    let KeyMaterial::Secret(secret) = key.material else {
        panic!("no secret: {:?}", key.material)
    };
    secret
}

#[tokio::test]
async fn k2_a_secret_comes_back_as_it_was_given() {
    let store = TestStore::new().await;
    let site = store.site().await;

    let [key] = <[_; 1]>::try_from(store.keys(site.scope).await.unwrap()).unwrap();

    assert_eq!((key.id, key.scope), (site.key, site.scope));
    assert_eq!(key.state, KeyState::Active);
    assert_eq!(key.created_at, store.now());
    let secret = secret(key);
    assert_eq!(secret.bytes.expose_secret(), secret_of(site.scope));
    assert_eq!(
        (secret.algorithm, secret.last_four.as_str(), secret.imported),
        (Algorithm::Hs256, "ter2", false)
    );
    assert_eq!(secret.terms, KeyTerms::default());
}

#[tokio::test]
async fn k1_an_imported_secret_is_known_as_one() {
    let store = TestStore::new().await;
    let scope = store.site().await.scope;
    store.passes(1);
    let terms = KeyTerms {
        issuer: Some("https://old.example".to_owned()),
        audiences: vec!["chat".to_owned()],
    };

    let imported = KeyMaterial::Secret(SharedSecret {
        algorithm: Algorithm::Hs512,
        bytes: vec![7; 64].into(),
        last_four: "BwcH".to_owned(),
        imported: true,
        terms: terms.clone(),
    });
    let id = store.insert_key(scope, &imported).await.unwrap();

    let newest = store.keys(scope).await.unwrap().pop().unwrap();
    assert_eq!(newest.id, id);
    let secret = secret(newest);
    assert_eq!(secret.bytes.expose_secret(), [7; 64]);
    assert!(secret.imported);
    assert_eq!((secret.algorithm, secret.terms), (Algorithm::Hs512, terms));
}

#[tokio::test]
async fn a_key_for_an_agent_that_does_not_exist_is_refused() {
    let store = TestStore::new().await;
    let mut scope = store.site().await.scope;
    scope.agent = maitred_core::id::AgentId::new(&store.clock);

    let error = store.insert_key(scope, &made(&[1; 32])).await;

    assert!(matches!(error, Err(StoreError::Db(_))));
    assert!(store.keys(scope).await.unwrap().is_empty());
}

#[tokio::test]
async fn d4_two_swapped_secrets_do_not_open() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let staging = site.staging().await;
    store
        .tamper(&format!(
            "UPDATE signing_keys SET secret =
                (SELECT secret FROM signing_keys WHERE id = '{}') WHERE id = '{}'",
            staging.key, site.key
        ))
        .await;

    let error = store.keys(site.scope).await.unwrap_err();

    assert!(matches!(error, StoreError::Sealed(id) if id == site.key.to_string()));
}

#[tokio::test]
async fn d4_a_secret_does_not_open_once_its_row_was_given_to_another_environment() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let staging = site.staging().await;
    store
        .tamper(&format!(
            "UPDATE signing_keys SET environment = 'staging' WHERE id = '{}'",
            site.key
        ))
        .await;

    let error = store.keys(staging.scope).await.unwrap_err();

    assert!(matches!(error, StoreError::Sealed(_)));
}

#[tokio::test]
async fn k6_a_retired_key_is_accepted_until_then() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let until = store.now() + SignedDuration::from_hours(24);

    let retired = store.retire_key(site.scope, site.key, until).await;

    assert!(retired.unwrap());
    let state = store.keys(site.scope).await.unwrap()[0].state;
    assert_eq!(state, KeyState::Retiring(until));
}

#[tokio::test]
async fn k6_a_revoked_key_ends_the_sessions_made_with_it_and_no_others() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let with_spare = site.with_a_spare_key().await;
    let (sarah, tom) = (site.meets("sarah").await, with_spare.meets("tom").await);
    let stranger = site.meets_a_stranger().await;

    let revoked = store.revoke_key(site.scope, site.key).await;

    assert!(revoked.unwrap());
    assert!(!sarah.is_live().await);
    assert!(tom.is_live().await);
    assert!(stranger.is_live().await);
    let state = store.keys(site.scope).await.unwrap()[0].state;
    assert_eq!(state, KeyState::Revoked(store.now()));
}

#[tokio::test]
async fn k6_a_revoked_key_stays_revoked() {
    let store = TestStore::new().await;
    let site = store.site().await;
    assert!(store.revoke_key(site.scope, site.key).await.unwrap());
    let before = store.keys(site.scope).await.unwrap()[0].state;
    store.passes(1);

    let again = store.revoke_key(site.scope, site.key).await.unwrap();
    let retired = store
        .retire_key(site.scope, site.key, store.in_an_hour())
        .await;

    assert_eq!((again, retired.unwrap()), (false, false));
    assert_eq!(store.keys(site.scope).await.unwrap()[0].state, before);
}

#[tokio::test]
async fn d1_a_key_of_another_agent_or_environment_can_be_neither_seen_nor_changed() {
    let store = TestStore::new().await;
    let (site, other) = (store.site().await, store.site().await);
    let until = store.in_an_hour();

    for foreign in [other.scope, site.staging().await.scope] {
        assert!(!store.revoke_key(foreign, site.key).await.unwrap());
        assert!(!store.retire_key(foreign, site.key, until).await.unwrap());
        let seen = store.keys(foreign).await.unwrap();
        assert!(seen.iter().all(|key| key.id != site.key));
    }
    let state = store.keys(site.scope).await.unwrap()[0].state;
    assert_eq!(state, KeyState::Active);
}

#[tokio::test]
async fn k6_what_happens_to_a_key_is_in_the_audit_log() {
    let store = TestStore::new().await;
    let site = store.site().await;

    store
        .retire_key(site.scope, site.key, store.in_an_hour())
        .await
        .unwrap();
    store.revoke_key(site.scope, site.key).await.unwrap();

    assert_eq!(
        store.audited().await,
        ["key_created", "key_created", "key_retired", "key_revoked"]
    );
}

#[tokio::test]
async fn i4_each_environment_signs_assertions_with_keys_of_its_own_the_newest_first() {
    let store = TestStore::new().await;
    let (production, staging) = (Environment::Production, Environment::Staging);
    for (environment, id, pkcs8) in [
        (production, "k1", b"old"),
        (production, "k2", b"new"),
        (staging, "k3", b"stg"),
    ] {
        store
            .insert_assertion_key(environment, id, pkcs8)
            .await
            .unwrap();
        store.passes(1);
    }

    let secrets = async |environment| -> Vec<Vec<u8>> {
        let keys = store.assertion_keys(environment).await.unwrap();
        keys.iter()
            .map(|key| key.expose_secret().to_vec())
            .collect()
    };

    assert_eq!(secrets(production).await, [b"new", b"old"]);
    assert_eq!(secrets(staging).await, [b"stg"]);
}

#[tokio::test]
async fn d4_an_assertion_key_does_not_open_in_another_environment() {
    let store = TestStore::new().await;
    store
        .insert_assertion_key(Environment::Staging, "k1", b"pkcs8")
        .await
        .unwrap();
    store
        .tamper("UPDATE assertion_keys SET environment = 'production'")
        .await;

    let error = store.assertion_keys(Environment::Production).await;

    assert!(matches!(error, Err(StoreError::Sealed(id)) if id == "k1"));
}

#[tokio::test]
async fn s6_a_key_revoked_before_the_session_is_stored_opens_none() {
    let store = TestStore::new().await;
    let site = store.site().await;
    store.revoke_key(site.scope, site.key).await.unwrap();

    let refused = store
        .open_verified(site.opening(), site.proves(identity("sarah")), None)
        .await;

    assert!(matches!(refused, Err(StoreError::KeyRevoked)));
    let contacts = store.column("SELECT subject FROM contacts").await;
    assert!(contacts.is_empty(), "nothing of a refused sign-in is kept");
}

#[tokio::test]
async fn d1_a_key_of_another_environment_opens_no_session() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let staging = site.staging().await;

    let refused = store
        .open_verified(site.opening(), staging.proves(identity("sarah")), None)
        .await;

    assert!(matches!(refused, Err(StoreError::KeyRevoked)));
}

/// However the two fall together, no session outlives its key.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s6_a_key_revoked_while_a_session_is_opened_leaves_no_session_behind() {
    let store = TestStore::new().await;
    let site = store.site().await;

    for round in 0..20 {
        let key = site.with_a_spare_key().await.key;
        let (at_work, revoker) = (store.clone(), store.clone());
        let scope = site.scope;
        let mut tasks = tokio::task::JoinSet::new();
        for n in 0..4 {
            let store = at_work.clone();
            let identity = identity(&format!("subject-{round}-{n}"));
            let proven = Proven {
                key,
                ..site.proves(identity)
            };
            let opening = site.opening();
            tasks.spawn(async move {
                let opened = store.open_verified(opening, proven, None).await;
                assert!(
                    matches!(opened, Ok(_) | Err(StoreError::KeyRevoked)),
                    "{opened:?}"
                );
            });
        }
        tasks.spawn(async move {
            assert!(revoker.revoke_key(scope, key).await.unwrap());
        });
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
    }

    let left = store
        .column(
            "SELECT s.id FROM sessions s JOIN signing_keys k ON k.id = s.key_id
             WHERE k.revoked_at IS NOT NULL AND s.ended_at IS NULL",
        )
        .await;
    assert!(left.is_empty(), "{left:?}");
}
