//! "Forget me": whoever holds a session has everything erased (rule D7).

use maitred_core::{code::EmailAddress, conversation::Rating, message::Title, session::Session};
use maitred_store::{Changes, Notice};
use uuid::Uuid;

use super::support::{Person, TestStore, identity, text};

/// Whatever belongs to nobody who is there.
const ORPHANS: &str = "
    SELECT id FROM (
        SELECT id, owner FROM conversations WHERE owner IS NOT NULL
        UNION ALL SELECT id, owner FROM codes
        UNION ALL SELECT owner, owner FROM events
    ) AS owned
    WHERE owner NOT IN (SELECT id FROM contacts) AND owner NOT IN (SELECT id FROM visitors)";

async fn forgets(person: &Person<'_>) -> bool {
    person.store.forget(&person.opened.session).await.unwrap()
}

/// Says, titles, rates and proves an address.
async fn leaves_traces(person: &Person<'_>, name: &str) {
    let store = person.store;
    let id = person.begins_with(&format!("{name} asks für Élan")).await;
    store.answers(id, &format!("{name} is answered")).await;
    let title = Title::parse(&format!("{name} titles")).unwrap();
    let changes = Changes {
        title: Some(Some(title)),
        closed: None,
    };
    let changed = store.change_conversation(person.owner(), id, changes);
    changed.await.unwrap();
    let rating = Rating::parse(2, Some(&format!("{name} rates"))).unwrap();
    store.rate(person.owner(), id, &rating).await.unwrap();
    let address = EmailAddress::parse(&format!("{name}@mail.example")).unwrap();
    let session = &person.opened.session;
    store.ask_for_code(session, &address).await.unwrap();
}

#[tokio::test]
async fn d7_a_contact_is_forgotten_with_all_devices_and_nobody_else_is() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let stranger = site.meets_a_stranger().await;
    leaves_traces(&stranger, "sarah").await;
    let sarah = site
        .signs_in(identity("sarah"), Some(stranger.visitor()))
        .await;
    let phone = site.meets("sarah").await;
    leaves_traces(&phone, "sarah").await;
    let tom = site.meets("tom").await;
    leaves_traces(&tom, "tom").await;
    let last = store.last_notice().await.unwrap();

    assert!(forgets(&sarah).await);

    let dump = store.dump().await.to_lowercase();
    for trace in ["sarah", "asks fur"] {
        let left = dump.matches(trace).count();
        let toms = usize::from(trace == "asks fur");
        assert_eq!(left, toms, "{trace}");
    }
    for session in [&sarah, &phone] {
        assert!(session.found().await.is_none());
    }
    assert!(tom.is_live().await);
    assert_eq!(tom.list().await.len(), 1);
    let told = store.notices_after(last).await.unwrap();
    let hers = Notice::SessionsEnded(Some(sarah.owner()));
    assert_eq!(told, [(last + 1, hers)]);
    let lines = "SELECT body FROM audit WHERE kind = 'person_erased'";
    let told = r#"{"by":"visitor","conversations":2,"entries":5,"sessions":3}"#;
    assert_eq!(store.column(lines).await, [told], "without whom");
    assert!(store.column(ORPHANS).await.is_empty());
    assert!(!forgets(&sarah).await, "it is done");
}

#[tokio::test]
async fn d7_an_anonymous_visitor_is_forgotten() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let (stranger, other) = (site.meets_a_stranger().await, site.meets_a_stranger().await);
    leaves_traces(&stranger, "hunter2").await;
    other.begins_with("hello").await;
    let again = site.meets_again(stranger.visitor_secret()).await;
    assert_eq!(again.visitor(), stranger.visitor());

    assert!(forgets(&stranger).await);

    assert!(!store.dump().await.contains("hunter2"));
    let visitors = store.column("SELECT id FROM visitors").await;
    assert_eq!(visitors, [other.visitor().to_string()]);
    assert!(again.found().await.is_none());
    assert!(site.knows(stranger.visitor_secret()).await.is_none());
    assert!(other.is_live().await);
    assert_eq!(other.list().await.len(), 1);
    assert!(store.column(ORPHANS).await.is_empty());
    assert!(!forgets(&stranger).await, "it is done");
}

#[tokio::test]
async fn d7_who_came_back_since_is_somebody_else() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let sarah = site.meets("sarah").await;
    forgets(&sarah).await;
    store.passes(2);
    let back = site.meets("sarah").await;
    back.begins_with("hello again").await;

    assert!(!forgets(&sarah).await);

    assert!(back.is_live().await);
    assert_eq!(back.list().await.len(), 1);
}

#[tokio::test]
async fn d7_a_stranger_who_signed_in_meanwhile_is_not_half_forgotten() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let stranger = site.meets_a_stranger().await;
    let id = stranger.begins_with("hello").await;
    let sarah = site
        .signs_in(identity("sarah"), Some(stranger.visitor()))
        .await;

    assert!(!forgets(&stranger).await, "that session has ended");

    assert_eq!(sarah.list().await, [id]);
}

#[tokio::test]
async fn d7_a_request_that_comes_late_leaves_nothing() {
    let store = TestStore::new().await;
    let site = store.site().await;
    for person in [site.meets("sarah").await, site.meets_a_stranger().await] {
        let id = person.begins_with("hello").await;
        forgets(&person).await;
        let session: &Session = &person.opened.session;

        let opened = store.open_conversation(site.scope, person.owner()).await;
        let posted = person.posts(id, Uuid::new_v4(), "more").await;
        let address = EmailAddress::parse("sarah@mail.example").unwrap();
        let asked = store.ask_for_code(session, &address).await;

        assert!(opened.unwrap().is_none());
        assert!(posted.is_none());
        assert!(asked.is_err());
        assert!(store.column(ORPHANS).await.is_empty());
    }
}

/// Opens, says and has forgotten, all at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d7_whatever_happens_meanwhile_nothing_of_them_is_left() {
    let store = TestStore::new().await;
    let site = store.site().await;
    for round in 0..6 {
        let person = match round % 2 {
            0 => site.meets(&format!("user-{round}")).await,
            _ => site.meets_a_stranger().await,
        };
        let first = person.begins_with("hello").await;
        let (owner, session, scope) = (person.owner(), person.session(), site.scope);
        let mut tasks = tokio::task::JoinSet::new();
        for n in 0..8 {
            let store = (*store).clone();
            tasks.spawn(async move {
                let said = text(&format!("message {n}"));
                let opened = store.open_conversation(scope, owner).await.unwrap();
                let opened = opened.filter(|_| n % 2 == 0);
                let id = opened.map_or(first, |conversation| conversation.id);
                let posted = store.post(owner, id, session, Uuid::new_v4(), &said);
                posted.await.map(drop).unwrap();
            });
        }
        let (forgetting, holder) = ((*store).clone(), person.opened.session.clone());
        tasks.spawn(async move { assert!(forgetting.forget(&holder).await.unwrap()) });
        tasks.join_all().await;

        assert!(store.column(ORPHANS).await.is_empty(), "round {round}");
        let left = format!("SELECT id FROM conversations WHERE owner = '{owner}'");
        assert!(store.column(&left).await.is_empty(), "round {round}");
    }
    assert!(store.column("SELECT id FROM entries").await.is_empty());
}
