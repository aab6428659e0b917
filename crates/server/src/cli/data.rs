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
use maitred_store::{Actor, Store};
use maitred_token::is_invisible;
use serde::Serialize;
use serde_json::Value;

use super::Usage;
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
        let agent = self.data.known(store, self.agent).await?;
        let settings = store.settings(self.scope()).await?;
        settings
            .map(|settings| (agent, settings))
            .with_context(|| format!("`{}` has no such environment", self.agent))
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
        self.print(fields! {
            listen: config.listen.to_string(),
            public_url: config.public_url,
            data: config.data.display().to_string(),
            database: config.database.to_string(),
            session_grace_s: config.session_grace.as_secs(),
            anonymous_for_s: config.anonymous_for.as_secs(),
            max_connections: config.connections.at_most,
            max_connections_per_address: config.connections.from_one_address,
            trusted_proxies: config.trusted_proxies.iter().map(ToString::to_string).collect::<Vec<_>>(),
            refused_tokens_per_minute: config.limits.refused_tokens,
            anonymous_sessions_per_minute: config.limits.anonymous_sessions,
            codes_per_minute: config.limits.codes,
            refused_api_keys_per_minute: config.limits.refused_api_keys,
            requests_per_minute: config.limits.requests,
            mail: config.mail.map_or_else(|| "none".to_owned(), |mail| mail.to_string()),
            outbound_allow: config.outbound_allow,
        })
    }

    pub(crate) fn config(&self) -> anyhow::Result<Config> {
        Config::load(&self.overrides, None, None, std::env::vars()).map_err(Usage::because)
    }

    pub(crate) async fn open(&self) -> anyhow::Result<Store> {
        let store = serve::open(&self.config()?).await?;
        Ok(store.acting_as(Actor::CommandLine))
    }

    /// One JSON value, as the API answers it.
    pub(crate) fn print_value(&self, value: &impl Serialize) -> anyhow::Result<()> {
        let mut out = io::stdout().lock();
        writeln!(out, "{}", serde_json::to_string(value)?)?;
        Ok(())
    }

    /// The agent by that id, or how to find one.
    pub(crate) async fn known(&self, store: &Store, id: AgentId) -> anyhow::Result<Agent> {
        store.agent(id).await?.with_context(|| {
            format!("there is no agent `{id}`\nhint: `maitred agent list` names them")
        })
    }

    /// One thing: a JSON object, or a line for each of its fields.
    pub(crate) fn print(&self, fields: Fields) -> anyhow::Result<ExitCode> {
        let mut out = io::stdout().lock();
        if self.json {
            writeln!(out, "{}", object(fields))?;
            return Ok(ExitCode::SUCCESS);
        }
        let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        for (name, value) in &fields {
            writeln!(out, "{name:<width$}  {}", text(value))?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Many things: a JSON array, or a line for each. None: how to make one.
    pub(crate) fn print_list(&self, list: Vec<Fields>, none: &str) -> anyhow::Result<ExitCode> {
        let mut out = io::stdout().lock();
        if self.json {
            writeln!(
                out,
                "{}",
                Value::Array(list.into_iter().map(object).collect())
            )?;
            return Ok(ExitCode::SUCCESS);
        }
        if list.is_empty() {
            writeln!(io::stderr(), "{none}")?;
        }
        for fields in &list {
            let values: Vec<String> = fields.iter().map(|(_, value)| text(value)).collect();
            writeln!(out, "{}", values.join("  "))?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// What was done, in a sentence.
    pub(crate) fn say(&self, sentence: &str) -> anyhow::Result<ExitCode> {
        let mut out = io::stdout().lock();
        if self.json {
            writeln!(out, "{}", Value::from(sentence))?;
        } else {
            writeln!(out, "{sentence}")?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Writes [`Fields`] like a JSON object.
macro_rules! fields {
    ($($name:ident: $value:expr),* $(,)?) => {
        vec![$((stringify!($name), serde_json::json!($value))),*]
    };
}
pub(crate) use fields;

/// What is told of one thing, in this order.
pub(crate) type Fields = Vec<(&'static str, Value)>;

/// As a JSON object.
pub(crate) fn object(fields: Fields) -> Value {
    fields
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// A text that may be somebody else's words, as a terminal may be given it: it
/// breaks no line, moves no cursor and turns no direction.
pub(crate) fn printable(text: &str) -> String {
    let shown = |c| if is_invisible(c) { '\u{fffd}' } else { c };
    text.chars().map(shown).collect()
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => printable(text),
        Value::Null => "-".to_owned(),
        Value::Array(items) if items.is_empty() => "-".to_owned(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(" "),
        Value::Object(pairs) if pairs.is_empty() => "-".to_owned(),
        Value::Object(pairs) => {
            let pairs = pairs
                .iter()
                .map(|(name, value)| format!("{name}={}", text(value)));
            pairs.collect::<Vec<_>>().join(" ")
        }
        Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// So many of something, in words.
pub(crate) fn counted(how_many: i64, what: &str) -> String {
    match how_many {
        0 => format!("no {what}s"),
        1 => format!("1 {what}"),
        more => format!("{more} {what}s"),
    }
}

/// Reads a text file, or says which one cannot be read.
pub(crate) fn read(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path)
        .map_err(|error| Usage(format!("cannot read `{}`: {error}", path.display())).into())
}
