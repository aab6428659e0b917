//! `maitred token`: for trying things.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use clap::Subcommand;
use maitred_core::scope::{Environment, Scope};
use maitred_store::KeyState;
use maitred_token::{Explanation, Outcome, Step, Verifier, mint_hs256};
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};

use super::{
    Usage,
    data::{Where, fields, read},
};
use crate::sites::Sites;

/// What can be done with tokens.
#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Sign a token as your server would, for trying things in staging
    Mint {
        /// Who it is for: the user's id at your site
        #[arg(long, value_name = "ID")]
        sub: String,
        /// The user's address
        #[arg(long, value_name = "ADDRESS")]
        email: String,
        /// The user's name
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        /// For how many seconds it is good
        #[arg(long, value_name = "SECONDS", default_value_t = 600)]
        expires_in: i64,
        #[command(flatten)]
        place: Where,
    },
    /// Say why a token is accepted or refused, step by step
    Check {
        /// A file that holds the token and nothing else; without one, standard input
        file: Option<PathBuf>,
        #[command(flatten)]
        place: Where,
    },
}

impl TokenCommand {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Mint {
                sub,
                email,
                name,
                expires_in,
                place,
            } => mint(&place, sub, email, name, expires_in).await,
            Self::Check { file, place } => check(&place, file.as_deref()).await,
        }
    }
}

async fn mint(
    place: &Where,
    sub: String,
    email: String,
    name: Option<String>,
    expires_in: i64,
) -> anyhow::Result<ExitCode> {
    let store = place.data.open().await?;
    let keys = store.keys(place.scope()).await?;
    let Some(key) = keys.iter().find(|key| key.state == KeyState::Active) else {
        let told = "there is no active key\nhint: make one with `maitred key create`";
        return Err(Usage(told.to_owned()).into());
    };
    let now = store.clock.now().as_second();
    let mut claims = Map::new();
    claims.insert("sub".to_owned(), sub.into());
    claims.insert("email".to_owned(), email.into());
    if let Some(name) = name {
        claims.insert("name".to_owned(), name.into());
    }
    claims.insert("aud".to_owned(), place.scope().audience().into());
    claims.insert("iat".to_owned(), now.into());
    claims.insert("exp".to_owned(), (now + expires_in).into());
    let kid = key.id.to_string();
    let token = mint_hs256(
        key.secret.expose_secret(),
        Some(&kid),
        &Value::Object(claims),
    );
    if place.data.json {
        return place.data.print(fields! { token: token });
    }
    place.data.say(&token)
}

/// Walks the same path as the widget's token does (rule L2).
async fn check(place: &Where, file: Option<&Path>) -> anyhow::Result<ExitCode> {
    let store = place.data.open().await?;
    place.found(&store).await?;
    let text = match file {
        Some(file) => read(file)?,
        None => io::read_to_string(io::stdin()).context("cannot read standard input")?,
    };
    // The line break is the editor's; everything else is the token's.
    let token = text.trim_end_matches(['\r', '\n']);
    let sites = Sites::default();
    let mut explanation = None;
    let mut others = Vec::new();
    for environment in Environment::ALL {
        let scope = Scope {
            environment,
            ..place.scope()
        };
        let site = sites
            .site(&store, scope)
            .await?
            .context("an agent has both environments")?;
        if environment == place.environment {
            explanation = Some(site.verifier.explain(token, store.clock.now().as_second()));
        } else {
            others.push((environment.as_str(), site));
        }
    }
    let others: Vec<(&str, &Verifier)> = others
        .iter()
        .map(|(name, site)| (*name, &site.verifier))
        .collect();
    let explanation = explanation
        .context("its environment is one of both")?
        .diagnosed(token, &others);
    tell(place, &explanation)
}

fn tell(place: &Where, explanation: &Explanation) -> anyhow::Result<ExitCode> {
    let code = match &explanation.verdict {
        Ok(_) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(1),
    };
    if place.data.json {
        let steps: Vec<Value> = explanation.steps.iter().map(step_json).collect();
        let refusal = explanation
            .verdict
            .as_ref()
            .err()
            .map(|refused| refused.refusal.code());
        place.data.print(fields! {
            accepted: explanation.verdict.is_ok(),
            code: refusal,
            steps: steps,
        })?;
        return Ok(code);
    }
    let mut out = io::stdout().lock();
    for step in &explanation.steps {
        let name = step.check.name();
        match &step.outcome {
            Outcome::Passed(found) => writeln!(out, "  ok      {name:<10} {found}")?,
            Outcome::Failed { code, message, fix } => {
                writeln!(out, "  failed  {name:<10} {message} ({code})")?;
                writeln!(out, "          {:<10} {fix}", "fix:")?;
            }
            Outcome::NotReached => writeln!(out, "  -       {name}")?,
        }
    }
    writeln!(
        out,
        "{}",
        if explanation.verdict.is_ok() {
            "accepted"
        } else {
            "refused"
        }
    )?;
    Ok(code)
}

fn step_json(step: &Step) -> Value {
    let name = step.check.name();
    match &step.outcome {
        Outcome::Passed(found) => json!({ "check": name, "outcome": "passed", "found": found }),
        Outcome::Failed { code, message, fix } => {
            json!({ "check": name, "outcome": "failed", "code": code, "message": message, "fix": fix })
        }
        Outcome::NotReached => json!({ "check": name, "outcome": "not_reached" }),
    }
}
