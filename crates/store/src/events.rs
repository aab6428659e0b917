//! Events: what happened to an owner, in order, for those who were away.

use std::collections::HashMap;

use maitred_core::{
    conversation::Conversation,
    event::{Numbered, Position, Stored},
    id::{ConversationId, EntryId},
    scope::Owner,
};

use crate::{
    Store, StoreError,
    db::{Db, Tx, all, execute, optional, optional_in},
    entries::EntryRow,
    row::parsed,
};

/// What an event is of.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Of {
    /// A line of a conversation.
    Entry(EntryId),
    /// The conversation as a whole.
    Conversation(ConversationId),
}

/// What a stream must send to whoever was at some position.
#[derive(Debug)]
pub enum Replay {
    /// Every event after it, in order, and whether there are more.
    Events {
        /// The events.
        events: Vec<Numbered>,
        /// True if this is a part only.
        more: bool,
    },
    /// The numbering began anew: everything must be read again, and the stream
    /// goes on from here.
    Resync(Position),
}

#[derive(sqlx::FromRow)]
struct EventRow {
    place: i64,
    id: Option<String>,
    conversation_id: Option<String>,
    number: Option<i64>,
    body: Option<String>,
    added_at: Option<i64>,
}

impl EventRow {
    /// The entry that it is of, if it is of one that is still there.
    fn entry(&self) -> Option<EntryRow> {
        Some(EntryRow {
            id: self.id.clone()?,
            conversation_id: self.conversation_id.clone()?,
            number: self.number?,
            body: self.body.clone()?,
            added_at: self.added_at?,
        })
    }
}

impl Store {
    /// The place of the last event of an owner.
    pub async fn position(&self, owner: Owner) -> Result<Option<Position>, StoreError> {
        const OF_CONTACT: &str = "SELECT epoch, last_event FROM contacts WHERE id = $1";
        const OF_VISITOR: &str = "SELECT epoch, last_event FROM visitors WHERE id = $1";
        let sql = match owner {
            Owner::Contact(_) => OF_CONTACT,
            Owner::Visitor(_) => OF_VISITOR,
        };
        let row = optional!(&self.db, (String, i64), sql, owner.to_string())?;
        Ok(row.map(|(epoch, number)| Position { epoch, number }))
    }

    /// The places of the last events of many owners, by few queries. Nothing where
    /// one process alone serves: it announces whatever it stores.
    pub async fn positions(&self, owners: &[Owner]) -> Result<Vec<(Owner, Position)>, StoreError> {
        const AT_ONCE: usize = 2_000;
        const SQL: &str = "
            SELECT id, epoch, last_event FROM contacts WHERE id = ANY($1)
            UNION ALL
            SELECT id, epoch, last_event FROM visitors WHERE id = ANY($1)";
        let Db::Postgres(pool) = &self.db else {
            return Ok(Vec::new());
        };
        let mut positions = Vec::with_capacity(owners.len());
        for some in owners.chunks(AT_ONCE) {
            let some: Vec<String> = some.iter().map(ToString::to_string).collect();
            let rows: Vec<(String, String, i64)> =
                sqlx::query_as(SQL).bind(some).fetch_all(pool).await?;
            for (owner, epoch, number) in rows {
                let owner = parsed(&owner, "contacts", "id")?;
                positions.push((owner, Position { epoch, number }));
            }
        }
        Ok(positions)
    }

    /// What happened to an owner after a position, at most 200 events at a time.
    pub async fn replay(&self, owner: Owner, after: &Position) -> Result<Replay, StoreError> {
        const LIMIT: usize = 200;
        const SQL: &str = "
            SELECT events.number AS place, entries.id, entries.number, entries.body,
                entries.added_at,
                coalesce(events.conversation_id, entries.conversation_id) AS conversation_id
            FROM events LEFT JOIN entries ON entries.id = events.entry_id
            WHERE events.owner = $1 AND events.number > $2
            ORDER BY events.number LIMIT 200";
        let Some(now) = self.position(owner).await? else {
            return Ok(Replay::Resync(after.clone()));
        };
        if now.epoch != after.epoch || after.number > now.number || after.number < 0 {
            return Ok(Replay::Resync(now));
        }
        let rows = all!(&self.db, EventRow, SQL, owner.to_string(), after.number)?;
        let more = rows.len() == LIMIT;
        // A gap is never passed over in silence, nor is an end that is missing.
        let in_order = rows.iter().map(|row| row.place);
        let reached = rows.last().map_or(after.number, |row| row.place);
        if !in_order.eq(after.number + 1..=reached) || (!more && reached < now.number) {
            return Ok(Replay::Resync(now));
        }
        let mut events = Vec::with_capacity(rows.len());
        let mut known = HashMap::new();
        for row in rows {
            let position = Position {
                epoch: now.epoch.clone(),
                number: row.place,
            };
            let Some(what) = self.stored(owner, row, &mut known).await? else {
                return Ok(Replay::Resync(now));
            };
            events.push(Numbered { position, what });
        }
        Ok(Replay::Events { events, more })
    }

    /// What an event tells; none if that is gone. Of a conversation it tells how it
    /// is now, whatever it was then.
    async fn stored(
        &self,
        owner: Owner,
        row: EventRow,
        known: &mut HashMap<String, Conversation>,
    ) -> Result<Option<Stored>, StoreError> {
        if let Some(entry) = row.entry() {
            return Ok(Some(Stored::Entry(entry.try_into()?)));
        }
        let Some(id) = row.conversation_id else {
            return Ok(None);
        };
        if let Some(conversation) = known.get(&id) {
            return Ok(Some(Stored::Status(conversation.clone())));
        }
        let conversation = self
            .conversation(owner, parsed(&id, "events", "conversation_id")?)
            .await?;
        if let Some(conversation) = &conversation {
            known.insert(id, conversation.clone());
        }
        Ok(conversation.map(Stored::Status))
    }

    /// Numbers a change of a conversation as a whole; for whom it is to be announced.
    pub(crate) async fn number_status(
        &self,
        tx: &mut Tx,
        owner: Owner,
        conversation: Conversation,
    ) -> Result<Numbered, StoreError> {
        let position = number_event(tx, owner, Of::Conversation(conversation.id)).await?;
        let what = Stored::Status(conversation);
        Ok(Numbered { position, what })
    }
}

/// Gives an event its place among its owner's (rule R4).
pub(crate) async fn number_event(
    tx: &mut Tx,
    owner: Owner,
    of: Of,
) -> Result<Position, StoreError> {
    const OF_CONTACT: &str = "
        UPDATE contacts SET last_event = last_event + 1 WHERE id = $1
        RETURNING epoch, last_event";
    const OF_VISITOR: &str = "
        UPDATE visitors SET last_event = last_event + 1 WHERE id = $1
        RETURNING epoch, last_event";
    const EVENT: &str = "
        INSERT INTO events (owner, number, entry_id, conversation_id) VALUES ($1, $2, $3, $4)";
    let sql = match owner {
        Owner::Contact(_) => OF_CONTACT,
        Owner::Visitor(_) => OF_VISITOR,
    };
    let (epoch, number) =
        optional_in!(tx, (String, i64), sql, owner.to_string())?.ok_or(StoreError::Corrupt {
            table: "conversations",
            column: "owner",
        })?;
    let (entry, conversation) = match of {
        Of::Entry(id) => (Some(id.to_string()), None),
        Of::Conversation(id) => (None, Some(id.to_string())),
    };
    execute!(tx, EVENT, owner.to_string(), number, entry, conversation)?;
    Ok(Position { epoch, number })
}
