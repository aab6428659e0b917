//! What each rule forbids, and what a good token says.

use serde_json::{Value, json};

use super::*;

const NOW: i64 = 1_800_000_000;
const SECRET: &[u8] = b"mtd_test_0123456789012345678901234567890123456789012abcdef";

fn claims() -> Value {
    json!({
        "sub": "user-1", "email": "sarah@shop.example", "name": "Sarah Miller",
        "iat": NOW - 30, "exp": NOW + 570,
    })
}

fn key() -> Key {
    Key::shared_secret("key_1", SECRET, Algorithm::Hs256).unwrap()
}

fn verifier() -> Verifier {
    Verifier::new(KeySet::new(vec![key()]), Policy::new("agt_1"))
}

#[test]
fn a_good_token_is_accepted() {
    let token = mint_hs256(SECRET, Some("key_1"), &claims());

    let verified = verifier().verify(&token, NOW).unwrap();

    assert_eq!(verified.subject(), "user-1");
    assert_eq!(verified.email(), Some("sarah@shop.example"));
    assert_eq!(verified.greeting_name(), Some("Sarah Miller"));
}

#[test]
fn the_published_vectors_verify() {
    assert_eq!(self_test(), Ok(()));
}
