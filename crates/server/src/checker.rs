//! Why a token is accepted or refused, step by step (rule L2).
//!
//! It walks the path of the widget's token: through the verifier, then through the
//! store's own questions, as the exchange asks them, in a transaction that is undone.
//! For a signature that no key here made it looks whether the other environment's
//! did. Nothing here keeps a token, or uses one up.

use jiff::SignedDuration;
use maitred_core::scope::{Environment, Scope};
use maitred_store::{Store, StoreError};
use maitred_token::{Explanation, Outcome, Verified, Verifier};

use crate::{
    http::ApiError,
    sites::{Site, Sites},
};

/// The step after those of the verifier: what was stored since the token was made
/// (rules K6, S6, T9).
pub(crate) const ADMISSION: &str = "admission";

/// What was found of a token.
pub(crate) struct Checked {
    /// What it is by itself.
    pub(crate) explanation: Explanation,
    /// What else it would be refused for.
    pub(crate) admission: Outcome,
}

impl Checked {
    /// The code of what it is refused for, if it is.
    pub(crate) fn code(&self) -> Option<&'static str> {
        match (&self.explanation.verdict, &self.admission) {
            (Err(refused), _) => Some(refused.refusal.code()),
            (Ok(_), Outcome::Failed { code, .. }) => Some(code),
            (Ok(_), Outcome::Passed(_) | Outcome::NotReached) => None,
        }
    }

    /// Each step by its name, with what came of it.
    pub(crate) fn steps(&self) -> impl Iterator<Item = (&'static str, &Outcome)> {
        let steps = self.explanation.steps.iter();
        let steps = steps.map(|step| (step.check.name(), &step.outcome));
        steps.chain([(ADMISSION, &self.admission)])
    }
}

/// What a token is found to be in one environment. None: there is no such agent.
pub(crate) async fn check(
    sites: &Sites,
    store: &Store,
    scope: Scope,
    token: &str,
) -> Result<Option<Checked>, StoreError> {
    let Some(site) = sites.site(store, scope).await? else {
        return Ok(None);
    };
    let explanation = site.verifier.explain(token, store.clock.now().as_second());
    let admission = match &explanation.verdict {
        Ok(verified) => admission(store, &site, verified).await?,
        Err(_) => Outcome::NotReached,
    };
    let mut others = Vec::new();
    for environment in Environment::ALL {
        let other = Scope {
            environment,
            ..scope
        };
        if other != scope
            && let Some(site) = sites.site(store, other).await?
        {
            others.push(site);
        }
    }
    let others: Vec<(&str, &Verifier)> = others
        .iter()
        .map(|site| (site.scope.environment.as_str(), &site.verifier))
        .collect();
    Ok(Some(Checked {
        explanation: explanation.diagnosed(token, &others),
        admission,
    }))
}

/// What the store has against a token that is good by itself.
async fn admission(store: &Store, site: &Site, verified: &Verified) -> Result<Outcome, StoreError> {
    // No session is to rely on it.
    let proven = site.proven(verified, SignedDuration::ZERO)?;
    let error = match store.would_admit(site.scope, &proven).await {
        Ok(()) => {
            let found = match proven.once {
                Some(_) => "its user was not logged out since, and it was not used yet",
                None => "its user was not logged out since it was made",
            };
            return Ok(Outcome::Passed(found.to_owned()));
        }
        Err(error) => error,
    };
    let is_the_tokens_fault = matches!(
        error,
        StoreError::KeyRevoked | StoreError::TokenRevoked | StoreError::TokenReplayed
    );
    if !is_the_tokens_fault {
        return Err(error);
    }
    let told = ApiError::from(error).told();
    Ok(Outcome::Failed {
        code: told.code,
        message: told.message,
        fix: told.hint.unwrap_or_default(),
    })
}
