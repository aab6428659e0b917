//! Where the data of a command is, and how it answers.

use std::{
    fs,
    io::{self, Write},
    path::Path,
    process::ExitCode,
};

use anyhow::Context;
use maitred_core::{
    agent::{Agent, Settings},
    id::AgentId,
    scope::{Environment, Scope},
};
use maitred_store::Store;
use serde_json::{Value, json};

use crate::{
    config::{Config, Overrides},
    serve,
};

/// Where the data is, and how to answer.
#[derive(Debug, clap::Args)]
pub(crate) struct Data {
    #[command(flatten)]
    overrides: Overrides,
    /// Print one JSON value
    #[arg(long)]
    pub(crate) json: bool,
}

/// One environment of one agent.
#[derive(Debug, clap::Args)]
pub(crate) struct Where {
    /// The agent: `agt_…`
    #[arg(long, value_name = "ID")]
    pub(crate) agent: AgentId,
    /// `production` or `staging`
    #[arg(long, value_name = "NAME", default_value_t = Environment::Production)]
    pub(crate) environment: Environment,
    #[command(flatten)]
    pub(crate) data: Data,
}

impl Where {
    /// The agent and what is set for this environment of it, or how to find one.
    pub(crate) async fn found(&self, store: &Store) -> anyhow::Result<(Agent, Settings)> {
        let agent = store.agent(self.agent).await?;
        let settings = store.settings(self.scope()).await?;
        agent.zip(settings).with_context(|| {
            format!(
                "there is no agent `{}`\nhint: `maitred agent list` names them",
                self.agent
            )
        })
    }

    pub(crate) fn scope(&self) -> Scope {
        Scope {
            agent: self.agent,
            environment: self.environment,
        }
    }
}

impl Data {
    /// `maitred check-config`
    pub(crate) fn check_config(&self) -> anyhow::Result<ExitCode> {
        let config = self.config()?;
        self.print(&json!({
            "listen": config.listen.to_string(),
            "public_url": config.public_url,
            "data": config.data.display().to_string(),
            "outbound_allow": config.outbound_allow,
            "session_grace_s": config.session_grace.as_secs(),
            "anonymous_for_s": config.anonymous_for.as_secs(),
        }))
    }

    pub(crate) fn config(&self) -> anyhow::Result<Config> {
        Config::load(&self.overrides, None, None, std::env::vars())
    }

    pub(crate) async fn open(&self) -> anyhow::Result<Store> {
        serve::open(&self.config()?).await
    }

    /// One JSON value, or a line for each of its fields; a list is a line for each.
    pub(crate) fn print(&self, value: &Value) -> anyhow::Result<ExitCode> {
        let mut out = io::stdout().lock();
        if self.json {
            writeln!(out, "{value}")?;
        } else {
            match value {
                Value::Array(items) => {
                    for item in items {
                        writeln!(out, "{}", line(item))?;
                    }
                }
                Value::Object(fields) => {
                    let width = fields.keys().map(String::len).max().unwrap_or(0);
                    for (name, value) in fields {
                        writeln!(out, "{name:<width$}  {}", text(value))?;
                    }
                }
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                    writeln!(out, "{}", text(value))?;
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn line(item: &Value) -> String {
    item.as_object().map_or_else(
        || text(item),
        |fields| fields.values().map(text).collect::<Vec<_>>().join("  "),
    )
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "-".to_owned(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(" "),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}

/// Reads a text file, or says which one cannot be read.
pub(crate) fn read(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))
}
