//! Which passages answer a question.
//!
//! Meaning carries most of the score (cosine of the embeddings), words the rest
//! (BM25), which finds what the embedding model cannot know: order numbers,
//! error codes, names, other languages. An [`Index`] is built once and is read
//! only; every search looks at every passage, which is exact and fast enough
//! for a hundred thousand of them.
//!
//! [`Thresholds`] say what a hit is good for, [`extract`] what to quote of it.

mod extract;
mod words;

pub use extract::extract;

use super::embed::{Embedding, dot};
use words::Words;

/// What meaning counts for in the score; words count for the rest.
const WEIGHT_OF_MEANING: f32 = 0.9;

/// One passage to be found.
#[derive(Clone, Debug)]
pub struct Indexed {
    /// Whatever names the passage to the caller.
    pub id: String,
    /// What it is about: the title and the headings above it.
    pub title: String,
    /// The passage itself.
    pub text: String,
    /// The embedding of the title.
    pub title_embedding: Embedding,
    /// The embedding of the text.
    pub text_embedding: Embedding,
}

/// A passage that was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hit {
    /// Its place in what [`Index::build`] was given.
    pub position: usize,
    /// What hits are ordered by; only comparable within one search.
    pub score: f32,
    /// How alike the question and the passage (its title or its text) are.
    pub cosine: f32,
    /// How well their words agree; 0 when none does.
    pub bm25: f32,
}

/// Passages, ready to be searched.
#[derive(Default)]
pub struct Index {
    ids: Vec<String>,
    /// Title and text of each passage, one after the other, to be read in one go.
    embeddings: Vec<f32>,
    words: Words,
}

impl Index {
    /// Makes the passages searchable.
    pub fn build(passages: Vec<Indexed>) -> Self {
        let mut index = Self::default();
        for passage in passages {
            index.words.add(&[&passage.title, &passage.text]);
            index
                .embeddings
                .extend_from_slice(passage.title_embedding.values());
            index
                .embeddings
                .extend_from_slice(passage.text_embedding.values());
            index.ids.push(passage.id);
        }
        index
    }

    /// How many passages there are.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is nothing to find.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// What the caller named the passage at a hit's position.
    pub fn id(&self, position: usize) -> Option<&str> {
        self.ids.get(position).map(String::as_str)
    }

    /// The best passages for a question, best first, at most `limit`.
    pub fn search(&self, query: &str, embedding: &Embedding, limit: usize) -> Vec<Hit> {
        let scores = self.words.scores(query);
        let best = scores.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
        let pairs = self.embeddings.chunks_exact(2 * Embedding::LEN);
        let mut hits: Vec<Hit> = pairs
            .zip(scores)
            .enumerate()
            .map(|(position, (pair, bm25))| {
                let (title, text) = pair.split_at(Embedding::LEN);
                let cosine = dot(embedding.values(), title).max(dot(embedding.values(), text));
                let score = WEIGHT_OF_MEANING * cosine + (1.0 - WEIGHT_OF_MEANING) * bm25 / best;
                Hit {
                    position,
                    score,
                    cosine,
                    bm25,
                }
            })
            .collect();
        // Stable order among equals, so that the same question always has the same answer.
        let best_first = |a: &Hit, b: &Hit| {
            b.score
                .total_cmp(&a.score)
                .then(a.position.cmp(&b.position))
        };
        if limit < hits.len() {
            hits.select_nth_unstable_by(limit, best_first);
            hits.truncate(limit);
        }
        hits.sort_by(best_first);
        hits
    }
}

/// What a hit is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Band {
    /// Good enough to answer from.
    Answer,
    /// May help: show where it is, and offer a person.
    Maybe,
    /// Not about this: say that the answer is not known.
    Unknown,
}

/// From which cosine on a hit is in a band.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thresholds {
    /// The least for [`Band::Answer`].
    pub answer: f32,
    /// The least for [`Band::Maybe`].
    pub maybe: f32,
}

impl Thresholds {
    /// The band of the best hit of a search.
    pub fn band(&self, hit: &Hit) -> Band {
        if hit.cosine >= self.answer {
            Band::Answer
        } else if hit.cosine >= self.maybe {
            Band::Maybe
        } else {
            Band::Unknown
        }
    }
}

impl Default for Thresholds {
    /// Measured on questions of 125 topics: see `examples/measure.rs`.
    fn default() -> Self {
        Self {
            answer: 0.6,
            maybe: 0.4,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::embed::Embedder;

    fn index(embedder: &Embedder) -> Index {
        let pages = [
            ("Shipping: Countries", "We send parcels to all of Europe."),
            ("Returns", "Send it back within 60 days and we refund you."),
            ("Errors: E-4711", "The pump is blocked. Clean the filter."),
        ];
        let passages = pages.map(|(title, text)| Indexed {
            id: title.to_lowercase(),
            title: title.to_owned(),
            text: text.to_owned(),
            title_embedding: embedder.embed(title),
            text_embedding: embedder.embed(text),
        });
        Index::build(passages.into())
    }

    #[test]
    fn a_question_finds_its_passage_by_meaning() {
        let embedder = Embedder::new();
        let index = index(&embedder);
        let question = "Can I get my money back?";

        let hits = index.search(question, &embedder.embed(question), 2);

        assert_eq!(hits.len(), 2);
        assert_eq!(index.id(hits[0].position), Some("returns"));
        assert!(hits[0].score > hits[1].score);
    }

    #[test]
    fn a_code_finds_its_passage_by_the_word() {
        let embedder = Embedder::new();
        let index = index(&embedder);

        let hits = index.search("e-4711", &embedder.embed("parcel to Europe"), 3);
        let coded = hits.iter().find(|hit| hit.position == 2).unwrap();

        assert!(coded.bm25 > 0.0);
        assert!(hits.iter().all(|hit| hit.position == 2 || hit.bm25 == 0.0));
    }

    #[test]
    fn equal_passages_keep_their_order_and_no_passages_give_no_hits() {
        let embedder = Embedder::new();
        let one = Indexed {
            id: "one".to_owned(),
            title: "Same".to_owned(),
            text: "Same".to_owned(),
            title_embedding: embedder.embed("Same"),
            text_embedding: embedder.embed("Same"),
        };
        let question = embedder.embed("same?");

        let hits = Index::build(vec![one.clone(), one.clone(), one]).search("same?", &question, 2);

        assert_eq!(
            hits.iter().map(|hit| hit.position).collect::<Vec<_>>(),
            [0, 1]
        );
        assert!(Index::default().search("same?", &question, 2).is_empty());
    }

    #[test]
    fn bands_meet_at_their_thresholds() {
        let thresholds = Thresholds {
            answer: 0.6,
            maybe: 0.4,
        };
        let band = |cosine| {
            thresholds.band(&Hit {
                position: 0,
                score: 1.0,
                cosine,
                bm25: 0.0,
            })
        };

        assert_eq!(
            [band(0.6), band(0.59), band(0.4), band(0.39)],
            [Band::Answer, Band::Maybe, Band::Maybe, Band::Unknown]
        );
    }
}
