//! From a token to a proven identity.
//!
//! A site that embeds the widget signs its visitors in and gives us a JWT for
//! each. [`Verifier::verify`] turns the compact form into a [`Verified`] or says
//! why it may not, as a [`Refused`]. Nothing else in the program looks inside a
//! token.
//!
//! Not here: fetching and storing keys, replay and revocation marks, what an
//! identity may do. There is no IO, no clock and no domain in this crate, so it
//! could be used alone.
//!
//! What always holds:
//!
//! - The key decides the algorithm. The token's `alg` is only compared with it.
//! - Times are checked against the `now` that is passed in, in unix seconds.
//! - Claims are not read before the signature over them was found good.
//! - There is no way to get a [`Verified`] except through `verify`.
//! - No refusal, trace or `Debug` output holds a secret or what a claim says.

mod jws;

mod json;

mod algorithm;
mod key;
mod secret;

mod claims;

mod explain;
mod refusal;

mod mint;
mod possession;
mod self_test;

use std::sync::Arc;

pub use crate::algorithm::{Algorithm, UnknownAlgorithm};
pub use crate::claims::{
    Attribute, NotAnAttribute, Scalar, Verified, Warning, fit_for_greeting, is_attribute_name,
    is_invisible,
};
pub use crate::explain::{Check, Explanation, Outcome, Step, diagnose};
pub use crate::jws::{BadBase64url, base64url, decode_base64url};
pub use crate::key::{
    BadKeySet, FetchedKeys, Key, KeySet, KeyState, PublicKey, SetTerms, SkippedKey, UnusableKey,
};
pub use crate::mint::{AssertionKey, mint_hmac, mint_hs256, thumbprint};
pub use crate::possession::{Asked, BadProof, NotAThumbprint, Proof, ProofKey};
pub use crate::refusal::{
    ActorFault, AudienceFault, IssuerFault, KidFault, Malformed, Part, Refusal, Refused, Span,
    Stage, Trace,
};
pub use crate::secret::{BadSecret, Secret, SecretKind, checksum};
pub use crate::self_test::{SelfTestFailed, self_test};

use crate::explain::Walk;
use crate::jws::Compact;

/// What one agent and environment asks of a token, besides a good signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// What `aud` must contain when there is one: `agt_…`, or `agt_…/staging`.
    pub audience: String,
    /// By how many seconds the site's clock may be off, at most 120.
    pub leeway: u32,
    /// For how many seconds a token may be good, at most 86,400.
    pub max_lifetime: u32,
    /// Whether a token without `email` is refused.
    pub email_required: bool,
    /// Whether a token without `aud` is refused.
    pub audience_required: bool,
    /// Whether a token without `iss` is refused.
    pub issuer_required: bool,
    /// Whether a member of staff may act as the user (`act`).
    pub actor_allowed: bool,
    /// Whether a token without `jti` is refused. That one is used once only is
    /// for the caller to see to.
    pub jti_required: bool,
}

impl Policy {
    const MAX_LEEWAY: u32 = 120;
    const MAX_LIFETIME: u32 = 24 * 60 * 60;

    /// What applies until the operator changes it: 60 s of leeway, one hour of
    /// lifetime, an email required, staff may act.
    pub fn new(audience: impl Into<String>) -> Self {
        Self {
            audience: audience.into(),
            leeway: 60,
            max_lifetime: 60 * 60,
            email_required: true,
            audience_required: false,
            issuer_required: false,
            actor_allowed: true,
            jti_required: false,
        }
    }

    /// The same, with what is over a limit brought down to it.
    fn within_limits(mut self) -> Self {
        self.leeway = self.leeway.min(Self::MAX_LEEWAY);
        self.max_lifetime = self.max_lifetime.min(Self::MAX_LIFETIME);
        self
    }
}

/// Checks the tokens of one agent and environment.
///
/// A clone shares the keys.
#[derive(Clone, Debug)]
pub struct Verifier {
    keys: Arc<KeySet>,
    policy: Arc<Policy>,
}

impl Verifier {
    /// Makes a verifier; limits of the policy that are too wide are narrowed.
    pub fn new(keys: KeySet, policy: Policy) -> Self {
        Self {
            keys: Arc::new(keys),
            policy: Arc::new(policy.within_limits()),
        }
    }

    /// Checks a token as of `now`, in unix seconds.
    pub fn verify(&self, token: &str, now: i64) -> Result<Verified, Refused> {
        let mut walk = Walk::default();
        self.walk(token, now, &mut walk)
            .map_err(|refusal| walk.refused(refusal))
    }

    /// The one way from a token to a [`Verified`], which the checker walks too.
    fn walk(&self, token: &str, now: i64, walk: &mut Walk) -> Result<Verified, Refusal> {
        let compact = Compact::parse(token)?;
        let (key, claims) = self.keys.proof(&compact, now, walk)?;
        claims::read(claims, key, &self.policy, now, walk)
    }

    /// The keys that tokens are checked against.
    pub fn keys(&self) -> &KeySet {
        &self.keys
    }
}

#[cfg(test)]
mod tests;
