//! Public keys: read from what an operator brings, checked once, and named by
//! their thumbprint.

use aws_lc_rs::digest;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, EcdsaVerificationAlgorithm,
    ParsedPublicKey, RsaPublicKeyComponents,
};
use serde_json::{Value, json};

use super::unusable::UnusableKey;
use super::{jwk, pem, weak};
use crate::algorithm::Algorithm;
use crate::jws::base64url;

/// Longer texts than this are no single key.
const MAX_TEXT_BYTES: usize = 64 * 1024;

/// A public key that is fit to check tokens with (K3, K5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    numbers: Numbers,
    kid: Option<String>,
    algorithm: Option<Algorithm>,
}

/// What a public key is, as big-endian numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Numbers {
    /// Without leading zeros.
    Rsa { n: Vec<u8>, e: Vec<u8> },
    /// Each with as many bytes as the curve has.
    Ec {
        curve: Curve,
        x: Vec<u8>,
        y: Vec<u8>,
    },
    /// In the form of RFC 8032.
    Ed25519([u8; 32]),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Curve {
    P256,
    P384,
}

impl PublicKey {
    /// Reads what was pasted: PEM (a public key or a certificate) or a JWK.
    ///
    /// A private key is refused, and nothing of it is kept.
    pub fn parse(text: &str) -> Result<Self, UnusableKey> {
        const LABEL: &[u8] = b"PRIVATE KEY";
        let mut windows = text.as_bytes().windows(LABEL.len());
        if windows.any(|window| window.eq_ignore_ascii_case(LABEL)) {
            return Err(UnusableKey::Private);
        }
        if text.len() > MAX_TEXT_BYTES {
            return Err(UnusableKey::NotAKey);
        }
        if text.trim_start().starts_with('{') {
            return jwk::pasted(text.trim());
        }
        Self::new(pem::numbers(text)?, None, None)
    }

    /// Checks the numbers, and that they fit a stated algorithm.
    pub(super) fn new(
        numbers: Numbers,
        kid: Option<String>,
        algorithm: Option<Algorithm>,
    ) -> Result<Self, UnusableKey> {
        match &numbers {
            Numbers::Rsa { n, e } => weak::check_rsa(n, e)?,
            Numbers::Ed25519(key) => weak::check_ed25519(key)?,
            Numbers::Ec { curve, x, y } => {
                curve.parse(x, y)?;
            }
        }
        let key = Self {
            numbers,
            kid,
            algorithm,
        };
        match algorithm {
            Some(algorithm) if !key.algorithms().contains(&algorithm) => {
                Err(UnusableKey::WrongAlgorithm)
            }
            Some(_) | None => Ok(key),
        }
    }

    /// The algorithms that it can be used with; a JWK that states one has no other.
    pub fn algorithms(&self) -> &[Algorithm] {
        const RSA: [Algorithm; 6] = [
            Algorithm::Rs256,
            Algorithm::Rs384,
            Algorithm::Rs512,
            Algorithm::Ps256,
            Algorithm::Ps384,
            Algorithm::Ps512,
        ];
        let possible: &[Algorithm] = match &self.numbers {
            Numbers::Rsa { .. } => &RSA,
            Numbers::Ec { curve, .. } => match curve {
                Curve::P256 => &[Algorithm::Es256],
                Curve::P384 => &[Algorithm::Es384],
            },
            Numbers::Ed25519(_) => &[Algorithm::EdDsa],
        };
        match &self.algorithm {
            Some(stated) if possible.contains(stated) => std::slice::from_ref(stated),
            Some(_) | None => possible,
        }
    }

    /// The one algorithm that it can be used with, unless that must be chosen.
    pub fn algorithm(&self) -> Option<Algorithm> {
        match self.algorithms() {
            [only] => Some(*only),
            _ => None,
        }
    }

    /// The `kid` that the JWK stated.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The RFC 7638 thumbprint, the same whatever form the key came in (K8).
    pub fn fingerprint(&self) -> String {
        let members = self.to_jwk().to_string();
        base64url(digest::digest(&digest::SHA256, members.as_bytes()).as_ref())
    }

    /// The key as a JWK of its numbers alone, which [`parse`](Self::parse) reads.
    pub fn to_jwk(&self) -> Value {
        // In the order of RFC 7638, whatever order the map keeps.
        match &self.numbers {
            Numbers::Rsa { n, e } => {
                json!({ "e": base64url(e), "kty": "RSA", "n": base64url(n) })
            }
            Numbers::Ec { curve, x, y } => {
                json!({ "crv": curve.name(), "kty": "EC", "x": base64url(x), "y": base64url(y) })
            }
            Numbers::Ed25519(key) => {
                json!({ "crv": "Ed25519", "kty": "OKP", "x": base64url(key) })
            }
        }
    }

    /// The key as aws-lc verifies with it, for this algorithm and no other.
    pub(super) fn parsed(&self, algorithm: Algorithm) -> Result<ParsedPublicKey, UnusableKey> {
        if !self.algorithms().contains(&algorithm) {
            return Err(UnusableKey::WrongAlgorithm);
        }
        match &self.numbers {
            Numbers::Rsa { n, e } => {
                let parameters = algorithm.rsa().ok_or(UnusableKey::WrongAlgorithm)?;
                RsaPublicKeyComponents { n, e }
                    .to_parsed_public_key(parameters)
                    .map_err(|_| UnusableKey::WeakModulus)
            }
            Numbers::Ec { curve, x, y } => curve.parse(x, y),
            Numbers::Ed25519(key) => {
                ParsedPublicKey::new(&ED25519, key).map_err(|_| UnusableKey::OffCurve)
            }
        }
    }
}

impl Curve {
    /// The name in a JWK's `crv`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
        }
    }

    /// How many bytes a coordinate has.
    pub(super) fn bytes(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
        }
    }

    /// The point, if it is on the curve.
    pub(super) fn parse(self, x: &[u8], y: &[u8]) -> Result<ParsedPublicKey, UnusableKey> {
        let algorithm: &'static EcdsaVerificationAlgorithm = match self {
            Self::P256 => &ECDSA_P256_SHA256_FIXED,
            Self::P384 => &ECDSA_P384_SHA384_FIXED,
        };
        let point = [&[4], x, y].concat();
        ParsedPublicKey::new(algorithm, point).map_err(|_| UnusableKey::OffCurve)
    }
}
