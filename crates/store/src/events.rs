//! Events: what happened to an owner, in order, for those who were away.

use maitred_core::{
    event::{Numbered, Position},
    scope::Owner,
};

use crate::{
    Store, StoreError,
    db::{all, optional},
    entries::EntryRow,
};

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
    #[sqlx(flatten)]
    entry: EntryRow,
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

    /// What happened to an owner after a position, at most 200 events at a time.
    pub async fn replay(&self, owner: Owner, after: &Position) -> Result<Replay, StoreError> {
        const LIMIT: usize = 200;
        const SQL: &str = "
            SELECT events.number AS place, entries.id, entries.conversation_id, entries.number,
                entries.body, entries.added_at
            FROM events JOIN entries ON entries.id = events.entry_id
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
        for row in rows {
            let position = Position {
                epoch: now.epoch.clone(),
                number: row.place,
            };
            let entry = row.entry.try_into()?;
            events.push(Numbered { position, entry });
        }
        Ok(Replay::Events { events, more })
    }
}
