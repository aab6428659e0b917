//! Contacts, and what is kept with them.

use maitred_core::{
    claims::{ClaimPolicy, parse_claim_kept},
    contact::Record,
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
