//! Who works on a source: one at a time, of all nodes and commands.
//!
//! A claim ends by itself. Where clocks differ so much that two work on one source
//! at once, they do the same twice: what they write is bound to what it was made of.

use jiff::{SignedDuration, Timestamp};
use maitred_core::{
    id::{AgentId, SourceId},
    knowledge::{Every, SourceKind},
};

use super::{TABLE, next_number};
use crate::{
    Store, StoreError,
    db::{execute, optional},
    row::{parsed, to_json},
};

/// For how long whoever claimed a source is believed to work on it.
const CLAIMED_FOR: SignedDuration = SignedDuration::from_mins(2);

/// After a failure, a source that is fetched regularly is tried again so soon.
const TRY_AGAIN: SignedDuration = SignedDuration::from_hours(1);

/// What is to be done for a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work {
    /// Its agent.
    pub agent: AgentId,
    /// Which one.
    pub source: SourceId,
    /// Whether it is to be fetched, too.
    pub is_due: bool,
}

/// How work on a source ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was fetched, all but these, for these reasons.
    Synced {
        /// What could not be read.
        skipped: Vec<(String, String)>,
    },
    /// Nothing was fetched, and what there was stays.
    Failed(String),
    /// It was not to be fetched.
    Indexed,
}

impl Store {
    /// Something to do that nobody works on; what is due the longest first.
    pub async fn work(&self) -> Result<Option<Work>, StoreError> {
        const DUE: &str = "
            SELECT agent_id, id FROM sources
            WHERE due_at <= $1 AND (claimed_until IS NULL OR claimed_until <= $1)
            ORDER BY due_at LIMIT 1";
        const LEFT: &str = "
            SELECT agent_id, id FROM sources
            WHERE (claimed_until IS NULL OR claimed_until <= $1) AND (
                id IN (SELECT source_id FROM pages WHERE cut_by IS NULL)
                OR id IN (SELECT source_id FROM passages WHERE vectors IS NULL)
            ) LIMIT 1";
        let now = self.clock.now().as_microsecond();
        let due = optional!(&self.db, (String, String), DUE, now)?;
        let (row, is_due) = match due {
            Some(row) => (Some(row), true),
            None => (optional!(&self.db, (String, String), LEFT, now)?, false),
        };
        row.map(|(agent, source)| {
            Ok(Work {
                agent: parsed(&agent, TABLE, "agent_id")?,
                source: parsed(&source, TABLE, "id")?,
                is_due,
            })
        })
        .transpose()
    }

    /// Claims a source for whoever is named so, or claims it for longer. False if
    /// somebody else works on it, or it is gone.
    pub async fn claim_source(&self, source: SourceId, by: &str) -> Result<bool, StoreError> {
        const SQL: &str = "
            UPDATE sources SET claimed_by = $2, claimed_until = $3
            WHERE id = $1 AND (claimed_by IS NULL OR claimed_by = $2 OR claimed_until <= $4)";
        let now = self.clock.now();
        let mut tx = self.begin().await?;
        let claimed = execute!(
            &mut tx,
            SQL,
            source.to_string(),
            by,
            (now + CLAIMED_FOR).as_microsecond(),
            now.as_microsecond(),
        )? > 0;
        tx.commit().await?;
        Ok(claimed)
    }

    /// Notes how work on a source ended, and lets others have it.
    pub async fn release_source(
        &self,
        source: SourceId,
        by: &str,
        outcome: &Outcome,
    ) -> Result<(), StoreError> {
        const TERMS: &str = "SELECT kind, every FROM sources WHERE id = $1";
        const RELEASE: &str = "
            UPDATE sources SET claimed_by = NULL, claimed_until = NULL
            WHERE id = $1 AND claimed_by = $2";
        const SYNCED: &str = "
            UPDATE sources SET synced_at = $2, due_at = $3, failed_at = NULL, failure = NULL,
                skipped = $4
            WHERE id = $1";
        const FAILED: &str = "
            UPDATE sources SET failed_at = $2, due_at = $3, failure = $4 WHERE id = $1";
        let id = source.to_string();
        let terms = optional!(
            &self.db,
            (Option<String>, Option<String>),
            TERMS,
            id.as_str()
        )?;
        let Some((kind, every)) = terms else {
            return Ok(());
        };
        let is_fetched = kind
            .and_then(|kind| kind.parse::<SourceKind>().ok())
            .is_some_and(SourceKind::is_fetched);
        let every = every
            .filter(|_| is_fetched)
            .and_then(|every| every.parse::<Every>().ok());
        let period = every.and_then(Every::period);
        let now = self.clock.now();
        let due_at =
            |after: Option<SignedDuration>| after.map(|after| (now + after).as_microsecond());
        let at = Timestamp::as_microsecond(now);
        let mut tx = self.begin().await?;
        match outcome {
            Outcome::Synced { skipped } => {
                execute!(
                    &mut tx,
                    SYNCED,
                    id.as_str(),
                    at,
                    due_at(period),
                    to_json(skipped)
                )?;
            }
            Outcome::Failed(why) => {
                let soon = period.map(|period| period.min(TRY_AGAIN));
                execute!(&mut tx, FAILED, id.as_str(), at, due_at(soon), why.as_str())?;
            }
            Outcome::Indexed => (),
        }
        execute!(&mut tx, RELEASE, id.as_str(), by)?;
        tx.commit().await
    }

    /// Has a source fetched again. False if the agent has none by that id.
    pub async fn ask_for_sync(&self, agent: AgentId, source: SourceId) -> Result<bool, StoreError> {
        const SQL: &str = "UPDATE sources SET due_at = $3 WHERE agent_id = $1 AND id = $2";
        let now = self.clock.now().as_microsecond();
        let mut tx = self.begin().await?;
        let asked = execute!(&mut tx, SQL, agent.to_string(), source.to_string(), now)? > 0;
        if asked {
            // Whoever looks for work looks when this moves.
            next_number(&mut tx).await?;
        }
        tx.commit().await?;
        Ok(asked)
    }
}
