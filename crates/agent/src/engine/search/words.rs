//! Which passages share a question's words: BM25 over stems.

use std::collections::HashMap;

use rust_stemmers::{Algorithm, Stemmer};

/// How soon another occurrence of a word stops counting.
const SATURATION: f32 = 1.2;
/// How much a long passage counts its words for less.
const LENGTH_PENALTY: f32 = 0.75;

/// An inverted index: which word is how often in which passage.
#[derive(Default)]
pub(super) struct Words {
    postings: HashMap<Box<str>, Vec<Posting>>,
    lengths: Vec<f32>,
    total_length: f32,
}

struct Posting {
    passage: u32,
    count: f32,
}

impl Words {
    /// Adds the next passage, given in parts.
    pub(super) fn add(&mut self, parts: &[&str]) {
        let passage = u32::try_from(self.lengths.len()).unwrap_or(u32::MAX);
        let mut counts: HashMap<String, f32> = HashMap::new();
        for word in parts.iter().flat_map(|part| stems(part)) {
            *counts.entry(word).or_default() += 1.0;
        }
        let length = counts.values().sum();
        for (word, count) in counts {
            self.postings
                .entry(word.into())
                .or_default()
                .push(Posting { passage, count });
        }
        self.lengths.push(length);
        self.total_length += length;
    }

    /// The score of each passage for a question, in the order they were added, shard
    /// after shard. How rare a word is counts in all of these together.
    pub(super) fn scores(shards: &[&Self], query: &str) -> Vec<f32> {
        let n_passages = shards.iter().map(|shard| shard.lengths.len()).sum();
        let total_length: f32 = shards.iter().map(|shard| shard.total_length).sum();
        let mut scores = vec![0.0; n_passages];
        let n_passages = as_f32(n_passages);
        let mut words = stems(query);
        words.sort_unstable();
        words.dedup();
        for word in &words {
            let postings = || {
                let mut start = 0;
                shards.iter().filter_map(move |shard| {
                    let first = start;
                    start += shard.lengths.len();
                    Some((first, *shard, shard.postings.get(word.as_str())?))
                })
            };
            let n_with = as_f32(postings().map(|(.., postings)| postings.len()).sum());
            let rarity = (1.0 + (n_passages - n_with + 0.5) / (n_with + 0.5)).ln();
            for (first, shard, postings) in postings() {
                for &Posting { passage, count } in postings {
                    let passage = passage as usize;
                    let relative_length = shard.lengths[passage] * n_passages / total_length;
                    let damping =
                        SATURATION * (1.0 - LENGTH_PENALTY + LENGTH_PENALTY * relative_length);
                    scores[first + passage] +=
                        rarity * count * (SATURATION + 1.0) / (count + damping);
                }
            }
        }
        scores
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of passages are far below 2^24"
)]
fn as_f32(count: usize) -> f32 {
    count as f32
}

/// The stems of a text's words. What has a digit is kept as it is, and
/// `A-10001` is one word besides being two: it names one thing.
fn stems(text: &str) -> Vec<String> {
    let stemmer = Stemmer::create(Algorithm::English);
    let lower = text.to_lowercase();
    let mut stems = Vec::new();
    for chunk in
        lower.split(|c: char| !(c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | '\'')))
    {
        let chunk = chunk.trim_matches(|c: char| !c.is_alphanumeric());
        let words: Vec<&str> = chunk
            .split(|c: char| !(c.is_alphanumeric() || c == '\''))
            .collect();
        if words.len() > 1 && chunk.contains(|c: char| c.is_ascii_digit()) {
            stems.push(chunk.to_owned());
        }
        for word in words.into_iter().filter(|word| !word.is_empty()) {
            let has_digit = word.contains(|c: char| c.is_ascii_digit());
            stems.push(if has_digit {
                word.to_owned()
            } else {
                stemmer.stem(word).into_owned()
            });
        }
    }
    stems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_compared_by_their_stems_and_codes_as_they_are() {
        assert_eq!(
            stems("Cancelling orders: A-10001, won't!"),
            ["cancel", "order", "a-10001", "a", "10001", "won't"]
        );
    }

    #[test]
    fn a_rare_word_counts_more_than_a_common_one() {
        let mut words = Words::default();
        words.add(&["the order", "ships"]);
        words.add(&["the invoice"]);
        words.add(&["the order"]);

        let scores = Words::scores(&[&words], "the invoices the");

        assert!(scores[1] > 5.0 * scores[2], "{scores:?}");
        assert!((scores[2] - Words::scores(&[&words], "the")[2]).abs() < 1e-6);
    }

    #[test]
    fn words_count_alike_however_passages_are_put_together() {
        let texts = [
            "the order ships",
            "the invoice",
            "the order",
            "an order of orders",
        ];
        let (mut all, mut one, mut other) = Default::default();
        for text in texts {
            Words::add(&mut all, &[text]);
        }
        Words::add(&mut one, &[texts[0]]);
        for text in &texts[1..] {
            Words::add(&mut other, &[text]);
        }

        let together = Words::scores(&[&all], "the orders");
        let apart = Words::scores(&[&one, &other], "the orders");

        assert_eq!(together, apart);
    }
}
