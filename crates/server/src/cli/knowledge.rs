//! `maitred knowledge`: what an agent answers from.
//!
//! Every command works beside a running server: whoever claims a source first does
//! the work, and the other one waits for it.

mod add;
mod progress;

use std::process::ExitCode;

use anyhow::Context;
use clap::Subcommand;
use maitred_agent::{
    Agent, Codes,
    action::{Assertions, Outbound, Runner},
    engine::{Engine, search::Band},
};
use maitred_core::{id::SourceId, knowledge::Readers};
use maitred_store::{Source, Store, Work};
use maitred_token::AssertionKey;

use self::{add::Add, progress::Shown};
use super::{
    Usage,
    data::{Fields, Where, fields},
};
use crate::knowledge::{state, work_on};

/// How many sources are listed at most.
const LISTED: i64 = 10_000;

/// What can be done with knowledge.
#[derive(Debug, Subcommand)]
pub(crate) enum KnowledgeCommand {
    /// Add a file, a page, a sitemap or questions, or replace what has its address
    Add(Add),
    /// List what was added, and how it stands
    List {
        #[command(flatten)]
        place: Where,
    },
    /// Fetch a page or a sitemap again, and keep what changed; without an id, all of them
    Sync {
        /// Which one: `src_…`
        source: Option<SourceId>,
        #[command(flatten)]
        place: Where,
    },
    /// Remove something, with all that came of it
    Remove {
        /// Which one: `src_…`
        source: SourceId,
        #[command(flatten)]
        place: Where,
    },
    /// Try a question: what would be found for it, and what it would be good for
    Try {
        /// What is asked
        question: String,
        /// As somebody who is proven so far: `anonymous`, `claimed`, `code` or `verified`
        #[arg(long = "as", value_name = "NAME", default_value_t = Readers::EVERYBODY)]
        rung: Readers,
        /// How much is found at most
        #[arg(long, value_name = "NUMBER", default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..=20))]
        limit: u8,
        #[command(flatten)]
        place: Where,
    },
}

impl KnowledgeCommand {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Add(add) => add.run().await,
            Self::List { place } => {
                let store = open(&place).await?;
                let sources = store.sources(place.agent, None, LISTED).await?;
                let list = sources.into_iter().map(|it| line(&store, it)).collect();
                let none = "there is nothing yet; `maitred knowledge add FILE` adds a file";
                place.data.print_list(list, none)
            }
            Self::Sync { source, place } => sync(source, &place).await,
            Self::Remove { source, place } => {
                let store = open(&place).await?;
                if !store.remove_source(place.agent, source).await? {
                    return Err(Usage(missing(source)).into());
                }
                place
                    .data
                    .say(&format!("`{source}` is gone, with all that came of it"))
            }
            Self::Try {
                question,
                rung,
                limit,
                place,
            } => try_out(question, rung, usize::from(limit), &place).await,
        }
    }
}

async fn open(place: &Where) -> anyhow::Result<Store> {
    let store = place.data.open().await?;
    place.found(&store).await?;
    Ok(store)
}

fn missing(source: SourceId) -> String {
    format!("there is no source `{source}` here\nhint: `maitred knowledge list` names them")
}

async fn sync(only: Option<SourceId>, place: &Where) -> anyhow::Result<ExitCode> {
    let store = open(place).await?;
    let sources = match only {
        Some(id) => {
            let source = store.source(place.agent, id).await?;
            let source = source.ok_or_else(|| Usage(missing(id)))?;
            if !source.kind.is_fetched() {
                return Err(Usage(format!(
                    "`{id}` was handed over and is not fetched\nhint: `maitred knowledge add` with the same address replaces it"
                ))
                .into());
            }
            vec![source]
        }
        None => {
            let all = store.sources(place.agent, None, LISTED).await?;
            all.into_iter().filter(|it| it.kind.is_fetched()).collect()
        }
    };
    let mut lines = Vec::new();
    let mut has_failed = false;
    for source in sources {
        store.ask_for_sync(place.agent, source.id).await?;
        let source = finish(&store, place, source.id, true).await?;
        has_failed |= source.failure.is_some();
        lines.push(line(&store, source));
    }
    let none = "there is no page and no sitemap to fetch; `maitred knowledge add URL` adds one";
    let done = place.data.print_list(lines, none)?;
    Ok(if has_failed { ExitCode::from(3) } else { done })
}

/// Works on a source until nothing is left to do, or waits until somebody else has.
async fn finish(
    store: &Store,
    place: &Where,
    id: SourceId,
    mut is_due: bool,
) -> anyhow::Result<Source> {
    let outbound = Outbound::new(place.data.config()?.outbound_allow)?;
    let embedder = std::sync::Arc::default();
    let claim = format!("command {}", std::process::id());
    let mut shown = Shown::new(place.data.json);
    loop {
        let work = Work {
            agent: place.agent,
            source: id,
            is_due,
        };
        let tell = |step| {
            shown.step(step);
            true
        };
        let is_done = work_on(store, &outbound, &embedder, work, &claim, tell).await?;
        let source = store.source(place.agent, id).await?;
        let source = source.with_context(|| missing(id))?;
        if is_done {
            shown.clear();
            return Ok(source);
        }
        // A server works on it.
        shown.counts(&source);
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        is_due = source.due_at.is_some_and(|at| at <= store.clock.now());
    }
}

async fn try_out(
    question: String,
    rung: Readers,
    limit: usize,
    place: &Where,
) -> anyhow::Result<ExitCode> {
    let store = open(place).await?;
    let config = place.data.config()?;
    // Nothing is called, so what a call would be signed with does not matter.
    let key = || AssertionKey::generate().0;
    let runner = Runner::new(
        Assertions::new(&config.public_url, key(), key()),
        Outbound::new(Vec::new())?,
    );
    let agent = Agent::new(store, Engine::Builtin, runner, Codes::Unavailable);
    agent.prepare(place.agent).await?;
    let environment = place.environment;
    let tried = agent
        .try_knowledge(place.agent, question, rung, environment, limit)
        .await?;
    let lines = tried.into_iter().map(|it| {
        let band = match it.band {
            Band::Answer => "answer",
            Band::Maybe => "maybe",
            Band::Unknown => "unknown",
        };
        fields! {
            band: band,
            cosine: (it.hit.cosine * 1_000.0).round() / 1_000.0,
            title: it.citation.title,
            url: it.citation.url,
        }
    });
    place.data.print_list(
        lines.collect(),
        "nothing would be found: nothing is known yet",
    )
}

/// A source in a line.
fn line(store: &Store, source: Source) -> Fields {
    let mut line = fields! {
        source: source.id.to_string(),
        kind: source.kind.as_str(),
        state: state(&source, store.clock.now()),
        title: source.title,
        url: source.address,
        requires: source.audience.readers.as_str(),
        environment: source.audience.environment.map_or("both", |it| it.as_str()),
        every: source.every.as_str(),
        pages: source.counts.pages,
        passages: source.counts.passages,
        embedded: source.counts.embedded,
    };
    if let Some((_, why)) = source.failure {
        line.extend(fields! { failure: why });
    }
    if !source.skipped.is_empty() {
        let skipped = source.skipped.iter();
        let skipped: Vec<String> = skipped.map(|(url, why)| format!("{url}: {why}")).collect();
        line.extend(fields! { skipped: skipped });
    }
    line
}
