//! `maitred action`: what an agent may do for a visitor.

use std::{path::PathBuf, process::ExitCode};

use clap::Subcommand;
use maitred_agent::action::Action;

use super::{
    Usage,
    data::{Where, fields, read},
};

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
                let action = Action::parse(&text).map_err(Usage::because)?;
                let store = place.data.open().await?;
                place.found(&store).await?;
                store.put_action(place.agent, &action.name, &text).await?;
                place.data.print(
                    fields! { action: action.name, assurance: action.requires.rung().as_str() },
                )
            }
            Self::List { place } => {
                let actions = place.data.open().await?.actions(place.agent).await?;
                let list = actions
                    .iter()
                    .map(|it| fields! { action: it.name, version: it.version })
                    .collect();
                let none = "there is no Action yet; `maitred action import FILE` adds one";
                place.data.print_list(list, none)
            }
        }
    }
}
