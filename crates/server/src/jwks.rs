//! Keeps the key sets of identity providers fresh (rule K4).
//!
//! A set is fetched because a token asks for it: one with a `kid` that nobody
//! knows, or one that a set verified whose time is over. What comes is stored and
//! the [`Site`](crate::sites::Site) is read anew, so there is one place that says
//! which keys count. Whoever needs a set at the same time waits for the same fetch.
//!
//! What always holds:
//!
//! - No lock is held while something is fetched: other tokens are verified meanwhile.
//! - A set is fetched at most once in 30 s, whatever tokens say.
//! - Nothing of a token chooses an address.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use maitred_agent::action::Outbound;
use maitred_core::{clock::Clock, id::KeyId, scope::Scope};
use maitred_store::{GoodSet, SetFailure};
use maitred_token::{Key, KeySet, SetTerms, SkippedKey};
use tokio::sync::watch;

use crate::{
    app::App,
    causes::Causes,
    keys::{KeyError, SetUrl},
    sites::SiteSet,
};

/// The bounds of how long a set is used without asking again.
const FRESH_FOR: (SignedDuration, SignedDuration) =
    (SignedDuration::from_mins(5), SignedDuration::from_hours(24));
/// What is assumed of a server that does not say.
const FRESH_UNSAID: SignedDuration = SignedDuration::from_hours(1);
/// For how long a set serves after its time, when it cannot be fetched.
pub(crate) const SERVES_STALE: SignedDuration = SignedDuration::from_hours(24);
/// How soon a set may be fetched again.
const NOT_BEFORE: SignedDuration = SignedDuration::from_secs(30);
/// How long a token waits for a set.
const PATIENCE: Duration = Duration::from_secs(2);

/// A set that was fetched and can be used.
pub(crate) struct Fetched {
    pub(crate) good: GoodSet,
    pub(crate) keys: Vec<Key>,
    pub(crate) skipped: Vec<SkippedKey>,
}

/// Fetches a set and reads it. One with a private key in it is refused whole.
pub(crate) async fn fetch(
    outbound: &Outbound,
    url: &SetUrl,
    terms: &SetTerms,
    clock: &Clock,
) -> Result<Fetched, KeyError> {
    let document = outbound.fetch(url.as_url()).await?;
    let found = KeySet::from_jwks(&document.body, terms)?;
    let body = String::from_utf8(document.body).map_err(|_| KeyError::NotText)?;
    let fetched_at = clock.now();
    Ok(Fetched {
        good: GoodSet {
            body,
            fetched_at,
            fresh_until: fetched_at + fresh_for(document.max_age),
        },
        keys: found.keys,
        skipped: found.skipped,
    })
}

fn fresh_for(max_age: Option<Duration>) -> SignedDuration {
    let (least, most) = FRESH_FOR;
    let said = max_age.map_or(FRESH_UNSAID, |it| {
        SignedDuration::try_from(it).unwrap_or(SignedDuration::MAX)
    });
    said.clamp(least, most)
}

/// The newest try to fetch each set.
#[derive(Debug, Default)]
pub(crate) struct Refreshes {
    tries: Mutex<HashMap<KeyId, Try>>,
}

#[derive(Clone, Debug)]
struct Try {
    begun_at: Timestamp,
    outcome: watch::Receiver<Option<Outcome>>,
    /// Whether the one before had failed.
    after_failure: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Fetched,
    Failed,
}

/// A try that others may be waiting for too. It goes on if nobody does.
#[derive(Debug)]
pub(crate) struct Refresh(Try);

impl Refresh {
    /// Whether fetching this set goes wrong at the moment.
    pub(crate) fn is_failing(&self) -> bool {
        match *self.0.outcome.borrow() {
            Some(outcome) => outcome == Outcome::Failed,
            None => self.0.after_failure,
        }
    }

    /// Whether what is stored is what this try brought.
    pub(crate) fn has_brought_it(&self) -> bool {
        *self.0.outcome.borrow() == Some(Outcome::Fetched)
    }

    /// Waits for all of them, but not for long.
    pub(crate) async fn wait(refreshes: &mut [Self]) {
        // What has come of each is looked at later. An end without an outcome is one too.
        let ends = refreshes.iter_mut().map(async |refresh| {
            _ = refresh.0.outcome.wait_for(Option::is_some).await;
        });
        _ = tokio::time::timeout(PATIENCE, join_all(ends)).await;
    }
}

impl App {
    /// The newest try to fetch a set; a new one, if the last is 30 s old.
    pub(crate) fn refresh(&self, scope: Scope, set: &SiteSet) -> Refresh {
        let now = self.store.clock.now();
        let mut tries = self.refreshes.tries();
        let last = tries.get(&set.key);
        // One that is yet to begin was begun before the clock was set back.
        if let Some(last) = last
            && (SignedDuration::ZERO..NOT_BEFORE).contains(&now.duration_since(last.begun_at))
        {
            return Refresh(last.clone());
        }
        let after_failure =
            last.is_some_and(|last| *last.outcome.borrow() == Some(Outcome::Failed));
        let (done, outcome) = watch::channel(None);
        let begun = Try {
            begun_at: now,
            outcome,
            after_failure,
        };
        tries.insert(set.key, begun.clone());
        drop(tries);

        let (app, set) = (self.clone(), set.clone());
        self.tasks.spawn(async move {
            let outcome = app.fetch_and_keep(scope, &set, after_failure).await;
            _ = done.send(Some(outcome));
        });
        Refresh(begun)
    }

    async fn fetch_and_keep(&self, scope: Scope, set: &SiteSet, after_failure: bool) -> Outcome {
        let store = &self.store;
        let error = match fetch(&self.outbound, &set.url, &set.terms, &store.clock).await {
            Ok(fetched) => match store.keep_set(scope, set.key, &fetched.good).await {
                Ok(()) => {
                    self.sites.forget_site(scope);
                    log_fetched(scope, set, &fetched, after_failure);
                    return Outcome::Fetched;
                }
                Err(error) => KeyError::from(error),
            },
            Err(error) => error,
        };
        let reason = if let KeyError::Fetch(error) = &error {
            // That it was to be fetched goes without saying.
            error.to_string()
        } else {
            Causes(&error).to_string()
        };
        // Once: that it goes on like this is told by `maitred key list`.
        if !after_failure {
            tracing::warn!(
                agent.id = %scope.agent,
                environment = %scope.environment,
                key.id = %set.key,
                reason,
                "a key set cannot be fetched; the last good one serves for up to 24 h"
            );
        }
        let failure = SetFailure {
            at: store.clock.now(),
            reason,
        };
        if let Err(error) = store.note_set_failure(scope, set.key, &failure).await {
            tracing::warn!(key.id = %set.key, error = %Causes(&error), "a failure to fetch a key set could not be noted");
        }
        Outcome::Failed
    }
}

fn log_fetched(scope: Scope, set: &SiteSet, fetched: &Fetched, after_failure: bool) {
    tracing::info!(
        agent.id = %scope.agent,
        environment = %scope.environment,
        key.id = %set.key,
        keys = fetched.keys.len(),
        skipped = fetched.skipped.len(),
        after_failure,
        "a key set was fetched"
    );
    for skipped in &fetched.skipped {
        tracing::debug!(key.id = %set.key, kid = skipped.kid, why = %skipped.why, "a key of a set is skipped");
    }
}

impl Refreshes {
    fn tries(&self) -> std::sync::MutexGuard<'_, HashMap<KeyId, Try>> {
        self.tries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn k4_a_set_is_fresh_for_its_max_age_within_bounds() {
        for (max_age, minutes) in [
            (Some(0), 5),
            (Some(299), 5),
            (Some(600), 10),
            (Some(86_399), 1_439),
            (Some(u64::MAX), 1_440),
            (None, 60),
        ] {
            let fresh = fresh_for(max_age.map(Duration::from_secs));

            assert_eq!(fresh.as_mins(), minutes, "{max_age:?}");
        }
    }
}
