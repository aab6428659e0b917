//! `maitred api-key`: what programs of an operator use the API with.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use anyhow::Context;
use clap::Subcommand;
use maitred_core::{
    id::{AgentId, ApiKeyId},
    message::Name,
};
use maitred_store::ApiKey;

use super::data::{Data, Fields, fields};

/// What can be done with API keys.
#[derive(Debug, Subcommand)]
pub(crate) enum ApiKeyCommand {
    /// Make a key; it is shown this once
    Create {
        /// What it is for, so that you know it again
        #[arg(long)]
        name: Name,
        /// The only agent it may see (`agt_…`); without this, the key is for the whole installation
        #[arg(long, value_name = "ID")]
        agent: Option<AgentId>,
        #[command(flatten)]
        data: Data,
    },
    /// List the keys; never their texts
    List {
        #[command(flatten)]
        data: Data,
    },
    /// Never accept a key again
    Revoke {
        /// The key: `apk_…`
        key: ApiKeyId,
        #[command(flatten)]
        data: Data,
    },
}

impl ApiKeyCommand {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Create { name, agent, data } => {
                let store = data.open().await?;
                if let Some(agent) = agent {
                    store.agent(agent).await?.with_context(|| {
                        format!(
                            "there is no agent `{agent}`\nhint: `maitred agent list` names them"
                        )
                    })?;
                }
                let (key, secret) = store.create_api_key(&name, agent).await?;
                data.print(fields! {
                    api_key: key.id.to_string(),
                    name: key.name,
                    reach: reach(key.agent),
                    secret: secret.expose(),
                    note: "keep the secret now: it is not shown again",
                })
            }
            Self::List { data } => {
                let keys = data.open().await?.api_keys().await?;
                let none =
                    "there is no API key yet; `maitred api-key create --name NAME` makes one";
                data.print_list(keys.iter().map(key_fields).collect(), none)
            }
            Self::Revoke { key, data } => {
                if data.open().await?.revoke_api_key(key).await? {
                    return data.say(&format!("`{key}` is revoked"));
                }
                writeln!(
                    io::stderr(),
                    "error: there is no such API key that is not revoked\nhint: `maitred api-key list` names them"
                )?;
                Ok(ExitCode::from(1))
            }
        }
    }
}

fn key_fields(key: &ApiKey) -> Fields {
    let state = match key.revoked_at {
        Some(at) => format!("revoked at {at:.0}"),
        None => "active".to_owned(),
    };
    fields! {
        api_key: key.id.to_string(),
        name: key.name,
        reach: reach(key.agent),
        last_four: format!("…{}", key.last_four),
        state: state,
        last_used_at: key.last_used_at.map(|at| format!("{at:.0}")),
    }
}

/// What a key may see.
fn reach(agent: Option<AgentId>) -> String {
    agent.map_or_else(|| "installation".to_owned(), |agent| agent.to_string())
}
