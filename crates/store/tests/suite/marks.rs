//! Logging out everywhere.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use maitred_core::{
    contact::Subject,
    id::AgentId,
    scope::{Owner, Scope},
    session::Ended,
};
use maitred_store::{Found, Location, LoggedOut, Notice, Proven, StoreError};

use super::support::{Site, TestStore, identity, was};

fn subject(text: &str) -> Subject {
    text.parse().unwrap()
}

/// What a token of that subject brings along that says it was made then.
fn made(site: Site<'_>, subject: &str, issued_at: Option<Timestamp>) -> Proven {
    Proven {
        issued_at,
        ..site.proves(identity(subject))
    }
}

fn seconds(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

#[tokio::test]
async fn s6_all_sessions_of_the_subject_end_and_nobody_elses() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let (laptop, phone) = (site.meets("sarah").await, site.meets("sarah").await);
    let tom = site.meets("tom").await;
    let in_staging = site.staging().await.meets("sarah").await;
    let elsewhere = store.site().await.meets("sarah").await;
    let last = store.last_notice().await.unwrap();

    let done = store
        .log_out_everywhere(site.scope, &subject("sarah"))
        .await
        .unwrap()
        .unwrap();

    let mut ended = [laptop.session(), phone.session()].map(|id| id.to_string());
    ended.sort();
    let mut told: Vec<String> = done.sessions.iter().map(ToString::to_string).collect();
    told.sort();
    assert_eq!(told, ended);
    assert_eq!(done.contact, Some(laptop.contact()));
    for gone in [laptop, phone] {
        let found = gone.found().await;
        assert!(matches!(found, Some(Found::Ended(Ended::Revoked))));
    }
    for other in [tom, in_staging, elsewhere] {
        assert!(other.is_live().await);
    }
    let told = store.notices_after(last).await.unwrap();
    let hers = Notice::SessionsEnded(Some(Owner::Contact(done.contact.unwrap())));
    assert_eq!(told, [(last + 1, hers)]);
    assert_eq!(
        store.audited().await.last().unwrap(),
        "logged_out_everywhere"
    );
}

#[tokio::test]
async fn s6_a_token_made_before_or_without_a_time_opens_nothing_after() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let marked_at = store.now();
    store
        .log_out_everywhere(site.scope, &subject("sarah"))
        .await
        .unwrap();
    store.passes(5);

    for (issued_at, is_good) in [
        (None, false),
        (Some(marked_at - seconds(600)), false),
        (Some(marked_at), false),
        (Some(marked_at + seconds(60)), false),
        (Some(marked_at + seconds(61)), true),
    ] {
        let opened = store
            .open_verified(site.opening(), made(site, "sarah", issued_at), None)
            .await;

        match opened {
            Ok(_) => assert!(is_good, "{issued_at:?}"),
            Err(StoreError::TokenRevoked) => assert!(!is_good, "{issued_at:?}"),
            Err(error) => panic!("{error:?}"),
        }
    }
    let old = made(site, "tom", None);
    assert!(
        store.open_verified(site.opening(), old, None).await.is_ok(),
        "the mark is Sarah's alone"
    );
}

#[tokio::test]
async fn s6_a_subject_that_was_never_seen_gets_a_mark_too() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let issued_at = Some(store.now() - seconds(10));

    let done = store
        .log_out_everywhere(site.scope, &subject("sarah"))
        .await
        .unwrap();

    let nobody = LoggedOut {
        contact: None,
        sessions: Vec::new(),
    };
    assert_eq!(done, Some(nobody));
    let refused = store
        .open_verified(site.opening(), made(site, "sarah", issued_at), None)
        .await;
    assert!(matches!(refused, Err(StoreError::TokenRevoked)));
    let contacts = store.column("SELECT subject FROM contacts").await;
    assert!(contacts.is_empty(), "nothing of a refused sign-in is kept");
}

#[tokio::test]
async fn s6_a_mark_outlives_the_record_of_its_subject_and_does_not_name_it() {
    let store = TestStore::new().await;
    let site = store.site().await;
    site.meets("sarah").await;
    let issued_at = Some(store.now());
    store
        .log_out_everywhere(site.scope, &subject("sarah"))
        .await
        .unwrap();
    store.tamper("DELETE FROM sessions").await;
    store.tamper("DELETE FROM contacts").await;
    let hour = seconds(3_600);

    // As long as a token could be good, and a little longer.
    store.clock.advance(hour * 24);
    store.sweep().await.unwrap();
    let refused = store
        .open_verified(site.opening(), made(site, "sarah", issued_at), None)
        .await;
    assert!(matches!(refused, Err(StoreError::TokenRevoked)));
    let kept = store.column("SELECT subject_hash FROM logout_marks").await;
    assert!(!kept[0].contains("sarah"));

    store.clock.advance(hour * 2);
    assert_eq!(store.sweep().await.unwrap().marks, 1);
}

#[tokio::test]
async fn s6_a_clock_that_is_behind_takes_no_mark_back() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let mark = async || {
        store
            .log_out_everywhere(site.scope, &subject("sarah"))
            .await
            .unwrap();
    };
    mark().await;
    let first = store.column("SELECT subject_hash FROM logout_marks").await;
    let now = store.now();
    store.clock.advance(seconds(-300));

    mark().await;

    let token = made(site, "sarah", Some(now));
    let refused = store.open_verified(site.opening(), token, None).await;
    assert!(matches!(refused, Err(StoreError::TokenRevoked)));
    let again = store.column("SELECT subject_hash FROM logout_marks").await;
    assert_eq!(again, first);
}

#[tokio::test]
async fn s6_an_old_token_renews_nothing_after_a_mark() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let issued_at = Some(store.now() - seconds(10));
    store
        .log_out_everywhere(site.scope, &subject("sarah"))
        .await
        .unwrap();
    store.passes(2);
    let sarah = site.meets("sarah").await;

    let old = made(site, "sarah", issued_at);
    let refused = store.renew(&sarah.opened.session, old).await;

    assert!(matches!(refused, Err(StoreError::TokenRevoked)));
    assert!(
        sarah.is_live().await,
        "the session she opened since is hers"
    );
}

#[tokio::test]
async fn s6_an_anonymous_session_does_not_rise_by_an_old_token() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let stranger = site.meets_a_stranger().await;
    let old = made(site, "sarah", Some(store.now()));
    store
        .log_out_everywhere(site.scope, &subject("sarah"))
        .await
        .unwrap();

    let refused = store
        .open_verified(site.opening(), old, Some(was(stranger.visitor())))
        .await;

    assert!(matches!(refused, Err(StoreError::TokenRevoked)));
    assert!(stranger.is_live().await, "nothing happened to the stranger");
}

#[tokio::test]
async fn d1_nobody_is_logged_out_of_an_agent_that_does_not_exist() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let nowhere = Scope {
        agent: AgentId::new(&store.clock),
        ..site.scope
    };

    let done = store.log_out_everywhere(nowhere, &subject("sarah")).await;

    assert_eq!(done.unwrap(), None);
    let marks = store.column("SELECT subject_hash FROM logout_marks").await;
    assert!(marks.is_empty());
}

/// However the two fall together, no session is left that an old token opened:
/// neither of somebody we know nor of somebody we see for the first time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s6_a_session_opened_while_its_subject_is_logged_out_does_not_stay() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let scope = site.scope;
    hold_sign_ins_open(&store).await;
    let elsewhere = store.another().await;

    for _first_seen_then_known in 0..2 {
        let mut tasks = tokio::task::JoinSet::new();
        for n in 0..8 {
            let name = format!("sarah-{n}");
            let (at_work, opening) = ((*store).clone(), site.opening());
            let old = made(site, &name, Some(store.clock.now()));
            tasks.spawn(async move {
                let opened = at_work.open_verified(opening, old, None).await;
                assert!(
                    matches!(opened, Ok(_) | Err(StoreError::TokenRevoked)),
                    "{opened:?}"
                );
            });
            let (elsewhere, subject) = (elsewhere.clone(), subject(&name));
            tasks.spawn(async move {
                // Each at another moment of the sign-in.
                tokio::time::sleep(Duration::from_millis(10 * n)).await;
                elsewhere.log_out_everywhere(scope, &subject).await.unwrap();
            });
        }
        tasks.join_all().await;

        let left = store
            .column("SELECT id FROM sessions WHERE ended_at IS NULL")
            .await;
        assert!(left.is_empty(), "{left:?}");
        // So that the next round's tokens are good again.
        store.passes(5);
    }
}

/// Makes sign-ins take a while between their look for a mark and their commit, so
/// that a mark which does not wait for them passes them by. SQLite has one writer
/// at a time, so there nothing can come between.
async fn hold_sign_ins_open(store: &TestStore) {
    if let Location::Postgres(_) = store.location() {
        store
            .tamper(
                "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN PERFORM pg_sleep(0.1); RETURN NEW; END $$",
            )
            .await;
        store
            .tamper(
                "CREATE TRIGGER dawdle BEFORE INSERT ON sessions
                 FOR EACH ROW EXECUTE FUNCTION dawdle()",
            )
            .await;
    }
}
