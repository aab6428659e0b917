//! The public contract: every request and response, and how they come from what
//! the program works with.

use jiff::Timestamp;
use maitred_core::{
    action::Outcome,
    conversation::{self as core, Author, Body, Message},
    id::{AgentId, CallId, ContactId, ConversationId, EntryId},
    identity::Identity,
    scope::Environment,
    session::{Holder, Session},
};
use maitred_store::Posted;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

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

/// `POST /v1/sessions`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewSession {
    pub(super) agent: AgentId,
    #[serde(default)]
    pub(super) environment: Environment,
    pub(super) token: Option<String>,
    pub(super) visitor: Option<String>,
    pub(super) key: Option<Jwk>,
    /// The one that is open in the frame: it may come along (rule M1).
    pub(super) conversation: Option<ConversationId>,
    pub(super) page_origin: String,
}

/// A public P-256 key (RFC 7517): with a private member, it is refused.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Jwk {
    pub(super) kty: String,
    pub(super) crv: String,
    pub(super) x: String,
    pub(super) y: String,
}

/// `POST /v1/session/identity`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewIdentity {
    pub(super) token: String,
    /// The one that is open in the frame: it may come along (rule M1).
    pub(super) conversation: Option<ConversationId>,
}

/// What a session was opened or renewed with.
#[derive(Serialize)]
pub(super) struct OpenedSession {
    pub(super) session: String,
    pub(super) expires_at: Timestamp,
    /// When the frame asks the page for the next token (rule S2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) renew_at: Option<Timestamp>,
    pub(super) assurance: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) contact: Option<Contact>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) actor: Option<Actor>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) visitor: Option<String>,
    pub(super) greeting: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) conversation: Option<Conversation>,
    pub(super) agent: AgentView,
}

/// `GET /v1/session`
#[derive(Serialize)]
pub(super) struct SessionView {
    expires_at: Timestamp,
    assurance: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    contact: Option<Contact>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<Actor>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proven: Option<Proven>,
}

/// The address that a one-time code proved, and until when that counts.
#[derive(Serialize)]
struct Proven {
    email: String,
    expires_at: Timestamp,
}

impl SessionView {
    pub(super) fn new(session: &Session, now: Timestamp) -> Self {
        Self {
            expires_at: session.expires_at,
            assurance: session.standing(now).assurance().as_str(),
            contact: Contact::of(session),
            actor: Actor::of(session),
            proven: session.proven_address(now).map(|proven| Proven {
                email: proven.address.as_str().to_owned(),
                expires_at: proven.until,
            }),
        }
    }
}

#[derive(Serialize)]
pub(super) struct Contact {
    id: ContactId,
    name: Option<String>,
}

impl Contact {
    pub(super) fn of(session: &Session) -> Option<Self> {
        match &session.holder {
            Holder::Anonymous(_) => None,
            Holder::Verified {
                contact, identity, ..
            } => Some(Self {
                id: *contact,
                name: Identity::display_name(identity).map(str::to_owned),
            }),
        }
    }
}

/// `POST /v1/code`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewCode {
    pub(super) email: String,
}

/// What asking for a code is answered with, whatever is behind the address.
#[derive(Serialize)]
pub(super) struct CodeAsked {
    pub(super) expires_at: Timestamp,
}

/// `POST /v1/code/verification`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TypedCode {
    pub(super) code: String,
}

/// The member of staff who acts as the contact (rule T10), as the site names them.
#[derive(Serialize)]
pub(super) struct Actor {
    id: String,
}

impl Actor {
    pub(super) fn of(session: &Session) -> Option<Self> {
        let id = session.identity()?.actor.clone()?;
        Some(Self { id })
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

#[derive(Serialize)]
pub(super) struct Conversation {
    id: ConversationId,
    title: Option<String>,
    opened_at: Timestamp,
    updated_at: Timestamp,
    closed_at: Option<Timestamp>,
    last_message: Option<LastMessage>,
    from_before_sign_in: bool,
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
        }
    }
}

/// `POST /v1/conversations`: nothing can be set yet.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Empty {}

/// `POST /v1/conversations/{id}/messages`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewMessage {
    pub(super) id: Uuid,
    pub(super) text: String,
}

/// What a message became.
#[derive(Serialize)]
pub(super) struct PostedMessage {
    entry: Option<Entry>,
    duplicate: bool,
}

impl From<Posted> for PostedMessage {
    fn from(posted: Posted) -> Self {
        match posted {
            Posted::New(appended) => Self {
                entry: appended
                    .events
                    .into_iter()
                    .next()
                    .and_then(|it| Entry::visible(&it.entry)),
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
pub(super) struct Entry {
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
    pub(super) fn visible(entry: &core::Entry) -> Option<Self> {
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
    }
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
