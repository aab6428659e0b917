//! The keys of identity providers: fetched when they are needed, and no oftener
//! (rule K4).

use std::time::{Duration, Instant};

use axum::http::StatusCode;
use futures_util::future::join_all;
use jiff::SignedDuration;
use maitred_core::{id::KeyId, scope::Environment};
use maitred_store::{FetchedSet, VerificationFilter};
use maitred_token::AssertionKey;
use serde_json::{Value, json};

use super::support::{
    Answer, TestApp,
    provider::{Mood, Provider, id_token, publishes},
};

/// An agent that trusts a provider's keys in production.
struct Trusting {
    app: TestApp,
    provider: Provider,
    set: KeyId,
    key: AssertionKey,
}

impl Trusting {
    async fn new() -> Self {
        Self::of_path("/jwks").await
    }

    async fn of_path(path: &str) -> Self {
        let (key, _) = AssertionKey::generate();
        let provider = Provider::with(&key).await;
        let allowed = json!([provider.host]).to_string();
        // A limit takes a minute to get over a clock that is set back.
        let settings = [
            ("OUTBOUND__ALLOW", allowed.as_str()),
            ("LIMITS__REQUESTS", "0"),
        ];
        let app = TestApp::with_settings(&settings).await;
        let scope = app.scope(Environment::Production);
        let set = provider.is_trusted_at(path, &app.store, scope).await;
        Self {
            app,
            provider,
            set,
            key,
        }
    }

    /// Somebody shows a token that this key has signed.
    async fn shown(&self, key: &AssertionKey) -> Answer {
        self.shown_token(&id_token(key, self.app.claims("sarah")))
            .await
    }

    async fn shown_token(&self, token: &str) -> Answer {
        let token = json!({ "token": token });
        self.app.opens(Environment::Production, token).await
    }

    fn passes(&self, time: SignedDuration) {
        self.app.clock.advance(time);
    }

    /// What is kept of the set.
    async fn kept(&self) -> Option<FetchedSet> {
        let scope = self.app.scope(Environment::Production);
        let sets = self.app.store.fetched_sets(scope).await.unwrap();
        sets.into_iter().find(|it| it.key == self.set)
    }

    async fn failure(&self) -> Option<String> {
        Some(self.kept().await?.failure?.reason)
    }
}

const HALF_A_MINUTE: SignedDuration = SignedDuration::from_secs(30);

fn another_key() -> AssertionKey {
    AssertionKey::generate().0
}

fn assert_accepted(answer: &Answer) {
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
    assert_eq!(answer.body["assurance"], "verified");
}

fn assert_refused(answer: &Answer) {
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{}", answer.body);
}

fn assert_unavailable(answer: &Answer) {
    assert_eq!(
        (answer.status, answer.code()),
        (StatusCode::SERVICE_UNAVAILABLE, "keys_unavailable"),
        "{}",
        answer.body
    );
    assert_eq!(answer.headers["retry-after"], "5");
}

/// Waits for what happens beside the requests.
async fn eventually(mut is_so: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !is_so().await {
        assert!(begun.elapsed() < Duration::from_secs(20), "it never is so");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn k4_the_tokens_of_an_identity_provider_serve_if_they_are_from_it_and_for_us() {
    let site = Trusting::new().await;
    let claims = site.app.claims("sarah");
    let changed = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims.insert("iss".to_owned(), "https://id.example".into());
        claims.insert("aud".to_owned(), "the-chat".into());
        claims.remove(name);
        if !value.is_null() {
            claims.insert(name.to_owned(), value);
        }
        site.key.sign("JWT", &Value::Object(claims))
    };

    assert_accepted(&site.shown(&site.key).await);
    for (name, value, code) in [
        ("aud", json!("another-app"), "wrong_audience"),
        ("aud", Value::Null, "wrong_audience"),
        ("iss", json!("https://evil.example"), "wrong_issuer"),
        ("iss", Value::Null, "wrong_issuer"),
    ] {
        let answer = site.shown_token(&changed(name, value.clone())).await;

        assert_eq!(answer.code(), code, "{name}={value}");
    }
    assert_eq!(site.provider.asked(), 1);
}

#[tokio::test]
async fn t2_an_access_token_of_a_provider_serves_as_well() {
    let site = Trusting::new().await;
    let mut claims = site.app.claims("sarah");
    claims.insert("iss".to_owned(), "https://id.example".into());
    claims.insert("aud".to_owned(), "the-chat".into());

    let token = site.key.sign("at+jwt", &Value::Object(claims));

    assert_accepted(&site.shown_token(&token).await);
}

#[tokio::test]
async fn k4_an_unknown_kid_is_asked_for_once_in_half_a_minute() {
    let site = Trusting::new().await;
    assert_accepted(&site.shown(&site.key).await);
    let new = another_key();
    site.provider.becomes(publishes(&[&site.key, &new]));

    assert_refused(&site.shown(&new).await);
    assert_eq!(site.provider.asked(), 1);
    site.passes(HALF_A_MINUTE);
    assert_accepted(&site.shown(&new).await);
    assert_eq!(site.provider.asked(), 2);

    // Whoever makes up names has it asked no oftener.
    for _ in 0..5 {
        assert_refused(&site.shown(&another_key()).await);
    }
    assert_eq!(site.provider.asked(), 2);
    site.passes(HALF_A_MINUTE);
    for _ in 0..5 {
        assert_refused(&site.shown(&another_key()).await);
    }
    assert_eq!(site.provider.asked(), 3);
}

#[tokio::test]
async fn k4_a_key_that_was_taken_out_of_the_set_counts_no_longer() {
    let site = Trusting::new().await;
    assert_accepted(&site.shown(&site.key).await);
    site.provider.becomes(publishes(&[&another_key()]));

    site.passes(SignedDuration::from_mins(11));

    assert_refused(&site.shown(&site.key).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn k4_a_hundred_tokens_at_once_share_one_fetch() {
    let site = Trusting::new().await;

    let answers = join_all((0..100).map(|_| site.shown(&site.key))).await;

    for answer in &answers {
        assert_accepted(answer);
    }
    assert_eq!(site.provider.asked(), 1);
}

#[tokio::test]
async fn t13_a_token_of_a_set_at_hand_has_nothing_fetched() {
    let site = Trusting::new().await;

    for _ in 0..20 {
        assert_accepted(&site.shown(&site.key).await);
    }

    assert_eq!(site.provider.asked(), 1);
}

#[tokio::test]
async fn k4_a_set_is_fetched_in_good_time_without_anybody_waiting() {
    let site = Trusting::new().await;
    assert_accepted(&site.shown(&site.key).await);
    site.provider.becomes(Mood::IsSilent);

    // Ten minutes it is good for, and eight of them are over.
    site.passes(SignedDuration::from_mins(8));
    let begun = Instant::now();
    assert_accepted(&site.shown(&site.key).await);

    assert!(begun.elapsed() < Duration::from_secs(2), "nobody waits");
    eventually(async || site.provider.asked() == 2).await;
}

#[tokio::test]
async fn k4_a_set_that_cannot_be_fetched_serves_for_a_day() {
    let site = Trusting::new().await;
    assert_accepted(&site.shown(&site.key).await);
    site.provider.becomes(Mood::Fails(500));

    site.passes(SignedDuration::from_mins(11));
    assert_accepted(&site.shown(&site.key).await);

    // The failure can be seen, and the set is still the good one.
    assert_eq!(
        site.failure().await.as_deref(),
        Some("the server answered 500")
    );
    assert!(site.kept().await.unwrap().last_good.is_some());

    // Ten minutes it was fresh for, and a day: one second is left.
    let left = SignedDuration::from_hours(24) - SignedDuration::from_secs(61);
    site.passes(left);
    assert_accepted(&site.shown(&site.key).await);
    site.passes(SignedDuration::from_secs(1));
    assert_unavailable(&site.shown(&site.key).await);

    site.provider.becomes(publishes(&[&site.key]));
    site.passes(HALF_A_MINUTE);
    assert_accepted(&site.shown(&site.key).await);
    assert_eq!(site.failure().await, None);
}

#[tokio::test]
async fn k4_a_clock_that_is_set_back_keeps_no_set_from_being_fetched() {
    let site = Trusting::new().await;
    assert_accepted(&site.shown(&site.key).await);
    let new = another_key();
    site.provider.becomes(publishes(&[&site.key, &new]));

    site.passes(-SignedDuration::from_mins(1));

    assert_accepted(&site.shown(&new).await);
}

#[tokio::test]
async fn k4_a_set_that_was_fetched_by_a_clock_that_was_ahead_is_not_fresh_for_ever() {
    let site = Trusting::new().await;
    assert_accepted(&site.shown(&site.key).await);
    site.provider.becomes(publishes(&[&another_key()]));

    site.passes(-SignedDuration::from_hours(24 * 365));

    assert_refused(&site.shown(&site.key).await);
}

#[tokio::test]
async fn k4_while_a_set_cannot_be_fetched_an_unknown_kid_is_not_called_unknown() {
    let site = Trusting::new().await;
    assert_accepted(&site.shown(&site.key).await);
    site.provider.becomes(Mood::Fails(503));
    site.passes(HALF_A_MINUTE);

    let of_a_new_key = site.shown(&another_key()).await;

    assert_unavailable(&of_a_new_key);
    assert_accepted(&site.shown(&site.key).await);
}

#[tokio::test]
async fn k4_what_is_no_good_set_is_a_failure_that_says_what_is_wrong() {
    let (key, pkcs8) = AssertionKey::generate();
    let mut private = key.public_jwk();
    private["d"] = maitred_token::base64url(&pkcs8[16..48]).into();
    let elsewhere = "http://127.0.0.1:1/jwks".to_owned();
    for (mood, reason) in [
        (Mood::Fails(404), "the server answered 404"),
        (
            Mood::Redirects(elsewhere),
            "the server redirects to another host, or too often",
        ),
        (
            Mood::Redirects("/jwks".to_owned()),
            "the server redirects to another host, or too often",
        ),
        (Mood::Rambles, "the answer is larger than 256 KiB"),
        (
            Mood::Publishes(json!([])),
            "this is not a JSON object with a list of `keys`",
        ),
        (
            Mood::Publishes(json!({ "keys": [key.public_jwk(), private] })),
            "there is a private key in the set, so none of it is used",
        ),
        (
            Mood::Publishes(
                json!({ "keys": [key.public_jwk(), { "kty": "oct", "k": "c2VjcmV0" }] }),
            ),
            "there is a private key in the set, so none of it is used",
        ),
    ] {
        let site = Trusting::new().await;
        site.provider.becomes(mood.clone());

        let answer = site.shown(&key).await;

        assert_unavailable(&answer);
        assert_eq!(site.failure().await.as_deref(), Some(reason), "{mood:?}");
        let stored = site.app.stored_bytes().await;
        let secret = private["d"].as_str().unwrap().as_bytes();
        assert!(!stored.windows(secret.len()).any(|it| it == secret));
    }
}

#[tokio::test]
async fn k4_a_redirect_on_the_same_host_is_followed() {
    let site = Trusting::of_path("/moved").await;

    assert_accepted(&site.shown(&site.key).await);
}

#[tokio::test]
async fn k4_a_host_that_nobody_listed_is_not_called() {
    let (key, _) = AssertionKey::generate();
    let provider = Provider::with(&key).await;
    let app = TestApp::new().await;
    let scope = app.scope(Environment::Production);
    provider.is_trusted_by(&app.store, scope).await;
    let token = id_token(&key, app.claims("sarah"));

    let answer = app
        .opens(Environment::Production, json!({ "token": token }))
        .await;

    assert_unavailable(&answer);
    assert_eq!(provider.asked(), 0);
}

#[tokio::test]
async fn k4_nobody_waits_longer_than_two_seconds_and_others_not_at_all() {
    let site = Trusting::new().await;
    site.provider.becomes(Mood::IsSilent);
    let begun = Instant::now();
    let waiting = async {
        let answer = site.shown(&site.key).await;
        (answer, begun.elapsed())
    };
    let meanwhile = async {
        eventually(async || site.provider.asked() == 1).await;
        let token = site.app.token("tom");
        let answer = site.shown_token(&token).await;
        (answer, begun.elapsed())
    };

    let ((waited, after), (other, other_after)) = tokio::join!(waiting, meanwhile);

    assert_unavailable(&waited);
    assert!(after >= Duration::from_secs(2), "{after:?}");
    assert!(after < Duration::from_secs(5), "{after:?}");
    assert_accepted(&other);
    assert!(other_after < after, "{other_after:?} {after:?}");
}

#[tokio::test]
async fn k6_a_revoked_set_vouches_for_nobody() {
    let site = Trusting::new().await;
    let sarah = site.shown(&site.key).await;
    assert_accepted(&sarah);
    let scope = site.app.scope(Environment::Production);

    assert!(site.app.store.revoke_key(scope, site.set).await.unwrap());

    eventually(async || site.shown(&site.key).await.status == StatusCode::UNAUTHORIZED).await;
    let session = sarah.body["session"].as_str().unwrap();
    let answer = site
        .app
        .send(axum::http::Method::GET, "/v1/session", Some(session), None)
        .await;
    assert_eq!(answer.code(), "session_revoked");
}

#[tokio::test]
async fn l1_a_token_of_a_set_is_logged_with_our_id_of_the_set() {
    let site = Trusting::new().await;
    let mut expired = site.app.claims("sarah");
    expired.insert("exp".to_owned(), 1_600.into());
    let expired = id_token(&site.key, expired);

    assert_accepted(&site.shown(&site.key).await);
    assert_eq!(site.shown_token(&expired).await.code(), "token_expired");

    let filter = VerificationFilter {
        key: Some(site.set.to_string()),
        ..VerificationFilter::of(site.app.agent)
    };
    eventually(async || {
        let log = site.app.store.verifications(&filter, None, 10).await;
        log.unwrap().len() == 2
    })
    .await;
}
