//! `environments.settings`

use maitred_core::agent::{Enforcement, Origin, Settings, TokenPolicy};
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
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EnforcementJson {
    #[default]
    Optional,
    Report,
    Required,
}

impl From<&Settings> for SettingsJson {
    fn from(settings: &Settings) -> Self {
        Self {
            origins: settings
                .origins
                .iter()
                .map(|origin| origin.as_str().to_owned())
                .collect(),
            sign_in_url: settings.sign_in_url.clone(),
            suggestions: settings.suggestions.clone(),
            accent: settings.accent.clone(),
            leeway: settings.tokens.leeway,
            max_lifetime: settings.tokens.max_lifetime,
            email_required: settings.tokens.email_required,
            enforcement: settings.enforcement.into(),
        }
    }
}

impl TryFrom<SettingsJson> for Settings {
    type Error = StoreError;

    fn try_from(json: SettingsJson) -> Result<Self, StoreError> {
        let corrupt = StoreError::Corrupt {
            table: "environments",
            column: "settings",
        };
        let origins: Result<_, _> = json
            .origins
            .iter()
            .map(|text| Origin::parse(text))
            .collect();
        Ok(Self {
            origins: origins.map_err(|_| corrupt)?,
            sign_in_url: json.sign_in_url,
            suggestions: json.suggestions,
            accent: json.accent,
            tokens: TokenPolicy {
                leeway: json.leeway,
                max_lifetime: json.max_lifetime,
                email_required: json.email_required,
            },
            enforcement: json.enforcement.into(),
        })
    }
}

same!(
    Enforcement,
    EnforcementJson {
        Optional,
        Report,
        Required
    }
);
