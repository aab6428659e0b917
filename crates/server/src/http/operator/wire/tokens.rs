//! What is found of tokens.

use jiff::Timestamp;
use maitred_core::scope::Environment;
use maitred_token::{Outcome, Verified};
use serde::{Deserialize, Serialize};

use crate::checker::Checked;

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

impl From<&Checked> for CheckedToken {
    fn from(checked: &Checked) -> Self {
        let code = checked.code();
        let verified = checked.explanation.verdict.as_ref().ok();
        let fix = checked.steps().find_map(|(_, outcome)| match outcome {
            Outcome::Failed { fix, .. } => Some(fix.clone()),
            Outcome::Passed(_) | Outcome::NotReached => None,
        });
        Self {
            accepted: code.is_none(),
            code,
            steps: checked.steps().map(Into::into).collect(),
            fix,
            identity: verified.filter(|_| code.is_none()).map(Into::into),
        }
    }
}

impl From<(&'static str, &Outcome)> for CheckStep {
    fn from((check, outcome): (&'static str, &Outcome)) -> Self {
        Self {
            check,
            outcome: match outcome.clone() {
                Outcome::Passed(found) => CheckOutcome::Passed { found },
                Outcome::Failed { code, message, fix } => {
                    CheckOutcome::Failed { code, message, fix }
                }
                Outcome::NotReached => CheckOutcome::NotReached,
            },
        }
    }
}
