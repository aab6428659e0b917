//! Hashes that only this installation can make.
//!
//! A plain hash of a subject or of a six-digit code is undone by trying them
//! all. These are HMACs under a key that is made once, kept sealed under the
//! master key, and does not change when the master key does.

use std::fmt::Write;

use aws_lc_rs::{hmac, rand};
use maitred_core::scope::Scope;
use secrecy::ExposeSecret;

use crate::{Store, error::OpenError};

/// What is hashed: hashes of different things never meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyedFor {
    /// A subject of one agent and environment.
    Subject(Scope),
    /// The `jti` of a token of one agent and environment.
    TokenId(Scope),
    /// A shared secret, wherever it is used.
    SharedSecret,
    /// A one-time code, with what it is bound to.
    Code,
    /// An address that codes are sent to.
    Address(Scope),
    /// A slot of time in which proofs of possession are fresh.
    ProofNonce,
}

impl KeyedFor {
    fn label(self) -> String {
        match self {
            Self::Subject(scope) => format!("subject/{scope}"),
            Self::TokenId(scope) => format!("token_id/{scope}"),
            Self::SharedSecret => "shared_secret".to_owned(),
            Self::Code => "code".to_owned(),
            Self::Address(scope) => format!("address/{scope}"),
            Self::ProofNonce => "proof_nonce".to_owned(),
        }
    }
}

pub(crate) const ROW: &str = "hash_key";

impl Store {
    /// HMAC-SHA-256 in hex. The same on every node and after every restart.
    pub fn keyed_hash(&self, of: KeyedFor, text: &[u8]) -> String {
        let mut context = hmac::Context::with_key(&self.hash_key);
        context.update(of.label().as_bytes());
        // No label holds it, so where the label ends is plain.
        context.update(&[0]);
        context.update(text);
        context
            .sign()
            .as_ref()
            .iter()
            .fold(String::with_capacity(64), |mut hex, byte| {
                _ = write!(hex, "{byte:02x}");
                hex
            })
    }

    /// Keeps a fresh key on first start; the one that is kept counts.
    pub(crate) async fn settled_hash_key(&self) -> Result<hmac::Key, OpenError> {
        let mut fresh = [0; 32];
        rand::fill(&mut fresh).expect("the operating system's generator works from boot on");
        let kept = self.kept_once(ROW, &self.master.seal(ROW, &fresh)).await?;
        let key = self
            .master
            .open(ROW, &kept)
            .ok_or(OpenError::WrongMasterKey)?;
        Ok(hmac::Key::new(hmac::HMAC_SHA256, key.expose_secret()))
    }
}
