//! What is set for one environment.

use std::{collections::BTreeMap, fmt::Display};

use maitred_core::{
    agent::{Origin, Remembering, Settings},
    policy::{Leeway, MaxLifetime},
};
use serde::{Deserialize, Deserializer, Serialize};

use crate::settings::{BadSetting, Change, TokenChange};

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

pub(super) fn origins(texts: &[String]) -> Result<Vec<Origin>, BadSetting> {
    let parsed: Result<_, _> = texts.iter().map(|text| Origin::parse(text)).collect();
    parsed.map_err(|error| BadSetting::new("origins", error))
}

/// `GET …/policy`
#[derive(Serialize)]
pub(crate) struct Policy {
    enforcement: &'static str,
    proof_of_possession: &'static str,
    sign_in_url: Option<String>,
    /// Whether contacts are remembered between conversations.
    memory: bool,
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
            memory: settings.remembering == Remembering::On,
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
    memory: Option<bool>,
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
            remembering: patch.memory.map(|on| match on {
                true => Remembering::On,
                false => Remembering::Off,
            }),
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
