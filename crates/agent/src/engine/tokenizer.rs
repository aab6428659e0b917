//! From text to the numbers the embedding model reads.
//!
//! The uncased BERT way: clean, strip accents, lower case, split at white space
//! and punctuation, then cut each word into the longest pieces the vocabulary
//! knows. Gives the same pieces as the tokenizer the model was trained with;
//! anything else would quietly cost accuracy.

use std::collections::HashMap;

use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

/// Words longer than this are unknown to the model.
const MAX_WORD_CHARS: usize = 100;

/// Cuts text into word pieces.
#[derive(Debug)]
pub struct Tokenizer {
    /// Pieces that may start a word, or be all of it.
    starts: HashMap<&'static str, i32>,
    /// Pieces that go on with a word (`##ing` in the vocabulary).
    rests: HashMap<&'static str, i32>,
    unknown: i32,
    first: i32,
    last: i32,
}

impl Tokenizer {
    /// Reads a vocabulary: one piece a line, its number the line's.
    ///
    /// Lines that are not there count as piece 0; the shipped vocabulary has all.
    pub(crate) fn new(vocabulary: &'static str) -> Self {
        let mut starts = HashMap::new();
        let mut rests = HashMap::new();
        for (line, number) in vocabulary.lines().zip(0..) {
            match line.strip_prefix("##") {
                Some(rest) if !rest.is_empty() => rests.insert(rest, number),
                _ => starts.insert(line, number),
            };
        }
        let special = |name| starts.get(name).copied().unwrap_or_default();
        Self {
            unknown: special("[UNK]"),
            first: special("[CLS]"),
            last: special("[SEP]"),
            starts,
            rests,
        }
    }

    /// The pieces of a text between the model's start and end marks, cut at `limit` in all.
    pub(crate) fn encode(&self, text: &str, limit: usize) -> Vec<i32> {
        let mut pieces = vec![self.first];
        for word in words(text) {
            self.push_word(&word, &mut pieces);
            if pieces.len() >= limit {
                break;
            }
        }
        pieces.truncate(limit.saturating_sub(1));
        pieces.push(self.last);
        pieces
    }

    /// How many pieces a text has.
    pub fn count(&self, text: &str) -> usize {
        let mut pieces = Vec::new();
        for word in words(text) {
            self.push_word(&word, &mut pieces);
        }
        pieces.len()
    }

    /// Longest match first, as the model's own tokenizer does it.
    fn push_word(&self, word: &str, pieces: &mut Vec<i32>) {
        let before = pieces.len();
        let mut rest = word;
        let mut known = &self.starts;
        if word.chars().count() > MAX_WORD_CHARS {
            pieces.push(self.unknown);
            return;
        }
        while !rest.is_empty() {
            let ends = rest.char_indices().map(|(at, c)| at + c.len_utf8()).rev();
            let found = ends
                .map(|end| rest.split_at(end))
                .find_map(|(head, tail)| known.get(head).map(|&number| (number, tail)));
            let Some((number, tail)) = found else {
                pieces.truncate(before);
                pieces.push(self.unknown);
                return;
            };
            pieces.push(number);
            rest = tail;
            known = &self.rests;
        }
    }
}

/// Lower-cased words without accents; each punctuation mark is a word of its own.
fn words(text: &str) -> Vec<String> {
    let plain = text
        .nfd()
        .filter(|&c| c.general_category() != GeneralCategory::NonspacingMark)
        .flat_map(char::to_lowercase);

    let mut words = Vec::new();
    let mut word = String::new();
    for c in plain {
        if c.is_whitespace() {
            words.extend(take(&mut word));
        } else if is_dropped(c) {
            // Nothing to read, and no end of a word either.
        } else if is_punctuation(c) || is_ideograph(c) {
            words.extend(take(&mut word));
            words.push(c.to_string());
        } else {
            word.push(c);
        }
    }
    words.extend(take(&mut word));
    words
}

fn take(word: &mut String) -> Option<String> {
    (!word.is_empty()).then(|| std::mem::take(word))
}

/// Control and format characters, private use, unassigned, and the replacement character.
fn is_dropped(c: char) -> bool {
    c == '\u{fffd}' || c.general_category_group() == GeneralCategoryGroup::Other
}

/// All of ASCII's marks, and what Unicode calls punctuation. Currency signs beyond
/// ASCII are not: the model has seen them inside words.
fn is_punctuation(c: char) -> bool {
    c.is_ascii_punctuation() || c.general_category_group() == GeneralCategoryGroup::Punctuation
}

/// Chinese characters stand alone; Japanese kana and Korean hangul do not.
fn is_ideograph(c: char) -> bool {
    matches!(c,
        '\u{4e00}'..='\u{9fff}' | '\u{3400}'..='\u{4dbf}' | '\u{20000}'..='\u{2a6df}'
        | '\u{2a700}'..='\u{2b73f}' | '\u{2b740}'..='\u{2b81f}' | '\u{2b820}'..='\u{2ceaf}'
        | '\u{f900}'..='\u{faff}' | '\u{2f800}'..='\u{2fa1f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    const VOCABULARY: &str =
        "[PAD]\n[UNK]\n[CLS]\n[SEP]\nun\n##aff\n##able\n,\nwant\n€5\ncafe\n##s";

    #[test]
    fn words_are_cut_into_the_longest_known_pieces() {
        let tokenizer = Tokenizer::new(VOCABULARY);

        let pieces = tokenizer.encode("Unaffable, WANTS cafés", 20);

        assert_eq!(pieces, [2, 4, 5, 6, 7, 8, 11, 10, 11, 3]);
    }

    #[test]
    fn a_word_with_an_unknown_piece_is_unknown_as_a_whole() {
        let tokenizer = Tokenizer::new(VOCABULARY);

        assert_eq!(tokenizer.encode("unwanted", 20), [2, 1, 3]);
    }

    #[test]
    fn long_text_is_cut_and_still_ends_with_the_end_mark() {
        let tokenizer = Tokenizer::new(VOCABULARY);

        assert_eq!(tokenizer.encode("want want want want", 4), [2, 8, 8, 3]);
    }

    #[test]
    fn currency_signs_stay_in_words_and_invisible_characters_vanish() {
        assert_eq!(words("€5\u{200b}0 ok!"), ["€50", "ok", "!"]);
    }
}
