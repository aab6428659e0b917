//! What holds for any input.

use proptest::prelude::*;

use super::*;

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..6)
                .prop_map(|members| members.into_iter().collect()),
        ]
    })
}

fn a_claim() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "sub",
        "user_id",
        "external_id",
        "email",
        "email_verified",
        "exp",
        "nbf",
        "iat",
        "aud",
        "iss",
        "jti",
        "name",
        "picture",
        "auth_time",
        "act",
        "plan",
    ])
}

fn an_attribute() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1e300..1e300_f64).prop_map(Value::from),
        "[^\\x00]{0,200}".prop_map(Value::from),
    ];
    prop_oneof![
        scalar.clone(),
        prop::collection::vec(scalar, 0..=20).prop_map(Value::from),
    ]
}

fn to_json(attribute: Attribute) -> Value {
    match attribute {
        Attribute::Text(text) => text.into(),
        Attribute::Number(number) => number.into(),
        Attribute::Flag(flag) => flag.into(),
        Attribute::List(items) => items
            .into_iter()
            .map(|item| match item {
                Scalar::Text(text) => Value::from(text),
                Scalar::Number(number) => number.into(),
                Scalar::Flag(flag) => flag.into(),
            })
            .collect(),
    }
}

fn a_member() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "kty", "crv", "n", "e", "x", "y", "use", "key_ops", "alg", "kid", "d", "keys", "x5c",
    ])
}

#[test]
fn any_bit_of_a_good_token_flipped_is_refused() {
    let verifier = verifier();
    for kid in [Some("key_1"), None] {
        let good = mint_hs256(SECRET, kid, &good_claims());
        assert!(verifier.verify(&good, NOW).is_ok());
        for bit in 0..good.len() * 8 {
            let mut bytes = good.clone().into_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            // What is no longer UTF-8 cannot even be handed over.
            let Ok(flipped) = String::from_utf8(bytes) else {
                continue;
            };
            assert!(verifier.verify(&flipped, NOW).is_err(), "bit {bit}");
        }
    }
}

#[test]
fn any_bit_of_the_decoded_parts_flipped_is_refused() {
    let verifier = verifier();
    let good = good_token();
    let parts: Vec<Vec<u8>> = good
        .split('.')
        .map(|part| decode_base64url(part).unwrap())
        .collect();
    for part in 0..3 {
        for bit in 0..parts[part].len() * 8 {
            let mut parts = parts.clone();
            parts[part][bit / 8] ^= 1 << (bit % 8);
            let encoded: Vec<String> = parts.iter().map(|part| base64url(part)).collect();
            assert!(
                verifier.verify(&encoded.join("."), NOW).is_err(),
                "bit {bit} of {part}"
            );
        }
    }
}

proptest! {
    #[test]
    fn no_text_panics_or_is_accepted(token in any::<String>()) {
        prop_assert!(verifier().verify(&token, NOW).is_err());
    }

    #[test]
    fn no_text_of_the_right_form_panics_or_is_accepted(
        token in r"[A-Za-z0-9_-]{0,40}\.[A-Za-z0-9_-]{0,40}\.[A-Za-z0-9_-]{0,43}",
        now in any::<i64>(),
    ) {
        prop_assert!(verifier().verify(&token, now).is_err());
    }

    #[test]
    fn no_header_panics_or_lets_a_forgery_through(header in any_json(), claims in any_json()) {
        let parts = [header.to_string(), claims.to_string()].map(|part| base64url(part.as_bytes()));
        let forged = format!("{}.{}", parts.join("."), base64url(&[0; 32]));
        prop_assert!(verifier().verify(&forged, NOW).is_err());
    }

    #[test]
    fn no_signed_bytes_panic(claims in prop::collection::vec(any::<u8>(), 1..200)) {
        let message = format!("{}.{}", base64url(HEADER.as_bytes()), base64url(&claims));
        let refused = verifier().verify(&sign(&message), NOW).unwrap_err();
        prop_assert_eq!(refused.stage, Stage::AfterSignature);
    }

    #[test]
    fn no_signed_claim_panics(claim in a_claim(), value in any_json(), now in any::<i64>()) {
        let token = token_with(json!({ claim: value }));
        for now in [now, NOW] {
            match verifier().verify(&token, now) {
                Ok(verified) => prop_assert!(!verified.subject().is_empty()),
                Err(refused) => {
                    prop_assert!(!refused.to_string().is_empty());
                    prop_assert!(!refused.refusal.hint().is_empty());
                }
            }
        }
    }

    #[test]
    fn a_cut_token_is_refused(length in 0_usize..1000) {
        let good = good_token();
        prop_assume!(length < good.len());
        prop_assert!(verifier().verify(&good[..length], NOW).is_err());
    }

    #[test]
    fn a_subject_is_what_was_signed(subject in "[^\\p{C}\\p{Z}]{1,60}") {
        let token = token_with(json!({ "sub": subject }));
        let verified = verified(&token);
        prop_assert_eq!(verified.subject(), subject);
    }

    #[test]
    fn base64url_is_read_back_and_only_in_one_form(
        bytes in prop::collection::vec(any::<u8>(), 0..80),
        text in "[A-Za-z0-9_-]{0,20}",
    ) {
        prop_assert_eq!(decode_base64url(&base64url(&bytes)), Ok(bytes));
        if let Ok(bytes) = decode_base64url(&text) {
            prop_assert_eq!(base64url(&bytes), text);
        }
    }

    #[test]
    fn a_kid_selects_the_key_of_which_it_is_the_id(kid in any::<String>()) {
        prop_assume!((1..=256).contains(&kid.chars().count()) && !kid.contains('\0'));
        let keys = vec![key("other", OTHER_SECRET), key(&kid, SECRET)];
        let token = mint_hs256(SECRET, Some(&kid), &good_claims());
        let verified = Verifier::new(KeySet::new(keys), policy()).verify(&token, NOW);
        prop_assert_eq!(verified.unwrap().key().to_owned(), kid);
    }

    #[test]
    fn an_attribute_is_what_was_signed(value in an_attribute()) {
        let verified = verified(&token_with(json!({ "plan": value })));
        let attribute = verified.attributes()["plan"].clone();
        prop_assert_eq!(to_json(attribute), value);
    }

    #[test]
    fn no_text_is_a_key_or_panics(text in any::<String>(), der in prop::collection::vec(any::<u8>(), 0..80)) {
        prop_assert!(PublicKey::parse(&text).is_err());
        for label in ["PUBLIC KEY", "CERTIFICATE"] {
            prop_assert!(PublicKey::parse(&pairs::pem(label, &der)).is_err());
        }
    }

    #[test]
    fn no_member_of_a_jwk_panics(member in a_member(), value in any_json()) {
        for pair in [&*pairs::RSA, &*pairs::P256, &*pairs::ED25519] {
            let mut jwk = pair.jwk();
            jwk[member] = value.clone();
            if let Ok(key) = PublicKey::parse(&jwk.to_string()) {
                prop_assert_eq!(PublicKey::parse(&key.to_jwk().to_string()).unwrap().to_jwk(), key.to_jwk());
            }
            let terms = SetTerms {
                issuer: "https://id.example".to_owned(),
                audiences: vec!["client".to_owned()],
                rsa: Algorithm::Rs256,
            };
            let set = json!({ "keys": [jwk, value.clone()] }).to_string();
            if let Ok(found) = KeySet::from_jwks(set.as_bytes(), &terms) {
                prop_assert_eq!(found.keys.len() + found.skipped.len(), 2);
            }
        }
    }

    #[test]
    fn the_checker_says_what_the_verifier_says(claim in a_claim(), value in any_json()) {
        let token = token_with(json!({ claim: value }));
        prop_assert_eq!(verifier().explain(&token, NOW).verdict, verifier().verify(&token, NOW));
    }
}
