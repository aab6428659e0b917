//! The keys of a site, from what is stored to what verifies.

use jiff::{SignedDuration, Timestamp};
use maitred_core::{id::KeyId, scope::Scope};
use maitred_store::{
    FetchedSet, GoodSet, KeyMaterial, KeyState as StoredState, KeyTerms, RemoteSet, Store,
    StoreError, StoredKey,
};
use maitred_token::{Key, KeySet, KeyState, SetTerms, UnusableKey, Verified};
use secrecy::ExposeSecret;

use super::Site;
use crate::{jwks::SERVES_STALE, keys::SetUrl};

/// A key set of an identity provider, as it was when the site was read.
#[derive(Clone, Debug)]
pub(crate) struct SiteSet {
    pub(crate) key: KeyId,
    pub(crate) url: SetUrl,
    pub(crate) terms: SetTerms,
    /// Until when its keys count.
    until: Option<Timestamp>,
    fetched: Option<FetchedAt>,
    read_at: Timestamp,
}

#[derive(Clone, Copy, Debug)]
struct FetchedAt {
    at: Timestamp,
    fresh_until: Timestamp,
}

/// By how much the clocks of nodes may differ. A set from further in the future was
/// fetched before a clock was set back, and nobody knows how old it is.
const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_mins(5);

/// How old a set is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SetAge {
    /// Nobody need ask for it.
    Fresh,
    /// It soon ends to be fresh.
    Aging,
    /// It must be fetched anew; if that fails, it serves for some time. So it is if
    /// nobody knows how old it is.
    Stale,
    /// It was never fetched, or too long ago.
    Gone,
}

impl SiteSet {
    pub(crate) fn age(&self, now: Timestamp) -> SetAge {
        let Some(FetchedAt { at, fresh_until }) = self.fetched else {
            return SetAge::Gone;
        };
        let last_quarter = fresh_until.duration_since(at) / 4;
        if at.duration_since(now) > CLOCKS_DIFFER {
            SetAge::Stale
        } else if now < fresh_until - last_quarter {
            SetAge::Fresh
        } else if now < fresh_until {
            SetAge::Aging
        } else if now < fresh_until + SERVES_STALE {
            SetAge::Stale
        } else {
            SetAge::Gone
        }
    }

    /// Whether it is worth a question: a retired set is not.
    pub(crate) fn counts(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }

    /// Whether its keys are in the verifier as long as they serve, and no longer.
    pub(super) fn is_as_it_was_read(&self, now: Timestamp) -> bool {
        let is_gone = |at| self.age(at) == SetAge::Gone;
        is_gone(now) == is_gone(self.read_at)
    }
}

impl Site {
    /// The set whose key verified a token, if one did.
    pub(crate) fn set_of(&self, verified: &Verified) -> Option<&SiteSet> {
        if self.sets.is_empty() {
            return None;
        }
        let source: KeyId = verified.source().parse().ok()?;
        self.sets.iter().find(|set| set.key == source)
    }
}

/// Everything that verifies tokens of one agent and environment now.
pub(super) async fn read_keys(
    store: &Store,
    scope: Scope,
    now: Timestamp,
) -> Result<(Vec<Key>, Vec<SiteSet>), StoreError> {
    let stored = store.keys(scope).await?;
    let is_set = |key: &StoredKey| matches!(key.material, KeyMaterial::Set(_));
    let fetched = if stored.iter().any(is_set) {
        store.fetched_sets(scope).await?
    } else {
        Vec::new()
    };
    let (mut keys, mut sets) = (Vec::new(), Vec::new());
    for stored in &stored {
        match &stored.material {
            KeyMaterial::Set(remote) => {
                if let Some((set, of_set)) = read_set(stored, remote, &fetched, now) {
                    sets.push(set);
                    keys.extend(of_set);
                }
            }
            KeyMaterial::Secret(_) | KeyMaterial::Public(_) => match own_key(stored) {
                Ok(key) => keys.extend(key),
                Err(error) => {
                    tracing::error!(key.id = %stored.id, %error, "a key is left out")
                }
            },
        }
    }
    Ok((keys, sets))
}

/// A key that was made or pasted here.
fn own_key(stored: &StoredKey) -> Result<Option<Key>, UnusableKey> {
    let id = stored.id.to_string();
    let (key, terms) = match &stored.material {
        KeyMaterial::Secret(secret) => {
            let key = Key::shared_secret(&id, secret.bytes.expose_secret(), secret.algorithm)?;
            let key = if secret.imported { key.imported() } else { key };
            (key, &secret.terms)
        }
        KeyMaterial::Public(public) => {
            let kid = public.kid.as_ref().unwrap_or(&id);
            (
                Key::public(kid, &public.key, public.algorithm)?,
                &public.terms,
            )
        }
        KeyMaterial::Set(_) => return Ok(None),
    };
    let key = with_terms(key, terms);
    Ok(Some(key.from_source(id).state(state(stored.state))))
}

/// Where audiences are named, tokens must name one.
fn with_terms(key: Key, terms: &KeyTerms) -> Key {
    let key = match &terms.issuer {
        Some(issuer) => key.issuer(issuer),
        None => key,
    };
    if terms.audiences.is_empty() {
        return key;
    }
    key.audiences(terms.audiences.clone()).imported()
}

/// A set and what it verifies with. Nothing of a revoked one is left.
fn read_set(
    stored: &StoredKey,
    remote: &RemoteSet,
    fetched: &[FetchedSet],
    now: Timestamp,
) -> Option<(SiteSet, Vec<Key>)> {
    let until = match stored.state {
        StoredState::Active => None,
        StoredState::Retiring(until) => Some(until),
        StoredState::Revoked(_) => return None,
    };
    let url = SetUrl::parse(&remote.url)
        .inspect_err(|error| tracing::error!(key.id = %stored.id, %error, "a set is left out"))
        .ok()?;
    let good = fetched.iter().find(|it| it.key == stored.id);
    let good = good.and_then(|it| it.last_good.as_ref());
    let set = SiteSet {
        key: stored.id,
        url,
        terms: remote.terms.clone(),
        until,
        fetched: good.map(|good| FetchedAt {
            at: good.fetched_at,
            fresh_until: good.fresh_until,
        }),
        read_at: now,
    };
    let keys = match good {
        Some(good) if set.age(now) != SetAge::Gone => keys_of_set(stored, &set, good),
        Some(_) | None => Vec::new(),
    };
    Some((set, keys))
}

fn keys_of_set(stored: &StoredKey, set: &SiteSet, good: &GoodSet) -> Vec<Key> {
    let found = match KeySet::from_jwks(good.body.as_bytes(), &set.terms) {
        Ok(found) => found.keys,
        Err(error) => {
            tracing::error!(key.id = %stored.id, %error, "a set that was kept is of no use");
            return Vec::new();
        }
    };
    let source = stored.id.to_string();
    let state = state(stored.state);
    let keys = found.into_iter();
    keys.map(|key| key.from_source(&source).state(state))
        .collect()
}

fn state(stored: StoredState) -> KeyState {
    match stored {
        StoredState::Active => KeyState::Active,
        StoredState::Retiring(until) => KeyState::Retiring {
            until: until.as_second(),
        },
        StoredState::Revoked(_) => KeyState::Revoked,
    }
}
