//! What a token costs with warm keys: all rules, beside the bare check of the
//! signature by aws-lc with a parsed key, and beside `jsonwebtoken::decode`.

use std::hint::black_box;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair,
    Ed25519KeyPair, KeyPair, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair,
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

const SECRET: &[u8] = b"mtd_test_0123456789012345678901234567890123456789012abcdef";
/// The year 2096: the other library checks against the system's clock.
const NOW: i64 = 4_000_000_000;

/// What a typical site signs: seven claims, two of them its own.
fn claims() -> Value {
    json!({
        "sub": "user-48151623", "email": "sarah.miller@shop.example", "name": "Sarah Miller",
        "iat": NOW - 30, "exp": NOW + 570, "plan": "pro", "seats": 12,
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
    iat: i64,
    exp: i64,
    plan: String,
    seats: u32,
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
    fn new(
        key: Key,
        bare: impl Fn(&[u8], &[u8]) -> bool + 'static,
        encoding: &EncodingKey,
        theirs: DecodingKey,
    ) -> Self {
        let algorithm = key.algorithm();
        let name = algorithm.name().parse().expect("it has them all");
        let mut header = Header::new(name);
        header.kid = Some(key.id().to_owned());
        let token = jsonwebtoken::encode(&header, &claims(), encoding).expect("a good key");
        Self {
            algorithm,
            token,
            ours: Verifier::new(KeySet::new(vec![key]), Policy::new("agt_1")),
            bare: Box::new(bare),
            theirs,
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

fn hs256() -> Contest {
    let key = Key::shared_secret("key_1", SECRET, Algorithm::Hs256).expect("long enough");
    let bare = hmac::Key::new(hmac::HMAC_SHA256, SECRET);
    Contest::new(
        key,
        move |message, signature| hmac::verify(&bare, message, signature).is_ok(),
        &EncodingKey::from_secret(SECRET),
        DecodingKey::from_secret(SECRET),
    )
}

fn rs256() -> Contest {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).expect("a generator");
    let private: Pkcs8V1Der<'_> = pair.as_der().expect("a fresh pair");
    let public = pem(
        "PUBLIC KEY",
        pair.public_key().as_der().expect("fresh").as_ref(),
    );
    let bare = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public_key().as_ref());
    public_contest(
        Algorithm::Rs256,
        bare.expect("fresh"),
        &public,
        &EncodingKey::from_rsa_pem(pem("PRIVATE KEY", private.as_ref()).as_bytes()).expect("PEM"),
        DecodingKey::from_rsa_pem(public.as_bytes()).expect("PEM"),
    )
}

fn es256() -> Contest {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a generator");
    let private = pair.to_pkcs8v1().expect("a fresh pair");
    let public = pem(
        "PUBLIC KEY",
        pair.public_key().as_der().expect("fresh").as_ref(),
    );
    let bare = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, pair.public_key().as_ref());
    public_contest(
        Algorithm::Es256,
        bare.expect("fresh"),
        &public,
        &EncodingKey::from_ec_pem(pem("PRIVATE KEY", private.as_ref()).as_bytes()).expect("PEM"),
        DecodingKey::from_ec_pem(public.as_bytes()).expect("PEM"),
    )
}

fn eddsa() -> Contest {
    let pair = Ed25519KeyPair::generate().expect("a generator");
    let private = pair.to_pkcs8v1().expect("a fresh pair");
    let public = pem(
        "PUBLIC KEY",
        pair.public_key().as_der().expect("fresh").as_ref(),
    );
    let bare = ParsedPublicKey::new(&ED25519, pair.public_key().as_ref());
    public_contest(
        Algorithm::EdDsa,
        bare.expect("fresh"),
        &public,
        &EncodingKey::from_ed_pem(pem("PRIVATE KEY", private.as_ref()).as_bytes()).expect("PEM"),
        DecodingKey::from_ed_pem(public.as_bytes()).expect("PEM"),
    )
}

fn public_contest(
    algorithm: Algorithm,
    bare: ParsedPublicKey,
    public_pem: &str,
    encoding: &EncodingKey,
    theirs: DecodingKey,
) -> Contest {
    let public = PublicKey::parse(public_pem).expect("fresh");
    let key = Key::public("key_1", &public, algorithm).expect("its algorithm");
    let check = move |message: &[u8], signature: &[u8]| bare.verify_sig(message, signature).is_ok();
    Contest::new(key, check, encoding, theirs)
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
    for contest in [hs256(), rs256(), es256(), eddsa()] {
        contest.run(criterion);
    }
}

criterion_group!(benches, verify, possession);
criterion_main!(benches);
