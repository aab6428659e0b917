//! Text that is searched for, and in: without case and accents.
//!
//! What is kept is folded when it is written, and what is asked for when it is
//! asked: both by [`fold`], so that they meet on any database.

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// How many characters of a text are shown around what was found in it.
const AROUND: usize = 120;

/// A text without case, accents and repeated white space.
pub fn fold(text: &str) -> String {
    Folded::of(text).text
}

/// What somebody looks for: trimmed, 2 to [`Wanted::MAX`] characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted(String);

/// Why a text cannot be looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`q` must have {min} to {max} characters", min = Wanted::MIN, max = Wanted::MAX)]
pub struct WantedError;

impl Wanted {
    /// A single letter is in almost everything.
    const MIN: usize = 2;
    /// The most characters that can be looked for.
    pub const MAX: usize = 200;

    /// Trims the text, checks and folds it.
    pub fn parse(raw: &str) -> Result<Self, WantedError> {
        let text = raw.trim();
        let fits = (Self::MIN..=Self::MAX).contains(&text.chars().count());
        let folded = fold(text);
        // What is nothing but accents would be found everywhere.
        if !fits || text.contains('\0') || folded.trim().is_empty() {
            return Err(WantedError);
        }
        Ok(Self(folded.trim().to_owned()))
    }

    /// For `LIKE … ESCAPE '\'`, in text that was folded.
    pub fn pattern(&self) -> String {
        let mut pattern = String::with_capacity(self.0.len() + 2);
        pattern.push('%');
        for c in self.0.chars() {
            if matches!(c, '%' | '_' | '\\') {
                pattern.push('\\');
            }
            pattern.push(c);
        }
        pattern.push('%');
        pattern
    }

    /// About 120 characters of the text, around the first place where it stands; `None`
    /// if it does not. White space becomes single spaces, and what was cut is `…`.
    pub fn excerpt(&self, text: &str) -> Option<String> {
        let folded = Folded::of(text);
        let at = folded.text.find(&self.0)?;
        let chars: Vec<char> = text.chars().collect();
        let from = folded.origin(at);
        let to = folded.origin(at + self.0.len() - 1) + 1;
        let room = AROUND.saturating_sub(to - from) / 2;
        let (start, end) = (from.saturating_sub(room), (to + room).min(chars.len()));
        let piece: String = chars[start..end].iter().collect();
        let words: Vec<&str> = piece.split_whitespace().collect();
        let before = if start > 0 { "…" } else { "" };
        let after = if end < chars.len() { "…" } else { "" };
        Some(format!("{before}{}{after}", words.join(" ")))
    }
}

/// A folded text that knows where each byte of it comes from.
struct Folded {
    text: String,
    /// For each byte, which character of the original it came from.
    origins: Vec<usize>,
}

impl Folded {
    fn of(text: &str) -> Self {
        let mut folded = Self {
            text: String::with_capacity(text.len()),
            origins: Vec::with_capacity(text.len()),
        };
        for (origin, c) in text.chars().enumerate() {
            // Down, up and down: letters that have no capital of their own become
            // those that have one, like ß and ς.
            for c in std::iter::once(c)
                .nfkd()
                .filter(|c| !is_combining_mark(*c))
                .flat_map(char::to_lowercase)
                .flat_map(char::to_uppercase)
                .flat_map(char::to_lowercase)
            {
                // Some accents that stand alone are a space with one above.
                if !c.is_whitespace() {
                    folded.push(c, origin);
                } else if !folded.text.ends_with(' ') {
                    folded.push(' ', origin);
                }
            }
        }
        folded
    }

    fn push(&mut self, c: char, origin: usize) {
        self.text.push(c);
        self.origins
            .extend(std::iter::repeat_n(origin, c.len_utf8()));
    }

    fn origin(&self, byte: usize) -> usize {
        self.origins[byte]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn wanted(text: &str) -> Wanted {
        Wanted::parse(text).unwrap()
    }

    #[test]
    fn case_accents_and_white_space_make_no_difference() {
        for (one, other) in [
            ("Ünïcödé", "unicode"),
            ("STRASSE", "Straße"),
            (" \u{fe72}", " "),
            ("ΣΊΣΥΦΟΣ", "σίσυφος"),
            ("İstanbul", "istanbul"),
            ("e\u{301}te\u{301}", "été"),
            ("where\n\tis  it", "where is it"),
            ("ﬁne", "fine"),
        ] {
            assert_eq!(fold(one), fold(other));
        }
        assert_ne!(fold("order"), fold("border"));
    }

    #[test]
    fn what_is_too_short_too_long_or_nothing_cannot_be_looked_for() {
        for wrong in [
            "",
            "a",
            " a ",
            "\u{301}\u{301}",
            "a\0b",
            &"x".repeat(Wanted::MAX + 1),
        ] {
            assert_eq!(Wanted::parse(wrong), Err(WantedError), "{wrong:?}");
        }
        assert!(Wanted::parse(&"ä".repeat(Wanted::MAX)).is_ok());
    }

    #[test]
    fn what_means_something_in_a_pattern_stands_for_itself() {
        assert_eq!(wanted(r"50%_\").pattern(), r"%50\%\_\\%");
    }

    #[test]
    fn an_excerpt_shows_what_was_found_as_it_was_written() {
        let long = format!(
            "{} Der Größte\nist da {}",
            "vor ".repeat(50),
            "nach ".repeat(50)
        );

        let excerpt = wanted("GROSSTE IST").excerpt(&long).unwrap();

        assert!(excerpt.contains("Der Größte ist da"), "{excerpt}");
        assert!(excerpt.starts_with('…') && excerpt.ends_with('…'));
        assert!(excerpt.chars().count() <= AROUND + 2, "{excerpt}");
        assert_eq!(
            wanted("größte").excerpt("Der Größte").unwrap(),
            "Der Größte"
        );
        assert_eq!(wanted("nothing").excerpt(&long), None);
    }

    proptest! {
        #[test]
        fn a_text_is_found_in_itself(before in any::<String>(), text in any::<String>(), after in any::<String>()) {
            if let Ok(wanted) = Wanted::parse(&text) {
                let whole = format!("{before}\n{text}\n{after}");
                let excerpt = wanted.excerpt(&whole);
                prop_assert!(excerpt.is_some());
            }
        }

        #[test]
        fn what_is_folded_stays_so(text in any::<String>()) {
            prop_assert_eq!(fold(&fold(&text)), fold(&text));
        }
    }
}
