//! What `maitred agent set` asks of tokens and lays down for their claims.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use maitred_core::{
    agent::{Remembering, Settings},
    claims::{ClaimFor, ClaimName, parse_claim_for, parse_claim_kept},
    policy::{Leeway, MaxLifetime},
};
use serde_json::{Map, Value};

use super::data::{Fields, fields};
use crate::settings::{Change, TokenChange};

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
    /// Whether contacts are remembered between conversations
    #[arg(long, value_name = "SWITCH", value_parser = either("on", "off"))]
    memory: Option<bool>,
    /// For whom a claim is, like `plan=agent`: `agent` (the model may see it), `actions` or `none`
    /// (dropped); repeatable
    #[arg(long = "claim", value_name = "CLAIM=WHOM", value_parser = parse_claim_for)]
    claims: Vec<(ClaimName, ClaimFor)>,
    /// Whether a claim is stored with the contact, like `plan=on`; repeatable
    #[arg(long = "store-claim", value_name = "CLAIM=SWITCH", value_parser = parse_claim_kept)]
    store_claims: Vec<(ClaimName, bool)>,
}

impl PolicyArgs {
    /// What was named; what was not stays.
    pub(super) fn change(self) -> Change {
        Change {
            tokens: TokenChange {
                leeway: self.leeway,
                max_lifetime: self.max_lifetime,
                email_required: self.email,
                audience_required: self.audience,
                issuer_required: self.issuer,
                one_time: self.one_time_tokens,
                actors_allowed: self.actors,
            },
            remembering: self.memory.map(|on| match on {
                true => Remembering::On,
                false => Remembering::Off,
            }),
            claims: self.claims,
            stored_claims: self.store_claims,
            ..Change::default()
        }
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
        memory: whether(settings.remembering == Remembering::On, "on", "off"),
        claims: claims,
        stored_claims: stored,
    }
}

/// One of two words, of which the first means true.
fn either(yes: &'static str, no: &'static str) -> impl TypedValueParser<Value = bool> {
    PossibleValuesParser::new([yes, no]).map(move |word| word == yes)
}
