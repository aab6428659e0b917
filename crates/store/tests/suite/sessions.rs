//! Sessions.

use maitred_core::{
    identity::Identity,
    secret::{SecretFor, new_secret},
    session::{Ended, Holder},
};
use maitred_store::{Found, Proven, StoreError};

use super::support::{Person, TestStore, identity, was};

/// What a live session says of its holder.
async fn holder(person: &Person<'_>) -> Holder {
    match person.found().await {
        Some(Found::Live(session)) => session.holder,
        other => panic!("not live: {other:?}"),
    }
}

#[tokio::test]
async fn a_verified_session_is_found_by_its_secret_with_all_that_was_proven() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let sarah = site.meets("sarah").await;

    let Some(Found::Live(found)) = sarah.found().await else {
        panic!("not live")
    };

    let Holder::Verified {
        contact,
        identity: proven,
        key,
    } = found.holder
    else {
        panic!("not verified")
    };
    assert_eq!((contact, key), (sarah.contact(), site.key));
    assert_eq!(*proven, identity("sarah"));
    assert_eq!((found.id, found.scope), (sarah.session(), site.scope));
    assert_eq!(found.page_origin, "https://shop.example");
    assert_eq!(found.expires_at, store.in_an_hour());
}

#[tokio::test]
async fn an_identity_with_every_claim_or_none_is_read_back_as_it_was() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let full = Identity {
        given_name: Some("Sarah \u{1f600} \"x\"".to_owned()),
        zoneinfo: Some("Europe/Berlin".to_owned()),
        phone_number: Some("+49 30 1".to_owned()),
        actor: Some("staff-1".to_owned()),
        ..identity("full")
    };
    let bare = Identity {
        email: None,
        name: None,
        locale: None,
        auth_time: None,
        attributes: [].into(),
        ..identity("bare")
    };

    for proven in [full, bare] {
        let person = site.signs_in(proven.clone(), None).await;

        let Holder::Verified { identity, .. } = holder(&person).await else {
            panic!("not verified")
        };
        assert_eq!(*identity, proven);
    }
}

#[tokio::test]
async fn a_session_is_found_by_its_id_and_ends_there_too() {
    let store = TestStore::new().await;
    let sarah = store.site().await.meets("sarah").await;
    let by_id = async || store.session_by_id(sarah.session()).await.unwrap();
    assert!(matches!(by_id().await, Some(Found::Live(it)) if it.id == sarah.session()));

    store.end_session(&sarah.opened.session).await.unwrap();

    assert!(matches!(by_id().await, Some(Found::Ended(Ended::Revoked))));
}

#[tokio::test]
async fn a_secret_that_nobody_was_given_opens_nothing() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let stranger = site.meets_a_stranger().await;

    let unknown = store.session(&new_secret(SecretFor::Session)).await;
    let of_a_visitor = store.session(stranger.visitor_secret()).await;

    assert!(unknown.unwrap().is_none());
    assert!(of_a_visitor.unwrap().is_none());
}

#[tokio::test]
async fn s2_a_session_ends_at_its_time_and_not_before() {
    let store = TestStore::new().await;
    let sarah = store.site().await.meets("sarah").await;

    store.passes(59);
    assert!(sarah.is_live().await);
    store.passes(1);

    let found = sarah.found().await;
    assert!(matches!(found, Some(Found::Ended(Ended::Expired))));
}

#[tokio::test]
async fn s5_a_session_that_was_ended_stays_so() {
    let store = TestStore::new().await;
    let sarah = store.site().await.meets("sarah").await;
    let tab = store.site().await.meets("sarah").await;

    store.end_session(&sarah.opened.session).await.unwrap();
    store.end_session(&sarah.opened.session).await.unwrap();

    let found = sarah.found().await;
    assert!(matches!(found, Some(Found::Ended(Ended::Revoked))));
    assert!(tab.is_live().await);
}

#[tokio::test]
async fn s2_a_renewal_takes_over_the_new_claims_the_key_and_the_time() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let sarah = site.meets("sarah").await;
    let key = site.with_a_spare_key().await.key;
    store.passes(50);
    let renamed = Identity {
        name: Some("Sarah Miller".to_owned()),
        ..identity("sarah")
    };

    let session = &sarah.opened.session;
    let renewed = store
        .renew(
            session,
            Proven {
                key,
                ..site.proves(renamed.clone())
            },
        )
        .await
        .unwrap();

    store.passes(30);
    let Some(Found::Live(found)) = sarah.found().await else {
        panic!("not live")
    };
    assert_eq!(format!("{found:?}"), format!("{renewed:?}"));
    assert_eq!(found.id, sarah.session());
    assert_eq!(found.identity(), Some(&renamed));
    let names = store.column("SELECT name FROM contacts").await;
    assert_eq!(names, ["Sarah Miller"]);
}

#[tokio::test]
async fn s3_a_renewal_for_another_subject_changes_nothing() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let sarah = site.meets("sarah").await;

    let session = &sarah.opened.session;
    let refused = store.renew(session, site.proves(identity("tom"))).await;

    assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
    let Some(Found::Live(found)) = sarah.found().await else {
        panic!("not live")
    };
    assert_eq!(found.identity(), Some(&identity("sarah")));
    assert_eq!(
        store.column("SELECT subject FROM contacts").await,
        ["sarah"]
    );
}

#[tokio::test]
async fn a_renewal_raises_no_session_that_was_anonymous() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let stranger = site.meets_a_stranger().await;

    let session = &stranger.opened.session;
    let refused = store.renew(session, site.proves(identity("sarah"))).await;

    assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
    assert!(matches!(holder(&stranger).await, Holder::Anonymous(_)));
}

#[tokio::test]
async fn s5_a_session_that_has_ended_cannot_be_renewed() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let sarah = site.meets("sarah").await;
    store.end_session(&sarah.opened.session).await.unwrap();

    let session = &sarah.opened.session;
    let refused = store.renew(session, site.proves(identity("sarah"))).await;

    assert!(matches!(refused, Err(StoreError::Conflict)));
    assert!(!sarah.is_live().await);
}

#[tokio::test]
async fn s6_a_revoked_key_renews_nothing() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let sarah = site.meets("sarah").await;
    let key = site.with_a_spare_key().await.key;
    store.revoke_key(site.scope, key).await.unwrap();

    let session = &sarah.opened.session;
    let refused = store
        .renew(
            session,
            Proven {
                key,
                ..site.proves(identity("sarah"))
            },
        )
        .await;

    assert!(matches!(refused, Err(StoreError::KeyRevoked)));
    assert!(
        sarah.is_live().await,
        "the key it was made with is still good"
    );
}

#[tokio::test]
async fn s7_a_visitor_who_comes_back_with_the_secret_is_the_same_one() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let first = site.meets_a_stranger().await;
    let known = site.knows(first.visitor_secret()).await;

    let again = site.meets_again(first.visitor_secret()).await;

    assert_eq!(known, Some(first.visitor()));
    assert_eq!(again.visitor(), first.visitor());
    assert_ne!(again.opened.secret.expose(), first.opened.secret.expose());
    assert_eq!(
        again.visitor_secret().expose(),
        first.visitor_secret().expose()
    );
    assert!(first.is_live().await, "another tab does not end this one");
}

#[tokio::test]
async fn s7_a_secret_that_is_unknown_makes_a_new_visitor() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let unknown = new_secret(SecretFor::Visitor);

    let person = site.meets_again(&unknown).await;

    assert_ne!(person.visitor_secret().expose(), unknown.expose());
}

#[tokio::test]
async fn s8_a_rise_to_verified_ends_every_session_of_the_anonymous_visitor() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let stranger = site.meets_a_stranger().await;
    let other_tab = site.meets_again(stranger.visitor_secret()).await;
    let bystander = site.meets_a_stranger().await;

    let before = Some(stranger.visitor());
    let sarah = site.signs_in(identity("sarah"), before).await;

    assert!(sarah.is_live().await);
    assert!(bystander.is_live().await);
    for gone in [stranger, other_tab] {
        let found = gone.found().await;
        assert!(matches!(found, Some(Found::Ended(Ended::Revoked))));
    }
}

#[tokio::test]
async fn s8_the_secret_of_a_visitor_who_signed_in_opens_nothing_more() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let stranger = site.meets_a_stranger().await;
    site.signs_in(identity("sarah"), Some(stranger.visitor()))
        .await;

    let found = site.knows(stranger.visitor_secret()).await;
    let again = site.meets_again(stranger.visitor_secret()).await;

    assert_eq!(found, None);
    assert_ne!(again.visitor(), stranger.visitor());
}

/// However the two fall together, no session of the visitor is left.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s8_a_session_opened_while_its_visitor_signs_in_does_not_stay() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let expires_at = store.in_an_hour();

    for round in 0..20 {
        let stranger = site.meets_a_stranger().await;
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..4 {
            let (store, opening) = ((*store).clone(), site.opening());
            let visitor = Some(site.returning(stranger.visitor_secret()));
            tasks.spawn(async move {
                store
                    .open_anonymous(opening, visitor, expires_at)
                    .await
                    .unwrap();
            });
        }
        let (store, visitor) = ((*store).clone(), stranger.visitor());
        let (opening, proven) = (
            site.opening(),
            site.proves(identity(&format!("sarah-{round}"))),
        );
        tasks.spawn(async move {
            store
                .open_verified(opening, proven, Some(was(visitor)))
                .await
                .unwrap();
        });
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
    }

    let left = store
        .column(
            "SELECT s.id FROM sessions s JOIN visitors v ON v.id = s.visitor_id
             WHERE v.retired_at IS NOT NULL AND s.ended_at IS NULL",
        )
        .await;
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn the_same_subject_is_the_same_contact_and_its_name_is_the_latest() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let first = site.meets("sarah").await;
    let renamed = Identity {
        name: None,
        email: None,
        ..identity("sarah")
    };

    let second = site.signs_in(renamed, None).await;

    assert_eq!(first.contact(), second.contact());
    let nameless = "SELECT subject FROM contacts WHERE name IS NULL AND email IS NULL";
    assert_eq!(store.column(nameless).await, ["sarah"]);
}

#[tokio::test]
async fn t4_subjects_are_compared_byte_for_byte() {
    let store = TestStore::new().await;
    let site = store.site().await;
    // Case, width, composition, an outer dot, and what a collation may ignore.
    let subjects = [
        "a", "A", "\u{e4}", "a\u{308}", "\u{ff41}", "a.", "a-", "a\u{ad}", "1", "01", "1.0",
    ];

    let mut contacts = Vec::new();
    for subject in subjects {
        contacts.push(site.meets(subject).await.contact());
    }

    for (subject, contact) in subjects.iter().zip(&contacts) {
        assert_eq!(site.meets(subject).await.contact(), *contact);
    }
    contacts.sort();
    contacts.dedup();
    assert_eq!(contacts.len(), subjects.len());
}

#[tokio::test]
async fn a_session_rose_into_the_contact_that_its_visitor_turned_out_to_be() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let stranger = site.meets_a_stranger().await;
    let bystander = site.meets_a_stranger().await;
    let tom = site.meets("tom").await;
    let sarah = site
        .signs_in(identity("sarah"), Some(stranger.visitor()))
        .await;

    let rose = async |who: &Person<'_>, into: &Person<'_>| {
        store.rose_into(who.session(), into.owner()).await.unwrap()
    };

    assert!(rose(&stranger, &sarah).await);
    assert!(!rose(&stranger, &tom).await);
    assert!(!rose(&bystander, &sarah).await);
    assert!(!rose(&tom, &tom).await);
}

#[tokio::test]
async fn what_a_session_knew_is_forgotten_a_week_after_its_end() {
    const DAY: i64 = 24 * 60;
    let store = TestStore::new().await;
    let site = store.site().await;
    let (sarah, stranger) = (site.meets("sarah").await, site.meets_a_stranger().await);
    store.passes(7 * DAY);
    let tom = site.meets("tom").await;

    assert_eq!(store.sweep().await.unwrap().sessions, 0);
    assert!(matches!(sarah.found().await, Some(Found::Ended(_))));
    store.passes(61);
    assert_eq!(store.sweep().await.unwrap().sessions, 2);

    assert!(sarah.found().await.is_none());
    assert!(stranger.found().await.is_none());
    assert!(matches!(
        tom.found().await,
        Some(Found::Ended(Ended::Expired))
    ));
    assert_eq!(
        site.knows(stranger.visitor_secret()).await,
        Some(stranger.visitor())
    );
}
