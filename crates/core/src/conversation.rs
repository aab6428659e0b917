//! Conversations, their entries, and the transcript a turn is decided on.

use jiff::Timestamp;
use uuid::Uuid;

use crate::{
    action::{Call, Detail, Outcome},
    id::{CallId, ConversationId, EntryId, SessionId},
};

/// One thread with one visitor.
#[derive(Clone, Debug, PartialEq)]
pub struct Conversation {
    /// Its name.
    pub id: ConversationId,
    /// What the visitor calls it; else the beginning of the first thing they said.
    pub title: Option<String>,
    /// When it began.
    pub opened_at: Timestamp,
    /// When something was last said or done in it.
    pub updated_at: Timestamp,
    /// When it ended, if it did.
    pub closed_at: Option<Timestamp>,
    /// True while it carries what was said before its visitor signed in (rule M1).
    pub from_before_sign_in: bool,
    /// The last thing said, cut for a list.
    pub last_message: Option<LastMessage>,
    /// The last entry that the visitor has read, on whichever device; 0 before that.
    pub read_to: EntryNumber,
    /// How many messages by others come after it.
    pub unread: i64,
    /// What the visitor thought of it.
    pub rating: Option<Rating>,
}

/// The last thing said in a conversation.
#[derive(Clone, Debug, PartialEq)]
pub struct LastMessage {
    /// Who said it.
    pub by: Author,
    /// Its beginning.
    pub text: String,
    /// When.
    pub at: Timestamp,
}

/// What a visitor thought of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rating {
    score: u8,
    comment: Option<String>,
}

/// Why something cannot be a rating.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RatingError {
    /// Not one of the five.
    #[error("`score` must be 1 to 5")]
    Score,
    /// Longer than [`Rating::MAX_COMMENT`] characters.
    #[error("`comment` may have up to {max} characters", max = Rating::MAX_COMMENT)]
    CommentTooLong,
    /// A NUL, which one of the databases cannot hold (rule D8).
    #[error("`comment` holds a NUL character")]
    Nul,
}

impl Rating {
    /// The most characters of a comment.
    pub const MAX_COMMENT: usize = 2_000;

    /// Checks both. A comment of white space is none.
    pub fn parse(score: i64, comment: Option<&str>) -> Result<Self, RatingError> {
        let score = u8::try_from(score)
            .ok()
            .filter(|score| (1..=5).contains(score))
            .ok_or(RatingError::Score)?;
        let comment = comment.map(str::trim).filter(|comment| !comment.is_empty());
        if comment.is_some_and(|comment| comment.chars().count() > Self::MAX_COMMENT) {
            return Err(RatingError::CommentTooLong);
        }
        if comment.is_some_and(|comment| comment.contains('\0')) {
            return Err(RatingError::Nul);
        }
        let comment = comment.map(str::to_owned);
        Ok(Self { score, comment })
    }

    /// From 1, bad, to 5, good.
    pub fn score(&self) -> u8 {
        self.score
    }

    /// In the visitor's words.
    pub fn comment(&self) -> Option<&str> {
        self.comment.as_deref()
    }
}

/// Counts the entries of one conversation from 1, without holes.
pub type EntryNumber = i64;

/// One immutable line of a conversation.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its name.
    pub id: EntryId,
    /// The conversation it stands in.
    pub conversation: ConversationId,
    /// Its place there.
    pub number: EntryNumber,
    /// When it was added.
    pub added_at: Timestamp,
    /// What it says.
    pub body: Body,
}

/// An entry that has no place yet.
#[derive(Clone, Debug, PartialEq)]
pub struct NewEntry {
    /// Its name.
    pub id: EntryId,
    /// What it says.
    pub body: Body,
}

/// What an entry says.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// Somebody said something.
    Message(Message),
    /// The agent asks for an Action to be run.
    CallAsked(Call),
    /// A call is about to be sent. Committed before anything leaves (rule G5).
    CallStarted {
        /// Which call.
        call: CallId,
        /// The Action's name.
        action: String,
        /// What the visitor reads meanwhile.
        label: String,
        /// What is asked, in words.
        details: Vec<Detail>,
    },
    /// A call has ended.
    CallFinished {
        /// Which call.
        call: CallId,
        /// The Action's name.
        action: String,
        /// What the visitor reads.
        label: String,
        /// How it ended.
        outcome: Outcome,
    },
    /// Something happened to the conversation.
    Status(Status),
}

/// Something said.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// By whom.
    pub by: Author,
    /// Plain text of a visitor, Markdown of an agent.
    pub text: String,
    /// Where the agent has it from, in the order of the marks in the text.
    pub citations: Vec<Citation>,
    /// What the client called it, so that a retry is recognised (rule R1).
    pub client_id: Option<Uuid>,
    /// The session that posted it, and as which the turn runs (rule A1).
    pub session: Option<SessionId>,
}

/// Who said it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Author {
    /// The person in the widget.
    Visitor,
    /// The AI agent.
    Agent,
    /// A person of the site's.
    Operator,
}

/// A source of what the agent said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Citation {
    /// The title of the page, and the heading on it.
    pub title: String,
    /// Its address, with the anchor.
    pub url: String,
}

/// What happened to a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It came along when its visitor signed in (rule M1).
    ContinuedFromBeforeSignIn,
    /// The turn was taken up again after the process had ended.
    Resumed,
    /// The turn was closed, because it could not be taken up again.
    Interrupted,
    /// The turn was closed at a limit.
    GaveUp,
    /// The turn was closed, because its session had ended.
    Cancelled,
    /// The turn was closed, because the visitor wanted no answer any more.
    Stopped,
    /// The visitor closed the conversation, and with it the turn that ran.
    Closed,
    /// It was opened again, by a message too.
    Reopened,
}

impl Status {
    /// Whether nothing more comes of the turn it stands in.
    pub fn closes_a_turn(self) -> bool {
        match self {
            Self::Interrupted | Self::GaveUp | Self::Cancelled | Self::Stopped | Self::Closed => {
                true
            }
            Self::Resumed | Self::ContinuedFromBeforeSignIn | Self::Reopened => false,
        }
    }

    /// What the visitor reads. Empty: nothing is shown.
    pub fn words(self) -> &'static str {
        match self {
            Self::ContinuedFromBeforeSignIn => "Continued from before you signed in",
            Self::Resumed | Self::Cancelled => "",
            Self::Interrupted => {
                "I was interrupted and could not finish this answer. Your message is safe; please ask again."
            }
            Self::GaveUp => {
                "I could not finish this. Your message is safe; please try it in other words."
            }
            Self::Stopped => "You stopped this answer.",
            Self::Closed => "You closed this conversation.",
            Self::Reopened => "You opened this conversation again.",
        }
    }
}

/// The entries of one conversation, in order.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Transcript {
    entries: Vec<Entry>,
}

impl Transcript {
    /// Takes entries in the order of their numbers.
    pub fn new(entries: Vec<Entry>) -> Self {
        debug_assert!(entries.is_sorted_by_key(|entry| entry.number));
        Self { entries }
    }

    /// All of them.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The number of the last one, 0 if there is none.
    pub fn last_number(&self) -> EntryNumber {
        self.entries.last().map_or(0, |entry| entry.number)
    }

    /// From the visitor's last message on.
    pub fn last_turn(&self) -> &[Entry] {
        let start = self
            .entries
            .iter()
            .rposition(|entry| is_by(entry, Author::Visitor));
        &self.entries[start.unwrap_or(self.entries.len())..]
    }

    /// What the visitor said since somebody last answered, and in which session.
    /// What they wanted no answer to any more is not waiting for one.
    pub fn unanswered(&self) -> Vec<&Message> {
        let start = self
            .entries
            .iter()
            .rposition(|entry| {
                is_by(entry, Author::Agent)
                    || is_by(entry, Author::Operator)
                    || matches!(entry.body, Body::Status(Status::Stopped | Status::Closed))
            })
            .map_or(0, |position| position + 1);
        self.entries[start..]
            .iter()
            .filter_map(message_by_visitor)
            .collect()
    }

    /// The session that posted the visitor's last message.
    pub fn session(&self) -> Option<SessionId> {
        self.entries
            .iter()
            .rev()
            .find_map(message_by_visitor)?
            .session
    }

    /// Every call that was asked for.
    pub fn calls(&self) -> impl Iterator<Item = &Call> {
        self.entries.iter().filter_map(|entry| {
            if let Body::CallAsked(call) = &entry.body {
                Some(call)
            } else {
                None
            }
        })
    }

    /// The call by that id, if it was asked for.
    pub fn call(&self, id: CallId) -> Option<&Call> {
        self.calls().find(|call| call.id == id)
    }
}

fn is_by(entry: &Entry, author: Author) -> bool {
    matches!(&entry.body, Body::Message(message) if message.by == author)
}

fn message_by_visitor(entry: &Entry) -> Option<&Message> {
    if let Body::Message(message) = &entry.body
        && message.by == Author::Visitor
    {
        return Some(message);
    }
    None
}
