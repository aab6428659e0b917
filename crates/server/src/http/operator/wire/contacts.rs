//! Contacts, and what came along when they signed in.

use jiff::Timestamp;
use maitred_core::{
    contact::Contact,
    id::{ContactId, ConversationId, MergeId},
    scope::Environment,
};
use maitred_store::{Erased, LoggedOut, Merge, Split};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Somebody that the site vouched for, and what is kept of them.
#[derive(Serialize)]
pub(crate) struct ContactView {
    id: ContactId,
    subject: String,
    name: Option<String>,
    email: Option<String>,
    claims: Map<String, Value>,
    created_at: Timestamp,
    seen_at: Timestamp,
}

impl From<Contact> for ContactView {
    fn from(contact: Contact) -> Self {
        Self {
            id: contact.id,
            subject: contact.subject,
            name: contact.record.name,
            email: contact.record.email,
            claims: contact.record.claims,
            created_at: contact.created_at,
            seen_at: contact.seen_at,
        }
    }
}

/// `POST /api/agents/{agent}/contacts/logout`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogOut {
    #[serde(default)]
    pub(crate) environment: Environment,
    pub(crate) subject: String,
}

/// What was logged out.
#[derive(Serialize)]
pub(crate) struct LoggedOutView {
    /// None, if the subject was never seen; their tokens are refused all the same.
    contact: Option<ContactId>,
    /// How many sessions were ended.
    sessions: usize,
}

impl From<LoggedOut> for LoggedOutView {
    fn from(logged_out: LoggedOut) -> Self {
        Self {
            contact: logged_out.contact,
            sessions: logged_out.sessions.len(),
        }
    }
}

/// What was erased.
#[derive(Serialize)]
pub(crate) struct ErasedView {
    /// False, if the subject was never seen.
    contact: bool,
    conversations: u64,
    entries: u64,
    sessions: u64,
    verifications: u64,
}

impl From<Erased> for ErasedView {
    fn from(erased: Erased) -> Self {
        Self {
            contact: erased.contact,
            conversations: erased.conversations,
            entries: erased.entries,
            sessions: erased.sessions,
            verifications: erased.verifications,
        }
    }
}

/// A conversation's coming along at a sign-in.
#[derive(Serialize)]
pub(crate) struct MergeView {
    id: MergeId,
    conversation: ConversationId,
    contact: ContactId,
    merged_at: Timestamp,
    undoable_until: Timestamp,
    undone: Option<UndoneBy>,
}

#[derive(Serialize)]
struct UndoneBy {
    at: Timestamp,
    by: &'static str,
}

impl From<Merge> for MergeView {
    fn from(merge: Merge) -> Self {
        Self {
            id: merge.id,
            conversation: merge.conversation,
            contact: merge.contact,
            merged_at: merge.merged_at,
            undoable_until: merge.undoable_until,
            undone: merge.undone.map(|(at, by)| UndoneBy {
                at,
                by: by.as_str(),
            }),
        }
    }
}

/// Where things are after a merge was undone.
#[derive(Serialize)]
pub(crate) struct UndoneView {
    /// What stays with the contact.
    conversation: ConversationId,
    /// What was said before: only operators see it.
    apart: ConversationId,
    contact: ContactId,
}

impl From<Split> for UndoneView {
    fn from(split: Split) -> Self {
        Self {
            conversation: split.conversation,
            apart: split.apart,
            contact: split.contact,
        }
    }
}
