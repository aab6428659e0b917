//! A thing that is not yours is a thing that does not exist (rule D1).

use uuid::Uuid;

use super::support::{Person, Site, TestStore};

/// Everybody who is not Sarah: another contact, a stranger, Sarah herself in
/// staging, and somebody of the same subject at another agent.
async fn the_others<'s>(site: Site<'s>, elsewhere: Site<'s>) -> [Person<'s>; 4] {
    [
        site.meets("tom").await,
        site.meets_a_stranger().await,
        site.staging().await.meets("sarah").await,
        elsewhere.meets("sarah").await,
    ]
}

#[tokio::test]
async fn d1_the_conversation_of_somebody_else_does_not_exist() {
    let store = TestStore::new().await;
    let (site, elsewhere) = (store.site().await, store.site().await);
    let sarah = site.meets("sarah").await;
    let id = sarah.begins_with("mine").await;

    for other in the_others(site, elsewhere).await {
        let who = other.owner();
        assert_eq!(other.conversation(id).await, None, "{who}");
        assert_eq!(other.list().await, [], "{who}");
        let latest = store.waiting_for(who).await.unwrap().open;
        assert_eq!(latest, None, "{who}");
    }
    assert!(sarah.conversation(id).await.is_some());
}

#[tokio::test]
async fn d1_nobody_else_can_post_and_trying_leaves_no_trace() {
    let store = TestStore::new().await;
    let (site, elsewhere) = (store.site().await, store.site().await);
    let sarah = site.meets("sarah").await;
    let id = sarah.opens_conversation().await;
    let client_id = Uuid::new_v4();
    sarah.posts(id, client_id, "mine").await;
    let before = sarah.conversation(id).await;
    store.passes(1);

    for other in the_others(site, elsewhere).await {
        let fresh = other.posts(id, Uuid::new_v4(), "not mine").await;
        // Not even whether a message by that id exists can be found out.
        let same = other.posts(id, client_id, "mine").await;

        assert!(fresh.is_none() && same.is_none(), "{}", other.owner());
    }
    assert_eq!(store.entries(id).await.len(), 1);
    assert_eq!(sarah.conversation(id).await, before);
}

#[tokio::test]
async fn d1_the_events_of_somebody_else_are_not_told() {
    let store = TestStore::new().await;
    let (site, elsewhere) = (store.site().await, store.site().await);
    let sarah = site.meets("sarah").await;
    sarah.begins_with("mine").await;

    for other in the_others(site, elsewhere).await {
        let position = other.position().await;

        assert_eq!(position.number, 0);
        assert!(other.missed(&position).await.is_empty());
    }
}

#[tokio::test]
async fn d1_the_same_subject_is_another_contact_in_staging_and_at_another_agent() {
    let store = TestStore::new().await;
    let (site, elsewhere) = (store.site().await, store.site().await);

    let mut contacts = vec![
        site.meets("sarah").await.contact(),
        site.staging().await.meets("sarah").await.contact(),
        elsewhere.meets("sarah").await.contact(),
    ];

    contacts.sort();
    contacts.dedup();
    assert_eq!(contacts.len(), 3);
}

#[tokio::test]
async fn d1_the_secret_of_a_visitor_opens_nothing_elsewhere() {
    let store = TestStore::new().await;
    let (site, elsewhere) = (store.site().await, store.site().await);
    let stranger = site.meets_a_stranger().await;

    for foreign in [site.staging().await, elsewhere] {
        let found = foreign.knows(stranger.visitor_secret()).await;

        assert_eq!(found, None);
    }
}
