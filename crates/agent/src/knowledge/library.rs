//! All that an agent knows, ready to be searched.
//!
//! A library stands on shelves: a part of the pages of one [`Audience`]. What changes
//! is put on its shelf anew, and the others stay as they are. Whoever asks sees the
//! shelves that are for them, and nothing of the others: not in what is found, not in
//! its order, and not in how rare a word is (rules A2, G12).

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use maitred_core::{
    conversation::Citation,
    id::{AgentId, SourceId},
    knowledge::{Audience, Readers},
    scope::Environment,
};
use maitred_store::{PageMark, Passage as StoredPassage, Store, StoreError};
use tokio::time::Instant;

use super::index::PACKED;
use crate::engine::{
    embed::Embedding,
    search::{Band, Hit, Index, Shard, Thresholds},
};

/// On how many shelves the pages of one audience stand.
const SHELVES: u64 = 64;

/// The passages of an agent's sources. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Library {
    shelves: BTreeMap<Place, Arc<Shelf>>,
    /// As of which change in the store it is whole.
    number: i64,
}

/// A shelf: for whom, and which of theirs.
type Place = (Audience, u64);

/// Pages that are read by the same visitors.
#[derive(Default)]
struct Shelf {
    pages: Vec<PageMark>,
    /// In the order of the shard.
    passages: Vec<Passage>,
    shard: Arc<Shard>,
}

/// A passage that can be quoted, and where it stands.
pub(crate) struct Passage {
    pub(crate) text: String,
    pub(crate) citation: Citation,
}

/// A passage that was found.
pub(crate) struct Found<'l> {
    pub(crate) passage: &'l Passage,
    /// How well it fits.
    pub(crate) hit: Hit,
    /// What it is good for.
    pub(crate) band: Band,
}

/// What was found when an operator tried a question.
#[derive(Clone, Debug)]
pub struct Tried {
    /// Where it stands.
    pub citation: Citation,
    /// The passage, Markdown.
    pub text: String,
    /// How well it fits.
    pub hit: Hit,
    /// What it is good for.
    pub band: Band,
}

impl From<Found<'_>> for Tried {
    fn from(found: Found<'_>) -> Self {
        Self {
            citation: found.passage.citation.clone(),
            text: found.passage.text.clone(),
            hit: found.hit,
            band: found.band,
        }
    }
}

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader {
    pub(crate) rung: Readers,
    pub(crate) environment: Environment,
}

/// What one reader may see of a library.
pub(crate) struct View<'l> {
    shelves: Vec<&'l Shelf>,
    index: Index,
    thresholds: Thresholds,
}

impl Library {
    /// Reads what changed since it was last read, shelf by shelf, for so long; then goes
    /// on from there next time. Whether it is whole.
    pub(crate) async fn catch_up(
        self: &mut Arc<Self>,
        store: &Store,
        agent: AgentId,
        until: Instant,
    ) -> Result<bool, StoreError> {
        // Read first: what changes after it is read next time, maybe twice.
        let number = store.knowledge().await?;
        if self.number == number {
            return Ok(true);
        }
        let mut wanted: BTreeMap<Place, Vec<PageMark>> = BTreeMap::new();
        for page in store.page_marks(agent).await? {
            let shelf = shelf_of(page.source, &page.place);
            wanted.entry((page.audience, shelf)).or_default().push(page);
        }
        // What is not for somebody any more goes first.
        let places: HashSet<Place> = wanted.keys().copied().collect();
        Arc::make_mut(self).withdraw(&places, &wanted);
        for (place, mut pages) in wanted {
            // Not in SQL: collations differ.
            pages.sort_by(|a, b| {
                (a.source.to_string(), &a.place).cmp(&(b.source.to_string(), &b.place))
            });
            let is_as_it_was = |shelf: &Arc<Shelf>| shelf.pages == pages;
            if !self.shelves.get(&place).is_some_and(is_as_it_was) {
                if Instant::now() >= until {
                    return Ok(false);
                }
                let shelf = Shelf::read(store, pages).await?;
                Arc::make_mut(self).shelves.insert(place, Arc::new(shelf));
            }
        }
        Arc::make_mut(self).number = number;
        Ok(true)
    }

    /// As of which change in the store it was whole.
    pub(crate) fn number(&self) -> i64 {
        self.number
    }

    /// Takes away shelves of which nothing is left, and those with a page on them that
    /// is gone or is for others now.
    fn withdraw(&mut self, places: &HashSet<Place>, wanted: &BTreeMap<Place, Vec<PageMark>>) {
        self.shelves.retain(|place, shelf| {
            let Some(pages) = wanted.get(place).filter(|_| places.contains(place)) else {
                return false;
            };
            let stays: HashSet<(SourceId, &str)> = pages
                .iter()
                .map(|it| (it.source, it.place.as_str()))
                .collect();
            let mut kept = shelf.pages.iter();
            kept.all(|it| stays.contains(&(it.source, it.place.as_str())))
        });
    }

    /// What is for this reader.
    pub(crate) fn seen_by(&self, reader: Reader) -> View<'_> {
        let shelves: Vec<&Shelf> = self
            .shelves
            .iter()
            .filter(|((audience, _), _)| audience.admits(reader.rung, reader.environment))
            .map(|(_, shelf)| &**shelf)
            .collect();
        let shards = shelves.iter().map(|shelf| shelf.shard.clone()).collect();
        View {
            shelves,
            index: Index::of(shards),
            thresholds: Thresholds::default(),
        }
    }
}

impl View<'_> {
    /// Whether there is nothing to find.
    pub(crate) fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// The best passages for a question, best first; the embedding is the question's.
    pub(crate) fn search(
        &self,
        question: &str,
        embedding: &Embedding,
        limit: usize,
    ) -> Vec<Found<'_>> {
        let hits = self.index.search(question, embedding, limit);
        hits.into_iter()
            .filter_map(|hit| {
                Some(Found {
                    passage: self.passage(hit.position)?,
                    hit,
                    band: self.thresholds.band(&hit),
                })
            })
            .collect()
    }

    fn passage(&self, mut position: usize) -> Option<&Passage> {
        for shelf in &self.shelves {
            match shelf.passages.get(position) {
                Some(passage) => return Some(passage),
                None => position -= shelf.passages.len(),
            }
        }
        None
    }
}

impl Shelf {
    async fn read(store: &Store, pages: Vec<PageMark>) -> Result<Self, StoreError> {
        let mut shelf = Self::default();
        let mut shard = Shard::default();
        for page in &pages {
            for passage in store.passages(page.source, &page.place).await? {
                shelf.put(&mut shard, passage);
            }
            tokio::task::yield_now().await;
        }
        shelf.pages = pages;
        shelf.shard = Arc::new(shard);
        Ok(shelf)
    }

    fn put(&mut self, shard: &mut Shard, passage: StoredPassage) {
        let title = passage.heading;
        let url = match &passage.anchor {
            Some(anchor) if !passage.url.is_empty() => format!("{}#{anchor}", passage.url),
            Some(_) | None => passage.url,
        };
        let (of_title, of_text) = passage.vectors.split_at_checked(PACKED).unwrap_or_default();
        shard.add(String::new(), [&title, &passage.text], of_title, of_text);
        self.passages.push(Passage {
            text: passage.text,
            citation: Citation { title, url },
        });
    }
}

/// Pages of one place come to the same shelf in every process (FNV-1a).
fn shelf_of(source: SourceId, place: &str) -> u64 {
    let source = source.to_string();
    let bytes = source.bytes().chain(place.bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (hash >> 32) % SHELVES
}
