//! K1, K5, K7: secrets, algorithms, which key is tried.

use super::*;

fn set(keys: Vec<Key>) -> Verifier {
    Verifier::new(KeySet::new(keys), policy())
}

fn mint(secret: &[u8], kid: Option<&str>) -> String {
    mint_hs256(secret, kid, &good_claims())
}

fn two_keys() -> Verifier {
    set(vec![key("key_1", SECRET), key("key_2", OTHER_SECRET)])
}

#[test]
fn k1_a_secret_has_the_printed_form() {
    for (kind, prefix) in [
        (SecretKind::Live, "mtd_live_"),
        (SecretKind::Test, "mtd_test_"),
    ] {
        let secret = Secret::generate(kind);

        let text = secret.expose();
        assert!(text.starts_with(prefix), "{text}");
        assert_eq!(text.len(), prefix.len() + 43 + 6);
        assert_eq!(decode_base64url(&text[9..52]).unwrap().len(), 32);
        assert!(text.ends_with(secret.last_four()) && secret.last_four().len() == 4);
        let read = Secret::parse(text).unwrap();
        assert_eq!((read.expose(), read.kind()), (text, kind));
    }
}

#[test]
fn k5_a_secret_is_as_long_as_the_hash_of_its_algorithm() {
    for (algorithm, random, hash) in [
        (Algorithm::Hs256, 43, 32),
        (Algorithm::Hs384, 43, 48),
        (Algorithm::Hs512, 64, 64),
    ] {
        let secret = Secret::generate_for(SecretKind::Test, algorithm).unwrap();

        let text = secret.expose();
        assert_eq!(text.len(), "mtd_test_".len() + random + 6);
        assert!(text.len() >= hash, "{algorithm}");
        assert_eq!(Secret::parse(text).unwrap().expose(), text);
        assert!(Secret::parse(&text[..text.len() - 1]).is_err());
    }
    assert!(Secret::generate_for(SecretKind::Live, Algorithm::Es256).is_none());
}

#[test]
fn k7_where_a_key_is_from_is_told_with_what_it_verified() {
    let verifier = set(vec![
        key("key_1", SECRET).from_source("key_0"),
        key("key_2", OTHER_SECRET),
    ]);

    for (secret, kid, source) in [(SECRET, "key_1", "key_0"), (OTHER_SECRET, "key_2", "key_2")] {
        let verified = verifier.verify(&mint(secret, Some(kid)), NOW).unwrap();

        assert_eq!((verified.key(), verified.source()), (kid, source));
        assert_eq!(verified.trace().source.as_deref(), Some(source));
    }
}

#[test]
fn k1_two_secrets_differ() {
    let one = Secret::generate(SecretKind::Live);
    let other = Secret::generate(SecretKind::Live);

    assert_ne!(one.expose(), other.expose());
}

#[test]
fn k1_a_secret_with_any_character_changed_is_not_one() {
    let secret = Secret::generate(SecretKind::Live);
    let text = secret.expose();
    for at in 0..text.len() {
        let other = if &text[at..=at] == "A" { "B" } else { "A" };
        let changed = format!("{}{other}{}", &text[..at], &text[at + 1..]);

        assert!(Secret::parse(&changed).is_err(), "{at}");
    }
    for cut in 0..text.len() {
        assert_eq!(Secret::parse(&text[..cut]).unwrap_err(), BadSecret::Form);
    }
    assert_eq!(
        Secret::parse(&format!("{text}A")).unwrap_err(),
        BadSecret::Form
    );
    assert_eq!(
        Secret::parse(&format!(" {text}")).unwrap_err(),
        BadSecret::Form
    );
}

#[test]
fn k1_the_checksum_never_changes() {
    // Secrets that are in use must stay readable. Computed with another tool.
    let text = format!("mtd_live_{}H6xyWY", "A".repeat(43));

    assert!(Secret::parse(&text).is_ok());
}

#[test]
fn k1_the_whole_string_is_the_hmac_key() {
    let secret = Secret::generate(SecretKind::Live);
    let verifier = set(vec![key("key_1", secret.expose().as_bytes())]);

    let whole = verifier.verify(&mint(secret.expose().as_bytes(), None), NOW);
    let body = verifier.verify(&mint(&secret.expose().as_bytes()[9..], None), NOW);

    assert!(whole.is_ok());
    assert_eq!(body.unwrap_err().refusal, Refusal::BadSignature);
}

#[test]
fn k1_a_short_or_repetitive_secret_is_weak() {
    let weak = |secret: &[u8]| Key::shared_secret("key_1", secret, Algorithm::Hs256).unwrap_err();

    assert_eq!(weak(&SECRET[..31]), UnusableKey::TooShort { bytes: 31 });
    assert_eq!(weak(b""), UnusableKey::TooShort { bytes: 0 });
    assert_eq!(weak(&[b'x'; 64]), UnusableKey::Repetitive);
    assert_eq!(weak(&[b'x'; 64]).code(), "weak_key");
    assert!(Key::shared_secret("key_1", &SECRET[..32], Algorithm::Hs256).is_ok());
}

#[test]
fn k1_a_token_of_an_imported_secret_needs_an_audience() {
    let verifier = set(vec![key("key_1", SECRET).imported()]);

    let without = verifier.verify(&good_token(), NOW).unwrap_err();
    let with = verifier.verify(&token_with(json!({ "aud": "agt_1" })), NOW);

    assert_eq!(
        without.refusal,
        Refusal::WrongAudience(AudienceFault::Missing)
    );
    assert!(with.is_ok());
}

#[test]
fn k5_no_other_algorithm_than_the_keys_is_allowed() {
    for algorithm in [
        "HS384", "HS512", "RS256", "ES256", "EdDSA", "hs256", "HS256 ", "",
    ] {
        for kid in [r#","kid":"key_1""#, ""] {
            let header = format!(r#"{{"alg":"{algorithm}"{kid}}}"#);
            let refused = refused(&signed(&header, &good_claims().to_string()));
            let expected = Some(Algorithm::Hs256);
            assert_eq!(
                refused.refusal,
                Refusal::AlgorithmNotAllowed { expected },
                "{header}"
            );
        }
    }
}

#[test]
fn k5_none_is_refused_in_any_casing() {
    for algorithm in ["none", "None", "NONE", "nOnE"] {
        for kid in [r#","kid":"key_1""#, ""] {
            let header = format!(r#"{{"alg":"{algorithm}"{kid}}}"#);
            let refused = refused(&signed(&header, &good_claims().to_string()));
            let expected = None;
            assert_eq!(
                refused.refusal,
                Refusal::AlgorithmNotAllowed { expected },
                "{header}"
            );
        }
    }
}

#[test]
fn k6_a_revoked_key_is_refused_whatever_it_signed() {
    let verifier = set(vec![key("key_1", SECRET).state(KeyState::Revoked)]);

    let named = verifier
        .verify(&mint(SECRET, Some("key_1")), NOW)
        .unwrap_err();
    let unnamed = verifier.verify(&mint(SECRET, None), NOW).unwrap_err();

    let refusal = Refusal::KeyRevoked {
        key: "key_1".to_owned(),
        retired_for: None,
    };
    assert_eq!(named.refusal, refusal);
    assert_eq!(named.trace.key.as_deref(), Some("key_1"));
    assert_eq!(unnamed.refusal, Refusal::UnknownKey(KidFault::Absent));
}

#[test]
fn k6_a_retiring_key_counts_until_its_date_and_no_longer() {
    let verifier = set(vec![
        key("key_1", SECRET).state(KeyState::Retiring { until: NOW }),
    ]);
    let token = mint(SECRET, Some("key_1"));
    let unnamed = mint(SECRET, None);

    assert!(verifier.verify(&token, NOW - 1).is_ok());
    assert!(verifier.verify(&unnamed, NOW - 1).is_ok());
    let refused = verifier.verify(&token, NOW).unwrap_err();
    assert_eq!(refused.refusal.code(), "key_revoked");
    assert_eq!(refused.to_string(), "the key `key_1` was retired 0 s ago");
    let refused = verifier.verify(&unnamed, NOW).unwrap_err();
    assert_eq!(refused.refusal.code(), "unknown_key");
}

#[test]
fn k7_a_kid_selects_its_key_and_no_other_is_tried() {
    let verifier = two_keys();

    let right = verifier
        .verify(&mint(OTHER_SECRET, Some("key_2")), NOW)
        .unwrap();
    let wrong = verifier
        .verify(&mint(SECRET, Some("key_2")), NOW)
        .unwrap_err();

    assert_eq!(right.key(), "key_2");
    assert_eq!(wrong.refusal, Refusal::BadSignature);
}

#[test]
fn k7_without_a_kid_every_secret_that_counts_is_tried() {
    let verifier = set(vec![
        key("key_0", SECRET).state(KeyState::Revoked),
        key("key_1", OTHER_SECRET),
        key("key_2", SECRET).state(KeyState::Retiring { until: NOW + 1 }),
    ]);

    assert_eq!(
        verifier.verify(&mint(SECRET, None), NOW).unwrap().key(),
        "key_2"
    );
    assert_eq!(
        verifier
            .verify(&mint(OTHER_SECRET, None), NOW)
            .unwrap()
            .key(),
        "key_1"
    );
    let refused = verifier
        .verify(&mint(b"quite another secret", None), NOW)
        .unwrap_err();
    assert_eq!(refused.refusal, Refusal::BadSignature);
}

#[test]
fn k7_an_unknown_kid_is_an_unknown_key() {
    for kid in ["key_9", "KEY_1", "key_1 ", "", "../key_1"] {
        let refused = two_keys()
            .verify(&mint(SECRET, Some(kid)), NOW)
            .unwrap_err();
        assert_eq!(refused.refusal.code(), "unknown_key", "{kid}");
        assert_eq!(refused.trace.key, None);
    }
}

#[test]
fn k7_a_kid_is_a_text_of_at_most_256_characters() {
    let id = "k".repeat(256);
    let verifier = set(vec![key(&id, SECRET)]);
    assert!(verifier.verify(&mint(SECRET, Some(&id)), NOW).is_ok());

    for kid in [
        format!(r#""{id}k""#),
        "1".to_owned(),
        "null".to_owned(),
        "[]".to_owned(),
    ] {
        let header = format!(r#"{{"alg":"HS256","kid":{kid}}}"#);
        let refused = verifier.verify(&signed(&header, "{}"), NOW).unwrap_err();
        assert_eq!(
            refused.refusal,
            Refusal::Malformed(Malformed::KeyId),
            "{kid}"
        );
    }
    for id in [String::new(), format!("{id}k")] {
        let refused = Key::shared_secret(id, SECRET, Algorithm::Hs256).unwrap_err();
        assert_eq!(refused, UnusableKey::BadId);
    }
}

#[test]
fn k7_an_id_that_two_keys_have_selects_neither() {
    let verifier = set(vec![key("key_1", SECRET), key("key_1", OTHER_SECRET)]);

    let refused = verifier
        .verify(&mint(SECRET, Some("key_1")), NOW)
        .unwrap_err();

    assert_eq!(refused.refusal.code(), "unknown_key");
}

#[test]
fn k7_without_any_key_nothing_is_accepted() {
    let refused = set(vec![]).verify(&mint(SECRET, None), NOW).unwrap_err();

    assert_eq!(refused.refusal, Refusal::UnknownKey(KidFault::Absent));
}

#[test]
fn a_token_of_another_secret_is_a_bad_signature() {
    let refused = refused(&mint(OTHER_SECRET, Some("key_1")));

    assert_eq!(refused.refusal, Refusal::BadSignature);
    assert_eq!(refused.stage, Stage::BeforeSignature);
    assert_eq!(refused.trace.key.as_deref(), Some("key_1"));
}
