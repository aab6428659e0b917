//! `maitred action`: what an agent may do for a visitor.

use std::{path::PathBuf, process::ExitCode};

use clap::Subcommand;
use maitred_agent::action::Action;
use serde_json::{Value, json};

use super::data::{Where, read};

/// What can be done with Actions.
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

impl ActionCommand {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Import { file, place } => {
                let text = read(&file)?;
                let action = Action::parse(&text)?;
                let store = place.data.open().await?;
                place.found(&store).await?;
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
