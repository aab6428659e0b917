//! What each rule forbids, by the rule's number, and what a good token says.

mod algorithms;
mod claims;
mod der;
mod explain;
mod form;
mod keys;
mod mint;
mod optional;
mod pairs;
mod possession;
mod properties;
mod public_keys;
mod sets;
mod shown;

use aws_lc_rs::hmac;
use serde_json::{Value, json};

use super::*;

const NOW: i64 = 1_800_000_000;
const SECRET: &[u8] = b"mtd_test_0123456789012345678901234567890123456789012abcdef";
const OTHER_SECRET: &[u8] = b"mtd_test_9876543210987654321098765432109876543210987fedcba";
const HEADER: &str = r#"{"alg":"HS256","typ":"JWT","kid":"key_1"}"#;

fn good_claims() -> Value {
    json!({
        "sub": "user-1", "email": "sarah@shop.example", "name": "Sarah Miller",
        "iat": NOW - 30, "exp": NOW + 570,
    })
}

/// Good claims with these members put in; null takes one out.
fn claims_with(changes: Value) -> Value {
    let mut claims = good_claims();
    let Value::Object(changes) = changes else {
        panic!("changes are an object")
    };
    for (claim, value) in changes {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(&claim);
        } else {
            claims[claim] = value;
        }
    }
    claims
}

/// A token of exactly these texts, with a good signature.
fn signed(header: &str, claims: &str) -> String {
    let message = format!(
        "{}.{}",
        base64url(header.as_bytes()),
        base64url(claims.as_bytes())
    );
    sign(&message)
}

fn sign(message: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET);
    let signature = hmac::sign(&key, message.as_bytes());
    format!("{message}.{}", base64url(signature.as_ref()))
}

fn good_token() -> String {
    mint_hs256(SECRET, Some("key_1"), &good_claims())
}

fn token_with(changes: Value) -> String {
    mint_hs256(SECRET, Some("key_1"), &claims_with(changes))
}

fn key(id: &str, secret: &[u8]) -> Key {
    Key::shared_secret(id, secret, Algorithm::Hs256).unwrap()
}

fn policy() -> Policy {
    Policy::new("agt_1")
}

fn verifier() -> Verifier {
    Verifier::new(KeySet::new(vec![key("key_1", SECRET)]), policy())
}

fn verifier_with(policy: Policy) -> Verifier {
    Verifier::new(KeySet::new(vec![key("key_1", SECRET)]), policy)
}

fn verified(token: &str) -> Verified {
    verifier().verify(token, NOW).unwrap()
}

fn refused(token: &str) -> Refused {
    verifier().verify(token, NOW).unwrap_err()
}

/// Why a token with these claims is refused, after its signature was found good.
fn refusal(changes: Value) -> Refusal {
    let refused = refused(&token_with(changes));
    assert_eq!(refused.stage, Stage::AfterSignature);
    refused.refusal
}

#[test]
fn a_good_token_is_accepted() {
    let token = token_with(json!({ "jti": "j-1", "plan": "pro" }));

    let verified = verified(&token);

    assert_eq!(verified.subject(), "user-1");
    assert_eq!(verified.email(), Some("sarah@shop.example"));
    assert!(verified.email_verified());
    assert_eq!(verified.name(), Some("Sarah Miller"));
    assert_eq!(verified.key(), "key_1");
    assert_eq!(verified.issued_at(), Some(NOW - 30));
    assert_eq!(verified.expires_at(), NOW + 570);
    assert_eq!(verified.jti(), Some("j-1"));
    assert_eq!(verified.actor(), None);
    assert_eq!(verified.warnings(), []);
    let attributes: Vec<_> = verified.attributes().iter().collect();
    assert_eq!(
        attributes,
        [(&"plan".to_owned(), &Attribute::Text("pro".to_owned()))]
    );
    let trace = Trace {
        key: Some("key_1".to_owned()),
        source: Some("key_1".to_owned()),
        algorithm: Some(Algorithm::Hs256),
        age: Some(30),
        lifetime: Some(600),
        skew: None,
    };
    assert_eq!(verified.trace(), &trace);
}

#[test]
fn l1_a_refusal_knows_whom_it_is_about_once_the_signature_was_good() {
    let about = |token: &str| refused(token).signed_subject().map(str::to_owned);

    for changes in [
        json!({ "exp": NOW - 3_600, "iat": NOW - 4_000 }),
        json!({ "aud": "agt_2" }),
        json!({ "email": null }),
        json!({ "act": 1 }),
    ] {
        let token = token_with(changes);
        assert_eq!(about(&token).as_deref(), Some("user-1"), "{token}");
    }
    assert_eq!(about(&token_with(json!({ "sub": null }))), None);
    assert_eq!(about(&token_with(json!({ "user_id": "user-2" }))), None);
}

#[test]
fn t12_a_refusal_knows_nobody_before_the_signature_was_good() {
    let forged = mint_hs256(OTHER_SECRET, Some("key_1"), &good_claims());
    let of_no_key = mint_hs256(SECRET, Some("key_2"), &good_claims());

    for token in [forged, of_no_key] {
        assert_eq!(refused(&token).signed_subject(), None);
    }
}

#[test]
fn nothing_a_token_says_is_repeated_in_its_refusal() {
    const PRIVATE: &str = "Xq7private";
    let texts = [
        token_with(json!({ "sub": format!(" {PRIVATE}") })),
        token_with(json!({ "sub": PRIVATE, "user_id": format!("{PRIVATE}2") })),
        token_with(json!({ "email": PRIVATE })),
        token_with(json!({ "aud": PRIVATE })),
        token_with(json!({ "exp": PRIVATE })),
        token_with(json!({ "act": PRIVATE })),
        token_with(json!({ "sub": PRIVATE, "exp": 1 })),
        signed(&format!(r#"{{"alg":"{PRIVATE}"}}"#), "{}"),
        signed(&format!(r#"{{"alg":"HS256","typ":"{PRIVATE}"}}"#), "{}"),
        signed(&format!(r#"{{"alg":"HS256","kid":"{PRIVATE} <"}}"#), "{}"),
        signed(HEADER, &format!(r#"{{"{PRIVATE}":1,"{PRIVATE}":2}}"#)),
        format!("{PRIVATE}.{PRIVATE}"),
    ];

    for token in texts {
        let refused = refused(&token);

        let hint = refused.refusal.hint();
        let told = format!("{refused} {hint} {refused:?}");
        assert!(!told.contains(PRIVATE), "{told}");
    }
}

#[test]
fn debug_output_holds_no_secret_and_no_claim() {
    let generated = Secret::generate(SecretKind::Live);
    let verified = verified(&token_with(json!({ "plan": "pro" })));

    let told = format!("{:?} {generated:?} {verified:?}", verifier());

    let secret = str::from_utf8(SECRET).unwrap();
    let bytes = format!("{SECRET:?}");
    for private in [
        secret,
        &bytes,
        &generated.expose()[9..],
        "user-1",
        "sarah@",
        "Miller",
        "pro",
    ] {
        assert!(!told.contains(private), "{private} in {told}");
    }
}
