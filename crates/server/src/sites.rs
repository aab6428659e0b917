//! What is needed to meet a visitor of one agent and environment: its verifier
//! and its settings, kept warm.
//!
//! Read once and kept until the store says that something changed, so that a
//! token is verified without a look at the database (rule T13).

mod keys;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use maitred_core::{
    agent::{Agent, Settings},
    scope::Scope,
};
use maitred_store::{Store, StoreError};
use maitred_token::{KeySet, Policy, Verifier};

use self::keys::read_keys;
pub(crate) use self::keys::{SetAge, SiteSet};

/// One environment of one agent, ready to meet visitors. What it says does not
/// change: when a key or a set does, the site is read anew.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) scope: Scope,
    pub(crate) agent: Agent,
    pub(crate) settings: Settings,
    pub(crate) verifier: Verifier,
    /// The sets of identity providers, whose keys are in the verifier as well.
    pub(crate) sets: Vec<SiteSet>,
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
        let now = store.clock.now();
        let generation = {
            let known = self.known();
            if let Some(site) = known.sites.get(&scope)
                && site.sets.iter().all(|set| set.is_as_it_was_read(now))
            {
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
        let (keys, sets) = read_keys(store, scope, now).await?;
        let verifier = Verifier::new(KeySet::new(keys), policy(scope, &settings));
        let site = Arc::new(Site {
            scope,
            agent,
            settings,
            verifier,
            sets,
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

    /// Forgets one, whose keys have changed.
    pub(crate) fn forget_site(&self, scope: Scope) {
        let mut known = self.known();
        known.sites.remove(&scope);
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
