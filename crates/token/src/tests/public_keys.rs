//! K3, K5, K8: what an operator may bring as a public key.

use super::pairs::{ED25519, P256, P384, RSA, pem};
use super::*;

const RSA_CERTIFICATE: &str = include_str!("fixtures/rsa-certificate.pem");
pub(super) const EC_CERTIFICATE: &str = include_str!("fixtures/ec-certificate.pem");
const ED_CERTIFICATE: &str = include_str!("fixtures/ed-certificate.pem");
pub(super) const RSA_PUBLIC: &str = include_str!("fixtures/rsa-public.pem");
pub(super) const EC_PUBLIC: &str = include_str!("fixtures/ec-public.pem");
pub(super) const ED_PUBLIC: &str = include_str!("fixtures/ed-public.pem");

pub(super) fn unusable(text: impl ToString) -> UnusableKey {
    PublicKey::parse(&text.to_string()).unwrap_err()
}

/// A good JWK with these members put in; null takes one out.
fn jwk_with(pair: &pairs::Pair, changes: Value) -> Value {
    let mut jwk = pair.jwk();
    for (member, value) in changes.as_object().unwrap() {
        if value.is_null() {
            jwk.as_object_mut().unwrap().remove(member);
        } else {
            jwk[member] = value.clone();
        }
    }
    jwk
}

fn rsa_jwk(modulus: &[u8], exponent: &[u8]) -> Value {
    json!({ "kty": "RSA", "n": base64url(modulus), "e": base64url(exponent) })
}

pub(super) fn der(pem: &str) -> Vec<u8> {
    use base64::Engine as _;
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    base64::engine::general_purpose::STANDARD
        .decode(body)
        .unwrap()
}

#[test]
fn k3_a_certificate_and_its_public_key_are_the_same_key() {
    for (certificate, public) in [
        (RSA_CERTIFICATE, RSA_PUBLIC),
        (EC_CERTIFICATE, EC_PUBLIC),
        (ED_CERTIFICATE, ED_PUBLIC),
    ] {
        let of_certificate = PublicKey::parse(certificate).unwrap();
        let of_public = PublicKey::parse(public).unwrap();

        assert_eq!(of_certificate, of_public);
    }
}

#[test]
fn k3_a_key_printed_as_a_jwk_is_read_back() {
    for pair in [&*RSA, &*P256, &*P384, &*ED25519] {
        let jwk = pair.jwk().to_string();

        assert_eq!(PublicKey::parse(&jwk).unwrap(), pair.public());
    }
}

#[test]
fn k3_pasted_text_may_be_indented_and_end_its_lines_in_any_way() {
    let spoilt = [
        EC_PUBLIC.replace('\n', "\r\n"),
        EC_PUBLIC.replace('\n', "\n  "),
        format!("\n\n {EC_PUBLIC}\n"),
        EC_PUBLIC.replacen("-----\n", "-----", 1),
    ];
    for text in spoilt {
        assert!(PublicKey::parse(&text).is_ok(), "{text}");
    }
}

#[test]
fn k8_the_fingerprint_is_the_thumbprint_of_rfc_7638() {
    let jwk = json!({
        "kty": "RSA", "e": "AQAB", "alg": "RS256", "kid": "2011-04-29",
        "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
    });

    let key = PublicKey::parse(&jwk.to_string()).unwrap();

    assert_eq!(
        key.fingerprint(),
        "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
    );
    assert_eq!(key.kid(), Some("2011-04-29"));
    let made = Key::public("key_1", &key, Algorithm::Rs256).unwrap();
    assert_eq!(made.fingerprint(), Some(key.fingerprint().as_str()));
}

#[test]
fn k8_the_fingerprint_is_the_same_in_every_form_and_a_secret_has_none() {
    let zeros = jwk_with(&RSA, json!({ "kid": "a", "e": "AAEAAQ" }));
    for (pair, other) in [(&*RSA, zeros), (&*ED25519, ED25519.jwk())] {
        let other = PublicKey::parse(&other.to_string()).unwrap();
        assert_eq!(other.fingerprint(), pair.public().fingerprint());
    }
    let x = ED25519.jwk()["x"].as_str().unwrap().to_owned();
    assert_eq!(ED25519.public().fingerprint(), thumbprint(&x));
    assert_ne!(RSA.public().fingerprint(), P256.public().fingerprint());
    assert_eq!(key("key_1", SECRET).fingerprint(), None);
}

#[test]
fn k3_a_private_key_is_refused_in_any_form() {
    let private = &P256.private_pem;
    let body = private.lines().nth(1).unwrap().to_owned();
    let pkcs8 = der(private);
    let texts = [
        private.clone(),
        RSA.private_pem.clone(),
        ED25519.private_pem.clone(),
        private.replace("PRIVATE", "ENCRYPTED PRIVATE"),
        private.replace("PRIVATE", "private"),
        format!("{EC_PUBLIC}{private}"),
        json!({ "private_key": private }).to_string(),
        "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA".to_owned(),
        "-----BEGIN Encrypted Private Key-----\nMAMwAQU=".to_owned(),
        // Under a false label, and under none.
        pem("PUBLIC KEY", &pkcs8),
        pem("CERTIFICATE", &pkcs8),
        pem("ANYTHING", &pkcs8),
        private
            .lines()
            .filter(|line| !line.starts_with('-'))
            .collect(),
        // PKCS #1 and SEC 1 begin alike.
        pem(
            "PUBLIC KEY",
            &[0x30, 0x06, 0x02, 0x01, 0x00, 0x02, 0x01, 0x23],
        ),
        pem(
            "PUBLIC KEY",
            &[0x30, 0x06, 0x02, 0x01, 0x01, 0x04, 0x01, 0x23],
        ),
    ];
    for text in texts {
        let why = unusable(&text);
        assert_eq!(
            (why, why.code()),
            (UnusableKey::Private, "private_key_refused"),
            "{text}"
        );
        let told = format!("{why} {why:?} {}", why.hint());
        assert!(told.contains("leaked") && !told.contains(&body[..12]));
    }
}

#[test]
fn k3_a_private_jwk_is_refused_by_any_of_its_members() {
    for member in ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"] {
        for pair in [&*RSA, &*P256, &*ED25519] {
            let jwk = jwk_with(pair, json!({ member: "AQAB" }));
            assert_eq!(unusable(&jwk), UnusableKey::Private, "{member}");
            let set = json!({ "keys": [pair.jwk(), jwk] });
            assert_eq!(unusable(set), UnusableKey::Private, "{member}");
        }
    }
    assert_eq!(unusable(json!({ "kty": "oct" })), UnusableKey::Private);
}

#[test]
fn k3_a_text_that_is_no_key_is_refused() {
    let huge = " ".repeat(64 * 1024) + EC_PUBLIC;
    let many = format!("{EC_PUBLIC}{ED_PUBLIC}");
    for (text, why) in [
        ("", UnusableKey::NotAKey),
        ("hello", UnusableKey::NotAKey),
        ("{", UnusableKey::NotAKey),
        (r#"{"kty":"EC","kty":"EC"}"#, UnusableKey::NotAKey),
        (&huge, UnusableKey::NotAKey),
        (r#"{"keys":[]}"#, UnusableKey::SeveralKeys),
        (&many, UnusableKey::SeveralKeys),
        (
            &EC_PUBLIC.replace("END PUBLIC", "END RSA"),
            UnusableKey::BadPem,
        ),
        (
            &EC_PUBLIC.replace("PUBLIC KEY", "RSA PUBLIC KEY"),
            UnusableKey::BadPem,
        ),
        (
            &EC_PUBLIC.replace("PUBLIC KEY", "CERTIFICATE"),
            UnusableKey::BadPem,
        ),
        (
            &EC_CERTIFICATE.replace("CERTIFICATE", "PUBLIC KEY"),
            UnusableKey::BadPem,
        ),
        (&EC_PUBLIC.replacen('M', "!", 1), UnusableKey::BadPem),
        (&EC_PUBLIC[..80], UnusableKey::BadPem),
        ("-----BEGIN PUBLIC", UnusableKey::BadPem),
    ] {
        assert_eq!(unusable(text), why, "{text}");
        assert_eq!(why.code(), "unusable_key");
    }
}

#[test]
fn k5_a_short_rsa_key_is_weak_and_a_very_long_one_unusable() {
    let exponent = [1, 0, 1];
    for (bytes, first, why) in [
        (128, 0xc3, UnusableKey::RsaTooShort { bits: 1024 }),
        (256, 0x7f, UnusableKey::RsaTooShort { bits: 2047 }),
        (1025, 0x01, UnusableKey::RsaTooLong { bits: 8193 }),
    ] {
        let mut modulus = vec![0xff; bytes];
        modulus[0] = first;
        assert_eq!(unusable(rsa_jwk(&modulus, &exponent)), why);
    }
    assert_eq!(UnusableKey::RsaTooShort { bits: 1024 }.code(), "weak_key");
    assert_eq!(
        UnusableKey::RsaTooLong { bits: 8193 }.code(),
        "unusable_key"
    );
}

#[test]
fn k5_the_longest_rsa_key_and_the_longest_text_are_usable() {
    let mut modulus = vec![0xff; 1024];
    // What it is divided by shows at the first try.
    while PublicKey::parse(&rsa_jwk(&modulus, &[1, 0, 1]).to_string()).is_err() {
        let last = modulus.last_mut().unwrap();
        *last = last.checked_sub(2).expect("one of 128 has no small factor");
    }

    let mut longest = EC_PUBLIC.to_owned();
    longest += &" ".repeat(64 * 1024 - longest.len());
    assert!(PublicKey::parse(&longest).is_ok());
    assert_eq!(unusable(format!("{longest} ")), UnusableKey::NotAKey);
}

#[test]
fn k5_an_even_small_or_huge_exponent_is_weak() {
    let modulus = decode_base64url(RSA.jwk()["n"].as_str().unwrap()).unwrap();
    for exponent in [&[1_u8][..], &[2], &[4], &[1, 0, 0], &[2, 0, 0, 0, 1]] {
        let why = unusable(rsa_jwk(&modulus, exponent));
        assert_eq!(
            (why, why.code()),
            (UnusableKey::WeakExponent, "weak_key"),
            "{exponent:?}"
        );
    }
    for exponent in [&[3_u8][..], &[1, 0, 1], &[1, 0, 0, 0, 1]] {
        assert!(PublicKey::parse(&rsa_jwk(&modulus, exponent).to_string()).is_ok());
    }
}

/// `factor` to the power of `n`, as a big-endian number.
fn power(factor: u32, n: usize) -> Vec<u8> {
    let mut number = vec![1_u8];
    for _ in 0..n {
        let mut carry = 0_u64;
        for byte in &mut number {
            carry += u64::from(*byte) * u64::from(factor);
            *byte = carry.to_le_bytes()[0];
            carry >>= 8;
        }
        number.extend(carry.to_le_bytes());
        while number.last() == Some(&0) {
            number.pop();
        }
    }
    number.reverse();
    number
}

#[test]
fn k5_a_modulus_that_can_be_factored_is_weak() {
    // The moduli of CVE-2017-15361 are powers of 65537 modulo every small prime.
    let roca = power(65_537, 128);
    for modulus in [power(2, 2101), power(3, 1300), power(167, 300), roca] {
        let why = unusable(rsa_jwk(&modulus, &[1, 0, 1]));
        assert_eq!((why, why.code()), (UnusableKey::WeakModulus, "weak_key"));
    }
    // One that is none, without small factors either.
    assert!(PublicKey::parse(&rsa_jwk(&power(179, 275), &[1, 0, 1]).to_string()).is_ok());
}

#[test]
fn k5_a_point_off_its_curve_is_unusable() {
    for pair in [&*P256, &*P384] {
        let x = decode_base64url(pair.jwk()["x"].as_str().unwrap()).unwrap();
        let y = pair.jwk()["y"].clone();
        for jwk in [
            jwk_with(pair, json!({ "y": base64url(&x), "x": y })),
            jwk_with(
                pair,
                json!({ "x": base64url(&vec![0; x.len()]), "y": base64url(&vec![0; x.len()]) }),
            ),
            jwk_with(pair, json!({ "x": base64url(&vec![0xff; x.len()]) })),
        ] {
            assert_eq!(unusable(jwk), UnusableKey::OffCurve);
        }
        let short = jwk_with(pair, json!({ "x": base64url(&x[1..]) }));
        assert_eq!(unusable(short), UnusableKey::BadMember("x"));
    }
    let mut compressed = der(EC_PUBLIC);
    compressed.truncate(compressed.len() - 32);
    for (at, byte) in [(1, 0x39), (24, 0x22), (26, 0x02)] {
        compressed[at] = byte;
    }
    assert_eq!(
        unusable(pem("PUBLIC KEY", &compressed)),
        UnusableKey::OffCurve
    );
}

fn ed_jwk(height: &[u8; 32]) -> Value {
    json!({ "kty": "OKP", "crv": "Ed25519", "x": base64url(height) })
}

#[test]
fn k5_an_ed25519_key_is_a_point_of_the_curve_in_its_one_form() {
    // Which heights are on the curve was computed with another program.
    for y in 2..=22_u8 {
        let mut height = [0; 32];
        height[0] = y;
        for sign in [0, 0x80] {
            height[31] = sign;
            let key = PublicKey::parse(&ed_jwk(&height).to_string());
            let on_curve = ![2, 7, 8, 11, 12, 13, 17, 20, 22].contains(&y);
            assert_eq!(
                key.err(),
                (!on_curve).then_some(UnusableKey::OffCurve),
                "{y}"
            );
        }
    }
    // 3 and p + 3 are the same number.
    let mut twice = [0xff; 32];
    (twice[0], twice[31]) = (0xf0, 0x7f);
    assert_eq!(unusable(ed_jwk(&twice)), UnusableKey::OffCurve);
}

#[test]
fn k5_an_ed25519_point_of_small_order_is_weak() {
    let hex = |text: &str| -> [u8; 32] {
        std::array::from_fn(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap())
    };
    for height in [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    ] {
        let mut height = hex(height);
        for sign in [0, 0x80] {
            height[31] |= sign;
            let why = unusable(ed_jwk(&height));
            assert_eq!((why, why.code()), (UnusableKey::SmallOrder, "weak_key"));
        }
    }
}

#[test]
fn k5_a_jwk_that_is_not_for_this_is_unusable() {
    let changes = [
        (json!({ "use": "enc" }), UnusableKey::NotForSignatures),
        (json!({ "use": ["sig"] }), UnusableKey::NotForSignatures),
        (json!({ "key_ops": ["sign"] }), UnusableKey::NotForVerifying),
        (json!({ "key_ops": [] }), UnusableKey::NotForVerifying),
        (json!({ "key_ops": "verify" }), UnusableKey::NotForVerifying),
        (json!({ "alg": "ES384" }), UnusableKey::WrongAlgorithm),
        (json!({ "alg": "HS256" }), UnusableKey::WrongAlgorithm),
        (json!({ "alg": "none" }), UnusableKey::WrongAlgorithm),
        (json!({ "alg": 1 }), UnusableKey::BadMember("alg")),
        (json!({ "kid": "" }), UnusableKey::BadMember("kid")),
        (json!({ "kid": 1 }), UnusableKey::BadMember("kid")),
        (
            json!({ "kid": "k".repeat(257) }),
            UnusableKey::BadMember("kid"),
        ),
        (json!({ "crv": "secp256k1" }), UnusableKey::UnknownCurve),
        (json!({ "crv": "P-521" }), UnusableKey::UnknownCurve),
        (json!({ "crv": null }), UnusableKey::BadMember("crv")),
        (json!({ "kty": "AKP" }), UnusableKey::UnknownKind),
        (json!({ "kty": "ec" }), UnusableKey::UnknownKind),
        (json!({ "kty": null }), UnusableKey::BadMember("kty")),
        (json!({ "x": "a=" }), UnusableKey::BadMember("x")),
        (json!({ "y": null }), UnusableKey::BadMember("y")),
    ];
    for (change, why) in changes {
        assert_eq!(unusable(jwk_with(&P256, change.clone())), why, "{change}");
        assert_eq!(why.code(), "unusable_key");
    }
    let ed448 = json!({ "kty": "OKP", "crv": "Ed448", "x": "AQ" });
    assert_eq!(unusable(ed448), UnusableKey::UnknownCurve);
    let good = json!({ "use": "sig", "key_ops": ["sign", "verify"], "alg": "ES256", "x5u": "https://evil.example" });
    assert!(PublicKey::parse(&jwk_with(&P256, good).to_string()).is_ok());
}

#[test]
fn k5_a_jwks_own_alg_is_its_only_one() {
    let jwk = jwk_with(&RSA, json!({ "alg": "PS384" }));
    let key = PublicKey::parse(&jwk.to_string()).unwrap();

    assert_eq!(key.algorithms(), [Algorithm::Ps384]);
    assert_eq!(key.algorithm(), Some(Algorithm::Ps384));
    assert!(Key::public("key_1", &key, Algorithm::Ps384).is_ok());
    let refused = Key::public("key_1", &key, Algorithm::Rs256).unwrap_err();
    assert_eq!(refused, UnusableKey::WrongAlgorithm);
    assert_eq!(RSA.public().algorithm(), None);
    assert_eq!(P384.public().algorithm(), Some(Algorithm::Es384));
}

#[test]
fn k5_pem_of_other_kinds_is_unusable() {
    // P-521 and X25519, by their object ids alone.
    let p521 = [
        0x30, 0x16, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05,
        0x2b, 0x81, 0x04, 0x00, 0x23, 0x03, 0x02, 0x00, 0x04,
    ];
    let x25519 = [
        0x30, 0x0b, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x6e, 0x03, 0x02, 0x00, 0x09,
    ];
    assert_eq!(
        unusable(pem("PUBLIC KEY", &p521)),
        UnusableKey::UnknownCurve
    );
    assert_eq!(
        unusable(pem("PUBLIC KEY", &x25519)),
        UnusableKey::UnknownKind
    );
}
