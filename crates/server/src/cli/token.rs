//! `maitred token`: for trying things, and for seeing what came of others.

mod log;

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use clap::Subcommand;
use maitred_core::id::KeyId;
use maitred_store::{KeyMaterial, KeyState, StoredKey};
use maitred_token::{Algorithm, Outcome, mint_hs256};
use secrecy::ExposeSecret;
use serde_json::{Map, Value};

use super::{
    Usage,
    data::{Where, fields, read},
    test_identity::{known, usage},
};
use crate::{
    checker::{self, Checked},
    http::CheckedToken,
    sites::Sites,
    test_identities::{self, only_in_staging},
};

/// What can be done with tokens.
#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Sign a token as your server would, for trying things in staging
    Mint {
        /// Who it is for: the user's id at your site
        #[arg(long, value_name = "ID", required_unless_present = "test")]
        sub: Option<String>,
        /// The user's address
        #[arg(long, value_name = "ADDRESS", required_unless_present = "test")]
        email: Option<String>,
        /// The user's name
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        /// For how many seconds it is good
        #[arg(long, value_name = "SECONDS", default_value_t = 600)]
        expires_in: i64,
        /// In place of these: a test identity that you act as, in staging
        #[arg(long, value_name = "ID_OR_SUBJECT", conflicts_with_all = ["sub", "email", "name", "expires_in"])]
        test: Option<String>,
        #[command(flatten)]
        place: Where,
    },
    /// Show what came of the tokens that were shown, newest last
    Log(log::Log),
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
                test,
                place,
            } => match (test, sub, email) {
                (Some(which), ..) => mint_test(&place, &which).await,
                (None, Some(sub), Some(email)) => mint(&place, sub, email, name, expires_in).await,
                (None, ..) => {
                    Err(Usage("say who it is for: `--sub` and `--email`".to_owned()).into())
                }
            },
            Self::Log(log) => log.run().await,
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
    let Some((kid, secret)) = keys.iter().find_map(hs256_secret) else {
        let told = "there is no active secret for HS256\nhint: make one with `maitred key create`";
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
    let token = mint_hs256(secret, Some(&kid.to_string()), &Value::Object(claims));
    if place.data.json {
        return place.data.print(fields! { token: token });
    }
    place.data.say(&token)
}

/// A token to act as a test identity with (rule A4).
async fn mint_test(place: &Where, which: &str) -> anyhow::Result<ExitCode> {
    only_in_staging(place.environment).map_err(usage)?;
    let store = place.data.open().await?;
    place.found(&store).await?;
    let identity = known(&store, place.agent, which).await?;
    let sites = Sites::default();
    let made = test_identities::token(&sites, &store, place.agent, &identity);
    let token = made.await.map_err(usage)?;
    if place.data.json {
        return place.data.print(fields! {
            token: token.text,
            expires_at: token.expires_at.to_string(),
            subject: identity.claims.subject.to_string(),
            operator: token.operator,
        });
    }
    place.data.say(&token.text)
}

/// What a token can be signed with here.
fn hs256_secret(key: &StoredKey) -> Option<(KeyId, &[u8])> {
    match &key.material {
        KeyMaterial::Secret(secret)
            if key.state == KeyState::Active && secret.algorithm == Algorithm::Hs256 =>
        {
            Some((key.id, secret.bytes.expose_secret()))
        }
        KeyMaterial::Secret(_) | KeyMaterial::Public(_) | KeyMaterial::Set(_) => None,
    }
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
    let checked = checker::check(&Sites::default(), &store, place.scope(), token)
        .await?
        .context("the agent was there a moment ago")?;
    tell(place, &checked)
}

fn tell(place: &Where, checked: &Checked) -> anyhow::Result<ExitCode> {
    let accepted = checked.code().is_none();
    let code = ExitCode::from(u8::from(!accepted));
    if place.data.json {
        place.data.print_value(&CheckedToken::from(checked))?;
        return Ok(code);
    }
    let mut out = io::stdout().lock();
    for (name, outcome) in checked.steps() {
        match outcome {
            Outcome::Passed(found) => writeln!(out, "  ok      {name:<10} {found}")?,
            Outcome::Failed { code, message, fix } => {
                writeln!(out, "  failed  {name:<10} {message} ({code})")?;
                writeln!(out, "          {:<10} {fix}", "fix:")?;
            }
            Outcome::NotReached => writeln!(out, "  -       {name}")?,
        }
    }
    writeln!(out, "{}", if accepted { "accepted" } else { "refused" })?;
    Ok(code)
}
