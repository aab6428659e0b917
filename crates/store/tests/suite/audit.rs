//! The audit log.

use maitred_core::{
    agent::{Enforcement, Settings},
    message::Name,
    scope::Environment,
};
use maitred_store::{Actor, StoreError};
use serde_json::json;

use super::support::TestStore;

#[tokio::test]
async fn d6_the_log_says_who_did_what_to_which_environment() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let name = Name::parse("deploy").unwrap();
    let (key, _) = store.create_api_key(&name, None).await.unwrap();
    store.passes(1);

    let actor = Actor::ApiKey(key.id);
    let acting = store.acting_as(actor);
    acting.revoke_key(site.scope, site.key).await.unwrap();

    let page = store.audit_log(None, None, 1).await.unwrap();
    let line = &page.items[0];
    assert_eq!(line.kind, "key_revoked");
    assert_eq!((line.at, line.actor), (store.now(), Some(actor)));
    assert_eq!(line.agent, Some(site.scope.agent));
    assert_eq!(line.environment, Some(Environment::Production));
    assert_eq!(line.body, json!({ "key": site.key.to_string() }));
    assert!(page.next.is_some());
}

#[tokio::test]
async fn d6_a_changed_setting_is_told_from_what_to_what() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let command_line = store.acting_as(Actor::CommandLine);

    let amended = command_line
        .amend_settings(site.scope, |it| {
            it.enforcement = Enforcement::Report;
            Ok::<_, StoreError>(())
        })
        .await
        .unwrap();

    let expected = Settings {
        enforcement: Enforcement::Report,
        ..Settings::default()
    };
    assert_eq!(amended, Some(expected));
    let line = &store.audit_log(None, None, 1).await.unwrap().items[0];
    assert_eq!(line.kind, "settings_changed");
    assert_eq!(line.actor, Some(Actor::CommandLine));
    assert_eq!(
        line.body,
        json!({ "enforcement": { "from": "optional", "to": "report" } })
    );
}

#[tokio::test]
async fn d6_what_was_set_already_is_no_change() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let (lines, changes) = (store.audited().await, store.changes().await.unwrap());

    let amended = store
        .amend_settings(site.scope, |_| Ok::<_, StoreError>(()))
        .await;

    assert_eq!(amended.unwrap(), Some(Settings::default()));

    assert_eq!(store.audited().await, lines);
    assert_eq!(store.changes().await.unwrap(), changes);
}

#[tokio::test]
async fn the_log_is_read_in_parts_the_newest_first() {
    let store = TestStore::new().await;
    store.site().await;
    store.passes(1);
    store.site().await;

    let mut read = Vec::new();
    let mut cursor = None;
    loop {
        let page = store.audit_log(None, cursor, 2).await.unwrap();
        read.extend(page.items.iter().map(|line| (line.at, line.id)));
        match page.next {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }

    let all = store.column("SELECT id FROM audit").await;
    assert_eq!(read.len(), all.len());
    assert!(read.len() > 4, "more than two parts");
    let sorted = {
        let mut sorted = read.clone();
        sorted.sort_by(|a, b| b.cmp(a));
        sorted
    };
    assert_eq!(read, sorted);
}

#[tokio::test]
async fn d1_the_log_of_one_agent_holds_no_line_of_another() {
    let store = TestStore::new().await;
    let (site, elsewhere) = (store.site().await, store.site().await);
    let name = Name::parse("deploy").unwrap();
    store.create_api_key(&name, None).await.unwrap();

    let page = store.audit_log(Some(site.scope.agent), None, 100).await;

    let lines = page.unwrap().items;
    assert!(!lines.is_empty());
    for line in lines {
        assert_eq!(line.agent, Some(site.scope.agent));
        assert_ne!(line.agent, Some(elsewhere.scope.agent));
    }
}
