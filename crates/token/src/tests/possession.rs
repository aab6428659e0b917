//! Proofs of possession (S4): what is one, and what is none.

use std::cell::Cell;

use jsonwebtoken::EncodingKey;
use proptest::prelude::*;

use super::pairs::{OTHER_P256, P256, P384, Pair};
use super::*;

const SESSION: &str = "mtd_session_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG";
const ASKED: Asked<'_> = Asked {
    method: "GET",
    origin: "https://support.example",
    path: "/v1/conversations",
    session: Some(SESSION),
};

/// RFC 9449, section 4.1.
const RFC_TOKEN_REQUEST: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg";
/// RFC 9449, section 7.1.
const RFC_RESOURCE_REQUEST: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA";
const RFC_THUMBPRINT: &str = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";

/// Exactly these parts, signed by another library.
fn signed_by(pair: &Pair, header: &[u8], claims: &[u8]) -> String {
    let message = format!("{}.{}", base64url(header), base64url(claims));
    let key = EncodingKey::from_ec_pem(pair.private_pem.as_bytes()).unwrap();
    let algorithm = jsonwebtoken::Algorithm::ES256;
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, algorithm).unwrap();
    format!("{message}.{signature}")
}

fn good_header() -> Value {
    json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": P256.jwk() })
}

fn good_proof_claims() -> Value {
    json!({
        "jti": "0c9a", "htm": "GET", "htu": "https://support.example/v1/conversations",
        "ath": base64url(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, SESSION.as_bytes()).as_ref()),
        "nonce": "n-1", "iat": 12,
    })
}

/// With these members put in; null takes one out.
fn changed(mut object: Value, changes: Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            object.as_object_mut().unwrap().remove(name);
        } else {
            object[name] = value.clone();
        }
    }
    object
}

fn proof_of(header: &Value, claims: &Value) -> String {
    let (header, claims) = (header.to_string(), claims.to_string());
    signed_by(&P256, header.as_bytes(), claims.as_bytes())
}

fn good_proof() -> String {
    proof_of(&good_header(), &good_proof_claims())
}

fn with_header(changes: Value) -> Result<Proof, BadProof> {
    let header = changed(good_header(), changes);
    Proof::check(&proof_of(&header, &good_proof_claims()), &ASKED)
}

fn with_key(changes: Value) -> Result<Proof, BadProof> {
    with_header(json!({ "jwk": changed(P256.jwk(), changes) }))
}

fn with_claims(changes: Value) -> Result<Proof, BadProof> {
    let claims = changed(good_proof_claims(), changes);
    Proof::check(&proof_of(&good_header(), &claims), &ASKED)
}

#[test]
fn s4_a_proof_names_its_key_its_id_and_its_nonce() {
    let proof = Proof::check(&good_proof(), &ASKED).unwrap();

    assert_eq!(proof.key().as_str(), P256.public().fingerprint());
    assert_eq!(proof.id(), "0c9a");
    assert_eq!(proof.nonce(), Some("n-1"));
}

#[test]
fn s4_the_published_proofs_are_good() {
    let token_request = Asked {
        method: "POST",
        origin: "https://server.example.com",
        path: "/token",
        session: None,
    };
    let resource_request = Asked {
        method: "GET",
        origin: "https://resource.example.org",
        path: "/protectedresource",
        session: Some("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"),
    };

    for (proof, asked) in [
        (RFC_TOKEN_REQUEST, token_request),
        (RFC_RESOURCE_REQUEST, resource_request),
    ] {
        let proof = Proof::check(proof, &asked).unwrap();

        assert_eq!(proof.key().as_str(), RFC_THUMBPRINT);
        assert_eq!(proof.nonce(), None);
    }
    assert_eq!(
        Proof::check(RFC_TOKEN_REQUEST, &resource_request),
        Err(BadProof::OtherMethod)
    );
}

#[test]
fn s4_the_header_has_three_members_and_no_fourth() {
    for (name, value) in [
        ("crit", json!(["b64"])),
        ("b64", json!(false)),
        ("zip", json!("DEF")),
        ("cty", json!("JWT")),
        ("kid", json!("k")),
        ("jku", json!("https://evil.example/jwks")),
        ("x5c", json!([])),
        ("extra", json!(1)),
    ] {
        assert_eq!(
            with_header(json!({ name: value })),
            Err(BadProof::Header),
            "{name}"
        );
    }
}

#[test]
fn s4_a_token_of_another_kind_is_no_proof() {
    for typ in ["JWT", "DPOP+JWT", "application/dpop+jwt", "dpop+jwt ", ""] {
        assert_eq!(
            with_header(json!({ "typ": typ })),
            Err(BadProof::Type),
            "{typ}"
        );
    }
    assert_eq!(with_header(json!({ "typ": null })), Err(BadProof::Type));
    assert_eq!(with_header(json!({ "typ": 1 })), Err(BadProof::Type));
}

#[test]
fn s4_a_proof_is_signed_with_es256_and_nothing_else() {
    for alg in ["none", "HS256", "RS256", "ES384", "EdDSA", "es256"] {
        assert_eq!(
            with_header(json!({ "alg": alg })),
            Err(BadProof::Algorithm),
            "{alg}"
        );
    }
    assert_eq!(
        with_header(json!({ "alg": null })),
        Err(BadProof::Algorithm)
    );
}

#[test]
fn s4_a_private_key_in_a_proof_is_refused() {
    for (name, value) in [
        ("d", json!("AAAA")),
        ("k", json!("AAAA")),
        ("ext", json!(true)),
        ("key_ops", json!(["verify"])),
        ("kid", json!("k")),
    ] {
        assert_eq!(
            with_key(json!({ name: value })),
            Err(BadProof::KeyMembers),
            "{name}"
        );
    }
    assert_eq!(
        with_header(json!({ "jwk": null })),
        Err(BadProof::KeyMembers)
    );
    assert_eq!(
        with_header(json!({ "jwk": "key" })),
        Err(BadProof::KeyMembers)
    );
}

#[test]
fn s4_the_key_of_a_proof_is_a_point_on_p_256() {
    let zeros = base64url(&[0; 32]);
    for (changes, why) in [
        (json!({ "x": zeros, "y": zeros }), UnusableKey::OffCurve),
        (json!({ "y": P256.jwk()["x"] }), UnusableKey::OffCurve),
        (
            json!({ "x": base64url(&[1; 31]) }),
            UnusableKey::BadMember("x"),
        ),
        (
            json!({ "y": base64url(&[0; 33]) }),
            UnusableKey::BadMember("y"),
        ),
        (json!({ "y": null }), UnusableKey::BadMember("y")),
        (json!({ "x": 1 }), UnusableKey::BadMember("x")),
        (json!({ "crv": "secp256k1" }), UnusableKey::UnknownCurve),
        (json!({ "kty": "oct" }), UnusableKey::UnknownKind),
        (json!({ "kty": "RSA" }), UnusableKey::BadMember("n")),
    ] {
        assert_eq!(
            with_key(changes.clone()),
            Err(BadProof::Key(why)),
            "{changes}"
        );
    }
    let p384 = with_header(json!({ "jwk": P384.jwk() }));
    assert_eq!(p384, Err(BadProof::Key(UnusableKey::WrongAlgorithm)));
}

#[test]
fn s4_a_proof_signed_by_another_key_than_its_own_is_refused() {
    let of_another = with_header(json!({ "jwk": OTHER_P256.jwk() }));

    assert_eq!(of_another, Err(BadProof::Signature));
}

#[test]
fn s4_a_proof_is_for_one_method() {
    for htm in ["POST", "get", "GET ", ""] {
        assert_eq!(
            with_claims(json!({ "htm": htm })),
            Err(BadProof::OtherMethod),
            "{htm}"
        );
    }
    assert_eq!(
        with_claims(json!({ "htm": null })),
        Err(BadProof::Claim("htm"))
    );
    assert_eq!(
        with_claims(json!({ "htm": 1 })),
        Err(BadProof::Claim("htm"))
    );
}

#[test]
fn s4_a_proof_is_for_one_address() {
    for htu in [
        "",
        "/v1/conversations",
        "https://support.example",
        "https://support.example/v1/conversations/",
        "https://support.example/v1/conversations?limit=1",
        "https://support.example/v1/conversations#top",
        "https://support.example/V1/conversations",
        "https://support.example:443/v1/conversations",
        "http://support.example/v1/conversations",
        "https://support.example.evil.example/v1/conversations",
        "https://évil.example//v1/conversations",
    ] {
        assert_eq!(
            with_claims(json!({ "htu": htu })),
            Err(BadProof::OtherAddress),
            "{htu}"
        );
    }
    assert_eq!(
        with_claims(json!({ "htu": null })),
        Err(BadProof::Claim("htu"))
    );
    let shouted = json!({ "htu": "HTTPS://Support.Example/v1/conversations" });
    assert!(with_claims(shouted).is_ok(), "a host has no case");
}

#[test]
fn s4_a_proof_is_for_one_session() {
    for ath in ["", SESSION, "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"] {
        assert_eq!(
            with_claims(json!({ "ath": ath })),
            Err(BadProof::OtherSession),
            "{ath}"
        );
    }
    assert_eq!(
        with_claims(json!({ "ath": null })),
        Err(BadProof::Claim("ath"))
    );
    let claims = changed(good_proof_claims(), json!({ "ath": null }));
    let first = Asked {
        session: None,
        ..ASKED
    };
    assert!(Proof::check(&proof_of(&good_header(), &claims), &first).is_ok());
}

#[test]
fn s4_a_proof_has_an_id_of_128_characters_at_most() {
    assert!(with_claims(json!({ "jti": "é".repeat(128) })).is_ok());
    for jti in [json!(null), json!(""), json!("x".repeat(129)), json!(7)] {
        assert_eq!(
            with_claims(json!({ "jti": jti })),
            Err(BadProof::Claim("jti")),
            "{jti}"
        );
    }
}

#[test]
fn s4_a_nonce_is_text_and_time_is_not_looked_at() {
    assert_eq!(with_claims(json!({ "nonce": null })).unwrap().nonce(), None);
    assert_eq!(
        with_claims(json!({ "nonce": 1 })),
        Err(BadProof::Claim("nonce"))
    );
    for iat in [json!(null), json!(0), json!(9e300), json!("yesterday")] {
        assert!(with_claims(json!({ "iat": iat, "exp": 1, "nbf": 9_000_000_000_u64 })).is_ok());
    }
}

#[test]
fn s4_what_is_malformed_in_a_token_is_malformed_in_a_proof() {
    let header = good_header().to_string();
    let claims = good_proof_claims().to_string();
    let with = |header: &str, claims: &str| {
        Proof::check(
            &signed_by(&P256, header.as_bytes(), claims.as_bytes()),
            &ASKED,
        )
    };
    let twice = |text: &str, member: &str| text.replacen('{', &format!("{{{member},"), 1);
    let long = changed(good_proof_claims(), json!({ "pad": "x".repeat(8_192) })).to_string();
    let deep = changed(good_proof_claims(), json!({ "pad": [[[[[[[[[1]]]]]]]]] })).to_string();

    for (header, claims, why) in [
        (
            twice(&header, r#""typ":"dpop+jwt""#),
            claims.clone(),
            Refusal::DuplicateMember(Part::Header),
        ),
        (
            header.replacen(r#"{"crv""#, r#"{"crv":"P-256","crv""#, 1),
            claims.clone(),
            Refusal::DuplicateMember(Part::Header),
        ),
        (
            header.clone(),
            twice(&claims, r#""ht\u006d":"POST""#),
            Refusal::DuplicateMember(Part::Claims),
        ),
        (
            format!("\u{feff}{header}"),
            claims.clone(),
            Refusal::Malformed(Malformed::NotJson(Part::Header)),
        ),
        (
            header.clone(),
            "[]".to_owned(),
            Refusal::Malformed(Malformed::NotAnObject(Part::Claims)),
        ),
        (
            header.clone(),
            claims.replace("0c9a", r"a\u0000"),
            Refusal::Malformed(Malformed::Nul(Part::Claims)),
        ),
        (
            header.clone(),
            deep,
            Refusal::Malformed(Malformed::TooDeep(Part::Claims)),
        ),
        (header.clone(), long, Refusal::TooLarge),
    ] {
        assert_eq!(with(&header, &claims), Err(BadProof::Form(why)));
    }
    let good = good_proof();
    for text in [
        format!(" {good}"),
        format!("{good}="),
        good.replace('.', ".."),
        String::new(),
    ] {
        assert!(
            matches!(Proof::check(&text, &ASKED), Err(BadProof::Form(_))),
            "{text}"
        );
    }
}

#[test]
fn s4_what_is_wrong_with_its_form_is_told_and_nobody_is_told_of_a_token() {
    let twice = br#"{"jti":"1","jti":"1"}"#;
    let twice = signed_by(&P256, good_header().to_string().as_bytes(), twice);

    let told = ["x", &"a".repeat(9_000), &twice]
        .map(|proof| Proof::check(proof, &ASKED).unwrap_err().to_string());

    assert_eq!(
        told,
        [
            "the proof cannot be read: it does not have three parts with dots between them",
            "the proof cannot be read: it is longer than 8 KiB",
            "the proof cannot be read: the part with the claims has a member twice",
        ]
    );
}

#[test]
fn s4_a_thumbprint_is_that_of_the_coordinates() {
    let jwk = P256.jwk();
    let [x, y] = ["x", "y"].map(|name| jwk[name].as_str().unwrap());

    let key = ProofKey::of_coordinates(x, y);

    assert_eq!(&key, Proof::check(&good_proof(), &ASKED).unwrap().key());
    assert_eq!(key.to_string().parse(), Ok(key));
    let quoted = ProofKey::of_coordinates(&format!(r#"{x}","y":"{y}"#), y);
    assert_ne!(quoted, ProofKey::of_coordinates(x, y));
    for text in [
        "",
        "AAAA",
        &"A".repeat(44),
        &format!("{}=", "A".repeat(42)),
        &"B".repeat(43),
    ] {
        assert_eq!(text.parse::<ProofKey>(), Err(NotAThumbprint), "{text}");
    }
}

#[test]
fn s4_any_bit_of_a_good_proof_flipped_is_refused() {
    let good = good_proof();
    let refused = Cell::new(0);
    let refuse = |text: &str, what: String| {
        assert!(Proof::check(text, &ASKED).is_err(), "{what}");
        refused.set(refused.get() + 1);
    };

    for bit in 0..good.len() * 8 {
        let mut bytes = good.clone().into_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        if let Ok(flipped) = String::from_utf8(bytes) {
            refuse(&flipped, format!("bit {bit}"));
        }
    }
    let parts: Vec<Vec<u8>> = good
        .split('.')
        .map(|part| decode_base64url(part).unwrap())
        .collect();
    for part in 0..3 {
        for bit in 0..parts[part].len() * 8 {
            let mut parts = parts.clone();
            parts[part][bit / 8] ^= 1 << (bit % 8);
            let encoded: Vec<String> = parts.iter().map(|part| base64url(part)).collect();
            refuse(&encoded.join("."), format!("bit {bit} of {part}"));
        }
    }

    assert!(refused.get() > good.len() * 7, "most flips are text");
}

#[test]
fn s4_nothing_of_a_proof_is_repeated_in_its_refusal() {
    const PRIVATE: &str = "Xq7private";
    let refused = [
        with_header(json!({ "typ": PRIVATE })),
        with_header(json!({ PRIVATE: 1 })),
        with_header(json!({ "alg": PRIVATE })),
        with_key(json!({ "d": PRIVATE })),
        with_key(json!({ "crv": PRIVATE })),
        with_claims(json!({ "htm": PRIVATE })),
        with_claims(json!({ "htu": PRIVATE })),
        with_claims(json!({ "ath": PRIVATE })),
        Proof::check(PRIVATE, &ASKED),
    ];

    for refused in refused {
        let refused = refused.unwrap_err();
        assert!(
            !format!("{refused} {refused:?}").contains(PRIVATE),
            "{refused:?}"
        );
    }
}

proptest! {
    #[test]
    fn s4_no_text_panics_or_is_a_proof(text in any::<String>()) {
        prop_assert!(Proof::check(&text, &ASKED).is_err());
    }

    #[test]
    fn s4_no_signed_bytes_panic(
        header in prop::collection::vec(any::<u8>(), 1..200),
        claims in prop::collection::vec(any::<u8>(), 1..200),
    ) {
        prop_assert!(Proof::check(&signed_by(&P256, &header, &claims), &ASKED).is_err());
        let signed = signed_by(&P256, good_header().to_string().as_bytes(), &claims);
        prop_assert!(Proof::check(&signed, &ASKED).is_err());
    }

    #[test]
    fn s4_no_other_request_fits_a_good_proof(
        method in "[A-Z]{3,6}",
        path in "/v1/[a-z/?=]{0,20}",
        session in "mtd_session_[A-Za-z0-9]{43}",
    ) {
        let good = good_proof();
        let asked = Asked { method: &method, ..ASKED };
        prop_assert_eq!(Proof::check(&good, &asked).is_ok(), method == ASKED.method);
        let asked = Asked { path: &path, ..ASKED };
        prop_assert_eq!(Proof::check(&good, &asked).is_ok(), path == ASKED.path);
        let asked = Asked { session: Some(&session), ..ASKED };
        prop_assert_eq!(Proof::check(&good, &asked).is_ok(), session == SESSION);
    }
}
