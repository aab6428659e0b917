//! What nodes tell each other past the tables, as it goes through the database.
//!
//! Nodes of two releases hear each other while an installation is brought up to
//! date: what one does not know it passes over.

use maitred_core::{
    event::{Event, Typist},
    id::{ConversationId, EntryId, NodeId, SessionId},
};
use serde::{Deserialize, Serialize};

use crate::Told;

/// One notification.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct MessageJson {
    pub(crate) from: NodeId,
    /// Of those that go together. PostgreSQL drops one that says the same as another.
    pub(crate) part: usize,
    pub(crate) told: Vec<ToldJson>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum ToldJson {
    Moved {
        owner: String,
        position: String,
    },
    Delta {
        owner: String,
        conversation: ConversationId,
        reply: EntryId,
        text: String,
    },
    Typing {
        owner: String,
        conversation: ConversationId,
        /// The session that it is typed in; none if it is the agent.
        session: Option<SessionId>,
        typing: bool,
    },
    LookAtTurn {
        conversation: ConversationId,
    },
    #[serde(other)]
    Unknown,
}

impl ToldJson {
    /// None if that is not told by these means (see [`Told::about`]).
    pub(crate) fn of(told: &Told) -> Option<Self> {
        let (owner, event) = match told {
            Told::LookAtTurn(conversation) => {
                let conversation = *conversation;
                return Some(Self::LookAtTurn { conversation });
            }
            Told::Event(owner, event) => (owner.to_string(), event),
        };
        match event {
            Event::Moved(position) => Some(Self::Moved {
                owner,
                position: position.to_string(),
            }),
            Event::Delta {
                conversation,
                reply,
                text,
            } => Some(Self::Delta {
                owner,
                conversation: *conversation,
                reply: *reply,
                text: text.clone(),
            }),
            Event::Typing {
                conversation,
                by,
                typing,
            } => Some(Self::Typing {
                owner,
                conversation: *conversation,
                session: match by {
                    Typist::Agent => None,
                    Typist::Visitor(session) => Some(*session),
                },
                typing: *typing,
            }),
            Event::Numbered(_) | Event::Renumbered | Event::SessionsEnded => None,
        }
    }

    /// None if this release does not know it.
    pub(crate) fn told(self) -> Option<Told> {
        match self {
            Self::Moved { owner, position } => Some(Told::Event(
                owner.parse().ok()?,
                Event::Moved(position.parse().ok()?),
            )),
            Self::Delta {
                owner,
                conversation,
                reply,
                text,
            } => Some(Told::Event(
                owner.parse().ok()?,
                Event::Delta {
                    conversation,
                    reply,
                    text,
                },
            )),
            Self::Typing {
                owner,
                conversation,
                session,
                typing,
            } => Some(Told::Event(
                owner.parse().ok()?,
                Event::Typing {
                    conversation,
                    by: session.map_or(Typist::Agent, Typist::Visitor),
                    typing,
                },
            )),
            Self::LookAtTurn { conversation } => Some(Told::LookAtTurn(conversation)),
            Self::Unknown => None,
        }
    }
}
