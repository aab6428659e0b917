//! What is remembered of contacts.
//!
//! What always holds: every read names agent, environment and contact (rule G12), and
//! what is noted from a conversation is noted by one node, once.

use jiff::{SignedDuration, Timestamp};
use maitred_core::{
    conversation::EntryNumber,
    id::{ContactId, ConversationId, MemoryId},
    memory::{MAX_OF_ONE, Memory, MemoryKind, MemoryText, NewMemory, NotedBy},
    scope::{Owner, Scope},
};

use crate::{
    Store, StoreError,
    audit::Audited,
    db::{Tx, all, execute, optional_in},
    row::{parsed, time},
};

/// How long a conversation is quiet before it is looked what to remember of it.
pub(crate) const QUIET_FOR: SignedDuration = SignedDuration::from_mins(30);

/// How long whoever looks has for it. Then somebody else does.
const CLAIMED_FOR: SignedDuration = SignedDuration::from_mins(5);

/// A conversation of which it is to be looked what should be remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ToRemember {
    /// Which one.
    pub conversation: ConversationId,
    /// Its agent and environment.
    pub scope: Scope,
    /// Whose it is.
    pub contact: ContactId,
    /// Up to which entry that was done before, or is not to be done.
    pub remembered_to: EntryNumber,
    claimed_until: i64,
}

#[derive(sqlx::FromRow)]
struct DueRow {
    id: String,
    agent_id: String,
    environment: String,
    owner: Option<String>,
    remembered_to: Option<i64>,
    moved_at_entry: Option<i64>,
    memory_due_at: i64,
    updated_at: i64,
    closed_at: Option<i64>,
    turn_since: Option<i64>,
}

#[derive(sqlx::FromRow)]
struct MemoryRow {
    id: String,
    kind: String,
    text: String,
    conversation_id: Option<String>,
    noted_by: String,
    noted_at: i64,
}

impl TryFrom<MemoryRow> for Memory {
    type Error = StoreError;

    fn try_from(row: MemoryRow) -> Result<Self, StoreError> {
        const TABLE: &str = "memories";
        let corrupt = |column| StoreError::Corrupt {
            table: TABLE,
            column,
        };
        Ok(Self {
            id: parsed(&row.id, TABLE, "id")?,
            kind: row.kind.parse().map_err(|_| corrupt("kind"))?,
            text: MemoryText::parse(&row.text).map_err(|_| corrupt("text"))?,
            conversation: row
                .conversation_id
                .map(|id| parsed(&id, TABLE, "conversation_id"))
                .transpose()?,
            noted_by: row.noted_by.parse().map_err(|_| corrupt("noted_by"))?,
            noted_at: time(row.noted_at, TABLE, "noted_at")?,
        })
    }
}

impl Store {
    /// What is remembered of a contact, the oldest first.
    pub async fn memories(
        &self,
        scope: Scope,
        contact: ContactId,
    ) -> Result<Vec<Memory>, StoreError> {
        const SQL: &str = "
            SELECT id, kind, text, conversation_id, noted_by, noted_at FROM memories
            WHERE contact_id = $1 AND agent_id = $2 AND environment = $3
            ORDER BY noted_at, id";
        let rows = all!(
            &self.db,
            MemoryRow,
            SQL,
            contact.to_string(),
            scope.agent.to_string(),
            scope.environment.as_str()
        )?;
        rows.into_iter().map(TryInto::try_into).collect()
    }

    /// Conversations of contacts that have been quiet for a while, or were closed, and
    /// of which it was not looked yet what to remember: this node's to look at, until
    /// it has said what it found ([`remember`](Self::remember)) or its time is over.
    pub async fn to_remember(&self, limit: i64) -> Result<Vec<ToRemember>, StoreError> {
        const DUE: &str = "
            SELECT id, agent_id, environment, owner, remembered_to, moved_at_entry, memory_due_at,
                updated_at, closed_at, turn_since
            FROM conversations WHERE memory_due_at <= $1
            ORDER BY memory_due_at LIMIT $2";
        let now = self.clock.now();
        let rows = all!(&self.db, DueRow, DUE, now.as_microsecond(), limit)?;
        let mut claimed = Vec::new();
        for row in rows {
            claimed.extend(self.claim(row, now).await?);
        }
        Ok(claimed)
    }

    async fn claim(&self, row: DueRow, now: Timestamp) -> Result<Option<ToRemember>, StoreError> {
        const TABLE: &str = "conversations";
        const SQL: &str = "
            UPDATE conversations SET memory_due_at = $3 WHERE id = $1 AND memory_due_at = $2";
        let owner: Option<Owner> = row
            .owner
            .map(|owner| parsed(&owner, TABLE, "owner"))
            .transpose()?;
        let quiet_at = row.updated_at + micros(QUIET_FOR);
        let is_quiet = row.closed_at.is_some() || quiet_at <= now.as_microsecond();
        let (contact, due_at) = match owner {
            // Whoever is not recognised is not remembered.
            Some(Owner::Visitor(_)) | None => (None, None),
            Some(Owner::Contact(_)) if !is_quiet || row.turn_since.is_some() => {
                let later =
                    quiet_at.max(now.as_microsecond() + micros(SignedDuration::from_mins(1)));
                (None, Some(later))
            }
            Some(Owner::Contact(contact)) => {
                let until = (now + CLAIMED_FOR).as_microsecond();
                (Some(contact), Some(until))
            }
        };
        let mut tx = self.begin().await?;
        let ours = execute!(&mut tx, SQL, row.id.as_str(), row.memory_due_at, due_at)? > 0;
        tx.commit().await?;
        let (Some(contact), Some(claimed_until), true) = (contact, due_at, ours) else {
            return Ok(None);
        };
        Ok(Some(ToRemember {
            conversation: parsed(&row.id, TABLE, "id")?,
            scope: Scope {
                agent: parsed(&row.agent_id, TABLE, "agent_id")?,
                environment: parsed(&row.environment, TABLE, "environment")?,
            },
            contact,
            // What came along when they signed in may have been said by anybody.
            remembered_to: row.remembered_to.max(row.moved_at_entry).unwrap_or(0),
            claimed_until,
        }))
    }

    /// Keeps what was found in a conversation up to that entry: facts beside those that
    /// are there, what it was about in place of what was noted before. False if it is
    /// not this contact's any more, or somebody else looks by now.
    pub async fn remember(
        &self,
        what: &ToRemember,
        up_to: EntryNumber,
        found: &[NewMemory],
    ) -> Result<bool, StoreError> {
        const DONE: &str = "
            UPDATE conversations SET remembered_to = $4,
                memory_due_at = CASE WHEN last_entry > $4 THEN CAST($5 AS BIGINT) END
            WHERE id = $1 AND owner = $2 AND memory_due_at = $3";
        const BEFORE: &str = "
            DELETE FROM memories
            WHERE conversation_id = $1 AND kind IN ('topic', 'open') AND noted_by = 'agent'";
        let mut tx = self.begin().await?;
        let id = what.conversation.to_string();
        let later = (self.clock.now() + QUIET_FOR).as_microsecond();
        let ours = execute!(
            &mut tx,
            DONE,
            id.as_str(),
            Owner::Contact(what.contact).to_string(),
            what.claimed_until,
            up_to,
            later
        )?;
        if ours == 0 {
            return Ok(false);
        }
        if found.iter().any(|it| it.kind != MemoryKind::Fact) {
            execute!(&mut tx, BEFORE, id.as_str())?;
        }
        for memory in found {
            self.note(&mut tx, what, memory).await?;
        }
        self.forget_oldest(&mut tx, what.contact).await?;
        tx.commit().await?;
        Ok(true)
    }

    async fn note(
        &self,
        tx: &mut Tx,
        what: &ToRemember,
        memory: &NewMemory,
    ) -> Result<(), StoreError> {
        const THERE: &str =
            "SELECT id FROM memories WHERE contact_id = $1 AND kind = $2 AND text = $3";
        const SQL: &str = "
            INSERT INTO memories (id, agent_id, environment, contact_id, kind, text,
                conversation_id, noted_by, noted_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
        let contact = what.contact.to_string();
        let (kind, text) = (memory.kind.as_str(), memory.text.as_str());
        if optional_in!(tx, (String,), THERE, contact.as_str(), kind, text)?.is_some() {
            return Ok(());
        }
        execute!(
            tx,
            SQL,
            MemoryId::new(&self.clock).to_string(),
            what.scope.agent.to_string(),
            what.scope.environment.as_str(),
            contact.as_str(),
            kind,
            text,
            what.conversation.to_string(),
            NotedBy::Agent.as_str(),
            self.clock.now().as_microsecond()
        )?;
        Ok(())
    }

    /// What an operator wrote stays.
    async fn forget_oldest(&self, tx: &mut Tx, contact: ContactId) -> Result<(), StoreError> {
        const SQL: &str = "
            DELETE FROM memories WHERE contact_id = $1 AND noted_by = 'agent' AND id NOT IN (
                SELECT id FROM memories WHERE contact_id = $1
                ORDER BY CASE WHEN noted_by = 'operator' THEN 0 ELSE 1 END,
                    noted_at DESC, id DESC
                LIMIT $2)";
        execute!(tx, SQL, contact.to_string(), MAX_OF_ONE as i64)?;
        Ok(())
    }

    /// Puts other words in place of what is remembered, by an operator. False if there
    /// is no such memory.
    pub async fn change_memory(
        &self,
        scope: Scope,
        id: MemoryId,
        text: &MemoryText,
    ) -> Result<bool, StoreError> {
        const SQL: &str = "
            UPDATE memories SET text = $4, noted_by = $5, noted_at = $6
            WHERE id = $1 AND agent_id = $2 AND environment = $3 RETURNING contact_id";
        let mut tx = self.begin().await?;
        let of = optional_in!(
            &mut tx,
            (String,),
            SQL,
            id.to_string(),
            scope.agent.to_string(),
            scope.environment.as_str(),
            text.as_str(),
            NotedBy::Operator.as_str(),
            self.clock.now().as_microsecond()
        )?;
        self.note_change(tx, scope, id, of, Audited::MemoryChanged)
            .await
    }

    /// Forgets one thing. False if there is no such memory.
    pub async fn forget_memory(&self, scope: Scope, id: MemoryId) -> Result<bool, StoreError> {
        const SQL: &str =
            "DELETE FROM memories WHERE id = $1 AND agent_id = $2 AND environment = $3
            RETURNING contact_id";
        let mut tx = self.begin().await?;
        let of = optional_in!(
            &mut tx,
            (String,),
            SQL,
            id.to_string(),
            scope.agent.to_string(),
            scope.environment.as_str()
        )?;
        let done = self
            .note_change(tx, scope, id, of, Audited::MemoryForgotten)
            .await?;
        self.empty_the_log().await;
        Ok(done)
    }

    async fn note_change(
        &self,
        mut tx: Tx,
        scope: Scope,
        id: MemoryId,
        of: Option<(String,)>,
        kind: Audited,
    ) -> Result<bool, StoreError> {
        let Some((contact,)) = of else {
            return Ok(false);
        };
        let told = serde_json::json!({ "memory": id.to_string(), "contact": contact });
        self.audit(&mut tx, scope, kind, told).await?;
        tx.commit().await?;
        Ok(true)
    }
}

/// Forgets what was noted from a conversation that turned out to be somebody else's.
pub(crate) async fn forget_conversation(
    tx: &mut Tx,
    conversation: ConversationId,
) -> Result<(), StoreError> {
    const SQL: &str = "DELETE FROM memories WHERE conversation_id = $1";
    execute!(tx, SQL, conversation.to_string())?;
    Ok(())
}

fn micros(duration: SignedDuration) -> i64 {
    i64::try_from(duration.as_micros()).expect("minutes")
}
