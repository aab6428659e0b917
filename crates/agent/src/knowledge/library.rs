//! All that an agent knows, ready to be searched.

use std::sync::Arc;

use maitred_core::conversation::Citation;
use maitred_store::Source;

use super::chunk::chunk_markdown;
use crate::{
    brain::Memory,
    engine::{
        embed::{Embedder, Embedding},
        search::{Band, Index, Indexed, Thresholds},
    },
};

/// The passages of an agent's sources.
pub(crate) struct Library {
    index: Index,
    /// In the order of the index.
    passages: Vec<Passage>,
    thresholds: Thresholds,
}

/// A passage that can be quoted, and where it stands.
pub(crate) struct Passage {
    pub(crate) text: String,
    pub(crate) citation: Citation,
}

/// A passage that was found.
pub(crate) struct Found<'l> {
    pub(crate) passage: &'l Passage,
    /// What it is good for.
    pub(crate) band: Band,
}

impl Library {
    /// Cuts sources into passages, and embeds what was not embedded before.
    pub(crate) fn build(
        embedder: &Arc<Embedder>,
        memory: &mut Memory<'_>,
        sources: &[Source],
    ) -> Self {
        let mut passages = Vec::new();
        let mut indexed = Vec::new();
        for source in sources {
            for chunk in chunk_markdown(&source.title, &source.body, embedder.tokenizer()) {
                let title = chunk.heading_line();
                let url = match &chunk.anchor {
                    Some(anchor) => format!("{}#{anchor}", source.url),
                    None => source.url.clone(),
                };
                indexed.push(Indexed {
                    id: url.clone(),
                    title_embedding: memory.embedding(&title),
                    text_embedding: memory.embedding(&chunk.text),
                    title: title.clone(),
                    text: chunk.text.clone(),
                });
                passages.push(Passage {
                    text: chunk.text,
                    citation: Citation { title, url },
                });
            }
        }
        Self {
            index: Index::build(indexed),
            passages,
            thresholds: Thresholds::default(),
        }
    }

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
                    passage: self.passages.get(hit.position)?,
                    band: self.thresholds.band(&hit),
                })
            })
            .collect()
    }
}
