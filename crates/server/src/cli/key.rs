//! `maitred key`: what verifies the tokens of a site.

mod impact;
mod import;
mod list;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::Subcommand;
use jiff::SignedDuration;
use maitred_core::{clock::Clock, id::KeyId};
use maitred_store::KeyTerms;
use maitred_token::Algorithm;

use super::{
    Usage,
    data::{Data, Where, fields},
};
use crate::{
    keys::{self, KeyError},
    master,
};

/// What can be done with keys.
#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a shared secret; it is shown this once
    Create {
        /// How tokens are signed: HS256, HS384 or HS512
        #[arg(long, value_name = "NAME", default_value_t = Algorithm::Hs256)]
        algorithm: Algorithm,
        #[command(flatten)]
        terms: Terms,
        #[command(flatten)]
        place: Where,
    },
    /// Import a public key, a secret of another product, or the address of a key set
    Import(import::Import),
    /// List the keys; never their secrets
    List {
        #[command(flatten)]
        place: Where,
    },
    /// Accept a key for some more hours, then no longer
    Retire {
        /// The key: `key_…`
        key: KeyId,
        /// For how many hours it is still accepted
        #[arg(long, value_name = "HOURS", default_value_t = 24,
            value_parser = clap::value_parser!(i64).range(0..=87_600))]
        hours: i64,
        #[command(flatten)]
        place: Where,
    },
    /// Say what would break without a key: who it vouched for in the last 7 days
    Impact {
        /// The key: `key_…`
        key: KeyId,
        #[command(flatten)]
        place: Where,
    },
    /// Never accept a key again, and end the sessions made with it
    Revoke {
        /// The key: `key_…`
        key: KeyId,
        /// Do not ask, on a terminal, whether a key that is in use is meant
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        place: Where,
    },
    /// Make a new master key and seal every secret with it; stop all servers first
    RotateMaster {
        #[command(flatten)]
        data: Data,
    },
}

/// What the tokens of a key must say (rule T8).
#[derive(Debug, clap::Args)]
pub(crate) struct Terms {
    /// What `iss` of its tokens must be
    #[arg(long, value_name = "ISS")]
    issuer: Option<String>,
    /// What `aud` of its tokens may be besides the agent's id; `aud` is then required
    #[arg(long = "audience", value_name = "AUD")]
    audiences: Vec<String>,
}

impl From<Terms> for KeyTerms {
    fn from(terms: Terms) -> Self {
        Self {
            issuer: terms.issuer,
            audiences: terms.audiences,
        }
    }
}

impl KeyCommand {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Create {
                algorithm,
                terms,
                place,
            } => create(&place, algorithm, terms.into()).await,
            Self::Import(import) => import.run().await,
            Self::List { place } => list::list(&place).await,
            Self::Retire { key, hours, place } => {
                let store = place.data.open().await?;
                let until = store.clock.now() + SignedDuration::from_hours(hours);
                let done = store.retire_key(place.scope(), key, until).await?;
                said(
                    done,
                    &place,
                    format!("`{key}` is accepted until {until:.0}"),
                )
            }
            Self::Impact { key, place } => impact::impact(&place, key).await,
            Self::Revoke { key, yes, place } => impact::revoke(&place, key, yes).await,
            Self::RotateMaster { data } => rotate_master(&data).await,
        }
    }
}

async fn create(place: &Where, algorithm: Algorithm, terms: KeyTerms) -> anyhow::Result<ExitCode> {
    let store = place.data.open().await?;
    place.found(&store).await?;
    let made = keys::make(&store, place.scope(), algorithm, terms)
        .await
        .map_err(refused)?;
    place.data.print(fields! {
        key: made.key.to_string(),
        algorithm: algorithm.name(),
        secret: made.secret.expose(),
        note: "keep the secret now: it is not shown again",
    })
}

async fn rotate_master(data: &Data) -> anyhow::Result<ExitCode> {
    let rotated = master::rotate(&data.config()?, Clock::system()).await?;
    data.print(fields! {
        master_key: rotated.path.display().to_string(),
        sealed_anew: rotated.sealed,
        old_key: rotated.old.display().to_string(),
        note: "copy the new key to every node; backups from before need the old one, so keep it as long as them",
    })
}

/// Why a key is not kept, and what to do: the asking was wrong, or we are.
fn refused(error: KeyError) -> anyhow::Error {
    let Some(code) = error.code() else {
        return error.into();
    };
    let hint = error.hint().map(|hint| format!("\nhint: {hint}"));
    Usage(format!("{error} ({code}){}", hint.unwrap_or_default())).into()
}

/// What was done, or that there was nothing to do it to.
fn said(done: bool, place: &Where, sentence: String) -> anyhow::Result<ExitCode> {
    if done {
        return place.data.say(&sentence);
    }
    writeln!(
        io::stderr(),
        "error: there is no such key that is not revoked\nhint: `maitred key list` names them"
    )?;
    Ok(ExitCode::from(1))
}
