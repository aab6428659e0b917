//! From pages to passages that are found: cut, and embedded in batches.
//!
//! Each step is stored when it is done, and bound to what it was made of: whoever is
//! interrupted goes on from there, and two who do the same do no harm. Of a page that
//! changed, only what it says differently is embedded.

use std::{collections::HashMap, sync::Arc};

use aws_lc_rs::digest::{SHA256, digest};
use maitred_core::id::{AgentId, SourceId};
use maitred_store::{NewPassage, SourcePage, Store, Unembedded};
use maitred_token::base64url;
use tokio::time::Instant;

use super::chunk::chunk_markdown;
pub(crate) use crate::engine::search::PACKED;
use crate::{
    TurnError,
    engine::{embed::Embedder, search::pack},
};

/// The number of the cutter: another one cuts anew what this one cut.
const CUTTER: i64 = 1;

/// How many passages are embedded before the rest of the program has its turn.
const BATCH: usize = 32;

/// Of a page with more, a part is found before all of it is embedded.
const PUBLISHED: usize = 1_024;

/// So much is done while somebody waits for an answer.
const LITTLE: i64 = 64;

/// How far indexing a source has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Indexed {
    /// Passages that were cut.
    pub passages: usize,
    /// Of these and of earlier ones, those that were embedded now.
    pub embedded: usize,
}

/// Cuts and embeds what is yet to be. Between batches it claims the source for longer,
/// if it is claimed, says how far it has come, and asks whether to go on.
pub async fn index(
    store: &Store,
    embedder: &Arc<Embedder>,
    source: SourceId,
    claim: Option<&str>,
    mut goes_on: impl FnMut(Indexed) -> bool + Send,
) -> Result<Indexed, TurnError> {
    let mut done = Indexed::default();
    while let Some(page) = store.uncut_pages(source, 1).await?.pop() {
        cut(store, embedder, source, page, &mut done).await?;
        if !goes_on(done) || !still_ours(store, source, claim).await? {
            return Ok(done);
        }
    }
    let mut since_published = 0;
    loop {
        let limit = i64::try_from(BATCH + 1).unwrap_or(i64::MAX);
        let mut batch = store.unembedded(source, limit).await?;
        let more = batch.split_off(batch.len().min(BATCH)).pop();
        let Some(last) = batch.last().map(|it| it.key.place.clone()) else {
            return Ok(done);
        };
        let mut whole: Vec<String> = batch.iter().map(|it| it.key.place.clone()).collect();
        whole.dedup();
        since_published += batch.len();
        if more.is_some_and(|it| it.key.place == last) && since_published < PUBLISHED {
            whole.pop();
        } else {
            since_published = 0;
        }
        done.embedded += batch.len();
        let vectors = embedded(embedder, batch).await?;
        let whole: Vec<&str> = whole.iter().map(String::as_str).collect();
        store.put_vectors(source, &vectors, &whole).await?;
        if !goes_on(done) || !still_ours(store, source, claim).await? {
            return Ok(done);
        }
    }
}

async fn still_ours(
    store: &Store,
    source: SourceId,
    claim: Option<&str>,
) -> Result<bool, TurnError> {
    match claim {
        Some(by) => Ok(store.claim_source(source, by).await?),
        None => Ok(true),
    }
}

/// Does what is quickly done for an agent, and leaves much to others.
pub(crate) async fn index_a_little(
    store: &Store,
    embedder: &Arc<Embedder>,
    agent: AgentId,
    until: Instant,
) -> Result<(), TurnError> {
    let left = store.to_index(agent, LITTLE).await?;
    if left.iter().map(|(_, left)| left).sum::<i64>() >= LITTLE {
        return Ok(());
    }
    let most = usize::try_from(LITTLE).unwrap_or(usize::MAX);
    let mut before = 0;
    for (source, _) in left {
        let goes_on = |done: Indexed| before + done.embedded < most && Instant::now() < until;
        before += index(store, embedder, source, None, goes_on)
            .await?
            .embedded;
        if before >= most || Instant::now() >= until {
            break;
        }
    }
    Ok(())
}

/// Cuts a page. A short one is embedded before its passages take the place of those
/// that it had, so that it is found all the time.
async fn cut(
    store: &Store,
    embedder: &Arc<Embedder>,
    source: SourceId,
    page: SourcePage,
    done: &mut Indexed,
) -> Result<(), TurnError> {
    let known = store.vectors(source, &page.place).await?;
    let embedder = embedder.clone();
    let (place, hash) = (page.place.clone(), page.hash.clone());
    let (passages, embedded) = blocking(move || passages(&embedder, &page, known)).await?;
    // If it says something else by now, it is cut again.
    store
        .put_passages(source, &place, &hash, CUTTER, &passages)
        .await?;
    done.passages += passages.len();
    done.embedded += embedded;
    Ok(())
}

fn passages(
    embedder: &Embedder,
    page: &SourcePage,
    mut known: HashMap<String, Vec<u8>>,
) -> (Vec<NewPassage>, usize) {
    let mut memory = Titles::new(embedder);
    let mut embedded = 0;
    let chunks = chunk_markdown(&page.title, &page.body, embedder.tokenizer());
    let passages = chunks.into_iter().map(|chunk| {
        let heading = chunk.heading_line();
        let hash = hash(&heading, &chunk.text);
        let vectors = known.remove(&hash).or_else(|| {
            (embedded < BATCH).then(|| {
                embedded += 1;
                memory.vectors(&heading, &chunk.text)
            })
        });
        NewPassage {
            heading,
            anchor: chunk.anchor,
            text: chunk.text,
            hash,
            vectors,
        }
    });
    let passages = passages.collect();
    (passages, embedded)
}

async fn embedded(
    embedder: &Arc<Embedder>,
    batch: Vec<Unembedded>,
) -> Result<Vec<(maitred_store::PassageKey, Vec<u8>)>, TurnError> {
    let embedder = embedder.clone();
    blocking(move || {
        let mut memory = Titles::new(&embedder);
        let vectors = batch.into_iter().map(|it| {
            let vectors = memory.vectors(&it.heading, &it.text);
            (it.key, vectors)
        });
        vectors.collect()
    })
    .await
}

/// Embedding takes milliseconds of a core each: not on the threads that serve.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, TurnError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| TurnError::Engine(error.to_string()))
}

fn hash(heading: &str, text: &str) -> String {
    base64url(digest(&SHA256, format!("{heading}\0{text}").as_bytes()).as_ref())
}

/// Embeds passages; a title that several have, once.
struct Titles<'e> {
    embedder: &'e Embedder,
    known: HashMap<String, Vec<u8>>,
}

impl<'e> Titles<'e> {
    fn new(embedder: &'e Embedder) -> Self {
        Self {
            embedder,
            known: HashMap::new(),
        }
    }

    /// Of the title and of the text, one after the other.
    fn vectors(&mut self, title: &str, text: &str) -> Vec<u8> {
        let embedder = self.embedder;
        let of_title = self.known.entry(title.to_owned());
        let mut vectors = of_title
            .or_insert_with(|| pack(&embedder.embed(title)))
            .clone();
        vectors.extend(pack(&embedder.embed(text)));
        vectors
    }
}
