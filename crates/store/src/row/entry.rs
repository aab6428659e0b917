//! `entries.body` and `conversations.last_message`

use jiff::Timestamp;
use maitred_core::{
    action::{Arguments, Call, Detail, Failure, Outcome, Refused},
    conversation::{Author, Body, Citation, LastMessage, Message, Rating, Status},
    id::{CallId, SessionId},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::{same, time};
use crate::StoreError;

#[derive(Serialize, Deserialize)]
pub(crate) struct LastMessageJson {
    by: AuthorJson,
    text: String,
    at: i64,
}

impl LastMessageJson {
    /// A list shows a line of it.
    const MAX: usize = 120;

    pub(crate) fn of(message: &Message, at: Timestamp) -> Self {
        let text = message.text.chars().take(Self::MAX).collect();
        Self {
            by: message.by.into(),
            text,
            at: at.as_microsecond(),
        }
    }
}

impl TryFrom<LastMessageJson> for LastMessage {
    type Error = StoreError;

    fn try_from(json: LastMessageJson) -> Result<Self, StoreError> {
        let at = time(json.at, "conversations", "last_message")?;
        Ok(Self {
            by: json.by.into(),
            text: json.text,
            at,
        })
    }
}

/// `conversations.rating`
#[derive(Serialize, Deserialize)]
pub(crate) struct RatingJson {
    score: u8,
    comment: Option<String>,
}

impl From<&Rating> for RatingJson {
    fn from(rating: &Rating) -> Self {
        Self {
            score: rating.score(),
            comment: rating.comment().map(str::to_owned),
        }
    }
}

impl TryFrom<RatingJson> for Rating {
    type Error = StoreError;

    fn try_from(json: RatingJson) -> Result<Self, StoreError> {
        Self::parse(json.score.into(), json.comment.as_deref()).map_err(|_| StoreError::Corrupt {
            table: "conversations",
            column: "rating",
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AuthorJson {
    Visitor,
    Agent,
    Operator,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct CitationJson {
    title: String,
    url: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StatusJson {
    ContinuedFromBeforeSignIn,
    Resumed,
    Interrupted,
    GaveUp,
    Cancelled,
    Stopped,
    Closed,
    Reopened,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RefusedJson {
    AssuranceTooLow,
    ActorMayNot,
    NoSuchAction,
    TurnClosed,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FailureJson {
    NotFound,
    InvalidArguments,
    Rejected,
    Unavailable,
    NotSetUp,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OutcomeJson {
    Succeeded(Value),
    Failed(FailureJson),
    Refused(RefusedJson),
    Unknown,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum BodyJson {
    Message {
        by: AuthorJson,
        text: String,
        citations: Vec<CitationJson>,
        client_id: Option<Uuid>,
        session: Option<SessionId>,
    },
    CallAsked {
        call: CallId,
        action: String,
        arguments: Arguments,
    },
    CallStarted {
        call: CallId,
        action: String,
        label: String,
        details: Vec<Detail>,
    },
    CallFinished {
        call: CallId,
        action: String,
        label: String,
        outcome: OutcomeJson,
    },
    Status {
        status: StatusJson,
    },
}

/// The `kind` of an entry, as the contract names it.
pub(crate) fn kind(body: &Body) -> &'static str {
    match body {
        Body::Message(_) => "message",
        Body::CallAsked(_) | Body::CallStarted { .. } | Body::CallFinished { .. } => "call",
        Body::Status(_) => "status",
    }
}

/// The `author` of an entry that is a message, as the contract names it.
pub(crate) fn author(author: Author) -> &'static str {
    match author {
        Author::Visitor => "visitor",
        Author::Agent => "agent",
        Author::Operator => "operator",
    }
}

same!(
    Author,
    AuthorJson {
        Visitor,
        Agent,
        Operator
    }
);
same!(
    Failure,
    FailureJson {
        NotFound,
        InvalidArguments,
        Rejected,
        Unavailable,
        NotSetUp
    }
);
same!(
    Refused,
    RefusedJson {
        AssuranceTooLow,
        ActorMayNot,
        NoSuchAction,
        TurnClosed
    }
);
same!(
    Status,
    StatusJson {
        ContinuedFromBeforeSignIn,
        Resumed,
        Interrupted,
        GaveUp,
        Cancelled,
        Stopped,
        Closed,
        Reopened
    }
);

impl From<&Body> for BodyJson {
    fn from(body: &Body) -> Self {
        match body.clone() {
            Body::Message(message) => Self::Message {
                by: message.by.into(),
                text: message.text,
                citations: message
                    .citations
                    .into_iter()
                    .map(|Citation { title, url }| CitationJson { title, url })
                    .collect(),
                client_id: message.client_id,
                session: message.session,
            },
            Body::CallAsked(Call {
                id,
                action,
                arguments,
            }) => Self::CallAsked {
                call: id,
                action,
                arguments,
            },
            Body::CallStarted {
                call,
                action,
                label,
                details,
            } => Self::CallStarted {
                call,
                action,
                label,
                details,
            },
            Body::CallFinished {
                call,
                action,
                label,
                outcome,
            } => {
                let outcome = match outcome {
                    Outcome::Succeeded(value) => OutcomeJson::Succeeded(value),
                    Outcome::Failed(why) => OutcomeJson::Failed(why.into()),
                    Outcome::Refused(reason) => OutcomeJson::Refused(reason.into()),
                    Outcome::Unknown => OutcomeJson::Unknown,
                };
                Self::CallFinished {
                    call,
                    action,
                    label,
                    outcome,
                }
            }
            Body::Status(status) => Self::Status {
                status: status.into(),
            },
        }
    }
}

impl From<BodyJson> for Body {
    fn from(json: BodyJson) -> Self {
        match json {
            BodyJson::Message {
                by,
                text,
                citations,
                client_id,
                session,
            } => {
                let citations = citations
                    .into_iter()
                    .map(|CitationJson { title, url }| Citation { title, url })
                    .collect();
                Self::Message(Message {
                    by: by.into(),
                    text,
                    citations,
                    client_id,
                    session,
                })
            }
            BodyJson::CallAsked {
                call,
                action,
                arguments,
            } => Self::CallAsked(Call {
                id: call,
                action,
                arguments,
            }),
            BodyJson::CallStarted {
                call,
                action,
                label,
                details,
            } => Self::CallStarted {
                call,
                action,
                label,
                details,
            },
            BodyJson::CallFinished {
                call,
                action,
                label,
                outcome,
            } => {
                let outcome = match outcome {
                    OutcomeJson::Succeeded(value) => Outcome::Succeeded(value),
                    OutcomeJson::Failed(why) => Outcome::Failed(why.into()),
                    OutcomeJson::Refused(reason) => Outcome::Refused(reason.into()),
                    OutcomeJson::Unknown => Outcome::Unknown,
                };
                Self::CallFinished {
                    call,
                    action,
                    label,
                    outcome,
                }
            }
            BodyJson::Status { status } => Self::Status(status.into()),
        }
    }
}
