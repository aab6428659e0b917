//! Commands on the data of a server, running or not.
//!
//! What they write is seen by a running server within a second.

use std::{
    fs,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::{Context, bail};
use clap::Subcommand;
use jiff::SignedDuration;
use maitred_agent::action::Action;
use maitred_core::{
    agent::{Origin, Settings},
    id::{AgentId, KeyId},
    scope::{Environment, Scope},
};
use maitred_store::{KeyState, Store, StoredKey};
use maitred_token::{Algorithm, Key, Secret, SecretKind, mint_hs256};
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};

use crate::{
    config::{Config, Overrides},
    serve,
};

/// What can be managed.
#[derive(Debug, Subcommand)]
pub(crate) enum Manage {
    /// Agents
    #[command(subcommand)]
    Agent(AgentCommand),
    /// Signing keys: what verifies the tokens of your site
    #[command(subcommand)]
    Key(KeyCommand),
    /// Tokens, for trying things
    #[command(subcommand)]
    Token(TokenCommand),
    /// Actions: what an agent may do for a visitor
    #[command(subcommand)]
    Action(ActionCommand),
    /// What an agent answers from
    #[command(subcommand)]
    Knowledge(KnowledgeCommand),
    /// Print the settings that are in force
    CheckConfig(Data),
}

/// Where the data is, and how to answer.
#[derive(Debug, clap::Args)]
pub(crate) struct Data {
    #[command(flatten)]
    overrides: Overrides,
    /// Print one JSON value
    #[arg(long)]
    json: bool,
}

/// One environment of one agent.
#[derive(Debug, clap::Args)]
pub(crate) struct Where {
    /// The agent: `agt_…`
    #[arg(long, value_name = "ID")]
    agent: AgentId,
    /// `production` or `staging`
    #[arg(long, value_name = "NAME", default_value_t = Environment::Production)]
    environment: Environment,
    #[command(flatten)]
    data: Data,
}

impl Where {
    fn scope(&self) -> Scope {
        Scope {
            agent: self.agent,
            environment: self.environment,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum AgentCommand {
    /// Make an agent with a production and a staging environment
    Create {
        /// What visitors read above the chat
        name: String,
        /// A site that may embed the widget in production, like `https://shop.example`; repeatable
        #[arg(long = "origin", value_name = "ORIGIN")]
        origins: Vec<String>,
        /// A site that may embed it in staging; repeatable
        #[arg(long = "staging-origin", value_name = "ORIGIN")]
        staging_origins: Vec<String>,
        /// Where visitors sign in
        #[arg(long, value_name = "URL")]
        sign_in_url: Option<String>,
        #[command(flatten)]
        data: Data,
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

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a shared secret; it is shown this once
    Create {
        #[command(flatten)]
        place: Where,
    },
    /// Import a secret that another product used: a file of at least 32 bytes of text
    Import {
        /// The file that holds the secret
        file: PathBuf,
        #[command(flatten)]
        place: Where,
    },
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
        #[arg(long, value_name = "HOURS", default_value_t = 24)]
        hours: i64,
        #[command(flatten)]
        place: Where,
    },
    /// Never accept a key again, and end the sessions made with it
    Revoke {
        /// The key: `key_…`
        key: KeyId,
        #[command(flatten)]
        place: Where,
    },
}

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
}

#[derive(Debug, Subcommand)]
pub(crate) enum ActionCommand {
    /// Add an Action from its definition, or replace the one by its name
    Import {
        /// A JSON file
        file: PathBuf,
        #[command(flatten)]
        place: Where,
    },
    /// List the Actions
    List {
        #[command(flatten)]
        place: Where,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum KnowledgeCommand {
    /// Add a page, or replace the one at its address
    Add {
        /// A Markdown file
        file: PathBuf,
        /// Where visitors can read it
        #[arg(long, value_name = "URL")]
        url: String,
        /// Its title
        #[arg(long, value_name = "TITLE")]
        title: String,
        #[command(flatten)]
        place: Where,
    },
    /// List the pages
    List {
        #[command(flatten)]
        place: Where,
    },
}

impl Manage {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Agent(command) => command.run().await,
            Self::Key(command) => command.run().await,
            Self::Token(command) => command.run().await,
            Self::Action(command) => command.run().await,
            Self::Knowledge(command) => command.run().await,
            Self::CheckConfig(data) => {
                let config = data.config()?;
                data.print(&json!({
                    "listen": config.listen.to_string(),
                    "public_url": config.public_url,
                    "data": config.data.display().to_string(),
                    "outbound_allow": config.outbound_allow,
                    "session_grace_s": config.session_grace.as_secs(),
                    "anonymous_for_s": config.anonymous_for.as_secs(),
                }))
            }
        }
    }
}

impl Data {
    fn config(&self) -> anyhow::Result<Config> {
        Config::load(&self.overrides, None, None, std::env::vars())
    }

    async fn open(&self) -> anyhow::Result<Store> {
        serve::open(&self.config()?).await
    }

    /// One JSON value, or a line for each of its fields; a list is a line for each.
    fn print(&self, value: &Value) -> anyhow::Result<ExitCode> {
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

impl AgentCommand {
    async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Create {
                name,
                origins,
                staging_origins,
                sign_in_url,
                data,
            } => {
                let settings = |origins: &[String]| -> anyhow::Result<Settings> {
                    let origins: Result<Vec<_>, _> =
                        origins.iter().map(|text| Origin::parse(text)).collect();
                    let sign_in_url = sign_in_url.clone();
                    Ok(Settings {
                        origins: origins?,
                        sign_in_url,
                        ..Settings::default()
                    })
                };
                let (production, staging) = (settings(&origins)?, settings(&staging_origins)?);
                let store = data.open().await?;
                let agent = store.create_agent(&name, &production, &staging).await?;
                data.print(&json!({ "agent": agent.id.to_string(), "name": agent.name }))
            }
            Self::List { data } => {
                let agents = data.open().await?.agents().await?;
                let list = agents
                    .iter()
                    .map(|it| json!({ "agent": it.id.to_string(), "name": it.name }))
                    .collect();
                data.print(&Value::Array(list))
            }
            Self::Show { place } => {
                let store = place.data.open().await?;
                let (agent, settings) = found(&store, &place).await?;
                let origins: Vec<&str> = settings.origins.iter().map(Origin::as_str).collect();
                place.data.print(&json!({
                    "agent": agent.id.to_string(),
                    "name": agent.name,
                    "environment": place.environment.as_str(),
                    "origins": origins,
                    "sign_in_url": settings.sign_in_url,
                }))
            }
        }
    }
}

impl KeyCommand {
    async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Create { place } => {
                let store = place.data.open().await?;
                found(&store, &place).await?;
                let kind = match place.environment {
                    Environment::Production => SecretKind::Live,
                    Environment::Staging => SecretKind::Test,
                };
                let secret = Secret::generate(kind);
                let bytes = secret.expose().as_bytes();
                let key = store
                    .insert_key(
                        place.scope(),
                        Algorithm::Hs256.name(),
                        bytes,
                        secret.last_four(),
                        false,
                    )
                    .await?;
                place.data.print(&json!({
                    "key": key.to_string(),
                    "algorithm": Algorithm::Hs256.name(),
                    "secret": secret.expose(),
                    "note": "keep the secret now: it is not shown again",
                }))
            }
            Self::Import { file, place } => {
                let store = place.data.open().await?;
                found(&store, &place).await?;
                let text = read(&file)?;
                let secret = text.trim_end_matches(['\r', '\n']);
                // Refused here as it would be in a verifier.
                Key::shared_secret("import", secret.as_bytes(), Algorithm::Hs256)?;
                let last_four: String = secret.chars().rev().take(4).collect();
                let last_four: String = last_four.chars().rev().collect();
                let key = store
                    .insert_key(
                        place.scope(),
                        Algorithm::Hs256.name(),
                        secret.as_bytes(),
                        &last_four,
                        true,
                    )
                    .await?;
                place.data.print(&json!({
                    "key": key.to_string(),
                    "note": format!("tokens of an imported secret must carry `aud`: \"{}\"", place.scope().audience()),
                }))
            }
            Self::List { place } => {
                let store = place.data.open().await?;
                found(&store, &place).await?;
                let keys = store.keys(place.scope()).await?;
                place
                    .data
                    .print(&Value::Array(keys.iter().map(key_json).collect()))
            }
            Self::Retire { key, hours, place } => {
                let store = place.data.open().await?;
                let until = store.clock.now() + SignedDuration::from_hours(hours);
                let done = store.retire_key(place.scope(), key, until).await?;
                said(done, &place, format!("`{key}` is accepted until {until}"))
            }
            Self::Revoke { key, place } => {
                let store = place.data.open().await?;
                let done = store.revoke_key(place.scope(), key).await?;
                said(
                    done,
                    &place,
                    format!("`{key}` is revoked, and its sessions have ended"),
                )
            }
        }
    }
}

impl TokenCommand {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let Self::Mint {
            sub,
            email,
            name,
            expires_in,
            place,
        } = self;
        let store = place.data.open().await?;
        let keys = store.keys(place.scope()).await?;
        let Some(key) = keys.iter().find(|key| key.state == KeyState::Active) else {
            bail!("there is no active key\nhint: make one with `maitred key create`");
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
        place.data.print(&if place.data.json {
            json!({ "token": token })
        } else {
            token.into()
        })
    }
}

impl ActionCommand {
    async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Import { file, place } => {
                let text = read(&file)?;
                let action = Action::parse(&text)?;
                let store = place.data.open().await?;
                found(&store, &place).await?;
                store.put_action(place.agent, &action.name, &text).await?;
                place
                    .data
                    .print(&json!({ "action": action.name, "requires": action.requires.as_str() }))
            }
            Self::List { place } => {
                let actions = place.data.open().await?.actions(place.agent).await?;
                let list = actions
                    .iter()
                    .map(|it| json!({ "action": it.name, "version": it.version }))
                    .collect();
                place.data.print(&Value::Array(list))
            }
        }
    }
}

impl KnowledgeCommand {
    async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Add {
                file,
                url,
                title,
                place,
            } => {
                let text = read(&file)?;
                let store = place.data.open().await?;
                found(&store, &place).await?;
                let source = store.put_source(place.agent, &url, &title, &text).await?;
                place
                    .data
                    .print(&json!({ "source": source.to_string(), "url": url }))
            }
            Self::List { place } => {
                let sources = place.data.open().await?.sources(place.agent).await?;
                let list = sources
                    .iter()
                    .map(|it| json!({ "source": it.id.to_string(), "title": it.title, "url": it.url }))
                    .collect();
                place.data.print(&Value::Array(list))
            }
        }
    }
}

async fn found(
    store: &Store,
    place: &Where,
) -> anyhow::Result<(maitred_core::agent::Agent, Settings)> {
    let agent = store.agent(place.agent).await?;
    let settings = store.settings(place.scope()).await?;
    agent.zip(settings).with_context(|| {
        format!(
            "there is no agent `{}`\nhint: `maitred agent list` names them",
            place.agent
        )
    })
}

fn key_json(key: &StoredKey) -> Value {
    let state = match key.state {
        KeyState::Active => "active".to_owned(),
        KeyState::Retiring(until) => format!("retiring until {until}"),
        KeyState::Revoked(at) => format!("revoked at {at}"),
    };
    json!({
        "key": key.id.to_string(),
        "algorithm": key.algorithm,
        "last_four": format!("…{}", key.last_four),
        "state": state,
        "created_at": key.created_at.to_string(),
    })
}

/// What was done, or that there was nothing to do it to.
fn said(done: bool, place: &Where, sentence: String) -> anyhow::Result<ExitCode> {
    if done {
        return place.data.print(&Value::String(sentence));
    }
    writeln!(
        io::stderr(),
        "error: there is no such key that is not revoked\nhint: `maitred key list` names them"
    )?;
    Ok(ExitCode::from(1))
}

fn read(path: &PathBuf) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))
}
