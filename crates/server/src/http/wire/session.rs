//! Sessions, who is in them, and how a visitor proves an address.

use jiff::Timestamp;
use maitred_core::{
    id::{AgentId, ContactId, ConversationId},
    identity::Identity,
    scope::Environment,
    session::{Holder, Session},
};
use serde::{Deserialize, Serialize};

use super::{AgentView, Conversation};

/// `POST /v1/sessions`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct NewSession {
    pub(in crate::http) agent: AgentId,
    #[serde(default)]
    pub(in crate::http) environment: Environment,
    pub(in crate::http) token: Option<String>,
    pub(in crate::http) visitor: Option<String>,
    pub(in crate::http) key: Option<Jwk>,
    /// The one that is open in the frame: it may come along (rule M1).
    pub(in crate::http) conversation: Option<ConversationId>,
    pub(in crate::http) page_origin: String,
}

/// A public P-256 key (RFC 7517): with a private member, it is refused.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Jwk {
    pub(in crate::http) kty: String,
    pub(in crate::http) crv: String,
    pub(in crate::http) x: String,
    pub(in crate::http) y: String,
}

/// `POST /v1/session/identity`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct NewIdentity {
    pub(in crate::http) token: String,
    /// The one that is open in the frame: it may come along (rule M1).
    pub(in crate::http) conversation: Option<ConversationId>,
}

/// What a session was opened or renewed with.
#[derive(Serialize)]
pub(in crate::http) struct OpenedSession {
    pub(in crate::http) session: String,
    pub(in crate::http) expires_at: Timestamp,
    /// When the frame asks the page for the next token (rule S2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::http) renew_at: Option<Timestamp>,
    pub(in crate::http) assurance: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::http) contact: Option<Contact>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::http) actor: Option<Actor>,
    /// Only where an operator tries something (rule A4).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(in crate::http) test: bool,
    /// What a one-time code can prove of somebody who is verified (rule T5).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::http) claimed_email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::http) visitor: Option<String>,
    pub(in crate::http) greeting: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::http) conversation: Option<Conversation>,
    /// In all conversations.
    pub(in crate::http) unread: i64,
    pub(in crate::http) agent: AgentView,
}

/// `GET /v1/session`
#[derive(Serialize)]
pub(in crate::http) struct SessionView {
    expires_at: Timestamp,
    assurance: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    contact: Option<Contact>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<Actor>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    test: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    claimed_email: Option<String>,
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
    pub(in crate::http) fn new(session: &Session, now: Timestamp) -> Self {
        Self {
            expires_at: session.expires_at,
            assurance: session.standing(now).assurance().as_str(),
            contact: Contact::of(session),
            actor: Actor::of(session),
            test: session.is_test(),
            claimed_email: session.claimed_email().map(str::to_owned),
            proven: session.proven_address(now).map(|proven| Proven {
                email: proven.address.as_str().to_owned(),
                expires_at: proven.until,
            }),
        }
    }
}

#[derive(Serialize)]
pub(in crate::http) struct Contact {
    id: ContactId,
    name: Option<String>,
}

impl Contact {
    pub(in crate::http) fn of(session: &Session) -> Option<Self> {
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
pub(in crate::http) struct NewCode {
    pub(in crate::http) email: String,
}

/// What asking for a code is answered with, whatever is behind the address.
#[derive(Serialize)]
pub(in crate::http) struct CodeAsked {
    pub(in crate::http) expires_at: Timestamp,
}

/// `POST /v1/code/verification`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct TypedCode {
    pub(in crate::http) code: String,
}

/// The member of staff who acts as the contact (rule T10), as the site names them.
#[derive(Serialize)]
pub(in crate::http) struct Actor {
    id: String,
}

impl Actor {
    pub(in crate::http) fn of(session: &Session) -> Option<Self> {
        let id = session.identity()?.actor.clone()?;
        Some(Self { id })
    }
}
