//! The public contract: every request and response, and how they come from what
//! the program works with.

mod conversation;
mod session;

use maitred_core::{
    id::{AgentId, ConversationId, EntryId},
    scope::Environment,
};
use maitred_store::Page;
use serde::Serialize;

pub(super) use self::{
    conversation::{
        ChangeConversation, Conversation, Empty, Entry, FoundConversation, IsTyping, NewMessage,
        NewRating, PostedMessage, Read,
    },
    session::{
        Actor, CodeAsked, Contact, Jwk, NewCode, NewIdentity, NewSession, OpenedSession,
        SessionView, TypedCode,
    },
};
use super::error::Told;
use crate::{app::App, sites::Site};

/// The body of every error.
#[derive(Serialize)]
pub(super) struct Error {
    error: ErrorDetail,
}

#[derive(Serialize)]
struct ErrorDetail {
    code: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    request_id: String,
}

impl Error {
    pub(super) fn new(told: Told, request_id: &str) -> Self {
        let Told {
            code,
            message,
            hint,
        } = told;
        Self {
            error: ErrorDetail {
                code,
                message,
                hint,
                request_id: request_id.to_owned(),
            },
        }
    }
}

/// A part of a list.
#[derive(Serialize)]
pub(super) struct List<T> {
    pub(super) items: Vec<T>,
    pub(super) next: Option<String>,
}

impl<T> List<T> {
    /// What was read from the store.
    pub(super) fn of<U: Into<T>, Id: std::fmt::Display>(page: Page<U, Id>) -> Self {
        Self {
            items: page.items.into_iter().map(Into::into).collect(),
            next: page.next.map(|cursor| cursor.to_string()),
        }
    }
}

/// What a widget must know of its agent.
#[derive(Serialize)]
pub(super) struct AgentView {
    id: AgentId,
    environment: Environment,
    name: String,
    suggestions: Vec<String>,
    sign_in_url: Option<String>,
    /// Whether an address can be proven by a one-time code.
    codes: bool,
    appearance: Appearance,
}

#[derive(Serialize)]
struct Appearance {
    accent: Option<String>,
    position: &'static str,
}

impl AgentView {
    pub(super) fn new(app: &App, site: &Site) -> Self {
        let Site {
            scope,
            agent,
            settings,
            ..
        } = site;
        Self {
            id: scope.agent,
            environment: scope.environment,
            name: agent.name.clone(),
            suggestions: settings.suggestions.clone(),
            sign_in_url: settings.sign_in_url.clone(),
            codes: app.mailer.is_some(),
            appearance: Appearance {
                accent: settings.accent.clone(),
                position: "right",
            },
        }
    }
}

/// `GET /v1/agents/{agent}/{environment}`
#[derive(Serialize)]
pub(super) struct PublicAgent {
    #[serde(flatten)]
    pub(super) agent: AgentView,
    pub(super) greeting: String,
    pub(super) enforcement: &'static str,
    pub(super) proof_of_possession: &'static str,
    /// Whether a token is good once only: then it cannot stand in a page (rule T9).
    pub(super) one_time_tokens: bool,
}

/// `event: delta`
#[derive(Serialize)]
pub(super) struct Delta<'d> {
    pub(super) conversation: ConversationId,
    pub(super) reply: EntryId,
    pub(super) text: &'d str,
}

/// `event: typing`
#[derive(Serialize)]
pub(super) struct Typing {
    pub(super) conversation: ConversationId,
    pub(super) by: &'static str,
    pub(super) typing: bool,
}

/// `event: session`
#[derive(Serialize)]
pub(super) struct SessionEnded {
    pub(super) state: &'static str,
    pub(super) code: &'static str,
}
