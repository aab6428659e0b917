//! K4, K5, K7, T2: the sets that identity providers publish.

use super::pairs::{ED25519, OTHER_P256, P256, Pair, RSA, sign_as, sign_with};
use super::*;

const ISSUER: &str = "https://id.shop.example";

fn terms() -> SetTerms {
    SetTerms {
        issuer: ISSUER.to_owned(),
        audiences: vec!["client-7".to_owned()],
        rsa: Algorithm::Rs256,
    }
}

fn named(pair: &Pair, kid: &str) -> Value {
    let mut jwk = pair.jwk();
    jwk["kid"] = kid.into();
    jwk
}

fn fetched(keys: Value) -> FetchedKeys {
    let text = json!({ "keys": keys }).to_string();
    KeySet::from_jwks(text.as_bytes(), &terms()).unwrap()
}

fn refused_set(text: impl ToString) -> BadKeySet {
    KeySet::from_jwks(text.to_string().as_bytes(), &terms()).unwrap_err()
}

fn verifier_of(keys: Vec<Key>) -> Verifier {
    Verifier::new(KeySet::new(keys), policy())
}

fn claims() -> Value {
    claims_with(json!({ "iss": ISSUER, "aud": "client-7" }))
}

/// A token of this pair, by ES256.
fn token_of(pair: &Pair, kid: Option<&str>, claims: &Value) -> String {
    let header = match kid {
        Some(kid) => json!({ "alg": "ES256", "kid": kid }),
        None => json!({ "alg": "ES256" }),
    };
    sign_with(Some(pair), Algorithm::Es256, &header, claims)
}

fn skipped(position: usize, kid: Option<&str>, why: UnusableKey) -> SkippedKey {
    let kid = kid.map(str::to_owned);
    SkippedKey { position, kid, why }
}

#[test]
fn k4_an_odd_key_of_a_set_is_skipped_and_the_others_serve() {
    let encryption =
        json!({ "kty": "RSA", "use": "enc", "kid": "enc-1", "n": RSA.jwk()["n"], "e": "AQAB" });
    let future = json!({ "kty": "AKP", "alg": "ML-DSA-44", "pub": "AA", "kid": "<b>" });
    let set = fetched(json!([
        encryption,
        named(&P256, "p-1"),
        future,
        7,
        named(&RSA, "r-1")
    ]));

    let ids: Vec<&str> = set.keys.iter().map(Key::id).collect();
    assert_eq!(ids, ["p-1", "r-1"]);
    let expected = [
        skipped(0, Some("enc-1"), UnusableKey::NotForSignatures),
        skipped(2, None, UnusableKey::UnknownKind),
        skipped(3, None, UnusableKey::NotAKey),
    ];
    assert_eq!(set.skipped, expected);
    let token = token_of(&P256, Some("p-1"), &claims());
    assert!(verifier_of(set.keys).verify(&token, NOW).is_ok());
}

#[test]
fn k4_an_rsa_key_without_alg_has_the_one_that_was_chosen_and_others_their_own() {
    let mut stated = named(&RSA, "r-2");
    stated["alg"] = "PS512".into();
    let set = fetched(json!([named(&RSA, "r-1"), stated, named(&ED25519, "e-1")]));

    let algorithms: Vec<Algorithm> = set.keys.iter().map(Key::algorithm).collect();
    assert_eq!(
        algorithms,
        [Algorithm::Rs256, Algorithm::Ps512, Algorithm::EdDsa]
    );
}

#[test]
fn k5_a_set_with_a_private_or_symmetric_key_is_refused_whole() {
    for member in ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"] {
        let mut leaked = named(&RSA, "r-1");
        leaked[member] = "AQAB".into();
        let refused = refused_set(json!({ "keys": [named(&P256, "p-1"), leaked] }));
        assert_eq!(
            (refused, refused.code()),
            (BadKeySet::Private, "private_key_refused")
        );
    }
    let symmetric = json!({ "keys": [named(&P256, "p-1"), { "kty": "oct" }] });
    assert_eq!(refused_set(symmetric), BadKeySet::Private);
}

#[test]
fn k4_a_text_that_is_no_set_is_refused() {
    for text in [
        "",
        "[]",
        "{}",
        r#"{"keys":{}}"#,
        r#"{"keys":[],"keys":[]}"#,
        "<html>",
    ] {
        assert_eq!(refused_set(text), BadKeySet::NotASet, "{text}");
    }
    assert!(fetched(json!([])).keys.is_empty());
}

#[test]
fn k4_a_set_is_not_read_without_issuer_and_audience() {
    let text = json!({ "keys": [named(&P256, "p-1")] }).to_string();
    for (issuer, audiences) in [("", vec!["client-7"]), (ISSUER, vec![]), (ISSUER, vec![""])] {
        let terms = SetTerms {
            issuer: issuer.to_owned(),
            audiences: audiences.into_iter().map(str::to_owned).collect(),
            rsa: Algorithm::Rs256,
        };
        let refused = KeySet::from_jwks(text.as_bytes(), &terms).unwrap_err();
        assert_eq!(refused, BadKeySet::NoTerms);
    }
}

#[test]
fn k4_a_token_of_a_set_needs_the_issuer_and_an_audience() {
    let verifier = verifier_of(fetched(json!([named(&P256, "p-1")])).keys);
    let refusal = |changes| {
        let claims = claims_with(changes);
        let token = token_of(&P256, Some("p-1"), &claims);
        verifier
            .verify(&token, NOW)
            .map_err(|refused| refused.refusal)
    };

    assert!(refusal(json!({ "iss": ISSUER, "aud": "client-7" })).is_ok());
    assert!(refusal(json!({ "iss": ISSUER, "aud": "agt_1" })).is_ok());
    for (changes, fault) in [
        (
            json!({ "aud": "client-7" }),
            Refusal::WrongIssuer(IssuerFault::Missing),
        ),
        (
            json!({ "iss": "https://evil.example", "aud": "client-7" }),
            Refusal::WrongIssuer(IssuerFault::SomeoneElse),
        ),
        (
            json!({ "iss": ISSUER }),
            Refusal::WrongAudience(AudienceFault::Missing),
        ),
        (
            json!({ "iss": ISSUER, "aud": "client-8" }),
            Refusal::WrongAudience(AudienceFault::SomeoneElse),
        ),
    ] {
        assert_eq!(refusal(changes), Err(fault));
    }
}

#[test]
fn k7_keys_of_a_set_with_the_same_kid_are_both_skipped() {
    let set = fetched(json!([
        named(&P256, "p-1"),
        named(&RSA, "r-1"),
        named(&OTHER_P256, "p-1")
    ]));

    assert_eq!(set.keys.len(), 1);
    let expected = [0, 2].map(|at| skipped(at, Some("p-1"), UnusableKey::DuplicateId));
    assert_eq!(set.skipped, expected);
    let token = token_of(&P256, Some("p-1"), &claims());
    let refused = verifier_of(set.keys).verify(&token, NOW).unwrap_err();
    assert_eq!(refused.refusal.code(), "unknown_key");
}

#[test]
fn k7_a_key_from_here_wins_over_a_fetched_one_of_the_same_id() {
    let own = Key::public("p-1", &P256.public(), Algorithm::Es256).unwrap();
    let mut keys = fetched(json!([named(&OTHER_P256, "p-1")])).keys;
    keys.push(own.clone());
    let verifier = verifier_of(keys.clone());

    let ours = verifier.verify(&token_of(&P256, Some("p-1"), &good_claims()), NOW);
    let theirs = verifier.verify(&token_of(&OTHER_P256, Some("p-1"), &claims()), NOW);

    assert!(ours.is_ok());
    assert_eq!(theirs.unwrap_err().refusal, Refusal::BadSignature);
    // Revoked, it does not make room for the other.
    keys[1] = own.state(KeyState::Revoked);
    let theirs = verifier_of(keys).verify(&token_of(&OTHER_P256, Some("p-1"), &claims()), NOW);
    assert_eq!(theirs.unwrap_err().refusal.code(), "key_revoked");
}

#[test]
fn k7_without_a_kid_a_public_key_is_tried_only_if_it_is_the_only_one() {
    let p256 = Key::public("p-1", &P256.public(), Algorithm::Es256).unwrap();
    let other = Key::public("p-2", &OTHER_P256.public(), Algorithm::Es256).unwrap();
    let token = token_of(&P256, None, &good_claims());

    let lone = verifier_of(vec![key("key_1", SECRET), p256.clone()]);
    assert_eq!(lone.verify(&token, NOW).unwrap().key(), "p-1");
    assert!(
        lone.verify(&mint_hs256(SECRET, None, &good_claims()), NOW)
            .is_ok()
    );

    let two = verifier_of(vec![p256.clone(), key("key_1", SECRET), other.clone()]);
    let refused = two.verify(&token, NOW).unwrap_err();
    assert_eq!(refused.refusal, Refusal::UnknownKey(KidFault::Needed));
    // The secret is tried as ever, and says what is wrong with it.
    assert!(
        two.verify(&mint_hs256(SECRET, None, &good_claims()), NOW)
            .is_ok()
    );
    let refused = two.verify(&mint_hs256(OTHER_SECRET, None, &good_claims()), NOW);
    assert_eq!(refused.unwrap_err().refusal, Refusal::BadSignature);

    let retired = verifier_of(vec![p256, other.state(KeyState::Revoked)]);
    assert!(retired.verify(&token, NOW).is_ok());
}

#[test]
fn k7_a_public_key_with_another_algorithm_is_not_the_only_one() {
    let p256 = Key::public("p-1", &P256.public(), Algorithm::Es256).unwrap();
    let rsa = Key::public("r-1", &RSA.public(), Algorithm::Rs256).unwrap();

    let refused = verifier_of(vec![p256, rsa])
        .verify(&token_of(&P256, None, &good_claims()), NOW)
        .unwrap_err();

    // Else the token's `alg` would choose the key.
    assert_eq!(refused.refusal, Refusal::UnknownKey(KidFault::Needed));
}

#[test]
fn k7_the_only_key_of_a_set_serves_without_any_kid() {
    let set = fetched(json!([P256.jwk()]));
    assert_eq!(set.keys[0].id(), P256.public().fingerprint());

    let verified = verifier_of(set.keys).verify(&token_of(&P256, None, &claims()), NOW);

    assert!(verified.is_ok());
}

#[test]
fn k7_the_issuer_narrows_the_choice_among_keys() {
    let of = |pair: &Pair, issuer: &str| {
        Key::public("p-1", &pair.public(), Algorithm::Es256)
            .unwrap()
            .issuer(issuer)
    };
    let verifier = verifier_of(vec![
        of(&P256, "https://a.example"),
        of(&OTHER_P256, "https://b.example"),
    ]);
    for kid in [Some("p-1"), None] {
        let refusal = |pair, issuer: Value| {
            let claims = claims_with(json!({ "iss": issuer }));
            let verified = verifier.verify(&token_of(pair, kid, &claims), NOW);
            verified.map_err(|refused| refused.refusal.code())
        };

        assert!(refusal(&P256, json!("https://a.example")).is_ok());
        assert!(refusal(&OTHER_P256, json!("https://b.example")).is_ok());
        assert_eq!(
            refusal(&P256, json!("https://b.example")),
            Err("bad_signature")
        );
        assert_eq!(
            refusal(&P256, json!("https://c.example")),
            Err("unknown_key")
        );
        assert_eq!(refusal(&P256, json!(7)), Err("unknown_key"));
        assert_eq!(refusal(&P256, Value::Null), Err("unknown_key"));
    }
}

#[test]
fn t12_the_issuer_only_finds_a_key_and_is_checked_again_after_the_signature() {
    // The one key there is, though its issuer is another: the precise refusal.
    let key = Key::public("p-1", &P256.public(), Algorithm::Es256)
        .unwrap()
        .issuer(ISSUER);
    let token = token_of(
        &P256,
        Some("p-1"),
        &claims_with(json!({ "iss": "https://evil.example" })),
    );

    let refused = verifier_of(vec![key]).verify(&token, NOW).unwrap_err();

    assert_eq!(
        refused.refusal,
        Refusal::WrongIssuer(IssuerFault::SomeoneElse)
    );
    assert_eq!(refused.stage, Stage::AfterSignature);
}

#[test]
fn t12_claims_that_are_not_strict_json_narrow_nothing_and_are_refused_after_the_signature() {
    let own = Key::public("p-1", &P256.public(), Algorithm::Es256).unwrap();
    let header = json!({ "alg": "ES256", "kid": "p-1" }).to_string();
    let claims = format!(r#"{{"iss":"{ISSUER}","iss":"{ISSUER}"}}"#);
    let message = [header, claims]
        .map(|part| base64url(part.as_bytes()))
        .join(".");
    let pem = jsonwebtoken::EncodingKey::from_ec_pem(P256.private_pem.as_bytes()).unwrap();
    let es256 = jsonwebtoken::Algorithm::ES256;
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &pem, es256).unwrap();
    let token = format!("{message}.{signature}");

    let alone = verifier_of(vec![own.clone()])
        .verify(&token, NOW)
        .unwrap_err();
    let other = own.clone().issuer("https://b.example");
    let several = verifier_of(vec![own.issuer(ISSUER), other])
        .verify(&token, NOW)
        .unwrap_err();

    assert_eq!(alone.refusal, Refusal::DuplicateMember(Part::Claims));
    assert_eq!(alone.stage, Stage::AfterSignature);
    assert_eq!(several.refusal.code(), "unknown_key");
    assert_eq!(several.stage, Stage::BeforeSignature);
}

#[test]
fn t2_an_access_token_is_accepted_from_a_set_and_from_no_key_of_ours() {
    let set = verifier_of(fetched(json!([named(&P256, "p-1")])).keys);
    let own = Key::public("p-1", &P256.public(), Algorithm::Es256).unwrap();
    let own = verifier_of(vec![
        own.issuer(ISSUER).audiences(vec!["client-7".to_owned()]),
    ]);
    for typ in [
        "at+jwt",
        "AT+JWT",
        "application/at+jwt",
        "Application/AT+jwt",
    ] {
        for kid in [json!({ "kid": "p-1" }), json!({})] {
            let mut header = json!({ "alg": "ES256", "typ": typ });
            header
                .as_object_mut()
                .unwrap()
                .extend(kid.as_object().unwrap().clone());
            let token = sign_as(Algorithm::Es256, &header, &claims());

            assert!(set.verify(&token, NOW).is_ok(), "{header}");
            let refused = own.verify(&token, NOW).unwrap_err();
            assert_eq!(refused.refusal, Refusal::TypeNotAllowed, "{header}");
        }
    }
    for typ in [
        "at+jwt ",
        "jwt+at",
        "application/",
        "application/application/JWT",
    ] {
        let header = json!({ "alg": "ES256", "typ": typ, "kid": "p-1" });
        let refused = set.verify(&sign_as(Algorithm::Es256, &header, &claims()), NOW);
        assert_eq!(
            refused.unwrap_err().refusal,
            Refusal::TypeNotAllowed,
            "{typ}"
        );
    }
}

#[test]
fn k7_a_key_without_an_issuer_may_be_of_any() {
    let any = Key::public("p-1", &P256.public(), Algorithm::Es256).unwrap();
    let other = Key::public("p-2", &OTHER_P256.public(), Algorithm::Es256).unwrap();
    let verifier = verifier_of(vec![any, other.issuer("https://b.example")]);
    let token = |issuer: &str| token_of(&P256, None, &claims_with(json!({ "iss": issuer })));

    let elsewhere = verifier.verify(&token("https://c.example"), NOW);
    let either = verifier.verify(&token("https://b.example"), NOW);

    assert_eq!(elsewhere.unwrap().key(), "p-1");
    let needed = Refusal::UnknownKey(KidFault::Needed);
    assert_eq!(either.unwrap_err().refusal, needed);
}

#[test]
fn k7_two_keys_from_here_leave_no_room_for_a_fetched_one_of_their_id() {
    let own = |issuer: &str| {
        let key = Key::public("p-1", &P256.public(), Algorithm::Es256).unwrap();
        key.issuer(issuer)
    };
    let mut keys = fetched(json!([named(&OTHER_P256, "p-1")])).keys;
    keys.extend([own("https://a.example"), own("https://b.example")]);

    let refused = verifier_of(keys)
        .verify(&token_of(&OTHER_P256, Some("p-1"), &claims()), NOW)
        .unwrap_err();

    assert_eq!(refused.refusal.code(), "unknown_key");
}

#[test]
fn t2_an_access_token_of_an_imported_secret_is_not_accepted() {
    // It requires an audience and an issuer too, but is no key set's.
    let verifier = verifier_of(vec![key("key_1", SECRET).imported().issuer(ISSUER)]);
    let claims = claims_with(json!({ "iss": ISSUER, "aud": "agt_1" })).to_string();

    let access = verifier.verify(&signed(r#"{"alg":"HS256","typ":"at+jwt"}"#, &claims), NOW);

    assert_eq!(access.unwrap_err().refusal, Refusal::TypeNotAllowed);
    assert!(
        verifier
            .verify(&signed(r#"{"alg":"HS256"}"#, &claims), NOW)
            .is_ok()
    );
}
