//! One-time codes.

use jiff::SignedDuration;
use maitred_core::{
    assurance::Assurance,
    code::{EmailAddress, OneTimeCode},
    scope::Owner,
    session::Session,
};
use maitred_store::{Asked, Found, KeyedFor, Store, Tried};

use super::support::{Person, TestStore};

const SARAH: &str = "sarah@shop.example";

fn address(text: &str) -> EmailAddress {
    EmailAddress::parse(text).unwrap()
}

impl Person<'_> {
    async fn asks_for_a_code(&self, email: &str) -> Asked {
        asked_on(self.store, &self.opened.session, email).await
    }

    /// The digits that were to be mailed.
    async fn is_mailed_a_code(&self, email: &str) -> OneTimeCode {
        let asked = self.asks_for_a_code(email).await;
        let Asked::Taken {
            send: Some(code), ..
        } = asked
        else {
            panic!("nothing is mailed: {asked:?}")
        };
        code
    }

    async fn types(&self, digits: &str) -> Tried {
        let code = OneTimeCode::parse(digits).unwrap();
        self.store
            .try_code(&self.opened.session, &code)
            .await
            .unwrap()
    }

    async fn proves(&self, email: &str) {
        let code = self.is_mailed_a_code(email).await;
        assert!(matches!(self.types(code.expose()).await, Tried::Right(_)));
    }

    /// The session as it is found now.
    async fn session_now(&self) -> Session {
        match self.found().await {
            Some(Found::Live(session)) => session,
            other => panic!("not live: {other:?}"),
        }
    }

    async fn assurance(&self) -> Assurance {
        let now = self.store.now();
        self.session_now().await.standing(now).assurance()
    }

    async fn proven_email(&self) -> Option<String> {
        let now = self.store.now();
        self.session_now().await.email(now).map(str::to_owned)
    }
}

async fn asked_on(store: &Store, session: &Session, email: &str) -> Asked {
    store.ask_for_code(session, &address(email)).await.unwrap()
}

/// Another code than this one.
fn wrong(code: &OneTimeCode) -> &'static str {
    if code.expose() == "000000" {
        "000001"
    } else {
        "000000"
    }
}

#[tokio::test]
async fn a3_the_code_that_was_mailed_proves_the_address() {
    let store = TestStore::new().await;
    let stranger = store.site().await.meets_a_stranger().await;
    assert_eq!(stranger.assurance().await, Assurance::Anonymous);

    let code = stranger.is_mailed_a_code(SARAH).await;
    let tried = stranger.types(code.expose()).await;

    let Tried::Right(proven) = tried else {
        panic!("{tried:?}")
    };
    assert_eq!(proven.address, address(SARAH));
    assert_eq!(proven.until, store.now() + SignedDuration::from_mins(30));
    assert_eq!(stranger.assurance().await, Assurance::Code);
    assert_eq!(stranger.proven_email().await.as_deref(), Some(SARAH));
    assert_eq!(store.audited().await.last().unwrap(), "address_proven");
}

#[tokio::test]
async fn a3_a_code_is_good_for_ten_minutes_and_what_it_proved_for_thirty() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let (late, stranger) = (site.meets_a_stranger().await, site.meets_a_stranger().await);
    let code = late.is_mailed_a_code("late@shop.example").await;
    stranger.proves(SARAH).await;

    store.passes(10);
    assert_eq!(late.types(code.expose()).await, Tried::NoneOpen);
    store.passes(19);
    assert_eq!(stranger.assurance().await, Assurance::Code);
    store.passes(1);
    assert_eq!(stranger.assurance().await, Assurance::Anonymous);
    assert_eq!(stranger.proven_email().await, None);
}

#[tokio::test]
async fn a3_a_code_is_good_for_three_tries() {
    let store = TestStore::new().await;
    let stranger = store.site().await.meets_a_stranger().await;
    let code = stranger.is_mailed_a_code(SARAH).await;

    for left in [2, 1, 0] {
        assert_eq!(stranger.types(wrong(&code)).await, Tried::Wrong { left });
    }

    assert_eq!(stranger.types(code.expose()).await, Tried::NoneOpen);
    assert_eq!(stranger.assurance().await, Assurance::Anonymous);
}

#[tokio::test]
async fn a3_of_many_guesses_at_once_three_count() {
    let store = TestStore::new().await;
    let stranger = store.site().await.meets_a_stranger().await;
    let code = stranger.is_mailed_a_code(SARAH).await;
    let other = store.another().await;

    let guesses = (0..20).map(|at| {
        let node: Store = if at % 2 == 0 {
            (*store).clone()
        } else {
            other.clone()
        };
        let session = stranger.opened.session.clone();
        let guess = OneTimeCode::parse(wrong(&code)).unwrap();
        #[expect(clippy::disallowed_methods, reason = "ends with the test")]
        tokio::spawn(async move { node.try_code(&session, &guess).await.unwrap() })
    });
    let mut outcomes = Vec::new();
    for guess in guesses.collect::<Vec<_>>() {
        outcomes.push(guess.await.unwrap());
    }

    let wrong = |tried: &&Tried| matches!(tried, Tried::Wrong { .. });
    assert_eq!(outcomes.iter().filter(wrong).count(), 3, "{outcomes:?}");
    assert_eq!(stranger.types(code.expose()).await, Tried::NoneOpen);
    other.close().await;
}

#[tokio::test]
async fn a3_a_code_is_used_once_and_the_next_takes_the_place_of_the_last() {
    let store = TestStore::new().await;
    let stranger = store.site().await.meets_a_stranger().await;
    let first = stranger.is_mailed_a_code(SARAH).await;
    let second = stranger.is_mailed_a_code("tom@shop.example").await;

    if first.expose() != second.expose() {
        assert!(matches!(
            stranger.types(first.expose()).await,
            Tried::Wrong { .. }
        ));
    }
    assert!(matches!(
        stranger.types(second.expose()).await,
        Tried::Right(_)
    ));
    assert_eq!(stranger.types(second.expose()).await, Tried::NoneOpen);
    assert_eq!(
        stranger.proven_email().await.as_deref(),
        Some("tom@shop.example")
    );
}

#[tokio::test]
async fn a3_a_code_is_bound_to_the_session_it_was_asked_for_in() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let stranger = site.meets_a_stranger().await;
    let same_visitor = site.meets_again(stranger.visitor_secret()).await;
    let somebody_else = site.meets_a_stranger().await;
    let code = stranger.is_mailed_a_code(SARAH).await;

    for other in [&same_visitor, &somebody_else] {
        assert_eq!(other.types(code.expose()).await, Tried::NoneOpen);
    }
    stranger.types(code.expose()).await;

    assert_eq!(stranger.assurance().await, Assurance::Code);
    assert_eq!(same_visitor.assurance().await, Assurance::Anonymous);
}

#[tokio::test]
async fn a3_a_code_that_is_copied_into_another_row_fits_nothing() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let (sarah, mallory) = (site.meets_a_stranger().await, site.meets_a_stranger().await);
    sarah.is_mailed_a_code(SARAH).await;
    let known = mallory.is_mailed_a_code("mallory@evil.example").await;

    // Whoever can write to the database puts an own code beside another's address.
    let (of, from) = (sarah.session(), mallory.session());
    store
        .tamper(&format!(
            "UPDATE codes SET code_hash = (SELECT code_hash FROM codes WHERE session_id = '{from}')
             WHERE session_id = '{of}'"
        ))
        .await;
    store
        .tamper(&format!(
            "UPDATE codes SET address = '{SARAH}' WHERE session_id = '{from}'"
        ))
        .await;

    assert!(matches!(
        sarah.types(known.expose()).await,
        Tried::Wrong { .. }
    ));
    assert!(matches!(
        mallory.types(known.expose()).await,
        Tried::Wrong { .. }
    ));
}

#[tokio::test]
async fn a3_a_visitor_may_ask_for_three_codes_an_hour_to_one_address() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let stranger = site.meets_a_stranger().await;
    for _ in 0..3 {
        stranger.is_mailed_a_code(SARAH).await;
        store.passes(10);
    }
    let first = store.now() - SignedDuration::from_mins(30);

    // However the address is written, and from another tab, too.
    let tab = site.meets_again(stranger.visitor_secret()).await;
    for asked in [
        stranger.asks_for_a_code("Sarah+new@shop.example").await,
        tab.asks_for_a_code(SARAH).await,
    ] {
        let Asked::TooMany { again_at } = asked else {
            panic!("{asked:?}")
        };
        assert_eq!(again_at, first + SignedDuration::from_hours(1));
    }
    stranger.is_mailed_a_code("tom@shop.example").await;
    store.passes(30);
    stranger.is_mailed_a_code(SARAH).await;
}

#[tokio::test]
async fn a3_of_many_who_ask_at_once_three_are_mailed() {
    let store = TestStore::new().await;
    let stranger = store.site().await.meets_a_stranger().await;
    let other = store.another().await;

    let asks = (0..12).map(|at| {
        let node: Store = if at % 2 == 0 {
            (*store).clone()
        } else {
            other.clone()
        };
        let session = stranger.opened.session.clone();
        #[expect(clippy::disallowed_methods, reason = "ends with the test")]
        tokio::spawn(async move { asked_on(&node, &session, SARAH).await })
    });
    let mut mailed = 0;
    for ask in asks.collect::<Vec<_>>() {
        mailed += usize::from(matches!(
            ask.await.unwrap(),
            Asked::Taken { send: Some(_), .. }
        ));
    }

    assert_eq!(mailed, 3);
    other.close().await;
}

#[tokio::test]
async fn a3_a_conversation_has_room_for_six_codes() {
    let store = TestStore::new().await;
    let stranger = store.site().await.meets_a_stranger().await;
    stranger.begins_with("hello").await;
    for at in 0..6 {
        stranger
            .is_mailed_a_code(&format!("v{at}@shop.example"))
            .await;
    }
    let seventh = async || stranger.asks_for_a_code("v7@shop.example").await;

    assert!(matches!(seventh().await, Asked::TooMany { .. }));
    store.passes(59);
    // Another conversation does not help within the hour.
    stranger.begins_with("hello again").await;
    assert!(matches!(seventh().await, Asked::TooMany { .. }));
    store.passes(1);
    assert!(matches!(seventh().await, Asked::Taken { .. }));
}

#[tokio::test]
async fn a3_a_conversation_that_had_its_codes_gets_no_more() {
    let store = TestStore::new().await;
    let stranger = store.site().await.meets_a_stranger().await;
    let conversation = stranger.begins_with("hello").await;
    for at in 0..6 {
        stranger
            .is_mailed_a_code(&format!("v{at}@shop.example"))
            .await;
    }
    store.passes(120);
    stranger.says(conversation, "still here").await;

    let asked = stranger.asks_for_a_code(SARAH).await;

    assert!(matches!(asked, Asked::TooMany { again_at } if again_at > store.now()));
}

#[tokio::test]
async fn a3_an_address_that_had_its_mail_gets_no_more_and_nobody_is_told() {
    let store = TestStore::new().await;
    let site = store.site().await;
    for _ in 0..10 {
        site.meets_a_stranger().await.is_mailed_a_code(SARAH).await;
    }
    let stranger = site.meets_a_stranger().await;

    let asked = stranger.asks_for_a_code(SARAH).await;

    let Asked::Taken {
        expires_at,
        send: None,
    } = asked
    else {
        panic!("{asked:?}")
    };
    assert_eq!(expires_at, store.now() + SignedDuration::from_mins(10));
    // It behaves like any other.
    for left in [2, 1, 0] {
        assert_eq!(stranger.types("000000").await, Tried::Wrong { left });
    }
    assert_eq!(stranger.types("000000").await, Tried::NoneOpen);
    // The other environment is another place.
    let staging = site.staging().await.meets_a_stranger().await;
    staging.is_mailed_a_code(SARAH).await;
    store.passes(60);
    stranger.is_mailed_a_code(SARAH).await;
}

#[tokio::test]
async fn a3_a_code_that_was_never_mailed_opens_nothing_even_if_it_is_guessed() {
    let store = TestStore::new().await;
    let stranger = store.site().await.meets_a_stranger().await;
    let code = stranger.is_mailed_a_code(SARAH).await;
    store.tamper("UPDATE codes SET mailed_at = NULL").await;

    let tried = stranger.types(code.expose()).await;

    assert_eq!(tried, Tried::Wrong { left: 2 });
    assert_eq!(stranger.assurance().await, Assurance::Anonymous);
}

#[tokio::test]
async fn a2_a_code_links_no_history_and_merges_nothing() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let sarah = site.meets("sarah").await;
    let hers = sarah.begins_with("my order is late").await;
    let stranger = site.meets_a_stranger().await;
    let own = stranger.begins_with("hello").await;
    let contacts = async || store.column("SELECT id FROM contacts").await.len();
    let before = contacts().await;

    // The very address that her contact has.
    stranger.proves("sarah@example.com").await;

    assert!(matches!(
        stranger.session_now().await.owner(),
        Owner::Visitor(_)
    ));
    assert_eq!(stranger.list().await, [own]);
    assert!(stranger.conversation(hers).await.is_none());
    assert_eq!(sarah.list().await, [hers]);
    assert_eq!(contacts().await, before);
}

#[tokio::test]
async fn a3_a_sign_in_leaves_what_a_code_proved_behind() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let stranger = site.meets_a_stranger().await;
    stranger.proves("tom@shop.example").await;

    let sarah = site
        .signs_in(super::support::identity("sarah"), Some(stranger.visitor()))
        .await;

    assert!(sarah.session_now().await.proven.is_none());
    assert!(!stranger.is_live().await);
}

#[tokio::test]
async fn t5_a_verified_visitor_proves_the_address_that_the_site_does_not_vouch_for() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let mut identity = super::support::identity("sarah");
    identity.email.as_mut().unwrap().verified = false;
    let sarah = site.signs_in(identity.clone(), None).await;
    assert_eq!(sarah.proven_email().await, None);

    sarah.proves("sarah@example.com").await;

    assert_eq!(
        sarah.proven_email().await.as_deref(),
        Some("sarah@example.com")
    );
    assert_eq!(sarah.assurance().await, Assurance::Verified);
    let by_id = store.session_by_id(sarah.session()).await.unwrap();
    assert!(matches!(by_id, Some(Found::Live(it)) if it.proven.is_some()));
    // It holds through a renewal, which is the same session.
    let session = sarah.session_now().await;
    let renewed = store.renew(&session, site.proves(identity)).await.unwrap();
    assert_eq!(renewed.email(store.now()), Some("sarah@example.com"));
}

#[tokio::test]
async fn a3_what_is_kept_is_no_code_and_in_time_no_address() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let stranger = site.meets_a_stranger().await;
    let code = stranger.is_mailed_a_code("first@shop.example").await;
    stranger.proves(SARAH).await;
    let addresses = async || {
        store
            .column("SELECT address FROM codes WHERE address IS NOT NULL")
            .await
    };

    let codes = store.column("SELECT code_hash FROM codes").await;
    assert!(codes.iter().all(|hash| hash.len() == 64), "{codes:?}");
    assert!(!codes.contains(&store.keyed_hash(KeyedFor::Code, code.expose().as_bytes())));
    assert_eq!(addresses().await, [SARAH], "the first was replaced");

    store.passes(29);
    store.forget_codes().await.unwrap();
    assert_eq!(stranger.assurance().await, Assurance::Code);
    store.passes(1);
    store.forget_codes().await.unwrap();
    assert!(addresses().await.is_empty());
    // What is left is counted until it is forgotten, too.
    assert!(matches!(
        stranger.asks_for_a_code(SARAH).await,
        Asked::Taken { .. }
    ));
    store.passes(31 * 24 * 60);
    store.forget_codes().await.unwrap();
    assert!(store.column("SELECT id FROM codes").await.is_empty());
}
