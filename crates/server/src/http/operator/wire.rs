//! The operators' part of the contract: every request and response.

use std::{collections::BTreeMap, fmt::Display};

use jiff::Timestamp;
use maitred_core::{
    agent::{Agent, Origin, Settings},
    id::{AgentId, ApiKeyId, AuditId},
    policy::{Leeway, MaxLifetime},
    scope::Environment,
};
use maitred_store::{ApiKey, AuditLine};
use maitred_token::{Explanation, Outcome, Step, Verified};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::settings::{BadSetting, Change, TokenChange};

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
}

impl From<&Settings> for EnvironmentView {
    fn from(settings: &Settings) -> Self {
        Self {
            origins: settings.into(),
            policy: settings.into(),
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
            origins: new.origins.as_deref().map(origins).transpose()?,
            ..new.policy.try_into()?
        })
    }
}

/// `GET` and `PUT …/origins`
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Origins {
    origins: Vec<String>,
}

impl From<&Settings> for Origins {
    fn from(settings: &Settings) -> Self {
        let text = |origin: &Origin| origin.as_str().to_owned();
        Self {
            origins: settings.origins.iter().map(text).collect(),
        }
    }
}

impl TryFrom<Origins> for Change {
    type Error = BadSetting;

    fn try_from(wanted: Origins) -> Result<Self, BadSetting> {
        Ok(Self {
            origins: Some(origins(&wanted.origins)?),
            ..Self::default()
        })
    }
}

fn origins(texts: &[String]) -> Result<Vec<Origin>, BadSetting> {
    let parsed: Result<_, _> = texts.iter().map(|text| Origin::parse(text)).collect();
    parsed.map_err(|error| BadSetting::new("origins", error))
}

/// `GET …/policy`
#[derive(Serialize)]
pub(crate) struct Policy {
    enforcement: &'static str,
    proof_of_possession: &'static str,
    sign_in_url: Option<String>,
    tokens: TokenPolicy,
    /// For whom a claim is, where the operator said so.
    claims: BTreeMap<String, &'static str>,
    /// Whether a claim is kept with the contact, where the operator said so.
    stored_claims: BTreeMap<String, bool>,
}

#[derive(Serialize)]
struct TokenPolicy {
    leeway: u32,
    max_lifetime: u32,
    email_required: bool,
    audience_required: bool,
    issuer_required: bool,
    one_time: bool,
    actors_allowed: bool,
}

impl From<&Settings> for Policy {
    fn from(settings: &Settings) -> Self {
        let tokens = &settings.tokens;
        let (claims, stored) = (settings.claims.set_for_whom(), settings.claims.set_kept());
        Self {
            enforcement: settings.enforcement.as_str(),
            proof_of_possession: settings.proof_of_possession.as_str(),
            sign_in_url: settings.sign_in_url.clone(),
            tokens: TokenPolicy {
                leeway: tokens.leeway.seconds(),
                max_lifetime: tokens.max_lifetime.seconds(),
                email_required: tokens.email_required,
                audience_required: tokens.audience_required,
                issuer_required: tokens.issuer_required,
                one_time: tokens.one_time,
                actors_allowed: tokens.actors_allowed,
            },
            claims: claims
                .map(|(name, for_whom)| (name.to_string(), for_whom.as_str()))
                .collect(),
            stored_claims: stored
                .map(|(name, kept)| (name.to_string(), kept))
                .collect(),
        }
    }
}

/// `PATCH …/policy`: what is not named stays.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PolicyPatch {
    enforcement: Option<String>,
    proof_of_possession: Option<String>,
    #[serde(default, deserialize_with = "present")]
    sign_in_url: Option<Option<String>>,
    #[serde(default)]
    tokens: TokenPolicyPatch,
    #[serde(default)]
    claims: BTreeMap<String, String>,
    #[serde(default)]
    stored_claims: BTreeMap<String, bool>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenPolicyPatch {
    leeway: Option<u32>,
    max_lifetime: Option<u32>,
    email_required: Option<bool>,
    audience_required: Option<bool>,
    issuer_required: Option<bool>,
    one_time: Option<bool>,
    actors_allowed: Option<bool>,
}

impl TryFrom<PolicyPatch> for Change {
    type Error = BadSetting;

    fn try_from(patch: PolicyPatch) -> Result<Self, BadSetting> {
        let claims = patch.claims.into_iter().map(|(name, for_whom)| {
            Ok((
                field("claims", name.parse())?,
                field("claims", for_whom.parse())?,
            ))
        });
        let stored_claims = patch
            .stored_claims
            .into_iter()
            .map(|(name, kept)| Ok((field("stored_claims", name.parse())?, kept)));
        Ok(Self {
            origins: None,
            sign_in_url: match patch.sign_in_url {
                Some(Some(url)) => Some(Some(field("sign_in_url", url.parse())?)),
                Some(None) => Some(None),
                None => None,
            },
            enforcement: patch
                .enforcement
                .map(|name| field("enforcement", name.parse()))
                .transpose()?,
            proof_of_possession: patch
                .proof_of_possession
                .map(|name| field("proof_of_possession", name.parse()))
                .transpose()?,
            tokens: patch.tokens.try_into()?,
            claims: claims.collect::<Result<_, _>>()?,
            stored_claims: stored_claims.collect::<Result<_, _>>()?,
        })
    }
}

impl TryFrom<TokenPolicyPatch> for TokenChange {
    type Error = BadSetting;

    fn try_from(patch: TokenPolicyPatch) -> Result<Self, BadSetting> {
        let max_lifetime = patch.max_lifetime.map(MaxLifetime::new).transpose();
        Ok(Self {
            leeway: field("leeway", patch.leeway.map(Leeway::new).transpose())?,
            max_lifetime: field("max_lifetime", max_lifetime)?,
            email_required: patch.email_required,
            audience_required: patch.audience_required,
            issuer_required: patch.issuer_required,
            one_time: patch.one_time,
            actors_allowed: patch.actors_allowed,
        })
    }
}

/// Names the field whose value cannot be.
fn field<T, E: Display>(name: &'static str, parsed: Result<T, E>) -> Result<T, BadSetting> {
    parsed.map_err(|error| BadSetting::new(name, error))
}

/// Tells a field that is `null` from one that is not there.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
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

/// `POST /api/agents/{agent}/tokens/check`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenToCheck {
    #[serde(default)]
    pub(crate) environment: Environment,
    pub(crate) token: String,
}

/// What came of a check: of the token itself, nothing but whom it proves.
#[derive(Serialize)]
pub(crate) struct CheckedToken {
    accepted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    steps: Vec<CheckStep>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    identity: Option<ProvenIdentity>,
}

#[derive(Serialize)]
struct CheckStep {
    check: &'static str,
    #[serde(flatten)]
    outcome: CheckOutcome,
}

#[derive(Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
enum CheckOutcome {
    Passed {
        found: String,
    },
    Failed {
        code: &'static str,
        message: String,
        fix: String,
    },
    NotReached,
}

#[derive(Serialize)]
struct ProvenIdentity {
    subject: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    email_verified: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    expires_at: Timestamp,
}

impl From<&Verified> for ProvenIdentity {
    fn from(verified: &Verified) -> Self {
        Self {
            subject: verified.subject().to_owned(),
            email: verified.email().map(str::to_owned),
            email_verified: verified.email_verified(),
            name: verified.name().map(str::to_owned),
            expires_at: Timestamp::from_second(verified.expires_at()).unwrap_or(Timestamp::MAX),
        }
    }
}

impl From<Explanation> for CheckedToken {
    fn from(explanation: Explanation) -> Self {
        let fix = explanation
            .steps
            .iter()
            .find_map(|step| match &step.outcome {
                Outcome::Failed { fix, .. } => Some(fix.clone()),
                Outcome::Passed(_) | Outcome::NotReached => None,
            });
        let (code, identity) = match &explanation.verdict {
            Ok(verified) => (None, Some(verified.into())),
            Err(refused) => (Some(refused.refusal.code()), None),
        };
        Self {
            accepted: code.is_none(),
            code,
            steps: explanation.steps.into_iter().map(Into::into).collect(),
            fix,
            identity,
        }
    }
}

impl From<Step> for CheckStep {
    fn from(step: Step) -> Self {
        Self {
            check: step.check.name(),
            outcome: match step.outcome {
                Outcome::Passed(found) => CheckOutcome::Passed { found },
                Outcome::Failed { code, message, fix } => {
                    CheckOutcome::Failed { code, message, fix }
                }
                Outcome::NotReached => CheckOutcome::NotReached,
            },
        }
    }
}
