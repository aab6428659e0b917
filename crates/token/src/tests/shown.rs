//! What is shown of keys, refusals and claims: names and sentences that people
//! read, and nothing in the place of a secret.

use super::pairs::ED25519;
use super::*;

#[test]
fn debug_output_still_says_what_it_is_of() {
    let secret = Secret::generate(SecretKind::Live);
    let public = ED25519.public();
    let public_key = Key::public("key_1", &public, Algorithm::EdDsa).unwrap();

    assert_eq!(format!("{secret:?}"), "Secret(mtd_live_[redacted])");
    assert!(format!("{:?}", key("key_1", SECRET)).contains("material: [redacted]"));
    let fingerprint = format!("material: {}", public.fingerprint());
    assert!(format!("{public_key:?}").contains(&fingerprint));
    let verified = verified(&good_token());
    let trace = format!("Verified {{ trace: {:?}, .. }}", verified.trace());
    assert_eq!(format!("{verified:?}"), trace);
}

#[test]
fn attributes_are_written_as_people_read_them() {
    let token = token_with(json!({
        "plan": "pro", "seats": 12, "beta": true, "tags": ["a", 2, false], "none": [],
    }));

    let written: Vec<String> = verified(&token)
        .attributes()
        .values()
        .map(Attribute::to_string)
        .collect();

    assert_eq!(written, ["true", "", "pro", "12", "a,2,false"]);
}

#[test]
fn an_optional_claim_that_is_empty_is_as_good_as_none() {
    let verified = verified(&token_with(json!({ "given_name": "", "locale": "" })));

    assert_eq!((verified.given_name(), verified.locale()), (None, None));
    assert_eq!(verified.greeting_name(), Some("Sarah Miller"));
    assert_eq!(verified.warnings(), []);
}

#[test]
fn t5_the_texts_true_and_false_are_no_reason_to_warn() {
    for claim in ["true", "false"] {
        let verified = verified(&token_with(json!({ "email_verified": claim })));

        assert_eq!(verified.email_verified(), claim == "true");
        assert_eq!(verified.warnings(), []);
    }
}

#[test]
fn a_clock_that_is_right_has_no_skew() {
    for (iat, skew) in [(NOW - 1, None), (NOW, None), (NOW + 1, Some(1))] {
        assert_eq!(
            verified(&token_with(json!({ "iat": iat }))).trace().skew,
            skew
        );
    }
}

#[test]
fn the_keys_of_a_set_are_those_that_were_given() {
    let keys = KeySet::new(vec![key("key_1", SECRET), key("key_2", OTHER_SECRET)]);

    let ids: Vec<&str> = keys.iter().map(Key::id).collect();

    assert_eq!(ids, ["key_1", "key_2"]);
}

#[test]
fn checks_have_stable_names() {
    let names = Check::ALL.map(|check| check.to_string());

    let expected = [
        "form",
        "header",
        "key",
        "algorithm",
        "signature",
        "claims",
        "times",
        "audience",
        "issuer",
        "subject",
        "email",
        "actor",
        "token_id",
    ];
    assert_eq!(names, expected);
}

#[test]
fn a_refusal_says_what_and_how_to_mend_it() {
    for (token, message, hint) in [
        (
            signed(r#"{"alg":"HS512","kid":"key_1"}"#, "{}"),
            "the token's `alg` is not `HS256`, the key's",
            "tell your JWT library to sign with `HS256`",
        ),
        (
            signed(r#"{"alg":"none"}"#, "{}"),
            "the token's `alg` is not one that signs",
            "a token without a signature proves nothing: sign it",
        ),
        (
            good_token().replacen("eyJ", "e!J", 1),
            "the token is malformed: the header is not base64url without padding",
            "pass on exactly what your JWT library returned, as one string",
        ),
        (
            signed(HEADER, "[]"),
            "the token is malformed: the part with the claims is not a JSON object",
            "pass on exactly what your JWT library returned, as one string",
        ),
        (
            format!("{}=", good_token()),
            "the token is malformed: the signature is not base64url without padding",
            "pass on exactly what your JWT library returned, as one string",
        ),
        (
            token_with(json!({ "exp": NOW + 5_400 })),
            "the token is good for 90 min, and at most 60 min is allowed",
            "set `exp` to at most 60 min after `iat`",
        ),
    ] {
        let refused = refused(&token);

        assert_eq!(refused.to_string(), message);
        assert_eq!(refused.refusal.hint(), hint);
    }
}
