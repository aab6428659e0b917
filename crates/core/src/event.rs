//! What the outside may learn while a turn runs.

use aws_lc_rs::rand;

use crate::{
    conversation::{Conversation, Entry},
    id::{ConversationId, EntryId, SessionId},
};

/// Something a subscriber is told.
///
/// What is [`Numbered`] is stored and can be replayed; the rest is shown and
/// forgotten.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Something was stored. Boxed, since it is much the largest.
    Numbered(Box<Numbered>),
    /// The owner's events are numbered anew: what was shown may be no more.
    Renumbered,
    /// Another node stored something: the owner's events reach to here now.
    Moved(Position),
    /// A piece of a reply that is being written.
    Delta {
        /// Where.
        conversation: ConversationId,
        /// The entry that it will become.
        reply: EntryId,
        /// The piece.
        text: String,
    },
    /// Somebody has begun or stopped writing.
    Typing {
        /// Where.
        conversation: ConversationId,
        /// Who.
        by: Typist,
        /// Begun or stopped.
        typing: bool,
    },
    /// Sessions of this owner have ended: whoever follows it looks whether
    /// theirs was one of them.
    SessionsEnded,
}

/// Who is writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Typist {
    /// The agent works on a reply.
    Agent,
    /// The visitor types, in this session: which need not be told.
    Visitor(SessionId),
}

/// What was stored, with its place among the events of its owner.
#[derive(Clone, Debug, PartialEq)]
pub struct Numbered {
    /// Its place.
    pub position: Position,
    /// What was stored.
    pub what: Stored,
}

/// What was stored.
#[derive(Clone, Debug, PartialEq)]
pub enum Stored {
    /// A line of a conversation.
    Entry(Entry),
    /// Something about a conversation as a whole: its title, that it was closed, how
    /// far it was read. This is how it is now.
    Status(Conversation),
}

impl Numbered {
    /// The entry, if it is one.
    pub fn entry(&self) -> Option<&Entry> {
        match &self.what {
            Stored::Entry(entry) => Some(entry),
            Stored::Status(_) => None,
        }
    }
}

/// A fresh epoch for the numbering of one owner's events (rule R4).
pub fn new_epoch() -> String {
    let mut bytes = [0; 9];
    rand::fill(&mut bytes).expect("the operating system's generator works from boot on");
    maitred_token::base64url(&bytes)
}

/// A place among the events of one owner, printed `<epoch>:<number>` (rule R4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// Random; another one when the numbering began anew.
    pub epoch: String,
    /// Counts from 1 within the epoch.
    pub number: i64,
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.epoch, self.number)
    }
}

impl std::str::FromStr for Position {
    type Err = ParsePositionError;

    fn from_str(text: &str) -> Result<Self, ParsePositionError> {
        let (epoch, number) = text.split_once(':').ok_or(ParsePositionError)?;
        let number = number.parse().map_err(|_| ParsePositionError)?;
        Ok(Self {
            epoch: epoch.to_owned(),
            number,
        })
    }
}

/// A text that is no position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not of the form `<epoch>:<number>`")]
pub struct ParsePositionError;
