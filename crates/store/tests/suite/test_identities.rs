//! Test identities (rule A4).

use maitred_core::{contact::Subject, id::TestIdentityId, session::Holder};
use maitred_store::{NewTestIdentity, Notice};

use super::support::{Person, Site, TestStore, identity};

fn tess() -> NewTestIdentity {
    NewTestIdentity {
        subject: "test-1".parse::<Subject>().unwrap(),
        email: Some("tess@shop.example".to_owned()),
        name: None,
        attributes: [("plan".to_owned(), "gold".into())].into(),
    }
}

async fn listed(site: Site<'_>) -> TestIdentityId {
    let (agent, tess) = (site.scope.agent, tess());
    let added = site.store.add_test_identity(agent, &tess).await;
    added.unwrap().expect("a new one").id
}

fn is_test(person: &Person<'_>) -> bool {
    match &person.opened.session.holder {
        Holder::Verified { identity, .. } => identity.is_test,
        Holder::Anonymous(_) => false,
    }
}

#[tokio::test]
async fn a4_a_listed_subject_is_a_test_in_staging_alone_and_stays_so_in_its_session() {
    let store = TestStore::new().await;
    let production = store.site().await;
    let staging = production.staging().await;
    let elsewhere = store.site().await.staging().await;
    listed(production).await;

    let tess = staging.meets("test-1").await;

    assert!(is_test(&tess));
    let found = store.session_by_id(tess.session()).await.unwrap();
    assert!(
        matches!(found, Some(maitred_store::Found::Live(session)) if session.is_test()),
        "as it is read back"
    );
    for other in [
        staging.meets("sarah").await,
        production.meets("test-1").await,
        elsewhere.meets("test-1").await,
    ] {
        assert!(!is_test(&other));
    }
}

#[tokio::test]
async fn a4_no_identity_is_a_test_because_it_says_so() {
    let store = TestStore::new().await;
    let staging = store.site().await.staging().await;
    let mut claims = identity("sarah");
    claims.is_test = true;

    let sarah = staging.signs_in(claims, None).await;

    assert!(!is_test(&sarah));
}

#[tokio::test]
async fn a4_listing_and_removing_end_the_sessions_of_the_subject_and_tell_every_node() {
    let store = TestStore::new().await;
    let production = store.site().await;
    let staging = production.staging().await;
    let (before, sarah) = (staging.meets("test-1").await, staging.meets("sarah").await);
    let customer = production.meets("test-1").await;

    let id = listed(production).await;
    assert!(!before.is_live().await);
    let meanwhile = staging.meets("test-1").await;
    let agent = staging.scope.agent;
    assert!(store.remove_test_identity(agent, id).await.unwrap());
    assert!(!store.remove_test_identity(agent, id).await.unwrap());

    assert!(!meanwhile.is_live().await);
    assert!(!is_test(&staging.meets("test-1").await));
    assert!(sarah.is_live().await && customer.is_live().await);
    let hers = Notice::SessionsEnded(Some(before.owner()));
    let told = store.notices_after(0).await.unwrap();
    assert_eq!(told, [(1, hers), (2, hers)]);
    assert_eq!(
        store.audited().await[store.audited().await.len() - 2..],
        ["test_identity_added", "test_identity_removed"]
    );
}

#[tokio::test]
async fn a4_one_is_found_by_its_id_or_its_subject_and_of_its_agent_only() {
    let store = TestStore::new().await;
    let (site, other) = (store.site().await, store.site().await);
    let agent = site.scope.agent;
    let id = listed(site).await;
    // Somebody whose subject looks like the id of another.
    let mut odd = tess();
    odd.subject = id.to_string().parse().unwrap();
    store.add_test_identity(agent, &odd).await.unwrap().unwrap();

    let again = store.add_test_identity(agent, &tess()).await.unwrap();

    assert_eq!(again, None, "it is listed");
    for which in [id.to_string().as_str(), "test-1"] {
        let found = store.test_identity(agent, which).await.unwrap().unwrap();
        assert_eq!((found.id, found.claims), (id, tess()));
        let nobody = store.test_identity(other.scope.agent, which).await;
        assert_eq!(nobody.unwrap(), None);
    }
    assert!(
        !store
            .remove_test_identity(other.scope.agent, id)
            .await
            .unwrap()
    );
    let all = store.test_identities(agent).await.unwrap();
    assert_eq!(all.len(), 2);
}

/// However the two fall together, no session goes on as what its subject is not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a4_a_sign_in_beside_a_listing_is_a_test_or_over() {
    for _ in 0..10 {
        let store = TestStore::new().await;
        let production = store.site().await;
        let staging = production.staging().await;
        staging.meets("test-1").await;
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..4 {
            let (store, opening) = ((*store).clone(), staging.opening());
            let token = staging.proves(identity("test-1"));
            tasks.spawn(async move {
                let opened = store.open_verified(opening, token, None).await.unwrap();
                opened.session
            });
        }
        listed(production).await;

        for session in tasks.join_all().await {
            let found = store.session_by_id(session.id).await.unwrap();
            let goes_on = matches!(found, Some(maitred_store::Found::Live(_)));
            assert!(session.is_test() || !goes_on, "{session:?}");
        }
    }
}
