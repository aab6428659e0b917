//! What every library signs is accepted or refused as it should be, and what we
//! sign is read by every library.

use std::time::{SystemTime, UNIX_EPOCH};

use maitred_token::{
    Algorithm, AssertionKey, Attribute, Key, KeySet, Policy, Refused, Scalar, Verified, Verifier,
    mint_hs256,
};
use serde_json::{Value, json};

use crate::keys::{Pair, SECRET, pair};
use crate::peer::{self, Job, Peer};

const AUDIENCE: &str = "agt_1";

/// The libraries read the system's clock, so this must, too.
#[expect(
    clippy::disallowed_methods,
    reason = "the other libraries check against the system's clock"
)]
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    since.as_secs().try_into().unwrap()
}

fn claims() -> Value {
    json!({
        "sub": "user-1", "email": "zoë@shop.example", "name": "Zoë Łukasz \u{1f98a}",
        "aud": AUDIENCE, "iat": now() - 5, "exp": now() + 595,
        "plan": "pro \"plus\"", "seats": 12, "ratio": 0.25, "beta": true, "tags": ["a", "b/c"],
    })
}

/// Good claims with these members put in; null takes one out.
fn claims_with(changes: Value) -> Value {
    let mut claims = claims();
    let members = claims.as_object_mut().unwrap();
    for (claim, value) in changes.as_object().unwrap() {
        members.insert(claim.clone(), value.clone());
    }
    members.retain(|_, value| !value.is_null());
    claims
}

/// The key whose id is the algorithm's name.
fn key_for(algorithm: Algorithm) -> Key {
    match pair(algorithm) {
        None => Key::shared_secret(algorithm.name(), SECRET.as_bytes(), algorithm),
        Some(pair) => Key::public(algorithm.name(), &pair.public(), algorithm),
    }
    .unwrap()
}

/// With one key of each algorithm.
fn verify(token: &str) -> Result<Verified, Refused> {
    let keys = Algorithm::ALL.into_iter().map(key_for).collect();
    Verifier::new(KeySet::new(keys), Policy::new(AUDIENCE)).verify(token, now())
}

/// Everything that was signed has arrived as it was.
fn assert_is_whole(verified: &Verified, algorithm: Algorithm) {
    assert_eq!(verified.key(), algorithm.name());
    assert_eq!(verified.subject(), "user-1");
    assert_eq!(verified.email(), Some("zoë@shop.example"));
    assert_eq!(verified.name(), Some("Zoë Łukasz \u{1f98a}"));
    let a_quarter = serde_json::Number::from_f64(0.25).unwrap();
    let expected = [
        ("beta", Attribute::Flag(true)),
        ("plan", Attribute::Text("pro \"plus\"".to_owned())),
        ("ratio", Attribute::Number(a_quarter)),
        ("seats", Attribute::Number(12.into())),
        (
            "tags",
            Attribute::List(["a", "b/c"].map(|tag| Scalar::Text(tag.to_owned())).into()),
        ),
    ];
    let attributes = verified.attributes().iter();
    let attributes: Vec<_> = attributes
        .map(|(name, it)| (name.as_str(), it.clone()))
        .collect();
    assert_eq!(attributes, expected);
    assert_eq!(verified.warnings(), []);
}

/// What a backend can get wrong with any library, and the code that it reads then.
fn mistakes() -> Vec<(Value, &'static str)> {
    let now = now();
    vec![
        (
            json!({ "exp": now - 61, "iat": now - 600 }),
            "token_expired",
        ),
        (json!({ "exp": null }), "missing_expiry"),
        (json!({ "exp": now * 1000 }), "invalid_time"),
        (json!({ "exp": now + 7200 }), "lifetime_too_long"),
        (json!({ "iat": now + 300 }), "issued_in_future"),
        (json!({ "nbf": now + 300 }), "not_yet_valid"),
        (json!({ "aud": "agt_2" }), "wrong_audience"),
        (json!({ "aud": ["agt_1/staging"] }), "wrong_audience"),
        (json!({ "sub": null }), "missing_subject"),
        (json!({ "sub": " user-1" }), "invalid_subject"),
        (json!({ "user_id": "user-2" }), "conflicting_subject"),
        (json!({ "email": null }), "missing_email"),
        (json!({ "email": "nobody" }), "invalid_email"),
        (json!({ "act": { "sub": "" } }), "actor_not_allowed"),
    ]
}

fn its_tokens_are_accepted(peer: &Peer) {
    let jobs = peer
        .algorithms
        .iter()
        .map(|algorithm| Job::sign(*algorithm, &claims()));

    let tokens = peer.tokens(jobs);

    for (algorithm, token) in peer.algorithms.iter().zip(tokens) {
        let verified = verify(&token).unwrap_or_else(|refused| panic!("{algorithm}: {refused}"));
        assert_is_whole(&verified, *algorithm);
    }
}

fn its_users_mistakes_are_named(peer: &Peer) {
    let mistakes = mistakes();
    let jobs = mistakes
        .iter()
        .map(|(changes, _)| Job::sign(Algorithm::Hs256, &claims_with(changes.clone())));

    let tokens = peer.tokens(jobs);

    for ((changes, code), token) in mistakes.iter().zip(tokens) {
        let refused = verify(&token).unwrap_err();
        assert_eq!(refused.refusal.code(), *code, "{changes}");
    }
}

fn its_forgeries_are_refused(peer: &Peer) {
    let other_secret = SECRET.replace("mtd_test_", "mtd_live_");
    let mut jobs = vec![
        Job::sign(Algorithm::Hs256, &claims()).with_secret(&other_secret),
        Job::sign(Algorithm::Hs256, &claims()).with_kid("key_9"),
        // The key decides the algorithm, whatever is signed with it.
        Job::sign(Algorithm::Hs512, &claims()).with_kid("HS256"),
        Job::unsigned(&claims()),
    ];
    let mut codes = vec![
        "bad_signature",
        "unknown_key",
        "algorithm_not_allowed",
        "malformed",
    ];
    for algorithm in peer.algorithms {
        if pair(*algorithm).is_some() {
            jobs.push(Job::sign(*algorithm, &claims()).with_pair(&Pair::other(*algorithm)));
            codes.push("bad_signature");
        }
    }

    let tokens = peer.tokens(jobs);

    for (code, token) in codes.iter().zip(tokens) {
        let refused = verify(&token).unwrap_err();
        assert_eq!(refused.refusal.code(), *code, "{token}");
    }
}

/// The public key, which everybody has, used as a secret.
fn a_public_key_is_no_secret_for_it_either(peer: &Peer) {
    let public = &pair(Algorithm::Rs256).unwrap().public_pem;
    let job = Job::sign(Algorithm::Hs256, &claims());

    let answer = peer
        .answers([job.with_secret(public).with_kid("RS256")])
        .remove(0);

    // Some libraries refuse to make such a token at all.
    assert_eq!(
        answer.get("error").is_some(),
        peer.refuses_pem_as_secret,
        "{answer}"
    );
    if let Some(token) = answer["token"].as_str() {
        let refused = verify(token).unwrap_err();
        assert_eq!(refused.refusal.code(), "algorithm_not_allowed");
    }
}

fn it_reads_what_we_sign(peer: &Peer) {
    let mut claims = claims();
    // Whom a token is for is for the receiver to ask, and the libraries differ in how.
    claims.as_object_mut().unwrap().remove("aud");
    let token = mint_hs256(SECRET.as_bytes(), Some("HS256"), &claims);
    let mut jobs = vec![
        Job::verify_secret(&token),
        Job::verify_secret(&with_another_signature(&token)),
    ];
    if peer.algorithms.contains(&Algorithm::EdDsa) {
        let (key, _) = AssertionKey::generate();
        let assertion = key.sign("maitred-action+jwt", &claims);
        jobs.push(Job::verify_assertion(&assertion, &key));
        jobs.push(Job::verify_assertion(
            &with_another_signature(&assertion),
            &key,
        ));
    }

    let answers = peer.answers(jobs);

    for answers in answers.chunks(2) {
        assert_eq!(answers[0]["claims"], claims, "{}", answers[0]);
        assert!(answers[1].get("error").is_some(), "{}", answers[1]);
    }
}

// K5
#[test]
fn a_pss_signature_with_another_salt_length_than_the_hashs_is_refused() {
    let job = Job::sign(Algorithm::Ps256, &claims());

    let token = peer::ERLANG_JOSE.tokens([job]).remove(0);

    // RFC 7518, section 3.5. The other libraries refuse it, too.
    assert_eq!(verify(&token).unwrap_err().refusal.code(), "bad_signature");
    let jwk = pair(Algorithm::Ps256).unwrap().public().to_jwk();
    let answer = peer::PYJWT.answers([Job::verify(Algorithm::Ps256, &jwk, &token)]);
    assert!(answer[0].get("error").is_some(), "{}", answer[0]);
}

/// With another character in the middle of its signature.
fn with_another_signature(token: &str) -> String {
    let at = (token.rfind('.').unwrap() + token.len()) / 2;
    let other = if token.as_bytes()[at] == b'A' {
        "B"
    } else {
        "A"
    };
    format!("{}{other}{}", &token[..at], &token[at + 1..])
}

macro_rules! peers {
    ($($name:ident: $peer:expr,)+) => {$(
        mod $name {
            use crate::peer;

            // K5, T1
            #[test]
            fn its_tokens_are_accepted() {
                super::its_tokens_are_accepted(&$peer);
            }

            // T4, T5, T6, T7, T8
            #[test]
            fn its_users_mistakes_are_named() {
                super::its_users_mistakes_are_named(&$peer);
            }

            // K5, K7
            #[test]
            fn its_forgeries_are_refused() {
                super::its_forgeries_are_refused(&$peer);
            }

            // K5
            #[test]
            fn a_public_key_is_no_secret_for_it_either() {
                super::a_public_key_is_no_secret_for_it_either(&$peer);
            }

            // I4
            #[test]
            fn it_reads_what_we_sign() {
                super::it_reads_what_we_sign(&$peer);
            }
        }
    )+};
}

peers! {
    jose_for_javascript: peer::JOSE,
    fast_jwt_for_javascript: peer::FAST_JWT,
    jsonwebtoken_for_javascript: peer::JSONWEBTOKEN,
    pyjwt_for_python: peer::PYJWT,
    ruby_jwt_for_ruby: peer::RUBY_JWT,
    crypt_jwt_for_perl: peer::CRYPT_JWT,
    erlang_jose_for_erlang: peer::ERLANG_JOSE,
    golang_jwt_for_go: peer::GOLANG_JWT,
    libjwt_for_c: peer::LIBJWT,
}
