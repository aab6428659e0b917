//! What an agent remembers of a contact between conversations.
//!
//! Only of contacts: whoever is not recognised is not remembered. What a visitor said
//! stays what they said: data, and no instruction (rule G10).

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use maitred_token::is_invisible;

use crate::{
    id::{ConversationId, MemoryId},
    secret::find_secret,
};

/// The most that is kept of one contact. What is noted beyond it takes the place of
/// the oldest that an agent noted.
pub const MAX_OF_ONE: usize = 24;

/// One thing that is remembered.
#[derive(Clone, Debug, PartialEq)]
pub struct Memory {
    /// Its name.
    pub id: MemoryId,
    /// What kind of thing it is.
    pub kind: MemoryKind,
    /// In words.
    pub text: MemoryText,
    /// Where it was said, if it was not written by an operator.
    pub conversation: Option<ConversationId>,
    /// Who noted it, or changed it last.
    pub noted_by: NotedBy,
    /// When.
    pub noted_at: Timestamp,
}

/// What is to be remembered.
#[derive(Clone, Debug, PartialEq)]
pub struct NewMemory {
    /// What kind of thing it is.
    pub kind: MemoryKind,
    /// In words.
    pub text: MemoryText,
}

/// What kind of thing is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryKind {
    /// Something that the visitor said of themselves.
    Fact,
    /// What a conversation was about.
    Topic,
    /// What a conversation was about that did not come to its end.
    Open,
}

impl MemoryKind {
    const ALL: [Self; 3] = [Self::Fact, Self::Topic, Self::Open];

    /// The name in JSON and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fact => "fact",
            Self::Topic => "topic",
            Self::Open => "open",
        }
    }
}

/// A text that names no kind of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not one of `fact`, `topic`, `open`")]
pub struct ParseMemoryKindError;

impl FromStr for MemoryKind {
    type Err = ParseMemoryKindError;

    fn from_str(text: &str) -> Result<Self, ParseMemoryKindError> {
        let mut all = Self::ALL.into_iter();
        all.find(|it| it.as_str() == text)
            .ok_or(ParseMemoryKindError)
    }
}

/// Who noted something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotedBy {
    /// The agent, from a conversation.
    Agent,
    /// A person of the site's.
    Operator,
}

impl NotedBy {
    /// The name in JSON and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Operator => "operator",
        }
    }
}

impl FromStr for NotedBy {
    type Err = ParseMemoryKindError;

    fn from_str(text: &str) -> Result<Self, ParseMemoryKindError> {
        match text {
            "agent" => Ok(Self::Agent),
            "operator" => Ok(Self::Operator),
            _ => Err(ParseMemoryKindError),
        }
    }
}

/// What is remembered, in words: one line of 1 to [`MemoryText::MAX`] characters,
/// without invisible ones, without a secret of ours and without long numbers, which
/// are cards, accounts or papers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryText(String);

/// Why something is not remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MemoryTextError {
    /// Nothing is in it.
    #[error("the memory is empty")]
    Empty,
    /// Too much is in it.
    #[error("the memory may have up to {max} characters", max = MemoryText::MAX)]
    TooLong,
    /// A token, a session, a key, or a number that opens something.
    #[error("the memory holds a secret or a long number, which is not kept")]
    Secret,
}

impl MemoryText {
    /// The most characters.
    pub const MAX: usize = 300;

    /// So many digits in a row, however they are grouped, are no order number.
    const LONG_NUMBER: usize = 12;

    /// Takes away what cannot be seen, and checks the rest.
    pub fn parse(raw: &str) -> Result<Self, MemoryTextError> {
        let visible: String = raw
            .chars()
            .map(|c| if c.is_whitespace() { ' ' } else { c })
            .filter(|c| !is_invisible(*c))
            .collect();
        let text = visible.split_whitespace().collect::<Vec<_>>().join(" ");
        if text.is_empty() {
            return Err(MemoryTextError::Empty);
        }
        if text.chars().count() > Self::MAX {
            return Err(MemoryTextError::TooLong);
        }
        if find_secret(&text).is_some() || has_long_number(&text) {
            return Err(MemoryTextError::Secret);
        }
        Ok(Self(text))
    }

    /// As it is shown.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MemoryText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn has_long_number(text: &str) -> bool {
    let mut digits = 0;
    for c in text.chars() {
        match c {
            c if c.is_numeric() => digits += 1,
            // Between the groups of a card's number.
            ' ' | '-' | '.' if digits > 0 => (),
            _ => digits = 0,
        }
        if digits >= MemoryText::LONG_NUMBER {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_and_line_breaks_are_no_memory() {
        let text = MemoryText::parse(" I have\na \u{202e}Model\u{200b} 3 ").unwrap();

        assert_eq!(text.as_str(), "I have a Model 3");
        for empty in ["", " \n ", "\u{200b}"] {
            assert_eq!(MemoryText::parse(empty), Err(MemoryTextError::Empty));
        }
        let long = "x".repeat(301);
        assert_eq!(MemoryText::parse(&long), Err(MemoryTextError::TooLong));
    }

    #[test]
    fn numbers_that_open_something_are_not_remembered() {
        for secret in [
            "my card is 4111 1111 1111 1111",
            "my card is 4111-1111-1111-1111",
            "IBAN DE89370400440532013000",
            "the token is eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJzYXJhaCJ9.c2lnbmF0dXJlc2lnbmF0dXJl",
        ] {
            assert_eq!(
                MemoryText::parse(secret),
                Err(MemoryTextError::Secret),
                "{secret}"
            );
        }
        for fine in [
            "My order is A-10001",
            "I was born in 1984 and moved in 2019",
            "Call 030 1234567",
        ] {
            assert!(MemoryText::parse(fine).is_ok(), "{fine}");
        }
    }

    #[test]
    fn names_are_parsed_back() {
        for kind in MemoryKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
        }
        for by in [NotedBy::Agent, NotedBy::Operator] {
            assert_eq!(by.as_str().parse(), Ok(by));
        }
        assert!("facts".parse::<MemoryKind>().is_err());
    }
}
