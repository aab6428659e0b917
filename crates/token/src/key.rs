//! The keys that tokens are checked with.
//!
//! A key is parsed once, when it is made, and fixes its algorithm (K5): a shared
//! secret, or a [`PublicKey`] that an operator brings or an identity provider
//! publishes. Which of a set's keys is tried for a token is decided in `set`.
//!
//! The check is aws-lc's own and not `jsonwebtoken::crypto::verify`, which parses
//! the key again for each token: for RS256 that alone costs twice what all rules
//! together may.

mod der;
pub(crate) mod jwk;
mod pem;
mod public;
mod set;
mod unusable;
mod weak;

use std::fmt;

use aws_lc_rs::hmac;
use aws_lc_rs::signature::ParsedPublicKey;

pub use jwk::{BadKeySet, FetchedKeys, SetTerms, SkippedKey};
pub use public::PublicKey;
pub use set::KeySet;
pub use unusable::UnusableKey;

use crate::algorithm::Algorithm;
use crate::jws::{MAX_KID_CHARS, Typ, Unverified};
use crate::refusal::Refusal;

/// K1: shorter secrets can be guessed from one token.
const MIN_SECRET_BYTES: usize = 32;

/// Whether a key still counts (K6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// It does.
    Active,
    /// It does until this time, in unix seconds.
    Retiring {
        /// The first second at which it no longer does.
        until: i64,
    },
    /// It never does again.
    Revoked,
}

/// One key of one agent and environment.
#[derive(Clone, Debug)]
pub struct Key {
    id: String,
    source: Option<String>,
    algorithm: Algorithm,
    material: Material,
    origin: Origin,
    state: KeyState,
    issuer: Option<String>,
    audiences: Vec<String>,
    imported: bool,
}

/// The parsed key, which verifies in the way of the key's algorithm.
#[derive(Clone)]
enum Material {
    Secret(Box<hmac::Key>),
    Public {
        key: ParsedPublicKey,
        fingerprint: String,
    },
}

/// Who answers for a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// An operator, who made it or pasted it here.
    Here,
    /// An identity provider, in whose set it was fetched.
    Fetched,
}

impl fmt::Debug for Material {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret(_) => f.write_str("[redacted]"),
            Self::Public { fingerprint, .. } => f.write_str(fingerprint),
        }
    }
}

impl Key {
    /// Makes an active key of a secret's bytes. Its id is the `kid` of its tokens.
    pub fn shared_secret(
        id: impl Into<String>,
        secret: &[u8],
        algorithm: Algorithm,
    ) -> Result<Self, UnusableKey> {
        let Some(hmac) = algorithm.hmac() else {
            return Err(UnusableKey::WrongAlgorithm);
        };
        if secret.len() < MIN_SECRET_BYTES {
            return Err(UnusableKey::TooShort {
                bytes: secret.len(),
            });
        }
        if secret.iter().all(|byte| *byte == secret[0]) {
            return Err(UnusableKey::Repetitive);
        }
        let material = Material::Secret(Box::new(hmac::Key::new(hmac, secret)));
        Self::new(id.into(), algorithm, material)
    }

    /// Makes an active key of a public key and one of its
    /// [algorithms](PublicKey::algorithms). Its id is the `kid` of its tokens.
    pub fn public(
        id: impl Into<String>,
        key: &PublicKey,
        algorithm: Algorithm,
    ) -> Result<Self, UnusableKey> {
        let material = Material::Public {
            key: key.parsed(algorithm)?,
            fingerprint: key.fingerprint(),
        };
        Self::new(id.into(), algorithm, material)
    }

    fn new(id: String, algorithm: Algorithm, material: Material) -> Result<Self, UnusableKey> {
        if !fits_as_id(&id) {
            return Err(UnusableKey::BadId);
        }
        Ok(Self {
            id,
            source: None,
            algorithm,
            material,
            origin: Origin::Here,
            state: KeyState::Active,
            issuer: None,
            audiences: Vec::new(),
            imported: false,
        })
    }

    /// The same key, as one of an identity provider's set.
    fn fetched(mut self, issuer: &str, audiences: &[String]) -> Self {
        self.origin = Origin::Fetched;
        self.issuer(issuer).audiences(audiences.to_vec())
    }

    /// The same key, under the name that its keeper has for where it is from: that of
    /// a set, for one of a set's keys. Unlike the id it is never in a token.
    pub fn from_source(mut self, source: impl Into<String>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The same key in this state.
    pub fn state(mut self, state: KeyState) -> Self {
        self.state = state;
        self
    }

    /// The same key, whose tokens must have this `iss`.
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = Some(issuer.into());
        self
    }

    /// The same key, whose tokens may have one of these in `aud` instead of the
    /// agent.
    pub fn audiences(mut self, audiences: Vec<String>) -> Self {
        self.audiences = audiences;
        self
    }

    /// The same key, marked as one that another product's tokens are signed with:
    /// its tokens must have `aud`, or theirs would be ours (K1).
    pub fn imported(mut self) -> Self {
        self.imported = true;
        self
    }

    /// The id, which is also the `kid`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What its keeper calls where it is from; the id, if nothing was said.
    pub fn source(&self) -> &str {
        self.source.as_deref().unwrap_or(&self.id)
    }

    /// The one algorithm of its tokens.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The RFC 7638 thumbprint of a public key (K8). A shared secret has none here:
    /// what may be kept of it is for whoever stores it to say.
    pub fn fingerprint(&self) -> Option<&str> {
        match &self.material {
            Material::Secret(_) => None,
            Material::Public { fingerprint, .. } => Some(fingerprint),
        }
    }

    /// Whether this key made this signature over this message.
    pub(crate) fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.material {
            Material::Secret(key) => hmac::verify(key, message, signature).is_ok(),
            Material::Public { key, .. } => key.verify_sig(message, signature).is_ok(),
        }
    }

    /// K1 and K4: where others sign with the same key, tokens must say that they
    /// are for us.
    pub(crate) fn requires_audience(&self) -> bool {
        self.imported || self.origin == Origin::Fetched
    }

    fn is_public(&self) -> bool {
        match self.material {
            Material::Secret(_) => false,
            Material::Public { .. } => true,
        }
    }

    /// K5 and T2: whether it is for tokens with this header.
    fn admits(&self, header: &Unverified<'_>) -> Result<(), Refusal> {
        let access_tokens =
            self.origin == Origin::Fetched && self.requires_audience() && self.issuer.is_some();
        if header.typ == Typ::AccessToken && !access_tokens {
            return Err(Refusal::TypeNotAllowed);
        }
        if !self.algorithm.is_named(&header.algorithm) {
            let expected = Some(self.algorithm);
            return Err(Refusal::AlgorithmNotAllowed { expected });
        }
        Ok(())
    }

    pub(crate) fn expected_issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    pub(crate) fn accepts_audience(&self, audience: &str) -> bool {
        self.audiences.iter().any(|accepted| accepted == audience)
    }

    fn check_state(&self, now: i64) -> Result<(), Refusal> {
        let retired_for = match self.state {
            KeyState::Active => return Ok(()),
            KeyState::Retiring { until } if now < until => return Ok(()),
            KeyState::Retiring { until } => Some(now.saturating_sub(until)),
            KeyState::Revoked => None,
        };
        Err(Refusal::KeyRevoked {
            key: self.id.clone(),
            retired_for,
        })
    }
}

/// K7: what a `kid` can be.
fn fits_as_id(id: &str) -> bool {
    !id.is_empty() && id.chars().count() <= MAX_KID_CHARS
}
