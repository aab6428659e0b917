//! `maitred knowledge add`

use std::{fs, path::Path, process::ExitCode};

use maitred_agent::knowledge::import::read_pairs;
use maitred_core::{
    knowledge::{Audience, Every, Readers, SourceKind},
    scope::Environment,
};

use super::{finish, line, open};
use crate::{
    cli::{Usage, data::Where},
    knowledge::{self, Adding, Content, KnowledgeError},
};

/// What is added.
#[derive(Debug, clap::Args)]
pub(crate) struct Add {
    /// A file (Markdown, text, HTML; questions as CSV or JSON), or the address of a page or a sitemap
    what: String,
    /// What it is, if that cannot be told: `file`, `page`, `sitemap` or `qa`
    #[arg(long, value_name = "KIND")]
    kind: Option<SourceKind>,
    /// Of a file: where visitors can read it
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Its title, if not its own
    #[arg(long, value_name = "TITLE")]
    title: Option<String>,
    /// How far visitors must be proven to be answered from it: `anonymous`, `claimed`, `code` or `verified`
    #[arg(long, value_name = "NAME", default_value_t = Readers::EVERYBODY)]
    requires: Readers,
    /// Answer from it in this environment only: `production` or `staging`
    #[arg(long, value_name = "NAME")]
    only_in: Option<Environment>,
    /// How often a page or a sitemap is fetched again: `day`, `week` or `never`
    #[arg(long, value_name = "HOW", default_value_t = Every::Never)]
    every: Every,
    #[command(flatten)]
    place: Where,
}

impl Add {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let kind = self.kind.unwrap_or_else(|| kind_of(&self.what));
        if kind.is_fetched() && self.url.is_some() {
            let why =
                "a page and a sitemap are where they are fetched from\nhint: leave out `--url`";
            return Err(Usage(why.to_owned()).into());
        }
        if !kind.is_fetched() && self.every != Every::Never {
            let why = "a file is not fetched again\nhint: leave out `--every`; to add it again replaces it";
            return Err(Usage(why.to_owned()).into());
        }
        let content = self.content(kind)?;
        let store = open(&self.place).await?;
        let adding = Adding {
            kind,
            url: if kind.is_fetched() {
                Some(self.what)
            } else {
                self.url
            },
            title: self.title,
            audience: Audience {
                readers: self.requires,
                environment: self.only_in,
            },
            every: self.every,
            content,
        };
        let added = knowledge::add(&store, self.place.agent, adding).await;
        let id = added.map_err(refused)?;
        let source = finish(&store, &self.place, id, kind.is_fetched()).await?;
        let has_failed = source.failure.is_some();
        let done = self.place.data.print(line(&store, source))?;
        Ok(if has_failed { ExitCode::from(3) } else { done })
    }

    fn content(&self, kind: SourceKind) -> anyhow::Result<Content> {
        if kind.is_fetched() {
            return Ok(Content::Fetched);
        }
        let bytes = fs::read(&self.what)
            .map_err(|error| Usage(format!("cannot read `{}`: {error}", self.what)))?;
        if kind == SourceKind::Questions {
            let pairs = read_pairs(&String::from_utf8_lossy(&bytes));
            return Ok(Content::Pairs(
                pairs.map_err(|error| refused(error.into()))?,
            ));
        }
        let name = Path::new(&self.what).file_name().unwrap_or_default();
        Ok(Content::File(name.to_string_lossy().into_owned(), bytes))
    }
}

/// What something is, by how it is called.
fn kind_of(what: &str) -> SourceKind {
    let is_address = what.starts_with("https://") || what.starts_with("http://");
    let end = what
        .split(['?', '#'])
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    let ends = |with: &[&str]| with.iter().any(|it| end.ends_with(it));
    match is_address {
        true if ends(&[".xml", ".xml.gz"]) => SourceKind::Sitemap,
        true => SourceKind::Page,
        false if ends(&[".csv", ".json"]) => SourceKind::Questions,
        false => SourceKind::File,
    }
}

/// What was typed is at fault, unless the store is.
fn refused(error: KnowledgeError) -> anyhow::Error {
    match error {
        KnowledgeError::Setting(_) | KnowledgeError::Document(_) => Usage(error.to_string()).into(),
        KnowledgeError::Engine(_) | KnowledgeError::Store(_) => error.into(),
    }
}
