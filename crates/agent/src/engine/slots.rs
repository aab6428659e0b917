//! Parameters of an Action in what a visitor typed.
//!
//! A [`Slot`] is made from one property of the Action's input schema and finds a
//! value for it in a sentence: "where's a-10002?" has `A-10002` for
//! `^A-[0-9]{5}$`. It only reads; whether the value may be used (a customer's id
//! never comes from text) is decided by whoever asks.

use regex::{Match, Regex, RegexBuilder};
use serde_json::Value;

/// A schema comes from an operator or from a remote server: its patterns may not eat our memory.
const MAX_PATTERN_BYTES: usize = 1 << 18;

/// How to recognise one parameter in text.
#[derive(Clone, Debug)]
pub struct Slot(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Pattern { inside: Regex, whole: Regex },
    Choice(Vec<String>),
    Number { integer: bool },
    Flag,
}

impl Slot {
    /// What to look for, by a property's schema: its `pattern`, `enum`, `format` or `type`.
    ///
    /// `None` if the schema says nothing that could be recognised in a sentence
    /// (free text), or a pattern this program cannot read.
    pub fn new(property: &Value) -> Option<Self> {
        let text = |key| property.get(key).and_then(Value::as_str);
        if let Some(pattern) = text("pattern") {
            return pattern_kind(pattern).map(Self);
        }
        if let Some(choices) = property.get("enum").and_then(Value::as_array) {
            let choices = choices
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect();
            return Some(Self(Kind::Choice(choices)));
        }
        match (text("format"), text("type")) {
            (Some("email"), _) => {
                pattern_kind(r"[\w.+%-]+@[\w-]+(\.[\w-]+)*\.[A-Za-z]{2,}").map(Self)
            }
            (Some("date"), _) => pattern_kind(r"\d{4}-\d{2}-\d{2}").map(Self),
            (Some("uuid"), _) => {
                pattern_kind(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}").map(Self)
            }
            (None, Some("integer")) => Some(Self(Kind::Number { integer: true })),
            (None, Some("number")) => Some(Self(Kind::Number { integer: false })),
            (None, Some("boolean")) => Some(Self(Kind::Flag)),
            _ => None,
        }
    }

    /// The first value in the text, as the schema spells it.
    pub fn find(&self, text: &str) -> Option<String> {
        let text = plain_dashes(text);
        match &self.0 {
            Kind::Pattern { inside, whole } => {
                tokens(inside, &text).find_map(|found| spelled(whole, found.as_str()))
            }
            Kind::Choice(choices) => choice(choices, &text),
            Kind::Number { integer } => number(&text, *integer),
            Kind::Flag => flag(&text),
        }
    }

    /// Whether a find says much about what the text is for: an order number
    /// does, any number or any word of a list does not.
    pub(crate) fn is_telling(&self) -> bool {
        matches!(self.0, Kind::Pattern { .. })
    }

    /// The text with every value that has a pattern of its own replaced by words.
    pub(crate) fn replace_all(&self, text: &str, words: &str) -> String {
        let Kind::Pattern { inside, .. } = &self.0 else {
            return text.to_owned();
        };
        let plain = plain_dashes(text);
        let mut replaced = String::new();
        let mut rest = 0;
        for found in tokens(inside, &plain) {
            replaced.push_str(&plain[rest..found.start()]);
            replaced.push_str(words);
            rest = found.end();
        }
        // Untouched text is given back as it was, dashes and all.
        if rest == 0 {
            text.to_owned()
        } else {
            replaced + &plain[rest..]
        }
    }
}

/// The value of one property in a text; see [`Slot`], which is cheaper to use twice.
pub fn find(property: &Value, text: &str) -> Option<String> {
    Slot::new(property)?.find(text)
}

fn pattern_kind(pattern: &str) -> Option<Kind> {
    let bare = pattern.strip_prefix('^').unwrap_or(pattern);
    let bare = match bare.strip_suffix('$') {
        Some(start) if !start.ends_with('\\') => start,
        _ => bare,
    };
    let compile = |pattern: &str, any_case| {
        RegexBuilder::new(pattern)
            .case_insensitive(any_case)
            .size_limit(MAX_PATTERN_BYTES)
            .build()
            .ok()
    };
    let inside = compile(bare, true).filter(|regex| !regex.is_match(""))?;
    Some(Kind::Pattern {
        inside,
        whole: compile(&format!("^(?:{bare})$"), false)?,
    })
}

/// Phones turn hyphens into dashes.
fn plain_dashes(text: &str) -> String {
    text.replace(['‐', '‑', '–', '—', '−'], "-")
}

/// Matches that are not the middle of a longer word: `A-10002` is not in `A-100023`.
fn tokens<'t>(inside: &'t Regex, text: &'t str) -> impl Iterator<Item = Match<'t>> {
    inside.find_iter(text).filter(|found| {
        let before = text[..found.start()].chars().next_back();
        let after = text[found.end()..].chars().next();
        let alone = |next: Option<char>, edge: Option<char>| {
            !(next.is_some_and(char::is_alphanumeric) && edge.is_some_and(char::is_alphanumeric))
        };
        let value = found.as_str().chars();
        alone(before, value.clone().next()) && alone(after, value.clone().next_back())
    })
}

/// The spelling that the schema's own pattern accepts: as typed, or in one case.
fn spelled(whole: &Regex, found: &str) -> Option<String> {
    [found.to_owned(), found.to_uppercase(), found.to_lowercase()]
        .into_iter()
        .find(|spelling| whole.is_match(spelling))
}

/// The longest choice whose words all stand in the text, in order; then one with a slip of the finger.
fn choice(choices: &[String], text: &str) -> Option<String> {
    let text = lower_words(text);
    let longest_first = || {
        let mut sorted: Vec<&String> = choices.iter().collect();
        sorted.sort_by_key(|choice| std::cmp::Reverse(choice.len()));
        sorted.into_iter()
    };
    let said = |same: fn(&str, &str) -> bool| {
        longest_first().find(|choice| {
            let wanted = lower_words(choice);
            !wanted.is_empty()
                && text
                    .windows(wanted.len())
                    .any(|window| window.iter().zip(&wanted).all(|(a, b)| same(a, b)))
        })
    };
    said(|a, b| a == b).or_else(|| said(nearly_same)).cloned()
}

fn lower_words(text: &str) -> Vec<String> {
    let words = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}

/// Words of five letters or more that differ by one letter changed, left out or put in.
fn nearly_same(left: &str, right: &str) -> bool {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    if left.len().min(right.len()) < 5 || left.len().abs_diff(right.len()) > 1 {
        return left == right;
    }
    let same_start = left.iter().zip(&right).take_while(|(a, b)| a == b).count();
    let same_end = left
        .iter()
        .rev()
        .zip(right.iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    same_start + same_end + 1 >= left.len().max(right.len())
}

/// The only number in the text: with two, it is anyone's guess which is meant.
fn number(text: &str, integer: bool) -> Option<String> {
    let is_part = |c: char| c.is_ascii_digit() || matches!(c, '.' | ',' | '-');
    let trimmed = |word: &str| {
        word.trim_matches(|c: char| !c.is_ascii_digit() && c != '-')
            .trim_end_matches('-')
            .to_owned()
    };
    let mut numbers = text
        .split_whitespace()
        .map(trimmed)
        .filter(|word| word.contains(|c: char| c.is_ascii_digit()) && word.chars().all(is_part))
        .filter_map(|word| number_value(&word));
    let only = numbers.next().filter(|_| numbers.next().is_none())?;
    (!integer || only.fract() == 0.0).then(|| only.to_string())
}

/// Reads `1,234.50` and `1.234,50`: the last mark is the decimal one unless three digits follow it.
fn number_value(word: &str) -> Option<f64> {
    let decimal = word.rfind(['.', ',']).filter(|&at| word.len() - at != 4);
    let plain = word.char_indices().filter_map(|(at, c)| match c {
        '.' | ',' if Some(at) == decimal => Some('.'),
        '.' | ',' => None,
        _ => Some(c),
    });
    plain.collect::<String>().parse().ok()
}

fn flag(text: &str) -> Option<String> {
    let words = lower_words(text);
    let first = words.first()?;
    match first.as_str() {
        "yes" | "yeah" | "yep" | "sure" | "ok" | "okay" | "true" => Some("true".to_owned()),
        "no" | "nope" | "nah" | "false" => Some("false".to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_order_number_is_found_inside_a_sentence() {
        let property = json!({ "type": "string", "pattern": "^A-[0-9]{5}$" });
        let cases = [
            ("where's A-10002?", Some("A-10002")),
            ("a-10002", Some("A-10002")),
            ("Order (A–10002), please", Some("A-10002")),
            ("A-100021 or AA-10002", None),
            ("first A-1000, then A-10003.", Some("A-10003")),
            ("where is my order", None),
        ];

        for (text, expected) in cases {
            assert_eq!(find(&property, text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn alternatives_in_a_pattern_stay_alternatives() {
        let property = json!({ "pattern": "^(inv|INV)_\\d+$" });

        assert_eq!(find(&property, "about inv_77").as_deref(), Some("inv_77"));
        assert_eq!(find(&property, "about Inv_77").as_deref(), Some("INV_77"));
    }

    #[test]
    fn a_choice_is_found_by_its_words_and_through_a_slip() {
        let property = json!({ "enum": ["standard", "express", "next day express"] });
        let cases = [
            ("Next-day express please", Some("next day express")),
            ("by EXPRESS", Some("express")),
            ("standart is fine", Some("standard")),
            ("whatever", None),
        ];

        for (text, expected) in cases {
            assert_eq!(find(&property, text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn formats_and_numbers_are_read() {
        let cases = [
            (
                json!({ "format": "email" }),
                "mail me at Ann.b+x@shop.example.",
                Some("Ann.b+x@shop.example"),
            ),
            (
                json!({ "format": "date" }),
                "from 2026-03-01 on",
                Some("2026-03-01"),
            ),
            (
                json!({ "type": "integer" }),
                "I need 12 of them",
                Some("12"),
            ),
            (json!({ "type": "integer" }), "2.5 kg", None),
            (
                json!({ "type": "number" }),
                "it cost €1.234,50!",
                Some("1234.5"),
            ),
            (json!({ "type": "number" }), "1,500 units", Some("1500")),
            (json!({ "type": "number" }), "2 or 3", None),
            (json!({ "type": "boolean" }), "Yes please", Some("true")),
            (json!({ "type": "string" }), "anything", None),
        ];

        for (property, text, expected) in cases {
            assert_eq!(find(&property, text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_pattern_that_cannot_be_read_or_matches_nothing_finds_nothing() {
        for pattern in ["^(?=x)y$", "(", "^a*$", "(a{1000}){1000}"] {
            assert!(
                Slot::new(&json!({ "pattern": pattern })).is_none(),
                "{pattern}"
            );
        }
    }
}
