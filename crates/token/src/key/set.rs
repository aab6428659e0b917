//! Which key a token is checked with (K7).

use super::jwk::{self, BadKeySet, FetchedKeys, SetTerms};
use super::{Key, Origin};
use crate::explain::{Check, Walk};
use crate::jws::{Compact, Unverified};
use crate::refusal::{KidFault, Refusal};

/// All keys of one agent and environment.
#[derive(Clone, Debug, Default)]
pub struct KeySet(Vec<Key>);

/// How many keys could be meant.
enum Choice<'k> {
    None,
    One(&'k Key),
    Several,
}

impl KeySet {
    /// Gathers the keys. An id that two of them have selects neither, but where one
    /// was fetched, the one that was made or pasted here counts.
    pub fn new(keys: Vec<Key>) -> Self {
        Self(keys)
    }

    /// Reads the set that an identity provider publishes: its keys, to be gathered
    /// with others in [`new`](Self::new), and what of it does not serve.
    pub fn from_jwks(text: &[u8], terms: &SetTerms) -> Result<FetchedKeys, BadKeySet> {
        jwk::fetched(text, terms)
    }

    /// The keys, in the order in which they were given.
    pub fn iter(&self) -> impl Iterator<Item = &Key> {
        self.0.iter()
    }

    /// Finds the key that signed a token and opens its claims.
    pub(crate) fn proof<'c>(
        &self,
        token: &'c Compact<'_>,
        now: i64,
        walk: &mut Walk,
    ) -> Result<(&Key, &'c [u8]), Refusal> {
        walk.reach(Check::Header);
        let header = token.header()?;
        walk.reach(Check::Key);
        let Some(kid) = &header.kid else {
            return self.proof_without_kid(token, &header, now, walk);
        };
        let key = self
            .named(kid, &header)
            .ok_or_else(|| Refusal::UnknownKey(KidFault::unknown(kid)))?;
        walk.trace.uses(key);
        key.check_state(now)?;
        walk.reach(Check::Algorithm);
        key.admits(&header)?;
        walk.reach(Check::Signature);
        let claims = token
            .claims_if_signed_by(key)
            .ok_or(Refusal::BadSignature)?;
        Ok((key, claims))
    }

    /// Tries the secrets that count, and a public key if there is only one.
    fn proof_without_kid<'c>(
        &self,
        token: &'c Compact<'_>,
        header: &Unverified<'_>,
        now: i64,
        walk: &mut Walk,
    ) -> Result<(&Key, &'c [u8]), Refusal> {
        let counting = || self.0.iter().filter(|key| key.check_state(now).is_ok());
        let public = || counting().filter(|key| key.is_public());
        let (lone, several) = match one_of(public, header) {
            Choice::None => (None, false),
            Choice::One(key) => (Some(key), false),
            Choice::Several => (None, true),
        };
        let mut refusal = Refusal::UnknownKey(KidFault::Absent);
        for key in counting().filter(|key| !key.is_public()).chain(lone) {
            if let Err(not_admitted) = key.admits(header) {
                if refusal != Refusal::BadSignature {
                    walk.reach(Check::Algorithm);
                    refusal = not_admitted;
                }
                continue;
            }
            walk.reach(Check::Signature);
            if let Some(claims) = token.claims_if_signed_by(key) {
                walk.trace.uses(key);
                return Ok((key, claims));
            }
            refusal = Refusal::BadSignature;
        }
        if several && public().any(|key| key.admits(header).is_ok()) {
            walk.reach(Check::Key);
            refusal = Refusal::UnknownKey(KidFault::Needed);
        }
        Err(refusal)
    }

    /// The key with this id. Those from here win over fetched ones.
    fn named(&self, kid: &str, header: &Unverified<'_>) -> Option<&Key> {
        for origin in [Origin::Here, Origin::Fetched] {
            let named = || {
                let of_origin = self.0.iter().filter(move |key| key.origin == origin);
                of_origin.filter(|key| key.id == kid)
            };
            match one_of(named, header) {
                Choice::None => (),
                Choice::One(key) => return Some(key),
                Choice::Several => return None,
            }
        }
        None
    }

    /// The key that made the signature, whatever the token says of it and whether
    /// or not the key still counts. For diagnosis alone: it opens nothing.
    pub(crate) fn signer(&self, token: &Compact<'_>) -> Option<&Key> {
        let header = token.header().ok()?;
        let mut keys = self.0.iter();
        keys.find(|key| key.admits(&header).is_ok() && token.claims_if_signed_by(key).is_some())
    }
}

/// The only one of these keys, or the only one whose issuer can be the token's.
fn one_of<'k, I>(keys: impl Fn() -> I, header: &Unverified<'_>) -> Choice<'k>
where
    I: Iterator<Item = &'k Key>,
{
    match only(keys()) {
        Choice::Several => {
            let issuer = header.issuer();
            only(keys().filter(|key| {
                let expected = key.expected_issuer();
                expected.is_none() || expected == issuer.as_deref()
            }))
            .or_several()
        }
        choice @ (Choice::None | Choice::One(_)) => choice,
    }
}

fn only<'k>(mut keys: impl Iterator<Item = &'k Key>) -> Choice<'k> {
    match (keys.next(), keys.next()) {
        (None, _) => Choice::None,
        (Some(key), None) => Choice::One(key),
        (Some(_), Some(_)) => Choice::Several,
    }
}

impl Choice<'_> {
    /// That none of several has the token's issuer does not make them none.
    fn or_several(self) -> Self {
        match self {
            Self::None => Self::Several,
            Self::One(_) | Self::Several => self,
        }
    }
}
