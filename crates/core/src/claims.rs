//! Which claim of a token is for whom.
//!
//! A claim is for the agent, which puts it before a model; for Actions only; or
//! for nobody: then it is dropped as soon as the token was checked, and nothing
//! behind the exchange ever has it. Whether a claim is also kept with the
//! contact is a switch of its own.

use std::{collections::BTreeMap, fmt, str::FromStr};

use maitred_token::{is_attribute_name, is_invisible};
use serde_json::Value;

use crate::{contact::Record, identity::Identity};

/// How much of a claim a model is told (rule G10).
const TOLD: usize = 128;

/// Claims of which an [`Identity`] knows what they mean.
const KNOWN: [&str; 7] = [
    "sub",
    "email",
    "name",
    "given_name",
    "locale",
    "zoneinfo",
    "phone_number",
];

/// Claims that the agent may see unless the operator says otherwise.
const FOR_THE_AGENT: [&str; 5] = ["name", "given_name", "email", "locale", "zoneinfo"];

/// Claims that are kept with the contact unless the operator says otherwise.
const KEPT: [&str; 2] = ["name", "email"];

/// For whom a claim is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimFor {
    /// A model may see it, and Actions may use it.
    Agent,
    /// Actions may use it.
    Actions,
    /// Nobody: it is dropped.
    Nobody,
}

impl ClaimFor {
    const ALL: [Self; 3] = [Self::Agent, Self::Actions, Self::Nobody];

    /// The name in JSON and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Actions => "actions",
            Self::Nobody => "none",
        }
    }
}

impl FromStr for ClaimFor {
    type Err = ClaimPolicyError;

    fn from_str(text: &str) -> Result<Self, ClaimPolicyError> {
        Self::ALL
            .into_iter()
            .find(|it| it.as_str() == text)
            .ok_or_else(|| ClaimPolicyError::ForWhom(text.to_owned()))
    }
}

impl fmt::Display for ClaimFor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The name of a claim about a user that can be kept: one whose meaning is
/// known, or an attribute.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClaimName(String);

impl ClaimName {
    /// As it stands in tokens.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClaimName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ClaimName {
    type Err = ClaimPolicyError;

    fn from_str(text: &str) -> Result<Self, ClaimPolicyError> {
        let clean = !text.chars().any(is_invisible);
        if KNOWN.contains(&text) || (clean && is_attribute_name(text)) {
            Ok(Self(text.to_owned()))
        } else {
            Err(ClaimPolicyError::NotKept(text.escape_debug().to_string()))
        }
    }
}

/// Why something cannot be laid down for a claim.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClaimPolicyError {
    /// Nothing is kept of it in the first place.
    #[error(
        "nothing is kept of `{0}`: name `sub`, `email`, `name`, `given_name`, `locale`, `zoneinfo`, `phone_number`, or a claim of your own"
    )]
    NotKept(String),
    /// Not `agent`, `actions` or `none`.
    #[error("`{0}` is not one of `agent`, `actions`, `none`")]
    ForWhom(String),
    /// Not `on` or `off`.
    #[error("`{0}` is not `on` or `off`")]
    Switch(String),
    /// It has no `=`.
    #[error("write the claim, `=`, and what is to become of it, like `plan=agent`")]
    NoPair,
    /// `sub` says who the visitor is.
    #[error("`sub` says who the visitor is: it can be neither dropped nor left out of the record")]
    Subject,
}

/// Which claim is for whom. What the operator did not set is as by default.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ClaimPolicy {
    for_whom: BTreeMap<ClaimName, ClaimFor>,
    kept: BTreeMap<ClaimName, bool>,
}

impl ClaimPolicy {
    /// For whom the claim of that name is.
    pub fn for_whom(&self, claim: &str) -> ClaimFor {
        let set = self
            .for_whom
            .iter()
            .find(|(name, _)| name.as_str() == claim);
        set.map_or_else(
            || {
                if FOR_THE_AGENT.contains(&claim) {
                    ClaimFor::Agent
                } else {
                    ClaimFor::Actions
                }
            },
            |(_, for_whom)| *for_whom,
        )
    }

    /// Whether the claim of that name is kept with the contact.
    pub fn is_kept(&self, claim: &str) -> bool {
        let set = self.kept.iter().find(|(name, _)| name.as_str() == claim);
        let kept = set.map_or(KEPT.contains(&claim), |(_, kept)| *kept);
        kept && self.for_whom(claim) != ClaimFor::Nobody
    }

    /// Lays down for whom a claim is.
    pub fn set(&mut self, claim: ClaimName, for_whom: ClaimFor) -> Result<(), ClaimPolicyError> {
        if claim.as_str() == "sub" && for_whom == ClaimFor::Nobody {
            return Err(ClaimPolicyError::Subject);
        }
        self.for_whom.insert(claim, for_whom);
        Ok(())
    }

    /// Lays down whether a claim is kept with the contact.
    pub fn keep(&mut self, claim: ClaimName, kept: bool) -> Result<(), ClaimPolicyError> {
        if claim.as_str() == "sub" {
            return Err(ClaimPolicyError::Subject);
        }
        self.kept.insert(claim, kept);
        Ok(())
    }

    /// What the operator set, in the order of the names.
    pub fn set_for_whom(&self) -> impl Iterator<Item = (&ClaimName, ClaimFor)> {
        self.for_whom.iter().map(|(name, it)| (name, *it))
    }

    /// What the operator set to be kept or not, in the order of the names.
    pub fn set_kept(&self) -> impl Iterator<Item = (&ClaimName, bool)> {
        self.kept.iter().map(|(name, it)| (name, *it))
    }

    /// The identity without what is for nobody.
    pub fn admitted(&self, identity: Identity) -> Identity {
        self.narrowed(identity, |claim| self.for_whom(claim) != ClaimFor::Nobody)
    }

    /// The identity with what the agent may see. The subject is there, but is
    /// not to be shown: see [`told`](Self::told).
    pub fn for_agent(&self, identity: &Identity) -> Identity {
        self.narrowed(identity.clone(), |claim| {
            self.for_whom(claim) == ClaimFor::Agent
        })
    }

    /// What a model is told of a visitor, as data: names and values, cleaned of
    /// what is invisible and cut (rules T11, G10).
    pub fn told(&self, identity: &Identity) -> Vec<(String, String)> {
        claims(identity)
            .filter(|(name, _)| self.for_whom(name) == ClaimFor::Agent)
            .map(|(name, value)| (name.to_owned(), told(&value)))
            .collect()
    }

    /// What is kept with the contact.
    pub fn record(&self, identity: &Identity) -> Record {
        let email = identity.email.as_ref().map(|it| it.address.clone());
        Record {
            name: identity.name.clone().filter(|_| self.is_kept("name")),
            email: email.filter(|_| self.is_kept("email")),
            claims: claims(identity)
                .filter(|(name, _)| !matches!(*name, "sub" | "name" | "email"))
                .filter(|(name, _)| self.is_kept(name))
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        }
    }

    fn narrowed(&self, identity: Identity, may: impl Fn(&str) -> bool) -> Identity {
        Identity {
            email: identity.email.filter(|_| may("email")),
            name: identity.name.filter(|_| may("name")),
            given_name: identity.given_name.filter(|_| may("given_name")),
            locale: identity.locale.filter(|_| may("locale")),
            zoneinfo: identity.zoneinfo.filter(|_| may("zoneinfo")),
            phone_number: identity.phone_number.filter(|_| may("phone_number")),
            attributes: identity
                .attributes
                .into_iter()
                .filter(|(name, _)| may(name))
                .collect(),
            ..identity
        }
    }
}

/// Everything of an identity that has a policy.
fn claims(identity: &Identity) -> impl Iterator<Item = (&str, Value)> {
    let text = |text: &Option<String>| text.clone().map(Value::from);
    let email = identity.email.as_ref().map(|it| it.address.clone());
    let known = [
        ("sub", Some(Value::from(identity.subject.as_str()))),
        ("email", text(&email)),
        ("name", text(&identity.name)),
        ("given_name", text(&identity.given_name)),
        ("locale", text(&identity.locale)),
        ("zoneinfo", text(&identity.zoneinfo)),
        ("phone_number", text(&identity.phone_number)),
    ];
    let attributes = identity.attributes.iter();
    known
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .chain(attributes.map(|(name, value)| (name.as_str(), value.clone())))
}

fn told(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            value.to_string()
        }
    };
    text.chars()
        .filter(|c| !is_invisible(*c))
        .take(TOLD)
        .collect()
}

/// Reads `plan=agent`.
pub fn parse_claim_for(text: &str) -> Result<(ClaimName, ClaimFor), ClaimPolicyError> {
    let (claim, for_whom) = text.rsplit_once('=').ok_or(ClaimPolicyError::NoPair)?;
    let for_whom = for_whom.parse()?;
    Ok((claim.parse()?, for_whom))
}

/// Reads `plan=on`.
pub fn parse_claim_kept(text: &str) -> Result<(ClaimName, bool), ClaimPolicyError> {
    let (claim, kept) = text.rsplit_once('=').ok_or(ClaimPolicyError::NoPair)?;
    let kept = match kept {
        "on" => true,
        "off" => false,
        other => return Err(ClaimPolicyError::Switch(other.to_owned())),
    };
    Ok((claim.parse()?, kept))
}

#[cfg(test)]
mod tests;
