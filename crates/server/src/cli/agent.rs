//! `maitred agent`: agents and their environments.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use anyhow::Context;
use clap::Subcommand;
use maitred_core::{
    agent::{Agent, Enforcement, Origin, ProofOfPossession, Settings},
    message::Name,
};

use maitred_store::{EnforcementDay, Store, StoreError};
use serde_json::{Value, json};

use super::{
    Usage,
    data::{Data, Where, fields},
    policy::{self, PolicyArgs},
};
use crate::{
    http::NO_GOOD_TOKEN,
    settings::{Change, SignInUrl},
};

/// What can be done with agents.
#[derive(Debug, Subcommand)]
pub(crate) enum AgentCommand {
    /// Make an agent with a production and a staging environment
    Create {
        /// What visitors read above the chat
        name: Name,
        /// A site that may embed the widget in production, like `https://shop.example`; repeatable
        #[arg(long = "origin", value_name = "ORIGIN")]
        origins: Vec<String>,
        /// A site that may embed it in staging; repeatable
        #[arg(long = "staging-origin", value_name = "ORIGIN")]
        staging_origins: Vec<String>,
        /// Where visitors sign in
        #[arg(long, value_name = "URL")]
        sign_in_url: Option<SignInUrl>,
        #[command(flatten)]
        data: Data,
    },
    /// Change what is set for one environment; what is not named stays
    Set {
        /// The sites that may embed the widget, all of them; repeatable
        #[arg(long = "origin", value_name = "ORIGIN")]
        origins: Vec<String>,
        /// Where visitors sign in
        #[arg(long, value_name = "URL")]
        sign_in_url: Option<SignInUrl>,
        /// Whether one may chat without a token: `optional`, `report` or `required`
        #[arg(long, value_name = "NAME")]
        enforcement: Option<Enforcement>,
        /// Whether a session is bound to a key of its browser: `off`, `when_available`
        /// or `required`
        #[arg(long, value_name = "NAME")]
        proof_of_possession: Option<ProofOfPossession>,
        #[command(flatten)]
        policy: Box<PolicyArgs>,
        #[command(flatten)]
        place: Where,
    },
    /// List the agents
    List {
        #[command(flatten)]
        data: Data,
    },
    /// Show one agent
    Show {
        #[command(flatten)]
        place: Where,
    },
}

impl AgentCommand {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Create {
                name,
                origins,
                staging_origins,
                sign_in_url,
                data,
            } => {
                let settings = |origins: &[String]| -> anyhow::Result<Settings> {
                    let change = Change {
                        origins: Some(parsed(origins)?),
                        sign_in_url: sign_in_url.clone().map(Some),
                        ..Change::default()
                    };
                    let mut settings = Settings::default();
                    change.make(&mut settings).map_err(Usage::because)?;
                    Ok(settings)
                };
                let (production, staging) = (settings(&origins)?, settings(&staging_origins)?);
                let store = data.open().await?;
                let agent = store
                    .create_agent(name.as_str(), &production, &staging)
                    .await?;
                data.print(fields! { agent: agent.id.to_string(), name: agent.name })
            }
            Self::List { data } => {
                let agents = data.open().await?.agents().await?;
                let list = agents
                    .iter()
                    .map(|it| fields! { agent: it.id.to_string(), name: it.name })
                    .collect();
                data.print_list(
                    list,
                    "there is no agent yet; `maitred agent create NAME` makes one",
                )
            }
            Self::Set {
                origins,
                sign_in_url,
                enforcement,
                proof_of_possession,
                policy,
                place,
            } => {
                let change = Change {
                    origins: match origins.as_slice() {
                        [] => None,
                        origins => Some(parsed(origins)?),
                    },
                    sign_in_url: sign_in_url.map(Some),
                    enforcement,
                    proof_of_possession,
                    ..policy.change()
                };
                let store = place.data.open().await?;
                let (agent, _) = place.found(&store).await?;
                let amended = store
                    .amend_settings(place.scope(), |settings| {
                        change.make(settings).map_err(Usage::because)
                    })
                    .await;
                if let Err(error) = &amended
                    && let Some(StoreError::NoGoodToken) = error.downcast_ref()
                {
                    writeln!(io::stderr(), "error: {error}\nhint: {NO_GOOD_TOKEN}")?;
                    return Ok(ExitCode::from(1));
                }
                let settings = amended?.context("the agent was there a moment ago")?;
                show(&place, &store, &agent, &settings).await
            }
            Self::Show { place } => {
                let store = place.data.open().await?;
                let (agent, settings) = place.found(&store).await?;
                show(&place, &store, &agent, &settings).await
            }
        }
    }
}

fn parsed(origins: &[String]) -> anyhow::Result<Vec<Origin>> {
    let origins: Result<_, _> = origins.iter().map(|text| Origin::parse(text)).collect();
    origins.map_err(Usage::because)
}

async fn show(
    place: &Where,
    store: &Store,
    agent: &Agent,
    settings: &Settings,
) -> anyhow::Result<ExitCode> {
    let report = store.enforcement_report(place.scope()).await?;
    let would_refuse: Vec<Value> = report.days.iter().map(|it| day(place, it)).collect();
    let origins: Vec<&str> = settings.origins.iter().map(Origin::as_str).collect();
    let mut shown = fields! {
        agent: agent.id.to_string(),
        name: agent.name,
        environment: place.environment.as_str(),
        origins: origins,
        sign_in_url: settings.sign_in_url,
        enforcement: settings.enforcement.as_str(),
        proof_of_possession: settings.proof_of_possession.as_str(),
        last_good_token_at: report.good_token_at.map(|at| format!("{at:.0}")),
        required_would_refuse: would_refuse,
    };
    shown.extend(policy::shown(settings));
    place.data.print(shown)
}

/// What `required` would have refused on one day: counted under `report`.
fn day(place: &Where, it: &EnforcementDay) -> Value {
    if place.data.json {
        json!({ "day": it.day.to_string(), "sessions": it.strangers })
    } else {
        format!("{} on {},", it.strangers, it.day).into()
    }
}
