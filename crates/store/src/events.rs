//! Events: what happened to an owner, in order, for those who were away.

use maitred_core::{
    event::{Numbered, Position},
    scope::Owner,
};

use crate::{
    Store, StoreError,
    db::{all, optional},
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
            SELECT number, entry_id FROM events
            WHERE owner = $1 AND number > $2 ORDER BY number LIMIT 200";
        let Some(now) = self.position(owner).await? else {
            return Ok(Replay::Resync(after.clone()));
        };
        if now.epoch != after.epoch || after.number > now.number || after.number < 0 {
            return Ok(Replay::Resync(now));
        }
        let rows = all!(
            &self.db,
            (i64, String),
            SQL,
            owner.to_string(),
            after.number
        )?;
        let more = rows.len() == LIMIT;
        let mut events = Vec::with_capacity(rows.len());
        for (number, entry_id) in rows {
            // A gap is never passed over in silence.
            let expected = after.number + 1 + i64::try_from(events.len()).unwrap_or(i64::MAX);
            let Some(entry) = self.entry(&entry_id).await?.filter(|_| number == expected) else {
                return Ok(Replay::Resync(now));
            };
            events.push(Numbered {
                position: Position {
                    epoch: now.epoch.clone(),
                    number,
                },
                entry,
            });
        }
        Ok(Replay::Events { events, more })
    }
}
