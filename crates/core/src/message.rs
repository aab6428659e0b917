//! Text that people type.

use std::str::FromStr;

/// What a visitor typed: trimmed, not empty, at most [`MessageText::MAX`] characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageText(String);

/// Why a text cannot be a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageTextError {
    /// Nothing but white space.
    #[error("the message is empty")]
    Empty,
    /// Longer than [`MessageText::MAX`] characters.
    #[error("the message has {found} characters, more than the {max} allowed", max = MessageText::MAX)]
    TooLong {
        /// How many there were.
        found: usize,
    },
    /// A NUL, which one of the databases cannot hold (rule D8).
    #[error("the message holds a NUL character")]
    Nul,
}

impl MessageText {
    /// The most characters a message may have.
    pub const MAX: usize = 8_000;

    /// Trims the text and checks it.
    pub fn parse(raw: &str) -> Result<Self, MessageTextError> {
        let text = raw.trim();
        let found = text.chars().count();
        if found == 0 {
            return Err(MessageTextError::Empty);
        }
        if found > Self::MAX {
            return Err(MessageTextError::TooLong { found });
        }
        if text.contains('\0') {
            return Err(MessageTextError::Nul);
        }
        Ok(Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What an operator calls an agent or a key: trimmed, in one line, not empty, at
/// most [`Name::MAX`] characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

/// Why a text cannot be a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a name is 1 to {max} characters in one line", max = Name::MAX)]
pub struct NameError;

impl Name {
    /// The most characters a name may have.
    pub const MAX: usize = 100;

    /// Trims the text and checks it.
    pub fn parse(raw: &str) -> Result<Self, NameError> {
        let text = raw.trim();
        let fits = (1..=Self::MAX).contains(&text.chars().count());
        if !fits || text.contains(char::is_control) {
            return Err(NameError);
        }
        Ok(Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::parse(text)
    }
}

/// What a visitor calls a conversation: trimmed, in one line, not empty, at most
/// [`Title::MAX`] characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Title(String);

/// Why a text cannot be a title.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a title is 1 to {max} characters in one line", max = Title::MAX)]
pub struct TitleError;

impl Title {
    /// The most characters a title may have.
    pub const MAX: usize = 120;

    /// Trims the text and checks it.
    pub fn parse(raw: &str) -> Result<Self, TitleError> {
        let text = raw.trim();
        let fits = (1..=Self::MAX).contains(&text.chars().count());
        if !fits || text.contains(char::is_control) {
            return Err(TitleError);
        }
        Ok(Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d8_a_name_is_one_line_that_both_databases_can_hold() {
        assert_eq!(Name::parse(" Ada \n").unwrap().as_str(), "Ada");
        assert!(Name::parse(&"ä".repeat(100)).is_ok());
        for wrong in ["", "  ", "A\0da", "A\nda", &"ä".repeat(101)] {
            assert_eq!(Name::parse(wrong), Err(NameError), "{wrong:?}");
        }
    }

    #[test]
    fn d8_a_title_is_one_line_that_both_databases_can_hold() {
        assert_eq!(
            Title::parse(" The parcel \n").unwrap().as_str(),
            "The parcel"
        );
        assert!(Title::parse(&"ä".repeat(120)).is_ok());
        for wrong in ["", "  ", "A\0da", "A\nda", &"ä".repeat(121)] {
            assert_eq!(Title::parse(wrong), Err(TitleError), "{wrong:?}");
        }
    }

    #[test]
    fn white_space_around_a_message_is_dropped() {
        assert_eq!(MessageText::parse("  hi\n").unwrap().as_str(), "hi");
    }

    #[test]
    fn an_empty_a_long_and_a_nul_message_are_refused() {
        assert_eq!(MessageText::parse(" \n\t"), Err(MessageTextError::Empty));
        assert_eq!(MessageText::parse("a\0b"), Err(MessageTextError::Nul));
        assert_eq!(
            MessageText::parse(&"ä".repeat(8_001)),
            Err(MessageTextError::TooLong { found: 8_001 })
        );
        assert!(MessageText::parse(&"ä".repeat(8_000)).is_ok());
    }
}
