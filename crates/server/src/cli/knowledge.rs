//! `maitred knowledge`: what an agent answers from.

use std::{path::PathBuf, process::ExitCode};

use clap::Subcommand;

use super::data::{Where, fields, read};

/// What can be done with knowledge.
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

impl KnowledgeCommand {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Add {
                file,
                url,
                title,
                place,
            } => {
                let text = read(&file)?;
                let store = place.data.open().await?;
                place.found(&store).await?;
                let source = store.put_source(place.agent, &url, &title, &text).await?;
                place
                    .data
                    .print(fields! { source: source.to_string(), url: url })
            }
            Self::List { place } => {
                let sources = place
                    .data
                    .open()
                    .await?
                    .sources(place.agent, None, 1_000)
                    .await?;
                let list = sources
                    .iter()
                    .map(|it| fields! { source: it.id.to_string(), title: it.title, url: it.address })
                    .collect();
                let none = "there is no page yet; `maitred knowledge add FILE` adds one";
                place.data.print_list(list, none)
            }
        }
    }
}
