//! What `maitred agent set` asks of tokens and lays down for their claims.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use maitred_core::{
    agent::Settings,
    claims::{ClaimFor, ClaimName, parse_claim_for, parse_claim_kept},
    policy::{Leeway, MaxLifetime},
};
use serde_json::{Map, Value};

use super::{
    Usage,
    data::{Fields, fields},
};

/// What tokens must be like, and who sees what of them.
#[derive(Debug, clap::Args)]
pub(super) struct PolicyArgs {
    /// By how many seconds the clocks of your servers may be off, 0 to 120
    #[arg(long, value_name = "SECONDS")]
    leeway: Option<Leeway>,
    /// For how many seconds a token may be good, 60 to 86400
    #[arg(long, value_name = "SECONDS")]
    max_lifetime: Option<MaxLifetime>,
    /// Whether a token without `email` is refused
    #[arg(long, value_name = "WHETHER", value_parser = either("required", "optional"))]
    email: Option<bool>,
    /// Whether a token without `aud` is refused
    #[arg(long, value_name = "WHETHER", value_parser = either("required", "optional"))]
    audience: Option<bool>,
    /// Whether a token without `iss` is refused
    #[arg(long, value_name = "WHETHER", value_parser = either("required", "optional"))]
    issuer: Option<bool>,
    /// Whether a token is accepted once only; each then needs a `jti`
    #[arg(long, value_name = "SWITCH", value_parser = either("on", "off"))]
    one_time_tokens: Option<bool>,
    /// Whether a member of staff may act as a user (`act`)
    #[arg(long, value_name = "WHETHER", value_parser = either("allowed", "refused"))]
    actors: Option<bool>,
    /// For whom a claim is, like `plan=agent`: `agent` (the model may see it), `actions` or `none`
    /// (dropped); repeatable
    #[arg(long = "claim", value_name = "CLAIM=WHOM", value_parser = parse_claim_for)]
    claims: Vec<(ClaimName, ClaimFor)>,
    /// Whether a claim is stored with the contact, like `plan=on`; repeatable
    #[arg(long = "store-claim", value_name = "CLAIM=SWITCH", value_parser = parse_claim_kept)]
    store_claims: Vec<(ClaimName, bool)>,
}

impl PolicyArgs {
    /// Lays down what was named; what was not stays.
    pub(super) fn apply(self, settings: &mut Settings) -> anyhow::Result<()> {
        let tokens = &mut settings.tokens;
        tokens.leeway = self.leeway.unwrap_or(tokens.leeway);
        tokens.max_lifetime = self.max_lifetime.unwrap_or(tokens.max_lifetime);
        tokens.email_required = self.email.unwrap_or(tokens.email_required);
        tokens.audience_required = self.audience.unwrap_or(tokens.audience_required);
        tokens.issuer_required = self.issuer.unwrap_or(tokens.issuer_required);
        tokens.one_time = self.one_time_tokens.unwrap_or(tokens.one_time);
        tokens.actors_allowed = self.actors.unwrap_or(tokens.actors_allowed);
        for (claim, for_whom) in self.claims {
            settings
                .claims
                .set(claim, for_whom)
                .map_err(Usage::because)?;
        }
        for (claim, kept) in self.store_claims {
            settings.claims.keep(claim, kept).map_err(Usage::because)?;
        }
        Ok(())
    }
}

/// What is in force, in the words that set it.
pub(super) fn shown(settings: &Settings) -> Fields {
    let tokens = &settings.tokens;
    let whether = |flag, yes, no| if flag { yes } else { no };
    let required = |flag| whether(flag, "required", "optional");
    let claims: Map<String, Value> = settings
        .claims
        .set_for_whom()
        .map(|(claim, for_whom)| (claim.to_string(), for_whom.as_str().into()))
        .collect();
    let stored: Map<String, Value> = settings
        .claims
        .set_kept()
        .map(|(claim, kept)| (claim.to_string(), whether(kept, "on", "off").into()))
        .collect();
    fields! {
        leeway: tokens.leeway.seconds(),
        max_lifetime: tokens.max_lifetime.seconds(),
        email: required(tokens.email_required),
        audience: required(tokens.audience_required),
        issuer: required(tokens.issuer_required),
        one_time_tokens: whether(tokens.one_time, "on", "off"),
        actors: whether(tokens.actors_allowed, "allowed", "refused"),
        claims: claims,
        stored_claims: stored,
    }
}

/// One of two words, of which the first means true.
fn either(yes: &'static str, no: &'static str) -> impl TypedValueParser<Value = bool> {
    PossibleValuesParser::new([yes, no]).map(move |word| word == yes)
}
