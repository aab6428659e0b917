//! Who operates this installation, and what of it they may reach.
//!
//! A handler that takes an [`Operator`], [`OfAgent`] or [`OfEnvironment`] is for
//! operators only. So far they are programs with an API key; a person with the
//! console's cookie becomes another way to be one.
//!
//! What always holds:
//!
//! - An agent that a key is not for does not exist for it (rule D1).
//! - What an operator changes goes through their own handle of the store, whose
//!   lines in the audit log name them.
//! - Cookies are not read, and no other origin is let in (rule W10).

pub(super) mod agents;
pub(super) mod api_keys;
pub(super) mod audit;
pub(super) mod contacts;
pub(super) mod keys;
pub(super) mod knowledge;
pub(super) mod memory;
pub(super) mod merges;
pub(super) mod policy;
pub(super) mod test_identities;
pub(super) mod tokens;
pub(super) mod verifications;
pub(super) mod wire;

use std::str::FromStr;

use axum::{
    extract::{FromRequestParts, RawPathParams},
    http::{header, request::Parts},
};
use maitred_core::{
    agent::{Agent, Settings},
    id::{AgentId, ApiKeyId, KeyId, MergeId, SourceId},
    scope::{Environment, Scope},
    secret::{Secret, SecretFor},
};
use maitred_store::{Actor, ApiKey, Store};
use serde::Deserialize;

use super::{error::ApiError, wire::List};
use crate::{app::App, causes::Causes, client::Network};

const DEFAULT_LIMIT: i64 = 20;
const MAX_LIMIT: i64 = 100;

/// Whoever operates this installation, or one agent of it.
pub(super) struct Operator {
    key: ApiKey,
    /// The store, in whose audit log this operator is named.
    pub(super) store: Store,
}

impl Operator {
    /// The one agent they may see; none if they may see all.
    pub(super) fn only(&self) -> Option<AgentId> {
        self.key.agent
    }

    /// Refuses who is an operator of one agent only.
    pub(super) fn of_installation(self) -> Result<Self, ApiError> {
        if self.only().is_some() {
            return Err(ApiError::ForOneAgent);
        }
        Ok(self)
    }

    /// Whether their key still counts, for what stays open.
    pub(super) async fn still_counts(&self, app: &App) -> bool {
        match app.store.api_key_by_id(self.key.id).await {
            Ok(key) => key.is_some_and(|key| key.revoked_at.is_none()),
            Err(error) => {
                tracing::warn!(error = %Causes(&error), "cannot look whether an API key counts");
                false
            }
        }
    }

    fn may_see(&self, agent: AgentId) -> bool {
        self.only().is_none_or(|only| only == agent)
    }
}

impl FromRequestParts<App> for Operator {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let key = match key_in(parts, app).await {
            Ok(key) => key,
            Err(refused @ ApiError::NoApiKey(_)) => {
                let Ok(from) = Network::from_request_parts(parts, app).await;
                app.limits.refused_api_key(from, app.store.clock.now())?;
                return Err(refused);
            }
            Err(error) => return Err(error),
        };
        // A full disk must not keep anybody from looking.
        if let Err(error) = app.store.note_use(&key).await {
            tracing::warn!(api_key.id = %key.id, error = %Causes(&error), "the use of an API key is not noted");
        }
        let store = app.store.acting_as(Actor::ApiKey(key.id));
        Ok(Self { key, store })
    }
}

/// The key that a request carries, if it counts.
async fn key_in(parts: &Parts, app: &App) -> Result<ApiKey, ApiError> {
    let text = parts
        .headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "))
        .ok_or(ApiError::NoApiKey("no API key was given"))?;
    let key = match Secret::parse(SecretFor::ApiKey, text) {
        Some(secret) => app.store.api_key(&secret).await?,
        None => None,
    };
    let key = key.ok_or(ApiError::NoApiKey("there is no such API key"))?;
    match key.revoked_at {
        Some(_) => Err(ApiError::NoApiKey("the API key was revoked")),
        None => Ok(key),
    }
}

/// An operator, and the agent in the path, which they may see.
pub(super) struct OfAgent {
    pub(super) operator: Operator,
    pub(super) agent: Agent,
}

impl OfAgent {
    /// One environment of the agent.
    pub(super) fn scope(&self, environment: Environment) -> Scope {
        Scope {
            agent: self.agent.id,
            environment,
        }
    }
}

impl FromRequestParts<App> for OfAgent {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let operator = Operator::from_request_parts(parts, app).await?;
        let Named(id) = Named::<AgentId>::from_request_parts(parts, app).await?;
        // Looked for also if they may not see it: no answer is quicker.
        let agent = app.store.agent(id).await?;
        let agent = agent
            .filter(|agent| operator.may_see(agent.id))
            .ok_or(ApiError::NotFound("agent"))?;
        Ok(Self { operator, agent })
    }
}

/// An operator, and the environment in the path, which they may see.
pub(super) struct OfEnvironment {
    pub(super) operator: Operator,
    pub(super) scope: Scope,
    pub(super) settings: Settings,
}

impl FromRequestParts<App> for OfEnvironment {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let of = OfAgent::from_request_parts(parts, app).await?;
        let Named(environment) = Named::<Environment>::from_request_parts(parts, app).await?;
        let scope = of.scope(environment);
        let settings = app.store.settings(scope).await?;
        Ok(Self {
            operator: of.operator,
            scope,
            settings: settings.ok_or(ApiError::NotFound("environment"))?,
        })
    }
}

/// What can be named in a path by its id.
pub(super) trait InPath: FromStr {
    /// The parameter of the path.
    const PARAMETER: &'static str;
    /// The word for it.
    const WORD: &'static str = Self::PARAMETER;
}

impl InPath for AgentId {
    const PARAMETER: &'static str = "agent";
}

impl InPath for Environment {
    const PARAMETER: &'static str = "environment";
}

impl InPath for KeyId {
    const PARAMETER: &'static str = "key";
}

impl InPath for MergeId {
    const PARAMETER: &'static str = "merge";
}

impl InPath for SourceId {
    const PARAMETER: &'static str = "source";
}

impl InPath for ApiKeyId {
    const PARAMETER: &'static str = "api_key";
    const WORD: &'static str = "API key";
}

/// What the path names. What cannot name anything does not exist.
pub(super) struct Named<T>(pub(super) T);

impl<T: InPath> FromRequestParts<App> for Named<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let params = RawPathParams::from_request_parts(parts, app).await;
        params
            .ok()
            .and_then(|params| {
                let (_, text) = params.iter().find(|(name, _)| *name == T::PARAMETER)?;
                text.parse().ok()
            })
            .map(Self)
            .ok_or(ApiError::NotFound(T::WORD))
    }
}

/// Which part of a list.
#[derive(Deserialize)]
pub(super) struct Part {
    limit: Option<i64>,
    cursor: Option<String>,
}

impl Part {
    /// How many at the most.
    pub(super) fn limit(&self) -> Result<i64, ApiError> {
        match self.limit.unwrap_or(DEFAULT_LIMIT) {
            limit @ 1..=MAX_LIMIT => Ok(limit),
            _ => Err(ApiError::BadRequest(format!(
                "`limit` must be 1 to {MAX_LIMIT}"
            ))),
        }
    }

    /// After what, if it is not the beginning.
    pub(super) fn cursor<T: FromStr>(&self) -> Result<Option<T>, ApiError> {
        let parsed = self.cursor.as_deref().map(str::parse).transpose();
        parsed
            .map_err(|_| ApiError::BadRequest("`cursor` is not one that was given out".to_owned()))
    }

    /// This part of a list that is short enough to be read whole.
    pub(super) fn of<T, Id: FromStr + PartialEq + ToString, V>(
        &self,
        all: Vec<T>,
        id: impl Fn(&T) -> Id,
        view: impl Fn(T) -> V,
    ) -> Result<List<V>, ApiError> {
        let limit = usize::try_from(self.limit()?).unwrap_or(usize::MAX);
        let first = match self.cursor::<Id>()? {
            Some(last) => all
                .iter()
                .position(|it| id(it) == last)
                .map_or(all.len(), |at| at + 1),
            None => 0,
        };
        let rest = all.len() - first;
        let mut next = None;
        let mut items = Vec::new();
        for (number, it) in all.into_iter().skip(first).take(limit).enumerate() {
            if number + 1 == limit && rest > limit {
                next = Some(id(&it).to_string());
            }
            items.push(view(it));
        }
        Ok(List { items, next })
    }
}
