//! A key pair for each algorithm, made once a run. Tokens are signed with them by
//! another library, so whatever is accepted here has had a second opinion.

use std::sync::LazyLock;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::EncodingKey;

use super::*;

pub(super) struct Pair {
    pub(super) private_pem: String,
    pub(super) public_pem: String,
}

impl Pair {
    fn new(private: &[u8], public: &[u8]) -> Self {
        Self {
            private_pem: pem("PRIVATE KEY", private),
            public_pem: pem("PUBLIC KEY", public),
        }
    }

    pub(super) fn public(&self) -> PublicKey {
        PublicKey::parse(&self.public_pem).unwrap()
    }

    pub(super) fn jwk(&self) -> Value {
        self.public().to_jwk()
    }
}

pub(super) fn pem(label: &str, der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    let lines: Vec<&str> = (0..body.len())
        .step_by(64)
        .map(|at| &body[at..body.len().min(at + 64)])
        .collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
}

fn rsa(size: KeySize) -> Pair {
    let pair = RsaKeyPair::generate(size).unwrap();
    let private: Pkcs8V1Der<'_> = pair.as_der().unwrap();
    Pair::new(
        private.as_ref(),
        pair.public_key().as_der().unwrap().as_ref(),
    )
}

fn ec(curve: &'static aws_lc_rs::signature::EcdsaSigningAlgorithm) -> Pair {
    let pair = EcdsaKeyPair::generate(curve).unwrap();
    let private = pair.to_pkcs8v1().unwrap();
    Pair::new(
        private.as_ref(),
        pair.public_key().as_der().unwrap().as_ref(),
    )
}

pub(super) static RSA: LazyLock<Pair> = LazyLock::new(|| rsa(KeySize::Rsa2048));
pub(super) static P256: LazyLock<Pair> = LazyLock::new(|| ec(&ECDSA_P256_SHA256_FIXED_SIGNING));
pub(super) static OTHER_P256: LazyLock<Pair> =
    LazyLock::new(|| ec(&ECDSA_P256_SHA256_FIXED_SIGNING));
pub(super) static P384: LazyLock<Pair> = LazyLock::new(|| ec(&ECDSA_P384_SHA384_FIXED_SIGNING));
pub(super) static ED25519: LazyLock<Pair> = LazyLock::new(|| {
    let pair = Ed25519KeyPair::generate().unwrap();
    let private = pair.to_pkcs8v1().unwrap();
    Pair::new(
        private.as_ref(),
        pair.public_key().as_der().unwrap().as_ref(),
    )
});

/// The pair that signs in this way, unless it is done with [`SECRET`].
pub(super) fn pair(algorithm: Algorithm) -> Option<&'static Pair> {
    match algorithm {
        Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => None,
        Algorithm::Rs256 | Algorithm::Rs384 | Algorithm::Rs512 => Some(&RSA),
        Algorithm::Ps256 | Algorithm::Ps384 | Algorithm::Ps512 => Some(&RSA),
        Algorithm::Es256 => Some(&P256),
        Algorithm::Es384 => Some(&P384),
        Algorithm::EdDsa => Some(&ED25519),
    }
}

/// The key that checks what [`sign_as`] signs.
pub(super) fn key_for(id: &str, algorithm: Algorithm) -> Key {
    match pair(algorithm) {
        None => Key::shared_secret(id, SECRET, algorithm).unwrap(),
        Some(pair) => Key::public(id, &pair.public(), algorithm).unwrap(),
    }
}

fn encoding_key(algorithm: Algorithm, pair: Option<&Pair>) -> EncodingKey {
    let Some(pair) = pair else {
        return EncodingKey::from_secret(SECRET);
    };
    let pem = pair.private_pem.as_bytes();
    if algorithm == Algorithm::EdDsa {
        EncodingKey::from_ed_pem(pem).unwrap()
    } else if algorithm.name().starts_with("ES") {
        EncodingKey::from_ec_pem(pem).unwrap()
    } else {
        EncodingKey::from_rsa_pem(pem).unwrap()
    }
}

/// A token of exactly these texts, signed by the other library.
pub(super) fn sign_with(
    pair: Option<&Pair>,
    algorithm: Algorithm,
    header: &Value,
    claims: &Value,
) -> String {
    let parts = [header, claims].map(|part| base64url(part.to_string().as_bytes()));
    let message = parts.join(".");
    let signature = jsonwebtoken::crypto::sign(
        message.as_bytes(),
        &encoding_key(algorithm, pair),
        algorithm.name().parse().unwrap(),
    );
    format!("{message}.{}", signature.unwrap())
}

pub(super) fn sign_as(algorithm: Algorithm, header: &Value, claims: &Value) -> String {
    sign_with(pair(algorithm), algorithm, header, claims)
}

pub(super) fn header(algorithm: Algorithm, kid: &str) -> Value {
    json!({ "alg": algorithm.name(), "kid": kid })
}
