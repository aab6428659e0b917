//! What a token costs with warm keys: all rules, beside the bare check of the
//! signature by aws-lc with a parsed key, and beside `jsonwebtoken::decode`.
//!
//! For work on this crate. `scripts/bench verify` compares with libraries of other
//! languages, too.

use std::hint::black_box;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED,
    ECDSA_P384_SHA384_FIXED_SIGNING, ED25519, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair,
    KeyPair, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384,
    RSA_PSS_2048_8192_SHA512, RsaKeyPair, VerificationAlgorithm,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use criterion::{Criterion, criterion_group, criterion_main};
use jsonwebtoken::{DecodingKey, EncodingKey, Header, Validation};
use maitred_token::{
    Algorithm, Asked, Key, KeySet, Policy, Proof, PublicKey, Verifier, base64url, decode_base64url,
};
use serde::Deserialize;
use serde_json::{Value, json};

/// As long as HS512 asks for.
const SECRET: &[u8] = b"mtd_test_0123456789012345678901234567890123456789012abcdefghijkl";
/// The year 2096: the other library checks against the system's clock.
const NOW: i64 = 4_000_000_000;

/// What a typical site signs: about 300 bytes.
fn claims() -> Value {
    json!({
        "sub": "user-48151623", "email": "sarah.miller@shop.example", "name": "Sarah Miller",
        "locale": "en-GB", "iat": NOW - 30, "exp": NOW + 3570,
        "company": "Miller & Daughters", "plan": "professional", "seats": 12, "trial": false,
        "teams": ["billing", "logistics"], "customer_since": "2019-04-12",
    })
}

/// The same, as a backend in Rust would read it.
#[derive(Deserialize)]
#[expect(
    dead_code,
    reason = "read by the other library, and not looked at here"
)]
struct Claims {
    sub: String,
    email: String,
    name: String,
    locale: String,
    iat: i64,
    exp: i64,
    company: String,
    plan: String,
    seats: u32,
    trial: bool,
    teams: Vec<String>,
    customer_since: String,
}

/// Whether a message has this signature.
type Check = dyn Fn(&[u8], &[u8]) -> bool;

/// One token and the three ways to check it.
struct Contest {
    algorithm: Algorithm,
    token: String,
    ours: Verifier,
    bare: Box<Check>,
    theirs: DecodingKey,
}

impl Contest {
    fn of(algorithm: Algorithm) -> Self {
        match bare_hmac(algorithm) {
            Some(hmac) => Self::with_secret(algorithm, hmac),
            None => Self::with_pair(algorithm),
        }
    }

    fn with_secret(algorithm: Algorithm, hmac: hmac::Algorithm) -> Self {
        let key = Key::shared_secret("key_1", SECRET, algorithm).expect("long enough");
        let bare = hmac::Key::new(hmac, SECRET);
        Self {
            algorithm,
            token: token(algorithm, &EncodingKey::from_secret(SECRET)),
            ours: verifier(key),
            bare: Box::new(move |message, signature| {
                hmac::verify(&bare, message, signature).is_ok()
            }),
            theirs: DecodingKey::from_secret(SECRET),
        }
    }

    fn with_pair(algorithm: Algorithm) -> Self {
        let Pair { private, public } = Pair::new(algorithm);
        let private_pem = pem("PRIVATE KEY", &private);
        let public_pem = pem("PUBLIC KEY", &public);
        let (encoding, theirs) = match algorithm.name() {
            name if name.starts_with("ES") => (
                EncodingKey::from_ec_pem(private_pem.as_bytes()),
                DecodingKey::from_ec_pem(public_pem.as_bytes()),
            ),
            "EdDSA" => (
                EncodingKey::from_ed_pem(private_pem.as_bytes()),
                DecodingKey::from_ed_pem(public_pem.as_bytes()),
            ),
            _ => (
                EncodingKey::from_rsa_pem(private_pem.as_bytes()),
                DecodingKey::from_rsa_pem(public_pem.as_bytes()),
            ),
        };
        let parsed = PublicKey::parse(&public_pem).expect("fresh");
        let key = Key::public("key_1", &parsed, algorithm).expect("its algorithm");
        let bare = ParsedPublicKey::new(bare_algorithm(algorithm), &public).expect("fresh");
        Self {
            algorithm,
            token: token(algorithm, &encoding.expect("PEM")),
            ours: verifier(key),
            bare: Box::new(move |message, signature| bare.verify_sig(message, signature).is_ok()),
            theirs: theirs.expect("PEM"),
        }
    }

    fn run(&self, criterion: &mut Criterion) {
        let mut group = criterion.benchmark_group(self.algorithm.name());
        let (message, signature) = self.token.rsplit_once('.').expect("a token");
        let signature = decode_base64url(signature).expect("a token");
        group.bench_function("bare aws-lc", |bencher| {
            bencher.iter(|| assert!((self.bare)(black_box(message.as_bytes()), &signature)));
        });
        group.bench_function("maitred-token", |bencher| {
            bencher.iter(|| self.ours.verify(black_box(&self.token), NOW).expect("good"));
        });
        let name = self.algorithm.name().parse().expect("it has them all");
        let validation = Validation::new(name);
        group.bench_function("jsonwebtoken", |bencher| {
            bencher.iter(|| {
                let token = black_box(&self.token);
                jsonwebtoken::decode::<Claims>(token, &self.theirs, &validation).expect("good")
            });
        });
        group.finish();
    }
}

fn verifier(key: Key) -> Verifier {
    Verifier::new(KeySet::new(vec![key]), Policy::new("agt_1"))
}

fn token(algorithm: Algorithm, key: &EncodingKey) -> String {
    let name = algorithm.name().parse().expect("it has them all");
    let mut header = Header::new(name);
    header.kid = Some("key_1".to_owned());
    jsonwebtoken::encode(&header, &claims(), key).expect("a good key")
}

/// A key pair, as PKCS #8 and SPKI.
struct Pair {
    private: Vec<u8>,
    public: Vec<u8>,
}

impl Pair {
    fn new(algorithm: Algorithm) -> Self {
        match algorithm.name() {
            "ES256" => Self::ec(&ECDSA_P256_SHA256_FIXED_SIGNING),
            "ES384" => Self::ec(&ECDSA_P384_SHA384_FIXED_SIGNING),
            "EdDSA" => {
                let pair = Ed25519KeyPair::generate().expect("a generator");
                let private = pair.to_pkcs8v1().expect("a fresh pair");
                Self::of(private.as_ref(), pair.public_key())
            }
            _ => {
                let pair = RsaKeyPair::generate(KeySize::Rsa2048).expect("a generator");
                let private: Pkcs8V1Der<'_> = pair.as_der().expect("a fresh pair");
                Self::of(private.as_ref(), pair.public_key())
            }
        }
    }

    fn ec(curve: &'static EcdsaSigningAlgorithm) -> Self {
        let pair = EcdsaKeyPair::generate(curve).expect("a generator");
        let private = pair.to_pkcs8v1().expect("a fresh pair");
        Self::of(private.as_ref(), pair.public_key())
    }

    fn of(private: &[u8], public: &impl AsDer<PublicKeyX509Der<'static>>) -> Self {
        let public = public.as_der().expect("a fresh pair");
        Self {
            private: private.to_vec(),
            public: public.as_ref().to_vec(),
        }
    }
}

fn bare_hmac(algorithm: Algorithm) -> Option<hmac::Algorithm> {
    match algorithm.name() {
        "HS256" => Some(hmac::HMAC_SHA256),
        "HS384" => Some(hmac::HMAC_SHA384),
        "HS512" => Some(hmac::HMAC_SHA512),
        _ => None,
    }
}

fn bare_algorithm(algorithm: Algorithm) -> &'static dyn VerificationAlgorithm {
    match algorithm.name() {
        "RS256" => &RSA_PKCS1_2048_8192_SHA256,
        "RS384" => &RSA_PKCS1_2048_8192_SHA384,
        "RS512" => &RSA_PKCS1_2048_8192_SHA512,
        "PS256" => &RSA_PSS_2048_8192_SHA256,
        "PS384" => &RSA_PSS_2048_8192_SHA384,
        "PS512" => &RSA_PSS_2048_8192_SHA512,
        "ES256" => &ECDSA_P256_SHA256_FIXED,
        "ES384" => &ECDSA_P384_SHA384_FIXED,
        _ => &ED25519,
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        STANDARD.encode(der)
    )
}

/// A proof of possession, whose key comes along and is read each time.
fn possession(criterion: &mut Criterion) {
    const SESSION: &str = "mtd_session_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG";
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a generator");
    let public = pair.public_key();
    let (x, y) = public.as_ref()[1..].split_at(32);
    let header = json!({
        "typ": "dpop+jwt", "alg": "ES256",
        "jwk": { "kty": "EC", "crv": "P-256", "x": base64url(x), "y": base64url(y) },
    });
    let claims = json!({
        "jti": "8b2f6d0e-1c9a-4f37-b1de-5c0d8f3a9e21", "htm": "POST",
        "htu": "https://support.example/v1/conversations", "iat": NOW,
        "ath": base64url(digest(&SHA256, SESSION.as_bytes()).as_ref()),
        "nonce": base64url(&[7; 32]),
    });
    let parts = [header, claims].map(|part| base64url(part.to_string().as_bytes()));
    let message = parts.join(".");
    let signature = pair.sign(&SystemRandom::new(), message.as_bytes());
    let signature = signature.expect("a generator");
    let proof = format!("{message}.{}", base64url(signature.as_ref()));
    let asked = Asked {
        method: "POST",
        origin: "https://support.example",
        path: "/v1/conversations",
        session: Some(SESSION),
    };
    let mut group = criterion.benchmark_group("proof of possession");
    group.bench_function("bare aws-lc", |bencher| {
        bencher.iter(|| {
            let bare = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, black_box(public).as_ref());
            let bare = bare.expect("fresh");
            bare.verify_sig(message.as_bytes(), signature.as_ref())
                .expect("good")
        });
    });
    group.bench_function("maitred-token", |bencher| {
        bencher.iter(|| Proof::check(black_box(&proof), &asked).expect("good"));
    });
    group.finish();
}

fn verify(criterion: &mut Criterion) {
    for algorithm in Algorithm::ALL {
        Contest::of(algorithm).run(criterion);
    }
}

criterion_group!(benches, verify, possession);
criterion_main!(benches);
