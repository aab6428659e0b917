//! Contacts, and what is kept with them.

use maitred_core::{
    claims::{ClaimPolicy, parse_claim_kept},
    contact::{ContactChange, FieldChange, Record},
    identity::Identity,
};
use maitred_store::Proven;
use serde_json::json;

use super::support::{TestStore, identity};

#[tokio::test]
async fn a_contact_is_found_by_its_subject_and_by_its_id_where_it_belongs() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let staging = site.staging().await.scope;
    let sarah = site.meets("sarah").await;
    let subject = "sarah".parse().unwrap();

    let contact = store.contact(site.scope, &subject).await.unwrap().unwrap();

    assert_eq!(contact.id, sarah.contact());
    assert_eq!(contact.subject, "sarah");
    assert_eq!(contact.record.name.as_deref(), Some("sarah Example"));
    assert_eq!(contact.record.email.as_deref(), Some("sarah@example.com"));
    assert_eq!(contact.seen_at, store.now());
    let by_id = async |scope| store.contact_by_id(scope, contact.id).await.unwrap();
    assert_eq!(by_id(site.scope).await, Some(contact.clone()));
    assert_eq!(by_id(staging).await, None);
    assert_eq!(store.contact(staging, &subject).await.unwrap(), None);
}

#[tokio::test]
async fn contacts_are_listed_in_parts_the_last_seen_first() {
    let store = TestStore::new().await;
    let site = store.site().await;
    for subject in ["a", "b", "c"] {
        site.meets(subject).await;
        store.passes(1);
    }
    site.meets("a").await;
    site.staging().await.meets("d").await;
    let part = async |after| store.contacts(site.scope, after, 2).await.unwrap();

    let first = part(None).await;
    let rest = part(first.next).await;

    let listed = first.items.iter().chain(&rest.items);
    let subjects: Vec<&str> = listed.map(|it| it.subject.as_str()).collect();
    assert_eq!(subjects, ["a", "c", "b"]);
    assert_eq!(rest.next, None);
}

#[tokio::test]
async fn what_is_kept_with_a_contact_is_what_the_last_token_left() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let subject = "sarah".parse().unwrap();
    let mut policy = ClaimPolicy::default();
    for text in ["plan=on", "email=off"] {
        let (claim, kept) = parse_claim_kept(text).unwrap();
        policy.keep(claim, kept).unwrap();
    }
    let sarah = identity("sarah");
    let proven = Proven {
        record: policy.record(&sarah),
        ..site.proves(sarah)
    };
    store
        .open_verified(site.opening(), proven, None)
        .await
        .unwrap();
    let record = async || {
        let contact = store.contact(site.scope, &subject).await.unwrap();
        contact.unwrap().record
    };

    let kept = record().await;
    site.meets("sarah").await;
    let since = record().await;

    let claims = json!({ "plan": "gold" }).as_object().unwrap().clone();
    assert_eq!(
        kept,
        Record {
            name: Some("sarah Example".to_owned()),
            email: None,
            claims
        }
    );
    assert_eq!(since, ClaimPolicy::default().record(&identity("sarah")));
}

/// The identity of Sarah by another name.
fn sarah_as(name: &str) -> Identity {
    Identity {
        name: Some(name.to_owned()),
        ..identity("sarah")
    }
}

#[tokio::test]
async fn what_a_token_changes_is_kept_with_its_key_and_time() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let sarah = site.meets("sarah").await.contact();
    store.passes(1);
    site.meets("sarah").await;
    store.passes(1);

    site.signs_in(sarah_as("Sarah Jones"), None).await;

    let changes = store.contact_changes(sarah).await.unwrap();
    let change = ContactChange {
        at: store.now(),
        key: site.key,
        issued_at: Some(store.now()),
        fields: vec![FieldChange {
            field: "name".to_owned(),
            from: "sarah Example".into(),
            to: "Sarah Jones".into(),
        }],
    };
    assert_eq!(changes, [change]);
}

#[tokio::test]
async fn a_renewal_with_other_claims_is_a_change_too() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let sarah = site.meets("sarah").await;

    let proven = site.proves(sarah_as("Sarah Jones"));
    store.renew(&sarah.opened.session, proven).await.unwrap();

    let changes = store.contact_changes(sarah.contact()).await.unwrap();
    assert_eq!(changes.len(), 1);
}

#[tokio::test]
async fn a_token_that_is_refused_changes_nothing() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let sarah = site.meets("sarah").await.contact();
    store.revoke_key(site.scope, site.key).await.unwrap();

    let proven = site.proves(sarah_as("Mallory"));
    let refused = store.open_verified(site.opening(), proven, None).await;

    assert!(refused.is_err());
    assert_eq!(store.contact_changes(sarah).await.unwrap(), []);
}

#[tokio::test]
async fn a_hundred_changes_of_a_contact_are_kept() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let sarah = site.meets("sarah").await.contact();

    for number in 1..=102 {
        site.signs_in(sarah_as(&format!("Sarah {number}")), None)
            .await;
    }

    let changes = store.contact_changes(sarah).await.unwrap();
    assert_eq!(changes.len(), 100);
    assert_eq!(changes[0].fields[0].to, "Sarah 102");
    assert_eq!(changes[99].fields[0].to, "Sarah 3");
}

#[tokio::test]
async fn d7_what_changed_is_told_and_forgotten_with_the_person() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let sarah = site.meets("sarah").await.contact();
    site.signs_in(sarah_as("Sarah Jones"), None).await;
    let subject = "sarah".parse().unwrap();

    let told = store.export_person(site.scope, &subject).await.unwrap();
    store.erase_person(site.scope, &subject).await.unwrap();

    assert_eq!(told.unwrap().changes[0].fields[0].from, "sarah Example");
    assert_eq!(store.contact_changes(sarah).await.unwrap(), []);
}
