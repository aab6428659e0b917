//! Conversations and what stands in them.

use jiff::Timestamp;
use maitred_core::{
    action::Outcome,
    conversation::{self as core, Author, Body, Message},
    event::Numbered,
    id::{CallId, ConversationId, EntryId},
};
use maitred_store::{Match, Posted};
use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

#[derive(Serialize)]
pub(in crate::http) struct Conversation {
    id: ConversationId,
    title: Option<String>,
    opened_at: Timestamp,
    updated_at: Timestamp,
    closed_at: Option<Timestamp>,
    last_message: Option<LastMessage>,
    from_before_sign_in: bool,
    /// The number of the last entry that was read, on any device.
    read_to: i64,
    /// How many messages by others come after it.
    unread: i64,
    rating: Option<Rating>,
}

#[derive(Serialize)]
struct Rating {
    score: u8,
    comment: Option<String>,
}

#[derive(Serialize)]
struct LastMessage {
    by: &'static str,
    text: String,
    at: Timestamp,
}

impl From<core::Conversation> for Conversation {
    fn from(conversation: core::Conversation) -> Self {
        Self {
            id: conversation.id,
            title: conversation.title,
            opened_at: conversation.opened_at,
            updated_at: conversation.updated_at,
            closed_at: conversation.closed_at,
            last_message: conversation.last_message.map(|it| LastMessage {
                by: author(it.by),
                text: it.text,
                at: it.at,
            }),
            from_before_sign_in: conversation.from_before_sign_in,
            read_to: conversation.read_to,
            unread: conversation.unread,
            rating: conversation.rating.map(|it| Rating {
                score: it.score(),
                comment: it.comment().map(str::to_owned),
            }),
        }
    }
}

/// A conversation in which something was found.
#[derive(Serialize)]
pub(in crate::http) struct FoundConversation {
    #[serde(flatten)]
    conversation: Conversation,
    r#match: Option<FoundMessage>,
}

/// The first message that says it.
#[derive(Serialize)]
struct FoundMessage {
    number: i64,
    /// A piece of it, around that place.
    text: String,
}

impl From<Match> for FoundConversation {
    fn from(found: Match) -> Self {
        Self {
            conversation: found.conversation.into(),
            r#match: found
                .message
                .map(|(number, text)| FoundMessage { number, text }),
        }
    }
}

/// `POST /v1/conversations`: nothing can be set yet.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Empty {}

/// `POST /v1/conversations/{id}/messages`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct NewMessage {
    pub(in crate::http) id: Uuid,
    pub(in crate::http) text: String,
}

/// `PATCH /v1/conversations/{id}`: what is left out stays.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct ChangeConversation {
    /// `null`: back to the automatic one.
    #[serde(default, deserialize_with = "if_there")]
    pub(in crate::http) title: Option<Option<String>>,
    pub(in crate::http) closed: Option<bool>,
}

/// Tells `null` from what is left out.
fn if_there<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Option<String>>, D::Error> {
    Deserialize::deserialize(value).map(Some)
}

/// `POST /v1/conversations/{id}/read`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Read {
    pub(in crate::http) up_to: i64,
}

/// `POST /v1/conversations/{id}/rating`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct NewRating {
    pub(in crate::http) score: i64,
    pub(in crate::http) comment: Option<String>,
}

/// `POST /v1/conversations/{id}/typing`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct IsTyping {
    pub(in crate::http) typing: bool,
}

/// What a message became.
#[derive(Serialize)]
pub(in crate::http) struct PostedMessage {
    entry: Option<Entry>,
    duplicate: bool,
}

impl From<Posted> for PostedMessage {
    fn from(posted: Posted) -> Self {
        match posted {
            Posted::New(appended) => Self {
                entry: appended
                    .events
                    .iter()
                    .filter_map(Numbered::entry)
                    .find(|entry| matches!(entry.body, Body::Message(_)))
                    .and_then(Entry::visible),
                duplicate: false,
            },
            Posted::Duplicate(entry) => Self {
                entry: Entry::visible(&entry),
                duplicate: true,
            },
        }
    }
}

/// An entry as a visitor may see it.
#[derive(Serialize)]
pub(in crate::http) struct Entry {
    id: EntryId,
    conversation: ConversationId,
    number: i64,
    at: Timestamp,
    #[serde(flatten)]
    body: EntryBody,
}

#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum EntryBody {
    Message {
        by: &'static str,
        text: String,
        citations: Vec<Citation>,
        #[serde(skip_serializing_if = "Option::is_none")]
        client_id: Option<Uuid>,
    },
    Call {
        call: CallId,
        action: String,
        phase: &'static str,
        label: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        outcome: Option<&'static str>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        details: Vec<(String, String)>,
    },
    Status {
        status: &'static str,
        text: &'static str,
    },
}

#[derive(Serialize)]
struct Citation {
    number: usize,
    title: String,
    url: String,
}

impl Entry {
    /// What a visitor sees of it; nothing, if it is the agent's own business.
    pub(in crate::http) fn visible(entry: &core::Entry) -> Option<Self> {
        let body = match entry.body.clone() {
            Body::Message(message) => EntryBody::message(message),
            Body::CallAsked(_) => return None,
            Body::CallStarted {
                call,
                action,
                label,
                details,
            } => EntryBody::Call {
                call,
                action,
                phase: "started",
                label,
                outcome: None,
                details,
            },
            Body::CallFinished {
                call,
                action,
                label,
                outcome,
            } => EntryBody::Call {
                call,
                action,
                phase: "finished",
                label,
                outcome: Some(match outcome {
                    Outcome::Succeeded(_) => "succeeded",
                    Outcome::Failed(_) => "failed",
                    Outcome::Refused(_) => "refused",
                    Outcome::Unknown => "unknown",
                }),
                details: Vec::new(),
            },
            Body::Status(status) => EntryBody::Status {
                status: status_name(status),
                text: status.words(),
            },
        };
        Some(Self {
            id: entry.id,
            conversation: entry.conversation,
            number: entry.number,
            at: entry.added_at,
            body,
        })
    }
}

impl EntryBody {
    fn message(message: Message) -> Self {
        let citations = message
            .citations
            .into_iter()
            .enumerate()
            .map(|(at, citation)| Citation {
                number: at + 1,
                title: citation.title,
                url: citation.url,
            });
        Self::Message {
            by: author(message.by),
            text: message.text,
            citations: citations.collect(),
            client_id: message.client_id,
        }
    }
}

fn author(author: Author) -> &'static str {
    match author {
        Author::Visitor => "visitor",
        Author::Agent => "agent",
        Author::Operator => "operator",
    }
}

fn status_name(status: core::Status) -> &'static str {
    match status {
        core::Status::ContinuedFromBeforeSignIn => "continued_from_before_sign_in",
        core::Status::Resumed => "resumed",
        core::Status::Interrupted => "interrupted",
        core::Status::GaveUp => "gave_up",
        core::Status::Cancelled => "cancelled",
        core::Status::Stopped => "stopped",
        core::Status::Closed => "closed",
        core::Status::Reopened => "reopened",
    }
}
