//! Everything of one person, told and forgotten (rule D7).

use maitred_core::{
    code::EmailAddress,
    contact::Subject,
    conversation::{Body, Status},
    id::ConversationId,
    scope::Owner,
};
use maitred_store::{ACCEPTED, Asked, Attempt, Erased, KeyedFor, Notice, StoreError, TurnMark};

use super::support::{Person, Site, TestStore, identity};

fn sarah() -> Subject {
    "sarah".parse().unwrap()
}

/// What came of a token of that subject.
fn shown(site: Site<'_>, subject: &str, code: &str) -> Attempt {
    let of = KeyedFor::Subject(site.scope);
    Attempt {
        subject_hash: Some(site.store.keyed_hash(of, subject.as_bytes())),
        ..Attempt::new(site.scope, site.store.now(), code)
    }
}

/// A stranger proves an address, speaks, signs in and speaks again; tokens of theirs
/// are in the log.
async fn leaves_traces<'s>(site: Site<'s>, subject: &str) -> (Person<'s>, ConversationId) {
    let store = site.store;
    let stranger = site.meets_a_stranger().await;
    let address = EmailAddress::parse(&format!("{subject}@mail.example")).unwrap();
    let asked = store.ask_for_code(&stranger.opened.session, &address).await;
    let Ok(Asked::Taken {
        send: Some(code), ..
    }) = asked
    else {
        panic!("{asked:?}")
    };
    let session = &stranger.opened.session;
    store.try_code(session, &code).await.unwrap();
    let id = stranger.begins_with(&format!("{subject} asks")).await;
    let person = site
        .signs_in(identity(subject), Some(stranger.visitor()))
        .await;
    store.answers(id, &format!("{subject} is answered")).await;
    person.begins_with(&format!("{subject} asks more")).await;
    let accepted = Attempt {
        contact: Some(person.contact()),
        ..shown(site, subject, ACCEPTED)
    };
    let attempts = [accepted, shown(site, subject, "token_expired")];
    store.record(&attempts, &[]).await.unwrap();
    (person, id)
}

#[tokio::test]
async fn d7_everything_of_a_person_is_erased_and_nothing_of_others() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let (hers, id) = leaves_traces(site, "sarah").await;
    let (tom, toms) = leaves_traces(site, "tom").await;
    let namesake = site.staging().await.meets("sarah-in-staging").await;
    let elsewhere = store.site().await.meets("sarahs-namesake").await;
    assert!(store.dump().await.contains("sarah asks"));
    let last = store.last_notice().await.unwrap();

    let erased = store.erase_person(site.scope, &sarah()).await.unwrap();

    let all = Erased {
        contact: true,
        conversations: 2,
        entries: 4,
        sessions: 2,
        verifications: 2,
    };
    assert_eq!(erased, Some(all));
    let dump = store.dump().await;
    for trace in ["sarah asks", "sarah is answered", "sarah Ex", "sarah@"] {
        assert!(!dump.contains(trace), "{trace}");
    }
    let hash = store.keyed_hash(KeyedFor::Subject(site.scope), b"sarah");
    let log = store.column("SELECT subject_hash FROM verifications").await;
    assert!(!log.contains(&hash), "not even the hash is in the log");
    assert!(hers.found().await.is_none());
    assert!(store.entries(id).await.is_empty());

    assert_eq!(tom.list().await.len(), 2);
    assert_eq!(store.entries(toms).await.len(), 3);
    for other in [tom, namesake, elsewhere] {
        assert!(other.is_live().await);
    }
    let told = store.notices_after(last).await.unwrap();
    let hers = Notice::SessionsEnded(Some(Owner::Contact(hers.contact())));
    assert_eq!(told, [(last + 1, hers)]);
    let lines = "SELECT body FROM audit WHERE kind = 'person_erased'";
    let told = r#"{"conversations":2,"entries":4,"sessions":2}"#;
    assert_eq!(store.column(lines).await, [told], "without whom");
}

#[tokio::test]
async fn d7_what_is_told_of_a_person_is_everything_that_is_kept() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let (hers, id) = leaves_traces(site, "sarah").await;
    leaves_traces(site, "tom").await;

    let person = store.export_person(site.scope, &sarah()).await;

    let told = serde_json::to_value(person.unwrap().unwrap()).unwrap();
    assert_eq!(told["subject"], "sarah");
    assert_eq!(told["contact"], hers.contact().to_string());
    assert_eq!(told["email"], "sarah@example.com");
    assert_eq!(told["addresses"][0]["address"], "sarah@mail.example");
    assert_eq!(told["sessions"].as_array().unwrap().len(), 2);
    assert_eq!(told["sessions"][1]["identity"]["name"], "sarah Example");
    let first = &told["conversations"][0];
    assert_eq!(first["id"], id.to_string());
    assert_eq!(first["entries"][0]["kind"], "message");
    assert_eq!(first["entries"][0]["text"], "sarah asks");
    assert_eq!(first["entries"][2]["text"], "sarah is answered");
    assert_eq!(
        told["conversations"][1]["entries"][0]["text"],
        "sarah asks more"
    );
    assert_eq!(told["verifications"][0]["code"], "accepted");
    assert_eq!(told["verifications"][1]["code"], "token_expired");
    assert!(!told.to_string().contains("tom"), "{told}");
    assert!(
        !told.to_string().contains("secret_hash"),
        "what opens something is not told"
    );
    assert_eq!(store.audited().await.last().unwrap(), "person_exported");
}

#[tokio::test]
async fn d7_who_was_never_seen_or_is_erased_has_nothing_to_tell() {
    let store = TestStore::new().await;
    let site = store.site().await;
    assert!(
        store
            .export_person(site.scope, &sarah())
            .await
            .unwrap()
            .is_none()
    );
    let nothing = store.erase_person(site.scope, &sarah()).await.unwrap();
    assert_eq!(nothing, Some(Erased::default()));

    store.passes(2);
    leaves_traces(site, "sarah").await;
    store.erase_person(site.scope, &sarah()).await.unwrap();

    assert!(
        store
            .export_person(site.scope, &sarah())
            .await
            .unwrap()
            .is_none()
    );
    let again = store.erase_person(site.scope, &sarah()).await.unwrap();
    assert_eq!(again, Some(Erased::default()));
}

#[tokio::test]
async fn d7_a_token_that_was_made_before_does_not_bring_a_person_back() {
    let store = TestStore::new().await;
    let site = store.site().await;
    site.meets("sarah").await;
    let on_its_way = site.proves(identity("sarah"));

    store.erase_person(site.scope, &sarah()).await.unwrap();

    let refused = store.open_verified(site.opening(), on_its_way, None).await;
    assert!(matches!(refused, Err(StoreError::TokenRevoked)));
    store.passes(2);
    let back = site.meets("sarah").await;
    assert!(back.list().await.is_empty(), "as somebody new");
}

#[tokio::test]
async fn d7_what_was_taken_apart_is_not_theirs() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let stranger = site.meets_a_stranger().await;
    let id = stranger.begins_with("a private thing").await;
    let by_mistake = site
        .signs_in(identity("sarah"), Some(stranger.visitor()))
        .await;
    let contact = by_mistake.contact();
    assert!(store.split(site.scope, contact, id).await.unwrap());

    let told = store.export_person(site.scope, &sarah()).await.unwrap();
    store.erase_person(site.scope, &sarah()).await.unwrap();

    let told = serde_json::to_string(&told.unwrap()).unwrap();
    assert!(!told.contains("a private thing"), "{told}");
    assert!(store.dump().await.contains("a private thing"));
    let visitors = "SELECT id FROM visitors";
    let visitor = stranger.visitor().to_string();
    assert_eq!(store.column(visitors).await, [visitor]);
}

#[tokio::test]
async fn d7_a_turn_that_runs_meanwhile_finds_nothing_to_add_to() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let hers = site.meets("sarah").await;
    let id = hers.begins_with("hello").await;

    store.erase_person(site.scope, &sarah()).await.unwrap();

    let entry = store.new_entry(Body::Status(Status::Interrupted));
    let added = store
        .append(id, Some(1), vec![entry], TurnMark::Ended)
        .await;
    assert!(matches!(added, Err(StoreError::Conflict)), "{added:?}");
    assert_eq!(store.owner_of(id).await.unwrap(), None);
    assert!(hers.posts(id, uuid::Uuid::new_v4(), "more").await.is_none());
}

#[tokio::test]
async fn d7_what_waited_to_be_logged_meanwhile_is_not_kept() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let (hers, tom) = (site.meets("sarah").await, site.meets("tom").await);
    let accepted = |person: &Person<'_>, subject| Attempt {
        contact: Some(person.contact()),
        ..shown(site, subject, ACCEPTED)
    };
    let waiting = [accepted(&hers, "sarah"), accepted(&tom, "tom")];

    store.erase_person(site.scope, &sarah()).await.unwrap();
    store.record(&waiting, &[]).await.unwrap();

    let kept = store.column("SELECT contact_id FROM verifications").await;
    assert_eq!(kept, [tom.contact().to_string()]);
}
