//! What the verification log says of the tokens that were shown.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use jiff::SignedDuration;
use maitred_core::{
    agent::{Enforcement, Origin, ProofOfPossession, Settings},
    scope::Environment,
};
use maitred_store::{ACCEPTED, KeyUsage, KeyedFor, StoreError, Verification, VerificationFilter};
use maitred_token::mint_hs256;
use serde_json::{Value, json};

use super::support::{ORIGIN, TestApp, browser::Browser};

const PRODUCTION: Environment = Environment::Production;
const STAGING: Environment = Environment::Staging;

impl TestApp {
    /// The log, once it has so many entries, the oldest first.
    async fn log(&self, entries: usize) -> Vec<Verification> {
        let filter = VerificationFilter::of(self.agent);
        self.once(async || {
            let log = self.store.verifications_since(&filter, 0, 1_000).await;
            Some(log.unwrap()).filter(|log| log.len() >= entries)
        })
        .await
    }

    /// The only entry of the log.
    async fn only_entry(&self) -> Verification {
        let [entry] = <[_; 1]>::try_from(self.log(1).await).expect("one entry");
        entry
    }

    /// What there is once it has been written behind.
    async fn once<T>(&self, mut look: impl AsyncFnMut() -> Option<T>) -> T {
        let looking = async {
            loop {
                if let Some(found) = look().await {
                    return found;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let found = tokio::time::timeout(Duration::from_secs(20), looking).await;
        found.expect("it is written soon")
    }

    fn subject_hash(&self, subject: &str) -> Option<String> {
        let of = KeyedFor::Subject(self.scope(PRODUCTION));
        Some(self.store.keyed_hash(of, subject.as_bytes()))
    }

    /// Shows a token in production; what the client is told.
    async fn told(&self, token: &str) -> String {
        let answer = self.opens(PRODUCTION, json!({ "token": token })).await;
        answer.code().to_owned()
    }

    /// A token with these claims changed; null takes one out.
    fn token_with(&self, changes: &Value) -> String {
        let mut claims = self.claims("sarah");
        for (name, value) in changes.as_object().unwrap() {
            if value.is_null() {
                claims.remove(name);
            } else {
                claims.insert(name.clone(), value.clone());
            }
        }
        self.signed(PRODUCTION, &claims)
    }

    async fn enforce(&self, enforcement: Enforcement) -> Result<(), StoreError> {
        let scope = self.scope(PRODUCTION);
        let before = self.store.settings(scope).await.unwrap().unwrap();
        let settings = Settings {
            enforcement,
            ..before
        };
        self.store.change_settings(scope, &settings).await?;
        // A running server sees it within a second.
        self.once(async || {
            let path = format!("/v1/agents/{}/production", self.agent);
            let answer = self.send(axum::http::Method::GET, &path, None, None).await;
            (answer.body["enforcement"] == enforcement.as_str()).then_some(())
        })
        .await;
        Ok(())
    }
}

#[tokio::test]
async fn l1_an_accepted_token_is_logged_with_whom_it_let_in() {
    let app = TestApp::new().await;
    let token = app.token_with(&json!({ "iat": app.clock.now().as_second() + 5 }));

    let opened = app.opens(PRODUCTION, json!({ "token": token })).await;

    let entry = app.only_entry().await;
    let attempt = &entry.attempt;
    assert_eq!((attempt.code.as_str(), attempt.attempts), (ACCEPTED, 1));
    assert_eq!(attempt.scope, app.scope(PRODUCTION));
    assert_eq!(attempt.at, app.clock.now());
    assert_eq!(attempt.page_origin.as_deref(), Some(ORIGIN));
    assert_eq!(attempt.key, Some(app.key(PRODUCTION).0.to_string()));
    assert_eq!(attempt.algorithm.as_deref(), Some("HS256"));
    let times = (attempt.age, attempt.lifetime, attempt.skew);
    assert_eq!(times, (Some(-5), Some(595), Some(5)));
    assert_eq!(attempt.subject_hash, app.subject_hash("sarah"));
    let contact = attempt.contact.map(|id| id.to_string());
    assert_eq!(contact.as_deref(), opened.body["contact"]["id"].as_str());
    assert_eq!(entry.contact_name.as_deref(), Some("sarah Example"));
    assert!(attempt.warnings.is_empty());
}

#[tokio::test]
async fn l1_a_refusal_is_logged_with_its_precise_code_whatever_the_client_is_told() {
    let app = TestApp::new().await;
    let (key, _) = app.key(PRODUCTION);
    let claims = Value::Object(app.claims("sarah"));
    let forged = mint_hs256(&[7; 32], Some(&key.to_string()), &claims);
    let hash = app.subject_hash("sarah");
    let expired = json!({ "iat": 1_000, "exp": 1_600 });
    let cases = [
        ("x.y".to_owned(), "invalid_token", "malformed", None),
        (forged, "invalid_token", "bad_signature", None),
        (
            app.token_with(&expired),
            "token_expired",
            "token_expired",
            hash.clone(),
        ),
        (
            app.token_with(&json!({ "email": null })),
            "missing_email",
            "missing_email",
            hash,
        ),
        (
            app.token_with(&json!({ "sub": null })),
            "missing_subject",
            "missing_subject",
            None,
        ),
    ];

    for (n, (token, told, code, subject_hash)) in cases.into_iter().enumerate() {
        assert_eq!(app.told(&token).await, told);

        let entry = app.log(n + 1).await.pop().unwrap();
        assert_eq!(entry.attempt.code, code);
        assert_eq!(entry.attempt.subject_hash, subject_hash, "{code}");
        assert_eq!(entry.attempt.contact, None);
    }
}

#[tokio::test]
async fn l1_what_the_store_decided_is_logged_too() {
    let app = TestApp::new().await;
    let sarah = app.visitor("sarah").await;
    let mismatch = sarah.shows_a_token(&app.token("tom")).await;
    assert_eq!(mismatch.code(), "identity_mismatch");
    let (key, _) = app.key(PRODUCTION);
    let token = app.token("sarah");
    app.store
        .revoke_key(app.scope(PRODUCTION), *key)
        .await
        .unwrap();
    app.told(&token).await;

    let log = app.log(3).await;

    let codes: Vec<&str> = log.iter().map(|it| it.attempt.code.as_str()).collect();
    assert_eq!(codes, [ACCEPTED, "identity_mismatch", "key_revoked"]);
    assert_eq!(log[1].attempt.subject_hash, app.subject_hash("tom"));
    assert_eq!(log[1].attempt.contact, None);
}

#[tokio::test]
async fn l1_an_upgrade_and_a_renewal_are_attempts_and_a_stranger_is_none() {
    let app = TestApp::new().await;
    let stranger = app.stranger().await;
    let risen = stranger.shows_a_token(&app.token("sarah")).await;
    let sarah = super::support::Visitor::of(&app, &risen);
    sarah.shows_a_token(&app.token("sarah")).await;

    let log = app.log(2).await;

    let codes: Vec<&str> = log.iter().map(|it| it.attempt.code.as_str()).collect();
    assert_eq!(codes, [ACCEPTED, ACCEPTED]);
    assert_eq!(log[0].attempt.contact, log[1].attempt.contact);
    assert_eq!(log[1].attempt.page_origin.as_deref(), Some(ORIGIN));
}

#[tokio::test]
async fn l1_a_page_that_may_not_embed_the_chat_is_logged_if_it_showed_a_token() {
    let app = TestApp::new().await;
    let page_origin = "https://other.example";
    let without = json!({ "page_origin": page_origin });
    let with = json!({ "page_origin": page_origin, "token": app.token("sarah") });
    let no_origin =
        json!({ "page_origin": "https://shop.example/?q=1", "token": app.token("sarah") });
    for more in [without, with, no_origin] {
        let answer = app.opens(PRODUCTION, more).await;
        assert_eq!(answer.code(), "origin_not_allowed");
    }

    let log = app.log(2).await;

    let told: Vec<_> = log
        .iter()
        .map(|it| (it.attempt.code.as_str(), it.attempt.page_origin.as_deref()))
        .collect();
    let code = "origin_not_allowed";
    assert_eq!(told, [(code, Some(page_origin)), (code, None)]);
    assert_eq!(log[0].attempt.subject_hash, None, "it was not looked at");
}

#[tokio::test]
async fn l1_nothing_of_a_refused_token_is_kept() {
    const PRIVATE: &str = "Xq7private";
    let app = TestApp::new().await;
    let token = app.token_with(&json!({
        "sub": PRIVATE, "email": format!("{PRIVATE}@example.com"), "name": PRIVATE,
        "plan": PRIVATE, PRIVATE: "x", "exp": 1_000,
    }));
    assert_eq!(app.told(&token).await, "token_expired");

    app.only_entry().await;

    let stored = app.stored_bytes().await;
    let holds = |text: &str| stored.windows(text.len()).any(|it| it == text.as_bytes());
    assert!(holds("token_expired"), "it is in there");
    assert!(!holds(PRIVATE));
    for part in token.split('.') {
        assert!(!holds(part), "{part}");
    }
}

#[tokio::test]
async fn t10_what_was_dropped_of_an_accepted_token_is_logged_by_the_limits_it_was_over() {
    let app = TestApp::new().await;
    let token = app.token_with(&json!({
        "bio": "x".repeat(2_000), "notes": "x".repeat(2_000), "picture": "http://x.example/p",
    }));

    assert_eq!(app.told(&token).await, "");

    let attempt = app.only_entry().await.attempt;
    assert_eq!(attempt.code, ACCEPTED);
    assert_eq!(attempt.warnings, ["not_https", "text_too_long"]);
}

#[tokio::test]
async fn l3_attempts_that_a_limit_turned_away_are_counted() {
    let app = TestApp::with_settings(&[("LIMITS__REFUSED_TOKENS", "1")]).await;
    for _ in 0..4 {
        app.told("x.y").await;
    }

    let counted = async || {
        let filter = VerificationFilter::of(app.agent);
        let log = app.store.verifications(&filter, None, 10).await.unwrap();
        let of = |code: &str| {
            let of = log.iter().filter(|it| it.attempt.code == code);
            of.map(|it| it.attempt.attempts).sum::<u64>()
        };
        let counted = (of("malformed"), of("rate_limited"));
        (counted.0 + counted.1 == 4).then_some(counted)
    };
    assert_eq!(app.once(counted).await, (1, 3));
}

#[tokio::test]
async fn k7_a_staging_token_in_production_is_known_as_one_in_the_log_alone() {
    let app = TestApp::new().await;
    let token = app.signed(STAGING, &app.claims("sarah"));

    let told = app.told(&token).await;

    assert_eq!(told, "invalid_token");
    let attempt = app.only_entry().await.attempt;
    assert_eq!(attempt.code, "wrong_environment");
    assert_eq!(attempt.scope, app.scope(PRODUCTION));
    assert_eq!(attempt.key, Some(app.key(STAGING).0.to_string()));
    assert_eq!(attempt.subject_hash, None);
}

#[tokio::test]
async fn k7_without_a_kid_it_is_known_too_and_a_forgery_is_none() {
    let app = TestApp::new().await;
    let (_, secret) = app.key(STAGING);
    let claims = Value::Object(app.claims("sarah"));
    let of_staging = mint_hs256(secret.expose().as_bytes(), None, &claims);
    let forged = mint_hs256(&[7; 32], None, &claims);

    assert_eq!(app.told(&of_staging).await, "invalid_token");
    app.log(1).await;
    assert_eq!(app.told(&forged).await, "invalid_token");

    let log = app.log(2).await;
    let codes: Vec<&str> = log.iter().map(|it| it.attempt.code.as_str()).collect();
    assert_eq!(codes, ["wrong_environment", "bad_signature"]);
}

#[tokio::test]
async fn k7_only_so_many_refused_tokens_are_explained_in_a_minute() {
    let app = TestApp::with_settings(&[("LIMITS__REFUSED_TOKENS", "0")]).await;
    let token = app.signed(STAGING, &app.claims("sarah"));
    for _ in 0..125 {
        assert_eq!(app.told(&token).await, "invalid_token");
    }

    let log = app.log(125).await;

    let of = |code: &str| log.iter().filter(|it| it.attempt.code == code).count();
    assert_eq!((of("wrong_environment"), of("unknown_key")), (120, 5));
}

#[tokio::test]
async fn k6_a_key_counts_what_it_was_good_for() {
    let app = TestApp::new().await;
    app.visitor("sarah").await;
    app.clock.advance(SignedDuration::from_secs(60));
    app.visitor("tom").await;
    app.told("x.y").await;
    app.log(3).await;

    let usage = app.store.key_usage(app.scope(PRODUCTION)).await.unwrap();

    let expected = KeyUsage {
        key: app.key(PRODUCTION).0.to_string(),
        accepted_today: 2,
        last_used_at: app.clock.now(),
    };
    assert_eq!(usage, [expected]);
}

#[tokio::test]
async fn e1_under_report_what_required_would_have_refused_is_counted() {
    let app = TestApp::new().await;
    app.stranger().await;
    app.enforce(Enforcement::Report).await.unwrap();
    let stranger = app.stranger().await;
    stranger.opens_conversation().await;
    app.stranger().await;
    app.visitor("sarah").await;

    let report = app
        .once(async || {
            let report = app.store.enforcement_report(app.scope(PRODUCTION)).await;
            // Both are written behind, and not in one go.
            Some(report.unwrap()).filter(|it| {
                it.good_token_at.is_some() && it.days.iter().any(|day| day.strangers >= 2)
            })
        })
        .await;

    let days: Vec<_> = report.days.iter().map(|it| it.strangers).collect();
    assert_eq!(days, [2]);
}

#[tokio::test]
async fn e1_a_token_can_be_required_only_after_a_good_one_was_seen() {
    let app = TestApp::new().await;
    app.told("x.y").await;
    app.log(1).await;
    let too_soon = app.enforce(Enforcement::Required).await;
    assert!(matches!(too_soon, Err(StoreError::NoGoodToken)));

    app.visitor("sarah").await;
    app.log(2).await;

    app.enforce(Enforcement::Required).await.unwrap();
    let stranger = app.opens(PRODUCTION, json!({})).await;
    assert_eq!(stranger.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn l1_a_token_that_was_not_read_for_want_of_a_proof_is_in_the_log_and_a_nonce_is_not() {
    let app = TestApp::new().await;
    let scope = app.scope(PRODUCTION);
    let settings = Settings {
        origins: vec![Origin::parse(ORIGIN).unwrap()],
        proof_of_possession: ProofOfPossession::Required,
        ..Settings::default()
    };
    app.store.change_settings(scope, &settings).await.unwrap();
    let browser = Browser::new();
    let token = app.token("sarah");
    let with_key = json!({
        "agent": app.agent.to_string(), "page_origin": ORIGIN, "key": browser.jwk(), "token": token,
    });
    let shown = async |nonce: &str| {
        let proof = browser.proves(&Method::POST, "/v1/sessions", None, nonce);
        let body = Some(with_key.clone());
        app.send_proven(Method::POST, "/v1/sessions", None, body, &[proof])
            .await
    };

    let unbound = app.told(&token).await;
    let other_route = browser.proves(&Method::GET, "/v1/sessions", None, &app.nonce().await);
    let forged = app
        .send_proven(
            Method::POST,
            "/v1/sessions",
            None,
            Some(with_key.clone()),
            &[other_route],
        )
        .await;
    let stale = shown("stale").await;
    let stranger = app.opens(PRODUCTION, json!({})).await;
    let good = shown(&app.nonce().await).await;

    assert_eq!(unbound, "secure_context_needed");
    assert_eq!(forged.code(), "invalid_proof");
    assert_eq!(stale.code(), "use_dpop_nonce");
    assert_eq!(stranger.code(), "secure_context_needed");
    assert_eq!(good.status, StatusCode::CREATED, "{}", good.body);
    let log = app.log(3).await;
    let codes: Vec<_> = log.iter().map(|it| it.attempt.code.as_str()).collect();
    assert_eq!(codes, ["secure_context_needed", "invalid_proof", ACCEPTED]);
    for unread in &log[..2] {
        assert_eq!(unread.attempt.page_origin.as_deref(), Some(ORIGIN));
        assert_eq!(unread.attempt.key, None, "nothing of it was read");
        assert_eq!(unread.attempt.subject_hash, None);
    }
}
