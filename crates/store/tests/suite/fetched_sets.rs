//! What is kept of the sets of identity providers (rule K4).

use jiff::SignedDuration;
use maitred_core::{id::KeyId, scope::Scope};
use maitred_store::{FetchedSet, GoodSet, KeyMaterial, RemoteSet, SetFailure};
use maitred_token::{Algorithm, SetTerms};

use super::support::TestStore;

async fn make_set(store: &TestStore, scope: Scope) -> KeyId {
    let set = KeyMaterial::Set(RemoteSet {
        url: "https://id.example/jwks".to_owned(),
        terms: SetTerms {
            issuer: "https://id.example".to_owned(),
            audiences: vec!["chat".to_owned()],
            rsa: Algorithm::Rs256,
        },
    });
    store.insert_key(scope, &set).await.unwrap()
}

fn fetched_now(store: &TestStore, body: &str) -> GoodSet {
    GoodSet {
        body: body.to_owned(),
        fetched_at: store.now(),
        fresh_until: store.now() + SignedDuration::from_mins(5),
    }
}

fn failed_now(store: &TestStore, reason: &str) -> SetFailure {
    SetFailure {
        at: store.now(),
        reason: reason.to_owned(),
    }
}

#[tokio::test]
async fn k4_the_last_good_set_is_kept_when_fetching_fails_and_until_it_succeeds() {
    let store = TestStore::new().await;
    let scope = store.site().await.scope;
    let key = make_set(&store, scope).await;
    assert_eq!(store.fetched_sets(scope).await.unwrap(), []);
    let good = fetched_now(&store, r#"{"keys":[]}"#);

    store.keep_set(scope, key, &good).await.unwrap();
    store.passes(6);
    let failure = failed_now(&store, "the server answered 500");
    store.note_set_failure(scope, key, &failure).await.unwrap();

    let expected = FetchedSet {
        key,
        last_good: Some(good),
        failure: Some(failure),
    };
    assert_eq!(store.fetched_sets(scope).await.unwrap(), [expected]);

    let newer = fetched_now(&store, r#"{"keys":[1]}"#);
    store.keep_set(scope, key, &newer).await.unwrap();

    let expected = FetchedSet {
        key,
        last_good: Some(newer),
        failure: None,
    };
    let again = store.another().await;
    assert_eq!(again.fetched_sets(scope).await.unwrap(), [expected]);
}

#[tokio::test]
async fn k4_a_set_that_was_never_fetched_has_a_failure_alone() {
    let store = TestStore::new().await;
    let scope = store.site().await.scope;
    let key = make_set(&store, scope).await;
    for reason in ["no answer", "the server answered 500"] {
        let failure = failed_now(&store, reason);

        store.note_set_failure(scope, key, &failure).await.unwrap();

        let expected = FetchedSet {
            key,
            last_good: None,
            failure: Some(failure),
        };
        assert_eq!(store.fetched_sets(scope).await.unwrap(), [expected]);
    }
}

#[tokio::test]
async fn d1_a_set_of_another_agent_or_environment_can_be_neither_seen_nor_changed() {
    let store = TestStore::new().await;
    let (site, other) = (store.site().await, store.site().await);
    let key = make_set(&store, site.scope).await;
    let good = fetched_now(&store, "{}");
    store.keep_set(site.scope, key, &good).await.unwrap();

    for foreign in [other.scope, site.staging().await.scope] {
        let evil = fetched_now(&store, r#"{"evil":1}"#);
        store.keep_set(foreign, key, &evil).await.unwrap();
        let failure = failed_now(&store, "evil");
        store
            .note_set_failure(foreign, key, &failure)
            .await
            .unwrap();
        assert_eq!(store.fetched_sets(foreign).await.unwrap(), []);
    }

    let [kept] = <[_; 1]>::try_from(store.fetched_sets(site.scope).await.unwrap()).unwrap();
    assert_eq!((kept.last_good, kept.failure), (Some(good), None));
}

#[tokio::test]
async fn k4_what_is_fetched_leaves_the_count_of_changes_alone() {
    let store = TestStore::new().await;
    let scope = store.site().await.scope;
    let key = make_set(&store, scope).await;
    let before = store.changes().await.unwrap();

    let good = fetched_now(&store, "{}");
    store.keep_set(scope, key, &good).await.unwrap();

    assert_eq!(store.changes().await.unwrap(), before);
}
