//! What is found of tokens.

use jiff::Timestamp;
use maitred_core::scope::Environment;
use maitred_token::{Explanation, Outcome, Step, Verified};
use serde::{Deserialize, Serialize};

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
