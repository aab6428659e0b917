//! Sources of knowledge.

use jiff::Timestamp;
use maitred_agent::{Tried, engine::search::Band, knowledge::import::Pair};
use maitred_core::{
    id::SourceId,
    knowledge::{Every, Readers},
    scope::Environment,
};
use maitred_store::Source;
use serde::{Deserialize, Serialize};

use crate::knowledge::state;

/// `POST /api/agents/{agent}/knowledge`: what is fetched, or typed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewSource {
    pub(crate) kind: String,
    pub(crate) url: Option<String>,
    pub(crate) title: Option<String>,
    pub(crate) requires: Option<String>,
    pub(crate) environment: Option<Environment>,
    pub(crate) every: Option<String>,
    /// Of `qa`.
    pub(crate) pairs: Option<Vec<Pair>>,
    /// Of `file`: Markdown.
    pub(crate) text: Option<String>,
}

/// `PATCH /api/agents/{agent}/knowledge/{source}`. `environment` is read with
/// `requires`: who may read it is said whole.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SourceChangeBody {
    pub(crate) title: Option<String>,
    pub(crate) requires: Option<String>,
    #[serde(default, deserialize_with = "some")]
    pub(crate) environment: Option<Option<Environment>>,
    pub(crate) every: Option<String>,
}

/// What is there and null is not what is not there.
fn some<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}

/// A source, and how it stands.
#[derive(Clone, PartialEq, Serialize)]
pub(crate) struct SourceView {
    id: SourceId,
    kind: &'static str,
    /// Where it is fetched from, or what names it.
    url: String,
    title: String,
    requires: &'static str,
    /// In this one only, if there is one.
    environment: Option<Environment>,
    every: &'static str,
    /// `waiting`, `working`, `ready` or `failed`.
    state: &'static str,
    progress: ProgressView,
    synced_at: Option<Timestamp>,
    due_at: Option<Timestamp>,
    failure: Option<FailureView>,
    skipped: Vec<SkippedView>,
}

/// How much came of it, and how much of that is found by meaning.
#[derive(Clone, PartialEq, Serialize)]
struct ProgressView {
    pages: i64,
    passages: i64,
    embedded: i64,
}

/// The last try, if it failed.
#[derive(Clone, PartialEq, Serialize)]
struct FailureView {
    at: Timestamp,
    reason: String,
}

/// A page that was not read.
#[derive(Clone, PartialEq, Serialize)]
struct SkippedView {
    url: String,
    reason: String,
}

impl SourceView {
    pub(crate) fn new(source: Source, now: Timestamp) -> Self {
        let skipped = source.skipped.iter().cloned();
        Self {
            id: source.id,
            kind: source.kind.as_str(),
            requires: source.audience.readers.as_str(),
            environment: source.audience.environment,
            every: source.every.as_str(),
            state: state(&source, now),
            progress: ProgressView {
                pages: source.counts.pages,
                passages: source.counts.passages,
                embedded: source.counts.embedded,
            },
            skipped: skipped
                .map(|(url, reason)| SkippedView { url, reason })
                .collect(),
            url: source.address,
            title: source.title,
            synced_at: source.synced_at,
            due_at: source.due_at.filter(|_| source.every != Every::Never),
            failure: source
                .failure
                .map(|(at, reason)| FailureView { at, reason }),
        }
    }

    pub(crate) fn id(&self) -> SourceId {
        self.id
    }
}

/// `POST /api/agents/{agent}/knowledge/try`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TryQuestion {
    pub(crate) question: String,
    #[serde(default)]
    pub(crate) environment: Environment,
    /// As somebody who is proven so far.
    pub(crate) assurance: Option<String>,
    pub(crate) limit: Option<usize>,
}

/// What would be found.
#[derive(Serialize)]
pub(crate) struct TriedView {
    pub(crate) assurance: &'static str,
    pub(crate) environment: Environment,
    pub(crate) found: Vec<FoundView>,
}

/// A passage that would be found.
#[derive(Serialize)]
pub(crate) struct FoundView {
    pub(crate) title: String,
    pub(crate) url: String,
    pub(crate) text: String,
    /// What they are ordered by.
    pub(crate) score: f32,
    /// How alike question and passage are.
    pub(crate) cosine: f32,
    /// How well their words agree.
    pub(crate) bm25: f32,
    /// `answer`, `maybe` or `unknown`.
    pub(crate) band: &'static str,
}

impl TriedView {
    pub(crate) fn new(tried: Vec<Tried>, rung: Readers, environment: Environment) -> Self {
        let found = tried.into_iter().map(|it| FoundView {
            title: it.citation.title,
            url: it.citation.url,
            text: it.text,
            score: it.hit.score,
            cosine: it.hit.cosine,
            bm25: it.hit.bm25,
            band: match it.band {
                Band::Answer => "answer",
                Band::Maybe => "maybe",
                Band::Unknown => "unknown",
            },
        });
        Self {
            assurance: rung.as_str(),
            environment,
            found: found.collect(),
        }
    }
}
