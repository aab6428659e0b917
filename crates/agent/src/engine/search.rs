//! Which passages answer a question.
//!
//! Meaning carries most of the score (cosine of the embeddings), words the rest
//! (BM25), which finds what the embedding model cannot know: order numbers,
//! error codes, names, other languages. An [`Index`] is read only; every search
//! looks at every passage: in full up to ten thousand of them, and of more by
//! words and a sketch of the meaning first.
//!
//! [`Thresholds`] say what a hit is good for, [`extract`] what to quote of it.

mod extract;
mod vectors;
mod words;

use std::sync::Arc;

pub use extract::extract;
pub(crate) use vectors::{PACKED, pack};

use self::{
    vectors::{Query, Vectors},
    words::Words,
};
use super::embed::Embedding;

/// What meaning counts for in the score; words count for the rest.
const WEIGHT_OF_MEANING: f32 = 0.9;

/// Up to so many passages, all are compared in full.
const ALL_COMPARED: usize = 10_000;
/// Of more, about so many, by the signs of their embeddings.
const BY_MEANING: usize = 1_500;
/// And at most so many by their words.
const BY_WORDS: usize = 500;

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
    /// Its place in what the index was built from.
    pub position: usize,
    /// What hits are ordered by; only comparable within one search.
    pub score: f32,
    /// How alike the question and the passage (its title or its text) are.
    pub cosine: f32,
    /// How well their words agree; 0 when none does.
    pub bm25: f32,
}

/// Passages, ready to be searched: in shards, of which each is built once, so that what
/// changes in one leaves the others as they are.
#[derive(Clone, Default)]
pub struct Index {
    shards: Vec<Arc<Shard>>,
}

/// Some of the passages of an index.
#[derive(Default)]
pub struct Shard {
    ids: Vec<String>,
    titles: Vectors,
    /// Which title each passage has: neighbours share theirs.
    title_of: Vec<usize>,
    last_title: Option<Vec<u8>>,
    texts: Vectors,
    words: Words,
}

impl Shard {
    /// Adds a passage, with its embeddings as they are kept.
    pub(crate) fn add(&mut self, id: String, parts: [&str; 2], title: &[u8], text: &[u8]) {
        if self.last_title.as_deref() != Some(title) {
            self.titles.push(title);
            self.last_title = Some(title.to_vec());
        }
        self.title_of.push(self.titles.len() - 1);
        self.texts.push(text);
        self.words.add(&parts);
        self.ids.push(id);
    }

    fn len(&self) -> usize {
        self.title_of.len()
    }

    fn cosine(&self, query: &Query, at: usize) -> f32 {
        let title = self.titles.cosine(query, self.title_of[at]);
        title.max(self.texts.cosine(query, at))
    }

    /// How unlike the question and each passage are, roughly.
    fn distances<'s>(&'s self, query: &'s Query) -> impl Iterator<Item = u32> + 's {
        let titles: Vec<u32> = (0..self.titles.len())
            .map(|at| self.titles.distance(query, at))
            .collect();
        let of_title = move |at: usize| titles[self.title_of[at]];
        (0..self.len()).map(move |at| of_title(at).min(self.texts.distance(query, at)))
    }
}

impl Index {
    /// Makes the passages searchable.
    pub fn build(passages: Vec<Indexed>) -> Self {
        let mut shard = Shard::default();
        for it in passages {
            let (title, text) = (pack(&it.title_embedding), pack(&it.text_embedding));
            shard.add(it.id, [&it.title, &it.text], &title, &text);
        }
        Self::of(vec![Arc::new(shard)])
    }

    /// Of shards that were built before. Positions count through them in this order.
    pub(crate) fn of(shards: Vec<Arc<Shard>>) -> Self {
        Self { shards }
    }

    /// How many passages there are.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.len()).sum()
    }

    /// Whether there is nothing to find.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What the caller named the passage at a hit's position.
    pub fn id(&self, mut position: usize) -> Option<&str> {
        for shard in &self.shards {
            if position < shard.len() {
                return shard.ids.get(position).map(String::as_str);
            }
            position -= shard.len();
        }
        None
    }

    /// The best passages for a question, best first, at most `limit`.
    pub fn search(&self, query: &str, embedding: &Embedding, limit: usize) -> Vec<Hit> {
        let words: Vec<&Words> = self.shards.iter().map(|shard| &shard.words).collect();
        let scores = Words::scores(&words, query);
        let best = scores.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
        let query = Query::new(embedding);
        let hit = |position: usize, shard: &Shard, at: usize| {
            let (cosine, bm25) = (shard.cosine(&query, at), scores[position]);
            Hit {
                position,
                score: WEIGHT_OF_MEANING * cosine + (1.0 - WEIGHT_OF_MEANING) * bm25 / best,
                cosine,
                bm25,
            }
        };
        let looks_good = self.worth_a_look(&query, &scores);
        let places = self.shards.iter();
        let places = places.flat_map(|shard| (0..shard.len()).map(move |at| (&**shard, at)));
        let mut hits: Vec<Hit> = places
            .enumerate()
            .filter(|(position, _)| looks_good.as_ref().is_none_or(|good| good[*position]))
            .map(|(position, (shard, at))| hit(position, shard, at))
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

    /// Which passages are compared in full: none named means all. Of many, those whose
    /// signs are most like the question's, and those that share its words best.
    fn worth_a_look(&self, query: &Query, scores: &[f32]) -> Option<Vec<bool>> {
        if scores.len() <= ALL_COMPARED {
            return None;
        }
        let distances = self.shards.iter().flat_map(|shard| shard.distances(query));
        let distances: Vec<u32> = distances.collect();
        let mut at_distance = [0_usize; Embedding::LEN + 1];
        for distance in &distances {
            at_distance[*distance as usize] += 1;
        }
        let mut nearer = 0;
        let near = at_distance.iter().position(|count| {
            nearer += count;
            nearer >= BY_MEANING
        });
        let near = near.unwrap_or(Embedding::LEN);
        let mut ranked: Vec<f32> = scores.iter().copied().filter(|it| *it > 0.0).collect();
        let least = if ranked.len() > BY_WORDS {
            *ranked
                .select_nth_unstable_by(BY_WORDS, |a, b| b.total_cmp(a))
                .1
        } else {
            0.0
        };
        let both = distances.iter().zip(scores);
        let looks_good = both.map(|(distance, score)| *distance as usize <= near || *score > least);
        Some(looks_good.collect())
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
