//! Actions, as operators wrote them.

use maitred_core::id::{ActionId, AgentId};

use crate::{
    Store, StoreError,
    db::{all, optional_in},
    installation::bump_changes,
    row::parsed,
};

/// An Action's definition, as it is kept. The store does not look into it.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredAction {
    /// Its id.
    pub id: ActionId,
    /// Its name, unique within the agent.
    pub name: String,
    /// Counts its changes.
    pub version: i64,
    /// JSON, as it was imported.
    pub definition: String,
}

impl Store {
    /// Keeps an Action, or replaces the one by that name.
    pub async fn put_action(
        &self,
        agent: AgentId,
        name: &str,
        definition: &str,
    ) -> Result<ActionId, StoreError> {
        const SQL: &str = "
            INSERT INTO actions (id, agent_id, name, version, definition, updated_at)
            VALUES ($1, $2, $3, 1, $4, $5)
            ON CONFLICT (agent_id, name) DO UPDATE SET version = actions.version + 1,
                definition = excluded.definition, updated_at = excluded.updated_at
            RETURNING id";
        let mut tx = self.begin().await?;
        let (id,) = optional_in!(
            &mut tx,
            (String,),
            SQL,
            ActionId::new(&self.clock).to_string(),
            agent.to_string(),
            name,
            definition,
            self.clock.now().as_microsecond(),
        )?
        .ok_or(StoreError::Conflict)?;
        bump_changes(&mut tx).await?;
        tx.commit().await?;
        parsed(&id, "actions", "id")
    }

    /// The Actions of an agent, in the order of the bytes of their names.
    pub async fn actions(&self, agent: AgentId) -> Result<Vec<StoredAction>, StoreError> {
        const SQL: &str = "
            SELECT id, name, version, definition FROM actions WHERE agent_id = $1";
        let mut rows = all!(
            &self.db,
            (String, String, i64, String),
            SQL,
            agent.to_string()
        )?;
        // Not in SQL: collations differ.
        rows.sort_by(|(_, a, ..), (_, b, ..)| a.cmp(b));
        rows.into_iter()
            .map(|(id, name, version, definition)| {
                Ok(StoredAction {
                    id: parsed(&id, "actions", "id")?,
                    name,
                    version,
                    definition,
                })
            })
            .collect()
    }
}
