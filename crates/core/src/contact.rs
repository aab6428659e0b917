//! Contacts: what is kept of visitors whose subject is known.

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::id::ContactId;

/// The record of a visitor whose subject is known.
#[derive(Clone, Debug, PartialEq)]
pub struct Contact {
    /// Its name for us.
    pub id: ContactId,
    /// Its name at the site.
    pub subject: String,
    /// What was kept of the last token.
    pub record: Record,
    /// When the first token was accepted.
    pub created_at: Timestamp,
    /// When the last one was.
    pub seen_at: Timestamp,
}

/// What of a token's claims is kept with the contact.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Record {
    /// The whole name.
    pub name: Option<String>,
    /// The address, proven or claimed.
    pub email: Option<String>,
    /// Everything else that the operator wants kept.
    pub claims: Map<String, Value>,
}

/// A user's id at the site, as somebody typed it: what a token could carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject(String);

/// A text that no token can carry as its subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a subject is 1 to 255 bytes, without control characters or spaces around it")]
pub struct NotASubject;

impl Subject {
    /// The longest, in bytes.
    const MAX: usize = 255;

    /// The text, to be compared byte for byte.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Subject {
    type Err = NotASubject;

    fn from_str(text: &str) -> Result<Self, NotASubject> {
        let fit = (1..=Self::MAX).contains(&text.len())
            && text.trim().len() == text.len()
            && !text.chars().any(char::is_control);
        fit.then(|| Self(text.to_owned())).ok_or(NotASubject)
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t4_what_no_token_can_carry_is_no_subject() {
        let longest = "x".repeat(255);
        for right in ["42", "a b", "é", longest.as_str()] {
            assert_eq!(right.parse::<Subject>().unwrap().as_str(), right);
        }
        let too_long = "x".repeat(256);
        for wrong in ["", " 42", "42 ", "4\u{0}2", "4\n2", too_long.as_str()] {
            assert_eq!(wrong.parse::<Subject>(), Err(NotASubject), "{wrong:?}");
        }
    }
}
