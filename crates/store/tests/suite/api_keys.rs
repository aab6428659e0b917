//! API keys.

use maitred_core::{
    id::ApiKeyId,
    message::Name,
    secret::{SecretFor, new_secret},
};

use super::support::TestStore;

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

#[tokio::test]
async fn an_api_key_is_found_by_its_text_and_by_no_other() {
    let store = TestStore::new().await;
    let site = store.site().await;

    let (deploy, secret) = store.create_api_key(&name("deploy"), None).await.unwrap();
    let agent = Some(site.scope.agent);
    let (shop, of_the_shop) = store.create_api_key(&name("shop"), agent).await.unwrap();

    assert_eq!(store.api_key(&secret).await.unwrap(), Some(deploy.clone()));
    assert_eq!(store.api_key(&of_the_shop).await.unwrap(), Some(shop));
    assert_eq!(
        store.api_key_by_id(deploy.id).await.unwrap(),
        Some(deploy.clone())
    );
    let unknown = new_secret(SecretFor::ApiKey);
    assert_eq!(store.api_key(&unknown).await.unwrap(), None);
    assert_eq!(deploy.last_four, secret.last_four());
    assert!(deploy.agent.is_none() && deploy.revoked_at.is_none());
}

#[tokio::test]
async fn api_keys_are_listed_the_oldest_first() {
    let store = TestStore::new().await;
    let mut made = Vec::new();
    for text in ["zoe", "ada"] {
        made.push(store.create_api_key(&name(text), None).await.unwrap().0);
        store.passes(1);
    }

    assert_eq!(store.api_keys().await.unwrap(), made);
}

#[tokio::test]
async fn d4_the_text_of_an_api_key_is_not_stored() {
    let store = TestStore::new().await;

    let (_, secret) = store.create_api_key(&name("deploy"), None).await.unwrap();

    let dump = store.dump().await;
    assert!(dump.contains(&secret.hash()), "the dump holds the row");
    assert!(!dump.contains(secret.expose()));
}

#[tokio::test]
async fn a_revoked_api_key_says_so_and_is_revoked_once() {
    let store = TestStore::new().await;
    let (key, secret) = store.create_api_key(&name("deploy"), None).await.unwrap();
    store.passes(1);

    assert!(store.revoke_api_key(key.id).await.unwrap());
    assert!(!store.revoke_api_key(key.id).await.unwrap());
    let unknown = ApiKeyId::new(&store.clock);
    assert!(!store.revoke_api_key(unknown).await.unwrap());

    let found = store.api_key(&secret).await.unwrap().unwrap();
    assert_eq!(found.revoked_at, Some(store.now()));
    assert_eq!(
        store.audited().await,
        ["api_key_created", "api_key_revoked"]
    );
}

#[tokio::test]
async fn the_use_of_an_api_key_is_noted_once_a_minute() {
    let store = TestStore::new().await;
    let (key, secret) = store.create_api_key(&name("deploy"), None).await.unwrap();
    let last_used = async || store.api_key(&secret).await.unwrap().unwrap().last_used_at;

    store.note_use(&key).await.unwrap();
    let first = store.now();
    assert_eq!(last_used().await, Some(first));

    let used = store.api_key(&secret).await.unwrap().unwrap();
    store.clock.advance(jiff::SignedDuration::from_secs(59));
    store.note_use(&used).await.unwrap();
    assert_eq!(last_used().await, Some(first), "not again so soon");

    store.clock.advance(jiff::SignedDuration::from_secs(1));
    store.note_use(&used).await.unwrap();
    assert_eq!(last_used().await, Some(store.now()));
}
