//! What a person can type.
//!
//! Exit codes: 0 good, 1 the thing asked is not so, 2 wrong usage, 3 could not
//! find out.

mod action;
mod agent;
mod api_key;
mod backup;
mod contact;
mod data;
mod doctor;
mod key;
mod knowledge;
mod policy;
mod test_identity;
mod token;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::{Parser, Subcommand};

use crate::{
    config::{Config, Overrides},
    demo::Demo,
    serve,
};

/// A support agent for websites that recognises who is logged in
#[derive(Debug, Parser)]
#[command(name = "maitred", version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the widget and the API
    Serve(Serve),
    /// Try it: maitred and a sample shop that uses it, on this machine only
    Demo(Demo),
    /// Agents
    #[command(subcommand)]
    Agent(agent::AgentCommand),
    /// Signing keys: what verifies the tokens of your site
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// API keys: what your programs operate maitred with
    #[command(subcommand)]
    ApiKey(api_key::ApiKeyCommand),
    /// The people your site vouched for: log out, export, erase, undo
    #[command(subcommand)]
    Contact(contact::ContactCommand),
    /// Tokens, for trying things
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Whom you act as when you try something in staging
    #[command(subcommand)]
    TestIdentity(test_identity::TestIdentityCommand),
    /// Actions: what an agent may do for a visitor
    #[command(subcommand)]
    Action(action::ActionCommand),
    /// What an agent answers from
    #[command(subcommand)]
    Knowledge(knowledge::KnowledgeCommand),
    /// Look at a page of your site: is the chat there, and does it know who is logged in
    Doctor(doctor::Doctor),
    /// Write everything into one file, beside a running server
    Backup(backup::Backup),
    /// Read a backup into an empty database, SQLite or PostgreSQL; stop all servers first
    Restore(backup::Restore),
    /// Print the settings that are in force
    CheckConfig(data::Data),
}

#[derive(Debug, clap::Args)]
struct Serve {
    #[command(flatten)]
    overrides: Overrides,
    /// The address to listen on
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// How browsers reach this server: scheme and host
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
}

impl Cli {
    /// Does what was asked.
    pub(crate) async fn run(self) -> ExitCode {
        let is_server = matches!(self.command, Command::Serve(_));
        log_to_stderr(if is_server { "info" } else { "warn" });
        let done = match self.command {
            Command::Serve(serve) => serve.run().await,
            Command::Demo(demo) => demo.run().await,
            Command::Agent(command) => command.run().await,
            Command::Key(command) => command.run().await,
            Command::ApiKey(command) => command.run().await,
            Command::Contact(command) => command.run().await,
            Command::Token(command) => command.run().await,
            Command::TestIdentity(command) => command.run().await,
            Command::Action(command) => command.run().await,
            Command::Knowledge(command) => command.run().await,
            Command::Doctor(doctor) => doctor.run().await,
            Command::Backup(backup) => backup.run().await,
            Command::Restore(restore) => restore.run().await,
            Command::CheckConfig(data) => data.check_config(),
        };
        done.unwrap_or_else(|error| report(&error))
    }
}

impl Serve {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let config = Config::load(
            &self.overrides,
            self.listen.as_deref(),
            self.public_url.as_deref(),
            std::env::vars(),
        )
        .map_err(Usage::because)?;
        serve::serve(config).await?;
        Ok(ExitCode::SUCCESS)
    }
}

/// What was asked for cannot be asked for: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Usage(pub(crate) String);

impl Usage {
    /// With everything that an error says.
    pub(crate) fn because(error: impl Into<anyhow::Error>) -> anyhow::Error {
        Self(told(&error.into())).into()
    }
}

/// Says what went wrong: in the asking (2), or in finding it out (3).
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    _ = writeln!(io::stderr(), "error: {}", told(error));
    ExitCode::from(if error.is::<Usage>() { 2 } else { 3 })
}

/// An error and its causes in one line, each said once.
fn told(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

fn log_to_stderr(default: &str) {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(default));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .init();
}
