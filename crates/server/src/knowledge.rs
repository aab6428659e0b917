//! What agents know: taken in, fetched again, and made ready to be found.
//!
//! The same for the command line and the API. Fetching and embedding go on in the
//! background, by whoever claimed the source: a node, or a command beside it.

use std::{collections::HashSet, path::Path, time::Duration};

use maitred_agent::{
    TurnError,
    action::Outbound,
    engine::embed::Embedder,
    knowledge::{
        import::{self, ImportError, Kind, Pair, clean_title},
        index::{Indexed, index},
        sync::{Progress, sync},
    },
};
use maitred_core::{
    id::{AgentId, SourceId},
    knowledge::{Audience, Every, SourceKind},
};
use maitred_store::{NewPage, NewSource, Outcome, Source, Store, StoreError, Work};
use tokio::time::{MissedTickBehavior, interval};
use url::Url;

use crate::{app::App, causes::Causes, settings::BadSetting};

/// How often a node looks whether what is known has changed.
const LOOK: Duration = Duration::from_secs(1);

/// And for what is due, in looks.
const LOOK_FOR_DUE: u32 = 10;

/// The longest address.
const MAX_ADDRESS: usize = 2_000;

/// What an operator wants to be known.
#[derive(Debug)]
pub(crate) struct Adding {
    pub(crate) kind: SourceKind,
    /// Where it is fetched from; of what is handed over, where visitors can read it.
    pub(crate) url: Option<String>,
    pub(crate) title: Option<String>,
    pub(crate) audience: Audience,
    pub(crate) every: Every,
    pub(crate) content: Content,
}

/// What is handed over.
#[derive(Debug)]
pub(crate) enum Content {
    /// Nothing: it is fetched.
    Fetched,
    /// A file, by that name.
    File(String, Vec<u8>),
    /// Questions with their answers.
    Pairs(Vec<Pair>),
}

/// Why something is not taken in. Its reader is whoever added it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KnowledgeError {
    #[error(transparent)]
    Setting(#[from] BadSetting),
    #[error(transparent)]
    Document(#[from] ImportError),
    #[error("it could not be read: {0}")]
    Engine(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl KnowledgeError {
    /// The code that clients may rely on; none if it is our fault.
    pub(crate) fn code(&self) -> Option<&'static str> {
        match self {
            Self::Setting(_) => Some("invalid_value"),
            Self::Document(ImportError::TooLarge) => Some("too_large"),
            Self::Document(_) => Some("unreadable_document"),
            Self::Engine(_) | Self::Store(_) => None,
        }
    }
}

/// Takes something in. What is fetched is due at once, and what was handed over is
/// there whole, but not yet embedded.
pub(crate) async fn add(
    store: &Store,
    agent: AgentId,
    adding: Adding,
) -> Result<SourceId, KnowledgeError> {
    let url = adding.url.as_deref().map(address).transpose()?;
    let pages = match adding.content {
        Content::Fetched => Vec::new(),
        Content::File(ref name, ref bytes) => {
            vec![file(name, bytes.clone(), url.as_deref(), &adding.title).await?]
        }
        Content::Pairs(ref pairs) => questions(pairs, url.as_deref())?,
    };
    let (address, title) = match (&adding.content, &url, pages.first()) {
        (Content::Fetched, None, _) => {
            let why = "say where it is fetched from";
            return Err(BadSetting::new("url", why).into());
        }
        (Content::Fetched, Some(url), _) => (url.clone(), url.clone()),
        (Content::File(name, _), url, page) => {
            let name = clean_title(name);
            let title = page.map_or(name.clone(), |page| page.title.clone());
            (url.clone().unwrap_or(format!("file:{name}")), title)
        }
        (Content::Pairs(_), url, _) => {
            let title = adding.title.as_deref().unwrap_or("Questions and answers");
            let named = format!("qa:{}", clean_title(title));
            (url.clone().unwrap_or(named), clean_title(title))
        }
    };
    let given = adding.title.as_deref().map(clean_title);
    let new = NewSource {
        kind: adding.kind,
        address,
        title: given.filter(|it| !it.is_empty()).unwrap_or(title),
        audience: adding.audience,
        every: adding.every,
    };
    let source = store.add_source(agent, &new).await?;
    if !adding.kind.is_fetched() {
        let mut kept = HashSet::new();
        for page in pages {
            store.put_page(source, &page).await?;
            kept.insert(page.place);
        }
        store.replace_pages(source, &kept).await?;
        let outcome = Outcome::Synced {
            skipped: Vec::new(),
        };
        store.release_source(source, "", &outcome).await?;
    }
    Ok(source)
}

/// An address that can be fetched, or that a visitor can open.
fn address(text: &str) -> Result<String, BadSetting> {
    let bad = |why| BadSetting::new("url", why);
    let mut url =
        Url::parse(text.trim()).map_err(|_| bad("write a whole address, with https://"))?;
    if !matches!(url.scheme(), "https" | "http") || url.host().is_none() {
        return Err(bad("write an address that begins with https://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(bad("leave out the user and the password"));
    }
    if text.len() > MAX_ADDRESS {
        return Err(bad("it is longer than 2,000 characters"));
    }
    url.set_fragment(None);
    Ok(url.into())
}

async fn file(
    name: &str,
    bytes: Vec<u8>,
    url: Option<&str>,
    title: &Option<String>,
) -> Result<NewPage, KnowledgeError> {
    if bytes.len() > import::MAX_FILE {
        return Err(ImportError::TooLarge.into());
    }
    let document = tokio::task::spawn_blocking(move || match import::kind_of(&bytes)? {
        kind @ (Kind::Text | Kind::Html) => import::read_text(&bytes, kind, None),
        Kind::Pdf => Err(ImportError::OtherKind("a PDF")),
        Kind::Docx => Err(ImportError::OtherKind("a Word document")),
    });
    let document = document
        .await
        .map_err(|error| KnowledgeError::Engine(error.to_string()))??;
    let given = title
        .as_deref()
        .map(clean_title)
        .filter(|it| !it.is_empty());
    let stem = Path::new(name).file_stem().map(|it| it.to_string_lossy());
    let title = given
        .or(document.title)
        .unwrap_or_else(|| clean_title(&stem.unwrap_or_default()));
    let url = url.unwrap_or_default().to_owned();
    Ok(NewPage::of(String::new(), url, &title, &document.markdown))
}

fn questions(pairs: &[Pair], url: Option<&str>) -> Result<Vec<NewPage>, KnowledgeError> {
    let mut pages = Vec::new();
    for pair in pairs.iter().cloned().filter_map(Pair::cleaned) {
        let own = pair.url.as_deref().map(address).transpose()?;
        let url = own.or(url.map(str::to_owned)).unwrap_or_default();
        pages.push(NewPage::of(
            pair.question.clone(),
            url,
            &pair.question,
            &pair.answer,
        ));
    }
    if pages.is_empty() {
        return Err(ImportError::Empty.into());
    }
    Ok(pages)
}

/// How far work on a source has come.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Reading(Progress),
    Indexing(Indexed),
}

/// Fetches a source, if it is due, and makes what came of it ready to be found. The
/// source is claimed under that name; `goes_on` is told each step. False if somebody
/// else works on it.
pub(crate) async fn work_on(
    store: &Store,
    outbound: &Outbound,
    embedder: &std::sync::Arc<Embedder>,
    work: Work,
    claim: &str,
    mut goes_on: impl FnMut(Step) -> bool + Send,
) -> Result<bool, TurnError> {
    if !store.claim_source(work.source, claim).await? {
        return Ok(false);
    }
    let Some(source) = store.source(work.agent, work.source).await? else {
        return Ok(true);
    };
    let mut outcome = Outcome::Indexed;
    if work.is_due {
        let tell = |progress| _ = goes_on(Step::Reading(progress));
        outcome = sync(store, outbound, &source, claim, tell).await?;
        // Said at once: to embed it may take long.
        store.release_source(work.source, claim, &outcome).await?;
        if !store.claim_source(work.source, claim).await? {
            return Ok(true);
        }
    }
    let told = |indexed| goes_on(Step::Indexing(indexed));
    let indexed = index(store, embedder, work.source, Some(claim), told).await;
    store
        .release_source(work.source, claim, &Outcome::Indexed)
        .await?;
    if let Outcome::Failed(why) = outcome {
        tracing::warn!(source.id = %work.source, why, "a source could not be read");
    }
    indexed.map(|_| true)
}

/// How a source stands, in a word.
pub(crate) fn state(source: &Source, now: jiff::Timestamp) -> &'static str {
    let is_due = source.due_at.is_some_and(|at| at <= now);
    if source.is_claimed {
        "working"
    } else if is_due || source.counts.embedded < source.counts.passages {
        "waiting"
    } else if source.failure.is_some() {
        "failed"
    } else if source.synced_at.is_none() && source.counts.passages == 0 {
        "waiting"
    } else {
        "ready"
    }
}

/// Fetches what is due and embeds what is new, until the program is told to end; and
/// has what is known read ahead of whoever asks.
pub(crate) fn keep(app: &App) {
    let (worker, reader) = (app.clone(), app.clone());
    app.tasks.spawn(async move { works(worker).await });
    app.tasks.spawn(async move { reads_ahead(reader).await });
}

async fn works(app: App) {
    let stopping = app.tasks.stopping();
    let mut tick = interval(LOOK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut seen, mut looks) = (None, 0);
    loop {
        tokio::select! {
            _ = tick.tick() => (),
            () = app.knowledge_work.notified() => seen = None,
            () = stopping.cancelled() => return,
        }
        looks += 1;
        let number = app.store.knowledge().await.ok();
        if number.is_none() || (number == seen && looks < LOOK_FOR_DUE) {
            continue;
        }
        (seen, looks) = (number, 0);
        if let Err(error) = work_through(&app).await {
            tracing::warn!(error = %Causes(&error), "knowledge is not brought up to date");
        }
    }
}

/// One source after the other, until nothing is left to do.
async fn work_through(app: &App) -> Result<(), TurnError> {
    let stopping = app.tasks.stopping();
    let claim = app
        .store
        .node()
        .map(|id| id.to_string())
        .unwrap_or_default();
    while let Some(work) = app.store.work().await? {
        let goes_on = |_| !stopping.is_cancelled();
        let embedder = app.agent.embedder();
        let working = work_on(&app.store, &app.outbound, embedder, work, &claim, goes_on);
        tokio::select! {
            worked = working => worked?,
            // What was read is kept, and the claim ends by itself or with its node.
            () = stopping.cancelled() => return Ok(()),
        };
    }
    Ok(())
}

async fn reads_ahead(app: App) {
    let stopping = app.tasks.stopping();
    let mut tick = interval(LOOK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut seen = None;
    loop {
        tokio::select! {
            _ = tick.tick() => (),
            () = stopping.cancelled() => return,
        }
        let agents = app.agent.prepared();
        if agents.is_empty() {
            continue;
        }
        let number = app.store.knowledge().await.ok();
        if number == seen {
            continue;
        }
        seen = number;
        for agent in agents {
            tokio::select! {
                prepared = app.agent.prepare(agent) => if let Err(error) = prepared {
                    tracing::warn!(agent.id = %agent, error = %Causes(&error), "what is known is not read ahead");
                },
                () = stopping.cancelled() => return,
            }
        }
    }
}
