//! What to quote of a passage.

use pulldown_cmark::{Event, Options, Parser, Tag};
use unicode_segmentation::UnicodeSegmentation;

use crate::engine::embed::{Embedder, Embedding};

/// At most this many sentences (or lists, or tables) are quoted.
const MAX_UNITS: usize = 3;
/// A passage of at most this many words is quoted whole.
const SHORT_WORDS: usize = 45;
/// Sentences this much less alike than the best are quoted too.
const MARGIN: f32 = 0.15;

/// The part of a passage that answers a question: its best sentences, in reading
/// order, at most three, or all of it when it is short. Markdown stays Markdown.
///
/// A list or a table is quoted whole, with the sentence that introduces it: half
/// of a list of steps is worse than none.
pub fn extract(query: &Embedding, text: &str, embedder: &Embedder) -> String {
    let units = units(text);
    if units.len() <= 1 || text.unicode_words().count() <= SHORT_WORDS {
        return text.trim().to_owned();
    }
    let scores: Vec<f32> = units
        .iter()
        .map(|unit| query.cosine(&embedder.embed(&unit.text)))
        .collect();
    let best = scores.iter().copied().fold(f32::MIN, f32::max);

    let mut chosen: Vec<usize> = (0..units.len())
        .filter(|&at| scores[at] >= best - MARGIN)
        .collect();
    chosen.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    chosen.truncate(MAX_UNITS);
    chosen.sort_unstable();

    let mut quoted = String::new();
    let mut last_block = None;
    for unit in chosen.into_iter().map(|at| &units[at]) {
        if let Some(last) = last_block {
            quoted.push_str(if last == unit.block { " " } else { "\n\n" });
        }
        quoted.push_str(&unit.text);
        last_block = Some(unit.block);
    }
    quoted
}

/// What is quoted or not: a sentence of a paragraph, or a whole block of another kind.
struct Unit {
    text: String,
    block: usize,
}

fn units(text: &str) -> Vec<Unit> {
    let mut units: Vec<Unit> = Vec::new();
    for (block, (kind, block_text)) in blocks(text).into_iter().enumerate() {
        match kind {
            Kind::Paragraph => {
                let sentences = block_text.split_sentence_bounds().map(str::trim);
                let sentences = sentences.filter(|sentence| !sentence.is_empty());
                units.extend(sentences.map(|sentence| Unit {
                    text: sentence.to_owned(),
                    block,
                }));
            }
            Kind::Other => match units.last_mut().filter(|before| before.text.ends_with(':')) {
                Some(introduction) => {
                    introduction.text.push_str("\n\n");
                    introduction.text.push_str(block_text);
                    // What follows stands after the list, not beside the introduction.
                    introduction.block = block;
                }
                None => units.push(Unit {
                    text: block_text.to_owned(),
                    block,
                }),
            },
        }
    }
    units
}

#[derive(Clone, Copy)]
enum Kind {
    Paragraph,
    Other,
}

fn blocks(text: &str) -> Vec<(Kind, &str)> {
    let mut blocks = Vec::new();
    let mut depth = 0_usize;
    for (event, range) in Parser::new_ext(text, Options::ENABLE_TABLES).into_offset_iter() {
        if let Event::Start(tag) = event {
            if depth == 0 {
                let kind = if tag == Tag::Paragraph {
                    Kind::Paragraph
                } else {
                    Kind::Other
                };
                blocks.push((kind, text[range].trim_end()));
            }
            depth += 1;
        } else if matches!(event, Event::End(_)) {
            depth -= 1;
        }
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    const RETURNS: &str = "\
Used is fine, ruined is not. We take back anything that can be sold again. Our warehouse is in a quiet street \
near the harbour, and the people there like tea, rain and long walks by the sea.

To send something back:

1. Log in and choose the order.
2. Print the label.

Returns cost €7.50 from Norway. The company was founded in 1987 by two sisters.";

    fn quoted(question: &str, text: &str) -> String {
        let embedder = Embedder::new();
        extract(&embedder.embed(question), text, &embedder)
    }

    #[test]
    fn a_short_passage_is_quoted_whole() {
        assert_eq!(
            quoted("anything", " We ship daily. We like tea.\n"),
            "We ship daily. We like tea."
        );
    }

    #[test]
    fn only_the_sentences_that_answer_are_quoted() {
        assert_eq!(
            quoted("Who founded the company, and when?", RETURNS),
            "The company was founded in 1987 by two sisters."
        );
    }

    #[test]
    fn a_list_comes_whole_and_with_its_introduction() {
        let quoted = quoted("How do I send something back?", RETURNS);

        let list =
            "To send something back:\n\n1. Log in and choose the order.\n2. Print the label.";
        assert!(quoted.contains(list), "{quoted}");
        assert!(!quoted.contains("sisters"), "{quoted}");
    }

    #[test]
    fn sentences_stay_in_reading_order() {
        let quoted = quoted("What do returns cost, and what do you take back?", RETURNS);

        let place = |part: &str| quoted.find(part);
        assert!(
            place("We take back anything") < place("Returns cost €7.50"),
            "{quoted}"
        );
        assert!(place("We take back anything").is_some(), "{quoted}");
    }
}
