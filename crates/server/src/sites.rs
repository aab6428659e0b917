//! What is needed to meet a visitor of one agent and environment: its verifier
//! and its settings, kept warm.
//!
//! Read once and kept until the store says that something changed, so that a
//! token is verified without a look at the database (rule T13).

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
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
    known: Mutex<HashMap<Scope, Arc<Site>>>,
}

impl Sites {
    /// The site, if there is such an agent.
    pub(crate) async fn site(
        &self,
        store: &Store,
        scope: Scope,
    ) -> Result<Option<Arc<Site>>, StoreError> {
        if let Some(site) = self.known().get(&scope) {
            return Ok(Some(site.clone()));
        }
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
        self.known().insert(scope, site.clone());
        Ok(Some(site))
    }

    /// Forgets everything, so that the next visitor is met with what is stored now.
    pub(crate) fn forget(&self) {
        self.known().clear();
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<Scope, Arc<Site>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn policy(scope: Scope, settings: &Settings) -> Policy {
    let mut policy = Policy::new(scope.audience());
    policy.leeway = settings.tokens.leeway;
    policy.max_lifetime = settings.tokens.max_lifetime;
    policy.email_required = settings.tokens.email_required;
    policy
}

fn key_set(stored: &[StoredKey]) -> KeySet {
    let keys = stored.iter().filter_map(|stored| {
        let algorithm = algorithm(&stored.algorithm)?;
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

fn algorithm(name: &str) -> Option<Algorithm> {
    (name == Algorithm::Hs256.name()).then_some(Algorithm::Hs256)
}
