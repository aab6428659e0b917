//! Opening, and what is true of the whole installation.

use maitred_core::{
    agent::{Enforcement, Settings},
    scope::{Environment, Scope},
};
use maitred_store::{KeyedFor, Location, MasterKey, OpenError, Store};

use super::support::{TestStore, made};

#[tokio::test]
async fn what_was_committed_is_there_after_closing_and_opening() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let sarah = site.meets("sarah").await;
    let id = sarah.begins_with("Where is my order?").await;
    store.close().await;

    let again = store.another().await;

    let found = again
        .conversation(sarah.owner(), id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found.title.as_deref(), Some("Where is my order?"));
    assert_eq!(again.keys(site.scope).await.unwrap().len(), 1);
}

#[tokio::test]
async fn r9_another_master_key_does_not_open_the_store() {
    let store = TestStore::new().await;
    store.site().await;

    let error = store.open_with("other.key").await.unwrap_err();

    assert!(matches!(error, OpenError::WrongMasterKey), "{error:?}");
    assert!(store.open_with("master.key").await.is_ok());
}

#[tokio::test]
async fn r9_a_schema_newer_than_the_program_is_refused() {
    let store = TestStore::new().await;
    store
        .tamper(
            "INSERT INTO _sqlx_migrations
                (version, description, success, checksum, execution_time)
             VALUES (9999, 'from the future', TRUE, '', 0)",
        )
        .await;

    let error = store.open_with("master.key").await.unwrap_err();

    assert!(
        matches!(error, OpenError::NewerSchema { found: 9999 }),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_place_that_cannot_be_opened_is_named_without_the_password() {
    let store = TestStore::new().await;
    let master = MasterKey::at(&store.path("master.key")).unwrap();
    let nowhere = store.path("no/such/directory/maitred.db");

    for (location, named) in [
        (Location::Sqlite(nowhere), "maitred.db"),
        (
            Location::Postgres("postgres://me:hunter2@127.0.0.1:1/db".to_owned()),
            "127.0.0.1",
        ),
        (
            Location::Postgres("postgres://me@127.0.0.1:1/db?password=hunter2".to_owned()),
            "127.0.0.1",
        ),
    ] {
        let error = Store::open(&location, master.clone(), store.clock.clone()).await;

        let said = error.unwrap_err().to_string();
        assert!(said.contains(named), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
}

#[tokio::test]
async fn the_data_of_a_demo_is_marked_for_good() {
    let store = TestStore::new().await;
    assert!(!store.is_demo().await.unwrap());

    store.mark_as_demo().await.unwrap();
    store.mark_as_demo().await.unwrap();

    assert!(store.is_demo().await.unwrap());
    assert!(store.another().await.is_demo().await.unwrap());
}

#[tokio::test]
async fn whatever_servers_cache_moves_the_count_of_changes_and_another_process_sees_it() {
    let store = TestStore::new().await;
    let server = store.another().await;
    let site = store.site().await;
    let (scope, agent, until) = (site.scope, site.scope.agent, store.in_an_hour());
    let settings = Settings::default();
    let report = Settings {
        enforcement: Enforcement::Report,
        ..Settings::default()
    };
    let mut seen = server.changes().await.unwrap();

    macro_rules! moves {
        ($write:expr) => {
            $write.await.unwrap();
            let now = server.changes().await.unwrap();
            assert!(now > seen, "{} moved nothing", stringify!($write));
            seen = now;
        };
    }

    moves!(store.create_agent("Bob", &settings, &settings));
    moves!(store.change_settings(scope, &report));
    moves!(store.insert_key(scope, &made(&[1; 32])));
    moves!(store.retire_key(scope, site.key, until));
    moves!(store.revoke_key(scope, site.key));
    moves!(store.put_action(agent, "refund", "{}"));
    assert_eq!(server.changes().await.unwrap(), seen);
    // Knowledge is written all the time while it is embedded, and has a count of its own.
    let known = server.knowledge().await.unwrap();
    store
        .put_source(agent, "https://a", "A", "a")
        .await
        .unwrap();
    assert!(server.knowledge().await.unwrap() > known);
    assert_eq!(server.changes().await.unwrap(), seen);
}

#[tokio::test]
async fn what_visitors_do_leaves_the_count_of_changes_alone() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let before = store.changes().await.unwrap();

    let sarah = site.meets("sarah").await;
    let id = sarah.begins_with("hi").await;
    store.answers(id, "hello").await;

    assert_eq!(store.changes().await.unwrap(), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_processes_may_open_one_database_at_once() {
    let store = TestStore::new().await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (location, path) = (store.location().clone(), store.path("master.key"));
        let clock = store.clock.clone();
        tasks.spawn(async move {
            let master = MasterKey::at(&path).unwrap();
            let store = Store::open(&location, master, clock).await.unwrap();
            store.changes().await.unwrap()
        });
    }

    while let Some(changes) = tasks.join_next().await {
        assert_eq!(changes.unwrap(), 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r9_of_two_first_starts_at_once_with_different_master_keys_only_one_goes_on() {
    for _ in 0..10 {
        let store = TestStore::new().await;
        // As it is before the first start has sealed anything.
        store.tamper("DELETE FROM installation").await;
        let mut tasks = tokio::task::JoinSet::new();
        for n in 0..4 {
            let (location, path) = (store.location().clone(), store.path(&format!("{n}.key")));
            let clock = store.clock.clone();
            tasks.spawn(async move {
                let master = MasterKey::at(&path).unwrap();
                match Store::open(&location, master, clock).await {
                    Ok(_) => true,
                    Err(OpenError::WrongMasterKey) => false,
                    Err(other) => panic!("{other:?}"),
                }
            });
        }
        let opened = tasks.join_all().await.into_iter().filter(|opened| *opened);

        assert_eq!(opened.count(), 1);
    }
}

#[tokio::test]
async fn a_keyed_hash_is_the_same_after_a_restart_and_another_elsewhere() {
    let (store, elsewhere) = (TestStore::new().await, TestStore::new().await);
    let scope = store.site().await.scope;
    let staging = Scope {
        environment: Environment::Staging,
        ..scope
    };
    let hash = store.keyed_hash(KeyedFor::Subject(scope), b"42");

    let again = store.another().await;

    assert_eq!(again.keyed_hash(KeyedFor::Subject(scope), b"42"), hash);
    for other in [
        store.keyed_hash(KeyedFor::Subject(scope), b"43"),
        store.keyed_hash(KeyedFor::Subject(staging), b"42"),
        store.keyed_hash(KeyedFor::TokenId(scope), b"42"),
        elsewhere.keyed_hash(KeyedFor::Subject(scope), b"42"),
    ] {
        assert_ne!(other, hash);
    }
}
