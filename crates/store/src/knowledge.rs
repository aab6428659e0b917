//! What an agent may answer from, and the vectors of it.

use maitred_core::id::{AgentId, SourceId};

use crate::{
    Store, StoreError,
    db::{all, execute, optional_in},
    installation::bump_changes,
    row::parsed,
};

/// A page that an agent may cite.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// Its id.
    pub id: SourceId,
    /// Where a visitor can read it.
    pub url: String,
    /// Its title.
    pub title: String,
    /// Markdown.
    pub body: String,
}

impl Store {
    /// Keeps a page, or replaces the one at that address.
    pub async fn put_source(
        &self,
        agent: AgentId,
        url: &str,
        title: &str,
        body: &str,
    ) -> Result<SourceId, StoreError> {
        const SQL: &str = "
            INSERT INTO sources (id, agent_id, url, title, body, updated_at)
            VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT (agent_id, url) DO UPDATE SET title = excluded.title,
                body = excluded.body, updated_at = excluded.updated_at
            RETURNING id";
        let mut tx = self.begin().await?;
        let (id,) = optional_in!(
            &mut tx,
            (String,),
            SQL,
            SourceId::new(&self.clock).to_string(),
            agent.to_string(),
            url,
            title,
            body,
            self.clock.now().as_microsecond(),
        )?
        .ok_or(StoreError::Conflict)?;
        bump_changes(&mut tx).await?;
        tx.commit().await?;
        parsed(&id, "sources", "id")
    }

    /// The pages of an agent, in the order of the bytes of their addresses.
    pub async fn sources(&self, agent: AgentId) -> Result<Vec<Source>, StoreError> {
        const SQL: &str = "SELECT id, url, title, body FROM sources WHERE agent_id = $1";
        let mut rows = all!(
            &self.db,
            (String, String, String, String),
            SQL,
            agent.to_string()
        )?;
        // Not in SQL: collations differ.
        rows.sort_by(|(_, a, ..), (_, b, ..)| a.cmp(b));
        rows.into_iter()
            .map(|(id, url, title, body)| {
                Ok(Source {
                    id: parsed(&id, "sources", "id")?,
                    url,
                    title,
                    body,
                })
            })
            .collect()
    }

    /// Every vector that was kept, by the hash of what it stands for.
    pub async fn embeddings(&self) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        const SQL: &str = "SELECT hash, vector FROM embeddings";
        Ok(all!(&self.db, (String, Vec<u8>), SQL)?)
    }

    /// Keeps vectors, so that what they stand for is not embedded again.
    pub async fn put_embeddings(&self, vectors: &[(String, Vec<u8>)]) -> Result<(), StoreError> {
        const SQL: &str = "
            INSERT INTO embeddings (hash, vector) VALUES ($1, $2) ON CONFLICT (hash) DO NOTHING";
        let mut tx = self.begin().await?;
        for (hash, vector) in vectors {
            execute!(&mut tx, SQL, hash.as_str(), vector.as_slice())?;
        }
        tx.commit().await
    }
}
