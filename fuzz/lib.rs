//! What the targets share: keys, and what holds of every verdict.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
};
use maitred_token::{
    Algorithm, Explanation, Key, KeySet, Outcome, Policy, ProofKey, PublicKey, SetTerms, Verified,
    Verifier, base64url, diagnose,
};

/// When all tokens are checked, in unix seconds.
pub const NOW: i64 = 1_800_000_000;
const SECRET: &[u8] = b"mtd_test_0123456789012345678901234567890123456789012abcdef";

/// The keys that a target can sign with, each with its `kid`.
pub struct Signers {
    hmac: [hmac::Key; 3],
    ed25519: Ed25519KeyPair,
}

/// Made once.
pub static SIGNERS: LazyLock<Signers> = LazyLock::new(|| Signers {
    hmac: [hmac::HMAC_SHA256, hmac::HMAC_SHA384, hmac::HMAC_SHA512]
        .map(|algorithm| hmac::Key::new(algorithm, SECRET)),
    ed25519: Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("any seed is a key"),
});

/// What a token is signed with: `alg`, `kid`.
pub const ALGORITHMS: [(&str, &str); 4] = [
    ("HS256", "k0"),
    ("HS384", "k1"),
    ("HS512", "k2"),
    ("EdDSA", "k3"),
];

/// A token of exactly these parts, with a good signature.
pub fn signed(which: usize, header: &[u8], claims: &[u8]) -> String {
    let message = format!("{}.{}", base64url(header), base64url(claims));
    let signature = match SIGNERS.hmac.get(which) {
        Some(key) => base64url(hmac::sign(key, message.as_bytes()).as_ref()),
        None => base64url(SIGNERS.ed25519.sign(message.as_bytes()).as_ref()),
    };
    format!("{message}.{signature}")
}

/// Makes proofs of possession.
pub struct Prover {
    pair: EcdsaKeyPair,
    /// Its public half.
    pub jwk: String,
    /// What a proof of it says that it is by.
    pub key: ProofKey,
}

/// Made once: the key is as good as any other.
pub static PROVER: LazyLock<Prover> = LazyLock::new(|| {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a fresh key");
    let point = pair.public_key().as_ref();
    let (x, y) = (base64url(&point[1..33]), base64url(&point[33..]));
    let jwk = format!(r#"{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}"}}"#);
    let key = ProofKey::of_coordinates(&x, &y);
    Prover { pair, jwk, key }
});

impl Prover {
    /// A proof of exactly these parts, with a good signature.
    pub fn sign(&self, header: &[u8], claims: &[u8]) -> String {
        let message = format!("{}.{}", base64url(header), base64url(claims));
        let signature = self.pair.sign(&SystemRandom::new(), message.as_bytes());
        let signature = signature.expect("a good key signs");
        format!("{message}.{}", base64url(signature.as_ref()))
    }
}

/// How far what was made up has come.
pub struct Count {
    of: &'static str,
    all: AtomicU64,
    past_signature: AtomicU64,
    accepted: AtomicU64,
}

impl Count {
    /// Nothing yet.
    pub const fn new(of: &'static str) -> Self {
        Self {
            of,
            all: AtomicU64::new(0),
            past_signature: AtomicU64::new(0),
            accepted: AtomicU64::new(0),
        }
    }

    /// One more; now and then it says how many there were.
    pub fn add(&self, is_past_signature: bool, is_accepted: bool) {
        let add = |count: &AtomicU64, it: bool| {
            count.fetch_add(u64::from(it), Ordering::Relaxed) + u64::from(it)
        };
        let past = add(&self.past_signature, is_past_signature);
        let accepted = add(&self.accepted, is_accepted);
        let all = add(&self.all, true);
        if all.is_multiple_of(1 << 19) {
            let of = self.of;
            eprintln!("{all} {of}, {past} past the signature, {accepted} accepted");
        }
    }
}

/// Knows the keys of the signers, and a few more.
pub static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| {
    let x = base64url(SIGNERS.ed25519.public_key().as_ref());
    let jwk = format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}"}}"#);
    let ed25519 = PublicKey::parse(&jwk).expect("the signer's");
    let rsa = include_str!("../crates/token/src/tests/fixtures/rsa-public.pem");
    let rsa = PublicKey::parse(rsa).expect("a good key");
    let ec = include_str!("../crates/token/src/tests/fixtures/ec-public.pem");
    let ec = PublicKey::parse(ec).expect("a good key");
    let keys = [
        Key::shared_secret("k0", SECRET, Algorithm::Hs256),
        Key::shared_secret("k1", SECRET, Algorithm::Hs384),
        Key::shared_secret("k2", SECRET, Algorithm::Hs512),
        Key::public("k3", &ed25519, Algorithm::EdDsa),
        Key::public("k4", &rsa, Algorithm::Ps256),
        Key::public("k5", &ec, Algorithm::Es256),
        Key::public("k5", &ed25519, Algorithm::EdDsa).map(|key| key.issuer("https://id.example")),
    ];
    let keys = keys.into_iter().map(|key| key.expect("a good key"));
    Verifier::new(KeySet::new(keys.collect()), Policy::new("agt_1"))
});

/// What an operator sets with a key set.
pub static TERMS: LazyLock<SetTerms> = LazyLock::new(|| SetTerms {
    issuer: "https://id.example".to_owned(),
    audiences: vec!["client".to_owned()],
    rsa: Algorithm::Rs256,
});

/// Checks a token in each of the ways there are, which must agree.
pub fn verdict(token: &str) -> Result<Verified, maitred_token::Refused> {
    let verdict = VERIFIER.verify(token, NOW);
    let explanation = VERIFIER.explain(token, NOW);
    assert_eq!(verdict, explanation.verdict);
    assert_eq!(verdict.is_err(), fails(&explanation));
    match &verdict {
        Ok(verified) => hold(verified),
        Err(refused) => {
            let told = [refused.to_string(), refused.refusal.hint()];
            assert!(told.iter().all(|text| !text.is_empty() && text.len() < 400));
            let diagnosed = diagnose(refused.clone(), token, &[("other", &VERIFIER)]);
            assert_eq!(diagnosed.stage, refused.stage);
        }
    }
    verdict
}

fn fails(explanation: &Explanation) -> bool {
    let failed = |outcome: &Outcome| matches!(outcome, Outcome::Failed { .. });
    explanation.steps.iter().any(|step| failed(&step.outcome))
}

/// What is true of every identity.
fn hold(verified: &Verified) {
    let subject = verified.subject();
    assert!((1..=255).contains(&subject.len()));
    assert!(!subject.chars().any(char::is_control) && subject.trim() == subject);
    assert!(verified.email().is_some_and(|email| email.contains('@')));
    assert!(verified.expires_at() > NOW - 120 && verified.expires_at() < NOW + 86_400 + 120);
    assert!(verified.attributes().len() <= 50);
}

/// What is true of every public key that is accepted.
pub fn hold_of_key(key: &PublicKey) {
    let again = PublicKey::parse(&key.to_jwk().to_string()).expect("printed by us");
    assert_eq!(again.fingerprint(), key.fingerprint());
    for algorithm in key.algorithms() {
        let made = Key::public("k", key, *algorithm).expect("one of its own");
        assert_eq!(made.algorithm(), *algorithm);
    }
    assert!(Key::public("k", key, Algorithm::Hs256).is_err());
}
