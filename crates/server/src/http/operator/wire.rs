//! The operators' part of the contract: every request and response.

mod contacts;
mod keys;
mod knowledge;
mod policy;
mod test_identities;
mod tokens;
mod verifications;

use jiff::Timestamp;
use maitred_core::{
    agent::{Agent, Settings},
    id::{AgentId, ApiKeyId, AuditId},
    scope::Environment,
};
use maitred_store::{ApiKey, AuditLine, EnforcementReport};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(crate) use self::{
    contacts::{
        ContactChangeView, ContactView, ErasedView, LogOut, LoggedOutView, MemoryPatch, MemoryView,
        MergeView, UndoneView,
    },
    keys::{BroughtKey, CreatedKey, ImportedKey, KeyView, NewKey, RetiredKey},
    knowledge::{NewSource, SourceChangeBody, SourceView, TriedView, TryQuestion},
    policy::{Origins, Policy, PolicyPatch},
    test_identities::{NewTestIdentity, TestIdentityView, TestTokenView},
    tokens::{CheckedToken, TokenToCheck},
    verifications::{KeyImpactView, VerificationView},
};
use crate::settings::{BadSetting, Change};

/// An agent in a list.
#[derive(Serialize)]
pub(crate) struct AgentItem {
    id: AgentId,
    name: String,
    created_at: Timestamp,
}

impl From<Agent> for AgentItem {
    fn from(agent: Agent) -> Self {
        Self {
            id: agent.id,
            name: agent.name,
            created_at: agent.created_at,
        }
    }
}

/// `GET /api/agents/{agent}`
#[derive(Serialize)]
pub(crate) struct AgentView {
    #[serde(flatten)]
    pub(crate) agent: AgentItem,
    pub(crate) environments: Environments<EnvironmentView>,
}

/// One thing for each environment.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Environments<T> {
    #[serde(default)]
    pub(crate) production: T,
    #[serde(default)]
    pub(crate) staging: T,
}

/// What is set for one environment.
#[derive(Serialize)]
pub(crate) struct EnvironmentView {
    #[serde(flatten)]
    origins: Origins,
    policy: Policy,
    /// When a token was last accepted, of a key that is not revoked.
    last_good_token_at: Option<Timestamp>,
    /// By day, the latest first: counted under `report` (rule E1).
    required_would_refuse: Vec<WouldRefuse>,
}

/// What `required` would have refused on one day.
#[derive(Serialize)]
struct WouldRefuse {
    day: String,
    sessions: i64,
}

impl EnvironmentView {
    pub(crate) fn new(settings: &Settings, report: &EnforcementReport) -> Self {
        let would_refuse = report.days.iter().map(|it| WouldRefuse {
            day: it.day.to_string(),
            sessions: it.strangers,
        });
        Self {
            origins: settings.into(),
            policy: settings.into(),
            last_good_token_at: report.good_token_at,
            required_would_refuse: would_refuse.collect(),
        }
    }
}

/// `POST /api/agents`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewAgent {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) environments: Environments<NewEnvironment>,
}

/// What a new agent begins with.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewEnvironment {
    origins: Option<Vec<String>>,
    #[serde(default)]
    policy: PolicyPatch,
}

impl TryFrom<NewEnvironment> for Change {
    type Error = BadSetting;

    fn try_from(new: NewEnvironment) -> Result<Self, BadSetting> {
        Ok(Self {
            origins: new.origins.as_deref().map(policy::origins).transpose()?,
            ..new.policy.try_into()?
        })
    }
}

/// An API key; never its text.
#[derive(Serialize)]
pub(crate) struct ApiKeyView {
    id: ApiKeyId,
    name: String,
    /// Without one, it is for the whole installation.
    agent: Option<AgentId>,
    last_four: String,
    created_at: Timestamp,
    last_used_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
}

impl From<ApiKey> for ApiKeyView {
    fn from(key: ApiKey) -> Self {
        Self {
            id: key.id,
            name: key.name,
            agent: key.agent,
            last_four: key.last_four,
            created_at: key.created_at,
            last_used_at: key.last_used_at,
            revoked_at: key.revoked_at,
        }
    }
}

/// `POST /api/api-keys`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewApiKey {
    pub(crate) name: String,
    pub(crate) agent: Option<AgentId>,
}

/// A new API key, with its text: this once.
#[derive(Serialize)]
pub(crate) struct CreatedApiKey {
    #[serde(flatten)]
    pub(crate) key: ApiKeyView,
    pub(crate) secret: String,
}

/// A line of the audit log.
#[derive(Serialize)]
pub(crate) struct AuditItem {
    id: AuditId,
    at: Timestamp,
    actor: Option<String>,
    kind: String,
    agent: Option<AgentId>,
    environment: Option<Environment>,
    details: Value,
}

impl From<AuditLine> for AuditItem {
    fn from(line: AuditLine) -> Self {
        Self {
            id: line.id,
            at: line.at,
            actor: line.actor.map(|it| it.to_string()),
            kind: line.kind,
            agent: line.agent,
            environment: line.environment,
            details: line.body,
        }
    }
}
