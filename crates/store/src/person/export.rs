//! Everything that is kept of a person, to be handed out.
//!
//! What derives `Serialize` here is read by people and by other programs: a field
//! may be added, none may change.

use jiff::Timestamp;
use maitred_core::{
    contact::{ContactChange, FieldChange, Subject},
    conversation::Conversation,
    id::{ContactId, ConversationId, EntryId, KeyId, SessionId},
    scope::{Owner, Scope},
};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{contact_of, visitors_of};
use crate::{
    Store, StoreError,
    audit::Audited,
    contacts::{CHANGES, ChangeRow},
    conversations::{ConversationRow, columns},
    db::{Tx, all_in},
    row::{json, parsed, time},
};

/// Everything that is kept of one person.
#[derive(Debug, Serialize)]
pub struct Person {
    /// Whom the site calls them.
    pub subject: String,
    /// The id of their contact.
    pub contact: ContactId,
    /// What of their last token is kept with it.
    pub name: Option<String>,
    /// The address in it.
    pub email: Option<String>,
    /// Everything else in it that is kept.
    pub claims: Map<String, Value>,
    /// What tokens changed about that, the latest first.
    pub changes: Vec<PersonsChange>,
    /// When the first token was accepted.
    pub created_at: Timestamp,
    /// When the last one was.
    pub seen_at: Timestamp,
    /// Their sessions, those before they signed in too.
    pub sessions: Vec<PersonsSession>,
    /// The addresses they proved by a one-time code.
    pub addresses: Vec<ProvenOnce>,
    /// What the agent remembers of them between conversations.
    pub memory: Vec<PersonsMemory>,
    /// Their conversations.
    pub conversations: Vec<PersonsConversation>,
    /// What came of the tokens that named them.
    pub verifications: Vec<PersonsVerification>,
}

/// What a token changed about what is kept.
#[derive(Debug, Serialize)]
pub struct PersonsChange {
    /// When the token was accepted.
    pub at: Timestamp,
    /// The key that it was signed with.
    pub key: KeyId,
    /// What was not as it had been.
    pub fields: Vec<FieldChange>,
}

impl From<ContactChange> for PersonsChange {
    fn from(change: ContactChange) -> Self {
        Self {
            at: change.at,
            key: change.key,
            fields: change.fields,
        }
    }
}

/// Something that is remembered.
#[derive(Debug, Serialize)]
pub struct PersonsMemory {
    /// `fact`, `topic` or `open`.
    pub kind: String,
    /// In words.
    pub text: String,
    /// Where it was said.
    pub conversation: Option<String>,
    /// `agent` or `operator`.
    pub noted_by: String,
    /// When it was noted.
    pub noted_at: Timestamp,
}

/// A session of one page load.
#[derive(Debug, Serialize)]
pub struct PersonsSession {
    /// Its name.
    pub id: SessionId,
    /// When it began.
    pub created_at: Timestamp,
    /// When it ends or would have ended.
    pub expires_at: Timestamp,
    /// When it was ended before that.
    pub ended_at: Option<Timestamp>,
    /// Where the page said it was loaded from.
    pub page_origin: String,
    /// The key that its token was signed with, if there was one.
    pub key: Option<KeyId>,
    /// What the token said.
    pub identity: Option<Value>,
}

/// An address that was proven.
#[derive(Debug, Serialize)]
pub struct ProvenOnce {
    /// The address.
    pub address: String,
    /// Until when that counts.
    pub proven_until: Timestamp,
}

/// A conversation, with every line of it.
#[derive(Debug, Serialize)]
pub struct PersonsConversation {
    /// Its name.
    pub id: ConversationId,
    /// What it is called in their list.
    pub title: Option<String>,
    /// When it began.
    pub opened_at: Timestamp,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
    /// The last entry that they have read.
    pub read_to: i64,
    /// What they thought of it.
    pub rating: Option<PersonsRating>,
    /// Its lines, in order.
    pub entries: Vec<PersonsEntry>,
}

/// What they thought of a conversation.
#[derive(Debug, Serialize)]
pub struct PersonsRating {
    /// From 1, bad, to 5, good.
    pub score: u8,
    /// In their words.
    pub comment: Option<String>,
}

/// A line of a conversation: a message, or what the agent did.
#[derive(Debug, Serialize)]
pub struct PersonsEntry {
    /// Its name.
    pub id: EntryId,
    /// Its place.
    pub number: i64,
    /// When it was added.
    pub at: Timestamp,
    /// What it says, and its `kind`.
    #[serde(flatten)]
    pub body: Map<String, Value>,
}

/// What came of a token.
#[derive(Debug, Serialize)]
pub struct PersonsVerification {
    /// When it was shown.
    pub at: Timestamp,
    /// `accepted`, or why it was refused.
    pub code: String,
    /// The key that it named.
    pub key: Option<String>,
    /// Where the page said it was loaded from.
    pub page_origin: Option<String>,
}

impl Store {
    /// Everything that is kept of a person. `None` if no token of that subject was
    /// ever accepted, or they were erased.
    pub async fn export_person(
        &self,
        scope: Scope,
        subject: &Subject,
    ) -> Result<Option<Person>, StoreError> {
        let Some(contact) = self.contact(scope, subject).await? else {
            return Ok(None);
        };
        let mut tx = self.begin().await?;
        let Some(id) = contact_of(&mut tx, scope, subject).await? else {
            return Ok(None);
        };
        let visitors = visitors_of(&mut tx, id).await?;
        let mut owners: Vec<Owner> = visitors.into_iter().map(Owner::Visitor).collect();
        owners.push(Owner::Contact(id));
        let mut person = Person {
            subject: contact.subject,
            contact: id,
            name: contact.record.name,
            email: contact.record.email,
            claims: contact.record.claims,
            changes: changes_of(&mut tx, id).await?,
            created_at: contact.created_at,
            seen_at: contact.seen_at,
            sessions: Vec::new(),
            addresses: Vec::new(),
            memory: memory_of(&mut tx, id).await?,
            conversations: Vec::new(),
            verifications: self.verifications_of(&mut tx, scope, subject).await?,
        };
        for owner in owners {
            person.sessions.extend(sessions_of(&mut tx, owner).await?);
            person.addresses.extend(addresses_of(&mut tx, owner).await?);
            let conversations = conversations_of(&mut tx, owner).await?;
            person.conversations.extend(conversations);
        }
        let told = serde_json::json!({ "contact": id.to_string() });
        self.audit(&mut tx, scope, Audited::PersonExported, told)
            .await?;
        tx.commit().await?;
        Ok(Some(person))
    }

    async fn verifications_of(
        &self,
        tx: &mut Tx,
        scope: Scope,
        subject: &Subject,
    ) -> Result<Vec<PersonsVerification>, StoreError> {
        const SQL: &str = "
            SELECT at, code, key_id, page_origin FROM verifications
            WHERE agent_id = $1 AND environment = $2 AND subject_hash = $3 ORDER BY number";
        let rows = all_in!(
            tx,
            (i64, String, Option<String>, Option<String>),
            SQL,
            scope.agent.to_string(),
            scope.environment.as_str(),
            self.subject_hash(scope, subject.as_str())
        )?;
        let lines = rows.into_iter().map(|(at, code, key, page_origin)| {
            Ok(PersonsVerification {
                at: time(at, "verifications", "at")?,
                code,
                key,
                page_origin,
            })
        });
        lines.collect()
    }
}

async fn changes_of(tx: &mut Tx, id: ContactId) -> Result<Vec<PersonsChange>, StoreError> {
    let rows = all_in!(tx, ChangeRow, CHANGES, id.to_string())?;
    let changes = rows.into_iter().map(ContactChange::try_from);
    changes.map(|it| it.map(Into::into)).collect()
}

async fn memory_of(tx: &mut Tx, id: ContactId) -> Result<Vec<PersonsMemory>, StoreError> {
    const SQL: &str = "
        SELECT kind, text, conversation_id, noted_by, noted_at FROM memories
        WHERE contact_id = $1 ORDER BY noted_at, id";
    type Row = (String, String, Option<String>, String, i64);
    let rows = all_in!(tx, Row, SQL, id.to_string())?;
    let memories = rows
        .into_iter()
        .map(|(kind, text, conversation, noted_by, at)| {
            Ok(PersonsMemory {
                kind,
                text,
                conversation,
                noted_by,
                noted_at: time(at, "memories", "noted_at")?,
            })
        });
    memories.collect()
}

#[derive(sqlx::FromRow)]
struct SessionRow {
    id: String,
    created_at: i64,
    expires_at: i64,
    ended_at: Option<i64>,
    page_origin: String,
    key_id: Option<String>,
    identity: Option<String>,
}

async fn sessions_of(tx: &mut Tx, owner: Owner) -> Result<Vec<PersonsSession>, StoreError> {
    const TABLE: &str = "sessions";
    const OF_CONTACT: &str = "
        SELECT id, created_at, expires_at, ended_at, page_origin, key_id, identity
        FROM sessions WHERE contact_id = $1 ORDER BY created_at, id";
    const OF_VISITOR: &str = "
        SELECT id, created_at, expires_at, ended_at, page_origin, key_id, identity
        FROM sessions WHERE visitor_id = $1 ORDER BY created_at, id";
    let sql = match owner {
        Owner::Contact(_) => OF_CONTACT,
        Owner::Visitor(_) => OF_VISITOR,
    };
    let rows = all_in!(tx, SessionRow, sql, owner.to_string())?;
    let sessions = rows.into_iter().map(|row| {
        Ok(PersonsSession {
            id: parsed(&row.id, TABLE, "id")?,
            created_at: time(row.created_at, TABLE, "created_at")?,
            expires_at: time(row.expires_at, TABLE, "expires_at")?,
            ended_at: optional_time(row.ended_at, TABLE, "ended_at")?,
            page_origin: row.page_origin,
            key: row
                .key_id
                .map(|id| parsed(&id, TABLE, "key_id"))
                .transpose()?,
            identity: row
                .identity
                .map(|text| json(&text, TABLE, "identity"))
                .transpose()?,
        })
    });
    sessions.collect()
}

async fn addresses_of(tx: &mut Tx, owner: Owner) -> Result<Vec<ProvenOnce>, StoreError> {
    const SQL: &str = "
        SELECT address, proven_until FROM codes
        WHERE owner = $1 AND address IS NOT NULL AND proven_until IS NOT NULL
        ORDER BY proven_until";
    let rows = all_in!(tx, (String, i64), SQL, owner.to_string())?;
    let addresses = rows.into_iter().map(|(address, until)| {
        Ok(ProvenOnce {
            address,
            proven_until: time(until, "codes", "proven_until")?,
        })
    });
    addresses.collect()
}

async fn conversations_of(
    tx: &mut Tx,
    owner: Owner,
) -> Result<Vec<PersonsConversation>, StoreError> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM conversations WHERE owner = $1 ORDER BY opened_at, id"
    );
    let rows = all_in!(tx, ConversationRow, SQL, owner.to_string())?;
    let mut conversations = Vec::new();
    for row in rows {
        let conversation = Conversation::try_from(row)?;
        conversations.push(PersonsConversation {
            entries: entries_of(tx, &conversation.id.to_string()).await?,
            id: conversation.id,
            title: conversation.title,
            opened_at: conversation.opened_at,
            closed_at: conversation.closed_at,
            read_to: conversation.read_to,
            rating: conversation.rating.map(|rating| PersonsRating {
                score: rating.score(),
                comment: rating.comment().map(str::to_owned),
            }),
        });
    }
    Ok(conversations)
}

async fn entries_of(tx: &mut Tx, conversation: &str) -> Result<Vec<PersonsEntry>, StoreError> {
    const TABLE: &str = "entries";
    const SQL: &str = "
        SELECT id, number, added_at, body FROM entries
        WHERE conversation_id = $1 ORDER BY number";
    let rows = all_in!(tx, (String, i64, i64, String), SQL, conversation)?;
    let entries = rows.into_iter().map(|(id, number, added_at, body)| {
        Ok(PersonsEntry {
            id: parsed(&id, TABLE, "id")?,
            number,
            at: time(added_at, TABLE, "added_at")?,
            body: json(&body, TABLE, "body")?,
        })
    });
    entries.collect()
}

fn optional_time(
    microseconds: Option<i64>,
    table: &'static str,
    column: &'static str,
) -> Result<Option<Timestamp>, StoreError> {
    microseconds.map(|at| time(at, table, column)).transpose()
}
