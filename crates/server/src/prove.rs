//! From a token to what it proves: the one way in the server.

use jiff::{SignedDuration, Timestamp};
use maitred_core::{agent::Settings, identity::Identity};
use maitred_store::{Once, Proven, StoreError};
use maitred_token::{KidFault, Refusal, Refused, Stage, Verified};

use crate::{
    app::App,
    causes::Causes,
    jwks::Refresh,
    sites::{SetAge, Site, SiteSet},
};

/// Why a token proves nothing.
#[derive(Debug)]
pub(crate) enum Unproven {
    /// It is refused.
    Refused(Box<Refused>),
    /// Its key may be in a set that cannot be fetched now (rule K4).
    KeysUnavailable,
}

impl From<Refused> for Unproven {
    fn from(refused: Refused) -> Self {
        Self::Refused(Box::new(refused))
    }
}

impl App {
    /// Checks a token. The database is not asked and nothing is waited for, unless
    /// the token needs a key set that is not at hand.
    pub(crate) async fn prove(&self, site: &Site, token: &str) -> Result<Verified, Unproven> {
        let now = self.store.clock.now();
        let proven = site.verifier.verify(token, now.as_second());
        let refresh = |set: &SiteSet| self.refresh(site.scope, set);
        let refreshes = match &proven {
            Ok(verified) => match site.set_of(verified) {
                None => return Ok(proven?),
                Some(set) => match set.age(now) {
                    SetAge::Fresh => return Ok(proven?),
                    SetAge::Aging => {
                        // In good time, so that nobody has to wait for it.
                        refresh(set);
                        return Ok(proven?);
                    }
                    SetAge::Stale | SetAge::Gone => vec![refresh(set)],
                },
            },
            Err(refused) => sets_in_question(site, refused, now).map(refresh).collect(),
        };
        if refreshes.is_empty() {
            return Ok(proven?);
        }
        if proven.is_ok() && refreshes.iter().all(Refresh::is_failing) {
            // The last good set serves meanwhile.
            return Ok(proven?);
        }
        self.prove_with_fresh_sets(site, token, refreshes).await
    }

    async fn prove_with_fresh_sets(
        &self,
        site: &Site,
        token: &str,
        mut refreshes: Vec<Refresh>,
    ) -> Result<Verified, Unproven> {
        Refresh::wait(&mut refreshes).await;
        let site = match self.sites.site(&self.store, site.scope).await {
            Ok(Some(site)) => site,
            Ok(None) => return Err(Unproven::KeysUnavailable),
            Err(error) => {
                tracing::warn!(error = %Causes(&error), "keys could not be read");
                return Err(Unproven::KeysUnavailable);
            }
        };
        let now = self.store.clock.now();
        match site.verifier.verify(token, now.as_second()) {
            Err(refused)
                if lacks_a_key(&refused) && !refreshes.iter().all(Refresh::has_brought_it) =>
            {
                Err(Unproven::KeysUnavailable)
            }
            proven => Ok(proven?),
        }
    }
}

impl Site {
    /// What a good token brings along to the store, and until when a session may
    /// rely on it: `grace` after it expires (rule S2).
    pub(crate) fn proven(
        &self,
        verified: &Verified,
        grace: SignedDuration,
    ) -> Result<Proven, StoreError> {
        let key = verified.source().parse();
        let key = key.map_err(|_| StoreError::Corrupt {
            table: "signing_keys",
            column: "id",
        })?;
        let Settings { claims, tokens, .. } = &self.settings;
        let identity = claims.admitted(Identity::from(verified));
        let expires_at = seconds(verified.expires_at());
        Ok(Proven {
            record: claims.record(&identity),
            identity,
            key,
            issued_at: verified.issued_at().map(seconds),
            leeway: SignedDuration::from_secs(tokens.leeway.seconds().into()),
            once: verified.jti().filter(|_| tokens.one_time).map(|jti| Once {
                jti: jti.to_owned(),
                expires_at,
            }),
            lasts_until: expires_at.checked_add(grace).unwrap_or(Timestamp::MAX),
        })
    }
}

/// A time of a token. One that is too late for us is as late as we can say.
fn seconds(unix: i64) -> Timestamp {
    Timestamp::from_second(unix).unwrap_or(Timestamp::MAX)
}

/// The sets in which the key of a refused token may be.
fn sets_in_question<'s>(
    site: &'s Site,
    refused: &Refused,
    now: Timestamp,
) -> impl Iterator<Item = &'s SiteSet> {
    let lacks_a_key = lacks_a_key(refused);
    // Without a `kid`, a set at hand has nothing new to say.
    let named = names_unknown_key(&refused.refusal);
    site.sets.iter().filter(move |set| {
        lacks_a_key && set.counts(now) && (named || set.age(now) == SetAge::Gone)
    })
}

/// Whether the token names a key that is not here.
fn names_unknown_key(refusal: &Refusal) -> bool {
    matches!(
        refusal,
        Refusal::UnknownKey(KidFault::Unknown(_) | KidFault::Unfit)
    )
}

/// Whether another key could have made a difference.
fn lacks_a_key(refused: &Refused) -> bool {
    let no_key_yet = refused.stage == Stage::BeforeSignature && refused.trace.key.is_none();
    no_key_yet
        && matches!(
            refused.refusal,
            Refusal::UnknownKey(_) | Refusal::BadSignature | Refusal::AlgorithmNotAllowed { .. }
        )
}
