//! Contacts, and what came along when they signed in.

use std::collections::BTreeMap;

use jiff::Timestamp;
use maitred_core::{
    claims::ClaimPolicy,
    contact::{Contact, ContactChange, FieldChange, Record},
    id::{ContactId, ConversationId, KeyId, MemoryId, MergeId},
    memory::Memory,
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
    /// For whom each of these is, as it is set now: `agent`, `actions` or `none`.
    purposes: BTreeMap<String, &'static str>,
    created_at: Timestamp,
    seen_at: Timestamp,
}

impl ContactView {
    pub(crate) fn new(contact: Contact, policy: &ClaimPolicy) -> Self {
        let Record {
            name,
            email,
            claims,
        } = contact.record;
        let known = [("name", name.is_some()), ("email", email.is_some())];
        let known = known.into_iter().filter(|(_, is_kept)| *is_kept);
        let names = known
            .map(|(name, _)| name)
            .chain(claims.keys().map(String::as_str));
        Self {
            id: contact.id,
            subject: contact.subject,
            purposes: names
                .map(|name| (name.to_owned(), policy.for_whom(name).as_str()))
                .collect(),
            name,
            email,
            claims,
            created_at: contact.created_at,
            seen_at: contact.seen_at,
        }
    }
}

/// What a token changed about a contact.
#[derive(Serialize)]
pub(crate) struct ContactChangeView {
    at: Timestamp,
    /// The key that the token was signed with.
    key: KeyId,
    /// When the token was made.
    issued_at: Option<Timestamp>,
    fields: Vec<FieldChange>,
}

impl From<ContactChange> for ContactChangeView {
    fn from(change: ContactChange) -> Self {
        Self {
            at: change.at,
            key: change.key,
            issued_at: change.issued_at,
            fields: change.fields,
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

/// Something that is remembered of a contact.
#[derive(Serialize)]
pub(crate) struct MemoryView {
    id: MemoryId,
    kind: &'static str,
    text: String,
    /// Where it was said.
    conversation: Option<ConversationId>,
    noted_by: &'static str,
    noted_at: Timestamp,
}

impl From<Memory> for MemoryView {
    fn from(memory: Memory) -> Self {
        Self {
            id: memory.id,
            kind: memory.kind.as_str(),
            text: memory.text.to_string(),
            conversation: memory.conversation,
            noted_by: memory.noted_by.as_str(),
            noted_at: memory.noted_at,
        }
    }
}

/// Other words for it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MemoryPatch {
    pub(crate) text: String,
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
