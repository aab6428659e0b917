//! Whose data it is: agent, environment, and the visitor or contact in them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::id::{AgentId, ContactId, ParseIdError, VisitorId};

/// `production` or `staging` of an agent: own keys, own origins, own visitors.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Environment {
    /// What real visitors meet.
    #[default]
    Production,
    /// Where an operator tries things.
    Staging,
}

impl Environment {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::Production, Self::Staging];

    /// The name in JSON, SQL and paths.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Staging => "staging",
        }
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that names no environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not one of `production`, `staging`")]
pub struct ParseEnvironmentError;

impl FromStr for Environment {
    type Err = ParseEnvironmentError;

    fn from_str(text: &str) -> Result<Self, ParseEnvironmentError> {
        Self::ALL
            .into_iter()
            .find(|it| it.as_str() == text)
            .ok_or(ParseEnvironmentError)
    }
}

/// One environment of one agent: the wall around everything that is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Scope {
    /// The agent.
    pub agent: AgentId,
    /// Its environment.
    pub environment: Environment,
}

impl Scope {
    /// What a token's `aud` must name: `agt_…`, or `agt_…/staging` (rule T8).
    pub fn audience(&self) -> String {
        match self.environment {
            Environment::Production => self.agent.to_string(),
            Environment::Staging => format!("{}/staging", self.agent),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.agent, self.environment)
    }
}

/// Who owns a conversation: somebody known, or an anonymous visitor.
///
/// Ids are unique over all agents and environments, so an owner lies in exactly
/// one [`Scope`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Owner {
    /// The record of a subject that a token vouched for.
    Contact(ContactId),
    /// A browser that holds a visitor's secret.
    Visitor(VisitorId),
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Contact(id) => id.fmt(f),
            Self::Visitor(id) => id.fmt(f),
        }
    }
}

impl FromStr for Owner {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        text.parse()
            .map(Self::Contact)
            .or_else(|_: ParseIdError| text.parse().map(Self::Visitor))
    }
}
