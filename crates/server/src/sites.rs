//! What is needed to meet a visitor of one agent and environment: its verifier
//! and its settings, kept warm.
//!
//! Read once and kept until the store says that something changed, so that a
//! token is verified without a look at the database (rule T13).

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use maitred_core::{
    agent::{Agent, Settings},
    scope::Scope,
};
use maitred_store::{KeyState as StoredState, Store, StoreError, StoredKey};
use maitred_token::{Algorithm, Key, KeySet, KeyState, Policy, Verifier};
use secrecy::ExposeSecret;

/// One environment of one agent, ready to meet visitors.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) scope: Scope,
    pub(crate) agent: Agent,
    pub(crate) settings: Settings,
    pub(crate) verifier: Verifier,
}

/// The sites that were met so far.
#[derive(Debug, Default)]
pub(crate) struct Sites {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    sites: HashMap<Scope, Arc<Site>>,
    /// Counts how often everything was forgotten: what was read before may be
    /// out of date, and is not kept.
    generation: u64,
}

impl Sites {
    /// The site, if there is such an agent.
    pub(crate) async fn site(
        &self,
        store: &Store,
        scope: Scope,
    ) -> Result<Option<Arc<Site>>, StoreError> {
        let generation = {
            let known = self.known();
            if let Some(site) = known.sites.get(&scope) {
                return Ok(Some(site.clone()));
            }
            known.generation
        };
        let Some(agent) = store.agent(scope.agent).await? else {
            return Ok(None);
        };
        let Some(settings) = store.settings(scope).await? else {
            return Ok(None);
        };
        let keys = store.keys(scope).await?;
        let verifier = Verifier::new(key_set(&keys), policy(scope, &settings));
        let site = Arc::new(Site {
            scope,
            agent,
            settings,
            verifier,
        });
        let mut known = self.known();
        if known.generation == generation {
            known.sites.insert(scope, site.clone());
        }
        Ok(Some(site))
    }

    /// Forgets everything, so that the next visitor is met with what is stored now.
    pub(crate) fn forget(&self) {
        let mut known = self.known();
        known.sites.clear();
        known.generation += 1;
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn policy(scope: Scope, settings: &Settings) -> Policy {
    let tokens = &settings.tokens;
    Policy {
        audience: scope.audience(),
        leeway: tokens.leeway.seconds(),
        max_lifetime: tokens.max_lifetime.seconds(),
        email_required: tokens.email_required,
        audience_required: tokens.audience_required,
        issuer_required: tokens.issuer_required,
        actor_allowed: tokens.actors_allowed,
        jti_required: tokens.one_time,
    }
}

fn key_set(stored: &[StoredKey]) -> KeySet {
    let keys = stored.iter().filter_map(|stored| {
        let algorithm = stored.algorithm.parse::<Algorithm>().ok()?;
        let secret = stored.secret.expose_secret();
        let key = Key::shared_secret(stored.id.to_string(), secret, algorithm)
            .inspect_err(|error| tracing::error!(key.id = %stored.id, %error, "a key is left out"))
            .ok()?;
        let key = key.state(match stored.state {
            StoredState::Active => KeyState::Active,
            StoredState::Retiring(until) => KeyState::Retiring {
                until: until.as_second(),
            },
            StoredState::Revoked(_) => KeyState::Revoked,
        });
        Some(if stored.imported { key.imported() } else { key })
    });
    KeySet::new(keys.collect())
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use maitred_core::{clock::Clock, scope::Environment};
    use maitred_store::{Location, MasterKey};

    use super::*;

    #[tokio::test]
    async fn k6_a_site_that_was_read_before_a_change_is_not_kept() {
        let dir = tempfile::tempdir().unwrap();
        let master = MasterKey::at(&dir.path().join("master.key")).unwrap();
        let location = Location::Sqlite(dir.path().join("maitred.db"));
        let store = Store::open(&location, master, Clock::system())
            .await
            .unwrap();
        let settings = Settings::default();
        let agent = store.create_agent("Ada", &settings, &settings).await;
        let scope = Scope {
            agent: agent.unwrap().id,
            environment: Environment::Production,
        };
        let sites = Sites::default();

        let mut reading = Box::pin(sites.site(&store, scope));
        assert!((&mut reading).now_or_never().is_none(), "it waits");
        sites.forget();
        let read_before = reading.await.unwrap().unwrap();

        let kept = sites.site(&store, scope).await.unwrap().unwrap();
        assert!(!Arc::ptr_eq(&kept, &read_before));
        let again = sites.site(&store, scope).await.unwrap().unwrap();
        assert!(Arc::ptr_eq(&again, &kept), "what was read since is kept");
    }
}
