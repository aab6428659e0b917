//! What an operator changes of one environment of an agent: the same for the
//! command line and the API, which only read it from different texts.
//!
//! What a value may be stands in its type; what may not be set together, here.

use std::{fmt, str::FromStr};

use maitred_core::{
    agent::{Enforcement, Origin, ProofOfPossession, Remembering, Settings},
    claims::{ClaimFor, ClaimName},
    policy::{Leeway, MaxLifetime},
};

/// What is to be set. What is not there stays.
#[derive(Debug, Default)]
pub(crate) struct Change {
    /// The sites that may embed the widget, all of them.
    pub(crate) origins: Option<Vec<Origin>>,
    /// Where visitors sign in, or that it is not said.
    pub(crate) sign_in_url: Option<Option<SignInUrl>>,
    pub(crate) enforcement: Option<Enforcement>,
    pub(crate) proof_of_possession: Option<ProofOfPossession>,
    pub(crate) remembering: Option<Remembering>,
    pub(crate) tokens: TokenChange,
    /// Claims, and for whom they are to be.
    pub(crate) claims: Vec<(ClaimName, ClaimFor)>,
    /// Claims, and whether they are to be kept with the contact.
    pub(crate) stored_claims: Vec<(ClaimName, bool)>,
}

/// What is to be asked of tokens.
#[derive(Debug, Default)]
pub(crate) struct TokenChange {
    pub(crate) leeway: Option<Leeway>,
    pub(crate) max_lifetime: Option<MaxLifetime>,
    pub(crate) email_required: Option<bool>,
    pub(crate) audience_required: Option<bool>,
    pub(crate) issuer_required: Option<bool>,
    pub(crate) one_time: Option<bool>,
    pub(crate) actors_allowed: Option<bool>,
}

/// A setting that cannot be set so. Its reader is whoever typed it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{field}`: {reason}")]
pub(crate) struct BadSetting {
    field: &'static str,
    reason: String,
}

impl BadSetting {
    pub(crate) fn new(field: &'static str, reason: impl fmt::Display) -> Self {
        Self {
            field,
            reason: reason.to_string(),
        }
    }
}

impl Change {
    /// Makes the change.
    pub(crate) fn make(self, settings: &mut Settings) -> Result<(), BadSetting> {
        let (tokens, wanted) = (&mut settings.tokens, self.tokens);
        tokens.leeway = wanted.leeway.unwrap_or(tokens.leeway);
        tokens.max_lifetime = wanted.max_lifetime.unwrap_or(tokens.max_lifetime);
        tokens.email_required = wanted.email_required.unwrap_or(tokens.email_required);
        tokens.audience_required = wanted.audience_required.unwrap_or(tokens.audience_required);
        tokens.issuer_required = wanted.issuer_required.unwrap_or(tokens.issuer_required);
        tokens.one_time = wanted.one_time.unwrap_or(tokens.one_time);
        tokens.actors_allowed = wanted.actors_allowed.unwrap_or(tokens.actors_allowed);
        settings.enforcement = self.enforcement.unwrap_or(settings.enforcement);
        settings.proof_of_possession = self
            .proof_of_possession
            .unwrap_or(settings.proof_of_possession);
        settings.remembering = self.remembering.unwrap_or(settings.remembering);
        if let Some(origins) = self.origins {
            settings.origins = origins;
        }
        if let Some(url) = self.sign_in_url {
            settings.sign_in_url = url.map(|SignInUrl(url)| url);
        }
        let policy = &mut settings.claims;
        for (claim, for_whom) in self.claims {
            policy
                .set(claim, for_whom)
                .map_err(|error| BadSetting::new("claims", error))?;
        }
        for (claim, stored) in self.stored_claims {
            policy
                .keep(claim, stored)
                .map_err(|error| BadSetting::new("stored_claims", error))?;
        }
        Ok(())
    }
}

/// An address that a visitor may be sent to: over https, or on this machine
/// (rule W13).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SignInUrl(String);

/// Why a text is no such address.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not an address that visitors can be sent to: write `https://shop.example/login`")]
pub(crate) struct NotASignInUrl(String);

impl SignInUrl {
    const MAX: usize = 2_000;
}

impl FromStr for SignInUrl {
    type Err = NotASignInUrl;

    fn from_str(url: &str) -> Result<Self, NotASignInUrl> {
        let wrong = || NotASignInUrl(url.to_owned());
        let (scheme, rest) = url.split_once("://").ok_or_else(wrong)?;
        let host = rest.split(['/', '?', '#']).next().unwrap_or(rest);
        let origin = Origin::parse(&format!("{scheme}://{host}")).map_err(|_| wrong())?;
        let is_one_site = !origin.as_str().contains('*');
        let is_plain = url.bytes().all(|byte| byte.is_ascii_graphic()) && !url.contains('\\');
        if is_one_site && is_plain && url.len() <= Self::MAX {
            Ok(Self(url.to_owned()))
        } else {
            Err(wrong())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_wanted_stays() {
        let settings = Settings {
            sign_in_url: Some("https://shop.example/login".to_owned()),
            ..Settings::default()
        };
        let mut amended = settings.clone();

        Change::default().make(&mut amended).unwrap();
        assert_eq!(amended, settings);

        let change = Change {
            sign_in_url: Some(None),
            tokens: TokenChange {
                leeway: Some(Leeway::new(0).unwrap()),
                ..TokenChange::default()
            },
            ..Change::default()
        };
        change.make(&mut amended).unwrap();
        assert_eq!(amended.sign_in_url, None);
        assert_eq!(amended.tokens.leeway.seconds(), 0);
        assert_eq!(amended.tokens.max_lifetime, settings.tokens.max_lifetime);
    }

    #[test]
    fn w13_a_sign_in_link_goes_over_https_or_to_this_machine() {
        for right in [
            "https://shop.example/login",
            "https://shop.example:8443/login?next=/#top",
            "https://shop.example",
            "http://localhost:7071/login",
        ] {
            assert!(right.parse::<SignInUrl>().is_ok(), "{right}");
        }
        for wrong in [
            "http://shop.example/login",
            "javascript:alert(1)",
            "javascript://shop.example/%0aalert(1)",
            "https://*.shop.example/login",
            "https://user@shop.example/login",
            "https://shop.example/log in",
            "https://shop.example\\@evil.example",
            "https://shop.example/login\n",
            "//shop.example/login",
            "/login",
            "",
        ] {
            assert!(wrong.parse::<SignInUrl>().is_err(), "{wrong}");
        }
    }
}
