//! Why a token is accepted or refused, step by step (rule L2).
//!
//! It walks the path of the widget's token, and then looks whether the key of
//! the other environment made the signature. Nothing here keeps a token.

use maitred_core::scope::{Environment, Scope};
use maitred_store::{Store, StoreError};
use maitred_token::{Explanation, Verifier};

use crate::sites::Sites;

/// What a token is found to be in one environment. None: there is no such agent.
pub(crate) async fn check(
    sites: &Sites,
    store: &Store,
    scope: Scope,
    token: &str,
) -> Result<Option<Explanation>, StoreError> {
    let Some(site) = sites.site(store, scope).await? else {
        return Ok(None);
    };
    let explanation = site.verifier.explain(token, store.clock.now().as_second());
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
    Ok(Some(explanation.diagnosed(token, &others)))
}
