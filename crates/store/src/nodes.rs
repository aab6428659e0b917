//! The processes that serve one database, and which of them runs a turn.
//!
//! What always holds:
//!
//! - A node is alive as long as it has a row. Each beats; whoever finds that the
//!   beats of another stand still takes its row away. No two clocks are compared.
//! - A turn is run by the node that stands on its conversation, and by nobody
//!   else: whatever a turn appends is refused to all others in the transaction
//!   that would store it. A node that was thought dead and comes back has lost its
//!   turns, but nothing is done twice.
//!
//! Not here: when a node is to be thought dead (`server::nodes`).

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use jiff::Timestamp;
use maitred_core::{
    conversation::{Body, NewEntry, Status},
    id::{ConversationId, EntryId, NodeId},
    scope::{Owner, Scope},
};

use crate::{
    Appended, Store, StoreError, TurnMark,
    db::{Db, all, execute, optional},
    row::parsed,
};

/// How many turns are taken up at once. The rest comes with the next look.
const AT_ONCE: i64 = 100;

/// The node that a store serves.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    id: NodeId,
    /// Whether others serve the same database, as of the last time somebody looked.
    has_peers: Arc<AtomicBool>,
}

/// A node, as its row says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeRow {
    /// Which one.
    pub id: NodeId,
    /// How often it has said that it lives.
    pub beats: i64,
}

/// A conversation, as far as a turn must know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TurnPlace {
    /// Its agent and environment.
    pub scope: Scope,
    /// Whom its events are announced to; nobody, if only operators see it.
    pub owner: Option<Owner>,
    /// Whether this node runs its turn.
    pub is_ours: bool,
}

impl Store {
    /// The same store, for a node that serves: it has its row from here on. On
    /// SQLite it is the only one, so whoever was there before is gone.
    pub async fn joined_by(&self, id: NodeId) -> Result<Self, StoreError> {
        const OTHERS: &str = "DELETE FROM nodes";
        let node = Node {
            id,
            has_peers: Arc::default(),
        };
        let mut store = self.clone();
        store.node = Some(node);
        let mut tx = store.begin().await?;
        if !store.is_shared() {
            execute!(&mut tx, OTHERS)?;
        }
        store.insert_node(&mut tx, id).await?;
        tx.commit().await?;
        store.nodes().await?;
        Ok(store)
    }

    /// Whether several nodes can serve this database at once.
    pub fn is_shared(&self) -> bool {
        matches!(self.db, Db::Postgres(_))
    }

    /// Whether others serve it, too, as far as is known.
    pub fn has_peers(&self) -> bool {
        self.node
            .as_ref()
            .is_some_and(|node| node.has_peers.load(Relaxed))
    }

    /// Which node this is, if it is one.
    pub fn node(&self) -> Option<NodeId> {
        self.node.as_ref().map(|node| node.id)
    }

    /// Says that this node lives. False if others thought it dead meanwhile; it has
    /// its row again.
    pub async fn beat(&self) -> Result<bool, StoreError> {
        const SQL: &str = "UPDATE nodes SET beats = beats + 1 WHERE id = $1";
        let Some(id) = self.node() else {
            return Ok(true);
        };
        let mut tx = self.begin().await?;
        let was_there = execute!(&mut tx, SQL, id.to_string())? > 0;
        if !was_there {
            self.insert_node(&mut tx, id).await?;
        }
        tx.commit().await?;
        Ok(was_there)
    }

    /// Every node that has a row.
    pub async fn nodes(&self) -> Result<Vec<NodeRow>, StoreError> {
        const SQL: &str = "SELECT id, beats FROM nodes";
        let rows = all!(&self.db, (String, i64), SQL)?;
        self.saw_nodes(rows.len() as i64);
        let nodes = rows.into_iter().map(|(id, beats)| {
            let id = parsed(&id, "nodes", "id")?;
            Ok(NodeRow { id, beats })
        });
        nodes.collect()
    }

    /// Takes away the row of a node that is gone, unless it has beaten since. Of all
    /// who noticed, one hears that it did it.
    pub async fn remove_node(&self, node: NodeRow) -> Result<bool, StoreError> {
        const SQL: &str = "DELETE FROM nodes WHERE id = $1 AND beats = $2";
        let mut tx = self.begin().await?;
        let done = execute!(&mut tx, SQL, node.id.to_string(), node.beats)?;
        tx.commit().await?;
        Ok(done > 0)
    }

    /// Takes away the row of a node that is known to be gone, however it beat.
    pub async fn forget_node(&self, id: NodeId) -> Result<(), StoreError> {
        const SQL: &str = "DELETE FROM nodes WHERE id = $1";
        let mut tx = self.begin().await?;
        execute!(&mut tx, SQL, id.to_string())?;
        tx.commit().await
    }

    /// Takes away this node's own row: it ends, and others may take up its turns.
    pub async fn leave(&self) -> Result<(), StoreError> {
        match self.node() {
            Some(id) => self.forget_node(id).await,
            None => Ok(()),
        }
    }

    /// Turns that no living node runs, and then those of this one in which nothing has
    /// happened since that moment, which may just be slow: the longest waiting first.
    pub async fn turns_left_open(
        &self,
        unmoved_since: Timestamp,
    ) -> Result<Vec<ConversationId>, StoreError> {
        const SQL: &str = "
            SELECT id FROM conversations
            WHERE turn_since IS NOT NULL
                AND (NOT EXISTS (SELECT 1 FROM nodes WHERE nodes.id = conversations.turn_node)
                    OR (turn_node = $1 AND turn_since < $2))
            ORDER BY CASE WHEN turn_node = $1 THEN 1 ELSE 0 END, turn_since LIMIT $3";
        self.turns(SQL, unmoved_since).await
    }

    /// Of those, the ones of this node alone.
    pub async fn own_turns_left_open(
        &self,
        unmoved_since: Timestamp,
    ) -> Result<Vec<ConversationId>, StoreError> {
        const SQL: &str = "
            SELECT id FROM conversations
            WHERE turn_since IS NOT NULL AND turn_node = $1 AND turn_since < $2
            ORDER BY turn_since LIMIT $3";
        self.turns(SQL, unmoved_since).await
    }

    async fn turns(
        &self,
        sql: &'static str,
        unmoved_since: Timestamp,
    ) -> Result<Vec<ConversationId>, StoreError> {
        let since = unmoved_since.as_microsecond();
        let rows = all!(&self.db, (String,), sql, self.node_text(), since, AT_ONCE)?;
        rows.iter()
            .map(|(id,)| parsed(id, "conversations", "id"))
            .collect()
    }

    /// Makes a turn that was left open this node's, and says so in its conversation
    /// (rule R3). `None` if somebody else was there first, or it has ended.
    pub async fn take_up_turn(
        &self,
        conversation: ConversationId,
        unmoved_since: Timestamp,
    ) -> Result<Option<Appended>, StoreError> {
        let mut tx = self.begin().await?;
        let Some(mut place) = self.next_place(&mut tx, conversation).await? else {
            return Ok(None);
        };
        if !place
            .turn
            .is_left_open(&self.node_text(), unmoved_since.as_microsecond())
        {
            return Ok(None);
        }
        let resumed = NewEntry {
            id: EntryId::new(&self.clock),
            body: Body::Status(Status::Resumed),
        };
        let event = self
            .insert(&mut tx, &mut place, conversation, resumed)
            .await?;
        place.turn.node = Some(self.node_text());
        self.mark(&mut tx, conversation, &place, TurnMark::Running)
            .await?;
        tx.commit().await?;
        Ok(Some(Appended {
            owner: place.owner,
            events: event.into_iter().collect(),
        }))
    }

    /// Where a turn runs, for whom, and whether it is this node that runs it.
    pub async fn turn_place(&self, id: ConversationId) -> Result<Option<TurnPlace>, StoreError> {
        const TABLE: &str = "conversations";
        const SQL: &str = "
            SELECT agent_id, environment, owner, coalesce(turn_node, '')
            FROM conversations WHERE id = $1";
        type Row = (String, String, Option<String>, String);
        let row = optional!(&self.db, Row, SQL, id.to_string())?;
        row.map(|(agent, environment, owner, node)| {
            Ok(TurnPlace {
                scope: Scope {
                    agent: parsed(&agent, TABLE, "agent_id")?,
                    environment: parsed(&environment, TABLE, "environment")?,
                },
                owner: owner
                    .map(|owner| parsed(&owner, TABLE, "owner"))
                    .transpose()?,
                is_ours: node == self.node_text(),
            })
        })
        .transpose()
    }

    /// As it stands on a conversation; nothing, where no node serves.
    pub(crate) fn node_text(&self) -> String {
        self.node().map_or_else(String::new, |id| id.to_string())
    }

    /// So many nodes there are.
    pub(crate) fn saw_nodes(&self, nodes: i64) {
        if let Some(node) = &self.node {
            node.has_peers.store(self.is_shared() && nodes > 1, Relaxed);
        }
    }

    async fn insert_node(&self, tx: &mut crate::db::Tx, id: NodeId) -> Result<(), StoreError> {
        const SQL: &str = "
            INSERT INTO nodes (id, beats, started_at) VALUES ($1, 0, $2)
            ON CONFLICT (id) DO NOTHING";
        execute!(tx, SQL, id.to_string(), self.clock.now().as_microsecond())?;
        Ok(())
    }
}

/// What a conversation's row says of its turn.
#[derive(Debug, Default)]
pub(crate) struct TurnRow {
    /// When something last happened in it; none if no turn runs.
    pub(crate) since: Option<i64>,
    /// Who runs it.
    pub(crate) node: Option<String>,
    /// And lives.
    pub(crate) node_lives: bool,
}

impl TurnRow {
    /// Who runs the turn after a message was posted at that node: whoever runs it
    /// now, if they live; they find the message.
    pub(crate) fn claim(&mut self, node: String) {
        if self.since.is_none() || !self.node_lives {
            self.node = Some(node);
        }
    }

    /// Whether it is that node that runs it.
    pub(crate) fn is_run_by(&self, node: &str) -> bool {
        self.node.as_deref().unwrap_or_default() == node
    }

    fn is_left_open(&self, node: &str, unmoved_since: i64) -> bool {
        self.since.is_some_and(|since| {
            !self.node_lives || (self.is_run_by(node) && since < unmoved_since)
        })
    }
}
