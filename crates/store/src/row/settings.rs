//! `environments.settings`

use std::collections::BTreeMap;

use maitred_core::{
    agent::{Enforcement, Origin, ProofOfPossession, Remembering, Settings},
    claims::{ClaimFor, ClaimName, ClaimPolicy, ClaimPolicyError},
    policy::{Leeway, MaxLifetime, TokenPolicy},
};
use serde::{Deserialize, Serialize};

use super::same;
use crate::StoreError;

#[derive(Serialize, Deserialize)]
pub(crate) struct SettingsJson {
    origins: Vec<String>,
    sign_in_url: Option<String>,
    suggestions: Vec<String>,
    accent: Option<String>,
    leeway: u32,
    max_lifetime: u32,
    email_required: bool,
    #[serde(default)]
    enforcement: EnforcementJson,
    #[serde(default)]
    audience_required: bool,
    #[serde(default)]
    issuer_required: bool,
    #[serde(default)]
    one_time_tokens: bool,
    #[serde(default)]
    actors_refused: bool,
    #[serde(default)]
    claims: BTreeMap<String, ClaimForJson>,
    #[serde(default)]
    kept_claims: BTreeMap<String, bool>,
    #[serde(default)]
    proof_of_possession: ProofOfPossessionJson,
    #[serde(default)]
    memory_off: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ClaimForJson {
    Agent,
    Actions,
    Nobody,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EnforcementJson {
    #[default]
    Optional,
    Report,
    Required,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ProofOfPossessionJson {
    Off,
    #[default]
    WhenAvailable,
    Required,
}

impl From<&Settings> for SettingsJson {
    fn from(settings: &Settings) -> Self {
        let tokens = &settings.tokens;
        Self {
            origins: settings
                .origins
                .iter()
                .map(|origin| origin.as_str().to_owned())
                .collect(),
            sign_in_url: settings.sign_in_url.clone(),
            suggestions: settings.suggestions.clone(),
            accent: settings.accent.clone(),
            leeway: tokens.leeway.seconds(),
            max_lifetime: tokens.max_lifetime.seconds(),
            email_required: tokens.email_required,
            enforcement: settings.enforcement.into(),
            audience_required: tokens.audience_required,
            issuer_required: tokens.issuer_required,
            one_time_tokens: tokens.one_time,
            actors_refused: !tokens.actors_allowed,
            claims: settings
                .claims
                .set_for_whom()
                .map(|(name, for_whom)| (name.to_string(), for_whom.into()))
                .collect(),
            kept_claims: settings
                .claims
                .set_kept()
                .map(|(name, kept)| (name.to_string(), kept))
                .collect(),
            proof_of_possession: settings.proof_of_possession.into(),
            memory_off: settings.remembering == Remembering::Off,
        }
    }
}

impl TryFrom<SettingsJson> for Settings {
    type Error = StoreError;

    fn try_from(json: SettingsJson) -> Result<Self, StoreError> {
        let corrupt = || StoreError::Corrupt {
            table: "environments",
            column: "settings",
        };
        let origins: Result<_, _> = json
            .origins
            .iter()
            .map(|text| Origin::parse(text))
            .collect();
        Ok(Self {
            origins: origins.map_err(|_| corrupt())?,
            sign_in_url: json.sign_in_url,
            suggestions: json.suggestions,
            accent: json.accent,
            tokens: TokenPolicy {
                leeway: Leeway::new(json.leeway).map_err(|_| corrupt())?,
                max_lifetime: MaxLifetime::new(json.max_lifetime).map_err(|_| corrupt())?,
                email_required: json.email_required,
                audience_required: json.audience_required,
                issuer_required: json.issuer_required,
                one_time: json.one_time_tokens,
                actors_allowed: !json.actors_refused,
            },
            claims: claims(json.claims, json.kept_claims).map_err(|_| corrupt())?,
            enforcement: json.enforcement.into(),
            proof_of_possession: json.proof_of_possession.into(),
            remembering: match json.memory_off {
                true => Remembering::Off,
                false => Remembering::On,
            },
        })
    }
}

fn claims(
    for_whom: BTreeMap<String, ClaimForJson>,
    kept: BTreeMap<String, bool>,
) -> Result<ClaimPolicy, ClaimPolicyError> {
    let mut policy = ClaimPolicy::default();
    for (name, for_whom) in for_whom {
        policy.set(name.parse::<ClaimName>()?, for_whom.into())?;
    }
    for (name, kept) in kept {
        policy.keep(name.parse::<ClaimName>()?, kept)?;
    }
    Ok(policy)
}

same!(
    ClaimFor,
    ClaimForJson {
        Agent,
        Actions,
        Nobody
    }
);

same!(
    Enforcement,
    EnforcementJson {
        Optional,
        Report,
        Required
    }
);

same!(
    ProofOfPossession,
    ProofOfPossessionJson {
        Off,
        WhenAvailable,
        Required
    }
);
