//! The keys that tokens are checked with.
//!
//! A key is parsed once, when it is made, and fixes its algorithm (K5). Only
//! shared secrets so far.
//!
//! The check is aws-lc's own and not `jsonwebtoken::crypto::verify`, which parses
//! the key again for each token: for RS256 that alone costs twice what all rules
//! together may.

use std::fmt;

use aws_lc_rs::hmac;

use crate::jws::{Compact, MAX_KID_CHARS};
use crate::refusal::{KidFault, Refusal, Trace};

/// K1: shorter secrets can be guessed from one token.
const MIN_SECRET_BYTES: usize = 32;

/// How a token is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// HMAC with SHA-256.
    Hs256,
}

impl Algorithm {
    /// The name in a token's `alg`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

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
    material: Material,
    state: KeyState,
    issuer: Option<String>,
    audiences: Vec<String>,
    imported: bool,
}

/// The parsed key. A variant is a kind of key; what it verifies with is in it.
#[derive(Clone)]
enum Material {
    Hmac(hmac::Key),
}

impl fmt::Debug for Material {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Why something cannot be a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnusableKey {
    /// Fewer than 32 bytes.
    #[error("the secret has {bytes} bytes, and at least 32 are needed")]
    TooShort {
        /// How many there are.
        bytes: usize,
    },
    /// One byte, over and over.
    #[error("the secret is one byte repeated")]
    Repetitive,
    /// No `kid` of a token could be equal to it.
    #[error("a key's id has 1 to 256 characters")]
    BadId,
    /// Not an Ed25519 key pair in PKCS #8.
    #[error("the document is not an Ed25519 key pair in PKCS #8")]
    BadDocument,
}

impl UnusableKey {
    /// The stable code that API clients see.
    pub fn code(self) -> &'static str {
        match self {
            Self::TooShort { .. } | Self::Repetitive => "weak_key",
            Self::BadId | Self::BadDocument => "unusable_key",
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
        let id = id.into();
        if id.is_empty() || id.chars().count() > MAX_KID_CHARS {
            return Err(UnusableKey::BadId);
        }
        if secret.len() < MIN_SECRET_BYTES {
            return Err(UnusableKey::TooShort {
                bytes: secret.len(),
            });
        }
        if secret.iter().all(|byte| *byte == secret[0]) {
            return Err(UnusableKey::Repetitive);
        }
        let material = Material::Hmac(match algorithm {
            Algorithm::Hs256 => hmac::Key::new(hmac::HMAC_SHA256, secret),
        });
        Ok(Self {
            id,
            material,
            state: KeyState::Active,
            issuer: None,
            audiences: Vec::new(),
            imported: false,
        })
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

    /// The one algorithm of its tokens.
    pub fn algorithm(&self) -> Algorithm {
        match self.material {
            Material::Hmac(_) => Algorithm::Hs256,
        }
    }

    /// Whether this key made this signature over this message.
    pub(crate) fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.material {
            Material::Hmac(key) => hmac::verify(key, message, signature).is_ok(),
        }
    }

    pub(crate) fn requires_audience(&self) -> bool {
        self.imported
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

/// All keys of one agent and environment.
#[derive(Clone, Debug, Default)]
pub struct KeySet(Vec<Key>);

impl KeySet {
    /// Gathers the keys. An id that two of them have selects neither.
    pub fn new(keys: Vec<Key>) -> Self {
        Self(keys)
    }

    /// The keys, in the order in which they were given.
    pub fn iter(&self) -> impl Iterator<Item = &Key> {
        self.0.iter()
    }

    /// Finds the key that signed a token and opens its claims (K7).
    pub(crate) fn proof<'c>(
        &self,
        token: &'c Compact<'_>,
        now: i64,
        trace: &mut Trace,
    ) -> Result<(&Key, &'c [u8]), Refusal> {
        let header = token.header()?;
        if header.algorithm.eq_ignore_ascii_case("none") {
            return Err(Refusal::AlgorithmNotAllowed { expected: None });
        }
        let (key, claims) = match &header.kid {
            Some(kid) => {
                let key = self
                    .named(kid)
                    .ok_or_else(|| Refusal::UnknownKey(KidFault::unknown(kid)))?;
                trace.uses(key);
                key.check_state(now)?;
                if header.algorithm != key.algorithm().name() {
                    let expected = Some(key.algorithm());
                    return Err(Refusal::AlgorithmNotAllowed { expected });
                }
                let claims = token
                    .claims_if_signed_by(key)
                    .ok_or(Refusal::BadSignature)?;
                (key, claims)
            }
            None => {
                let (key, claims) = self.proof_without_kid(token, &header.algorithm, now)?;
                trace.uses(key);
                (key, claims)
            }
        };
        Ok((key, claims))
    }

    /// Tries the secrets that count and have this algorithm.
    fn proof_without_kid<'c>(
        &self,
        token: &'c Compact<'_>,
        algorithm: &str,
        now: i64,
    ) -> Result<(&Key, &'c [u8]), Refusal> {
        let mut refusal = Refusal::UnknownKey(KidFault::Absent);
        for key in self.0.iter().filter(|key| key.check_state(now).is_ok()) {
            if key.algorithm().name() != algorithm {
                if refusal != Refusal::BadSignature {
                    refusal = Refusal::AlgorithmNotAllowed {
                        expected: Some(key.algorithm()),
                    };
                }
            } else if let Some(claims) = token.claims_if_signed_by(key) {
                return Ok((key, claims));
            } else {
                refusal = Refusal::BadSignature;
            }
        }
        Err(refusal)
    }

    fn named(&self, kid: &str) -> Option<&Key> {
        let mut named = self.0.iter().filter(|key| key.id == kid);
        named.next().filter(|_| named.next().is_none())
    }
}
