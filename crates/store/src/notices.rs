//! What the nodes of an installation tell each other: whose streams and turns
//! must look again, since something was written beside them.
//!
//! A notice is written in the transaction that it is about. It names an owner, so
//! that a node disturbs the streams of that one and nobody else's. Every node
//! reads on from the last one it knows, often; notices are numbered in the
//! order in which they become visible, so none is missed.
//!
//! Not here: what is cached of an installation (`installation::bump_changes`).

use jiff::SignedDuration;
use maitred_core::scope::Owner;

use crate::{
    Store, StoreError,
    db::{Tx, all, execute, optional, optional_in},
    row::parsed,
};

/// A node that did not look for so long has nobody connected to it any more.
const KEPT_FOR: SignedDuration = SignedDuration::from_hours(24);

/// How many are read at once. The rest comes with the next look.
const AT_ONCE: i64 = 1_000;

const TABLE: &str = "notices";

/// Something that streams and turns of every node must look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Sessions of this owner have ended, or of anybody (rules K6, S5, S6, S8).
    SessionsEnded(Option<Owner>),
    /// The events of this owner are numbered anew (rules M1, M2).
    Renumbered(Owner),
}

impl Notice {
    fn kind(self) -> &'static str {
        match self {
            Self::SessionsEnded(_) => "sessions_ended",
            Self::Renumbered(_) => "renumbered",
        }
    }

    fn owner(self) -> Option<Owner> {
        match self {
            Self::SessionsEnded(owner) => owner,
            Self::Renumbered(owner) => Some(owner),
        }
    }

    fn parse(kind: &str, owner: Option<Owner>) -> Option<Self> {
        match (kind, owner) {
            ("sessions_ended", owner) => Some(Self::SessionsEnded(owner)),
            ("renumbered", Some(owner)) => Some(Self::Renumbered(owner)),
            _ => None,
        }
    }
}

impl Store {
    /// The number of the last notice; 0 before the first.
    pub async fn last_notice(&self) -> Result<i64, StoreError> {
        const SQL: &str = "SELECT number FROM counters WHERE name = 'notices'";
        let row = optional!(&self.db, (i64,), SQL)?;
        row.map(|(number,)| number).ok_or(NO_COUNTER)
    }

    /// What was noted after that number, the oldest first, each with its own.
    pub async fn notices_after(&self, number: i64) -> Result<Vec<(i64, Notice)>, StoreError> {
        const SQL: &str = "
            SELECT number, kind, owner FROM notices WHERE number > $1
            ORDER BY number LIMIT $2";
        let rows = all!(
            &self.db,
            (i64, String, Option<String>),
            SQL,
            number,
            AT_ONCE
        )?;
        let notices = rows.into_iter().map(|(number, kind, owner)| {
            let owner = owner
                .map(|owner| parsed(&owner, TABLE, "owner"))
                .transpose()?;
            let notice = Notice::parse(&kind, owner).ok_or(StoreError::Corrupt {
                table: TABLE,
                column: "kind",
            })?;
            Ok((number, notice))
        });
        notices.collect()
    }

    /// Tells every node. The last thing that a transaction does: whoever has
    /// something to tell waits here for the others, and must not hold them up.
    pub(crate) async fn notify(&self, tx: &mut Tx, notice: Notice) -> Result<(), StoreError> {
        const TAKE: &str =
            "UPDATE counters SET number = number + 1 WHERE name = 'notices' RETURNING number";
        const INSERT: &str =
            "INSERT INTO notices (number, kind, owner, added_at) VALUES ($1, $2, $3, $4)";
        let (number,) = optional_in!(tx, (i64,), TAKE)?.ok_or(NO_COUNTER)?;
        execute!(
            tx,
            INSERT,
            number,
            notice.kind(),
            notice.owner().map(|owner| owner.to_string()),
            self.clock.now().as_microsecond()
        )?;
        Ok(())
    }

    /// Forgets what every node has read.
    pub(crate) async fn sweep_notices(&self, tx: &mut Tx) -> Result<u64, StoreError> {
        const SQL: &str = "DELETE FROM notices WHERE added_at < $1";
        let before = self.clock.now() - KEPT_FOR;
        Ok(execute!(tx, SQL, before.as_microsecond())?)
    }
}

const NO_COUNTER: StoreError = StoreError::Corrupt {
    table: "counters",
    column: "number",
};
