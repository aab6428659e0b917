//! API keys: what programs of an operator use the API with.
//!
//! A key is for the whole installation, or for one agent only. Only the hash of
//! its text is kept.

use jiff::{SignedDuration, Timestamp};
use maitred_core::{
    id::{AgentId, ApiKeyId},
    message::Name,
    secret::{Secret, SecretFor, new_secret},
};

use crate::{
    Store, StoreError,
    audit::Audited,
    db::{all, execute, optional, optional_in},
    row::{parsed, time},
};

/// How exactly it is known when a key was last used.
const USE_IS_NOTED_EVERY: SignedDuration = SignedDuration::from_mins(1);

/// An API key, as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiKey {
    /// Its name in the audit log.
    pub id: ApiKeyId,
    /// What the operator calls it.
    pub name: String,
    /// The one agent it is for; without one it is for the whole installation.
    pub agent: Option<AgentId>,
    /// What is shown of it.
    pub last_four: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// Since when it is not accepted any more.
    pub revoked_at: Option<Timestamp>,
}

type ApiKeyRow = (
    String,
    String,
    Option<String>,
    String,
    i64,
    Option<i64>,
    Option<i64>,
);

impl Store {
    /// Makes a key. Its text is not kept, and cannot be told again.
    pub async fn create_api_key(
        &self,
        name: &Name,
        agent: Option<AgentId>,
    ) -> Result<(ApiKey, Secret), StoreError> {
        const SQL: &str = "
            INSERT INTO api_keys (id, name, secret_hash, last_four, agent_id, created_at)
            VALUES ($1, $2, $3, $4, $5, $6)";
        let secret = new_secret(SecretFor::ApiKey);
        let key = ApiKey {
            id: ApiKeyId::new(&self.clock),
            name: name.as_str().to_owned(),
            agent,
            last_four: secret.last_four().to_owned(),
            created_at: self.clock.now(),
            last_used_at: None,
            revoked_at: None,
        };
        let mut tx = self.begin().await?;
        execute!(
            &mut tx,
            SQL,
            key.id.to_string(),
            name.as_str(),
            secret.hash(),
            secret.last_four(),
            agent.map(|it| it.to_string()),
            key.created_at.as_microsecond(),
        )?;
        let told = serde_json::json!({ "api_key": key.id.to_string(), "name": name.as_str() });
        self.audit(&mut tx, agent, Audited::ApiKeyCreated, told)
            .await?;
        tx.commit().await?;
        Ok((key, secret))
    }

    /// All keys, the oldest first.
    pub async fn api_keys(&self) -> Result<Vec<ApiKey>, StoreError> {
        const SQL: &str = "
            SELECT id, name, agent_id, last_four, created_at, last_used_at, revoked_at
            FROM api_keys ORDER BY created_at, id";
        let rows = all!(&self.db, ApiKeyRow, SQL)?;
        rows.into_iter().map(key_from).collect()
    }

    /// The key that has this text, also if it was revoked.
    pub async fn api_key(&self, secret: &Secret) -> Result<Option<ApiKey>, StoreError> {
        const SQL: &str = "
            SELECT id, name, agent_id, last_four, created_at, last_used_at, revoked_at
            FROM api_keys WHERE secret_hash = $1";
        let row = optional!(&self.db, ApiKeyRow, SQL, secret.hash())?;
        row.map(key_from).transpose()
    }

    /// The key by that id, also if it was revoked.
    pub async fn api_key_by_id(&self, id: ApiKeyId) -> Result<Option<ApiKey>, StoreError> {
        const SQL: &str = "
            SELECT id, name, agent_id, last_four, created_at, last_used_at, revoked_at
            FROM api_keys WHERE id = $1";
        let row = optional!(&self.db, ApiKeyRow, SQL, id.to_string())?;
        row.map(key_from).transpose()
    }

    /// Notes that a key was used now, unless that was noted within the minute.
    pub async fn note_use(&self, key: &ApiKey) -> Result<(), StoreError> {
        const SQL: &str = "
            UPDATE api_keys SET last_used_at = $2
            WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $2)";
        let now = self.clock.now();
        let is_noted = |at: Timestamp| now.duration_since(at) < USE_IS_NOTED_EVERY;
        if key.last_used_at.is_some_and(is_noted) {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        execute!(&mut tx, SQL, key.id.to_string(), now.as_microsecond())?;
        tx.commit().await
    }

    /// Never accepts the key again. False if there is no such key, or it was
    /// revoked before.
    pub async fn revoke_api_key(&self, id: ApiKeyId) -> Result<bool, StoreError> {
        const SQL: &str = "
            UPDATE api_keys SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL
            RETURNING agent_id";
        let mut tx = self.begin().await?;
        let row = optional_in!(
            &mut tx,
            (Option<String>,),
            SQL,
            id.to_string(),
            self.clock.now().as_microsecond()
        )?;
        let Some((agent,)) = row else {
            return Ok(false);
        };
        let agent: Option<AgentId> = agent
            .map(|text| parsed(&text, "api_keys", "agent_id"))
            .transpose()?;
        let told = serde_json::json!({ "api_key": id.to_string() });
        self.audit(&mut tx, agent, Audited::ApiKeyRevoked, told)
            .await?;
        tx.commit().await?;
        Ok(true)
    }
}

fn key_from(row: ApiKeyRow) -> Result<ApiKey, StoreError> {
    const TABLE: &str = "api_keys";
    let (id, name, agent, last_four, created_at, last_used_at, revoked_at) = row;
    Ok(ApiKey {
        id: parsed(&id, TABLE, "id")?,
        name,
        agent: agent
            .map(|text| parsed(&text, TABLE, "agent_id"))
            .transpose()?,
        last_four,
        created_at: time(created_at, TABLE, "created_at")?,
        last_used_at: last_used_at
            .map(|at| time(at, TABLE, "last_used_at"))
            .transpose()?,
        revoked_at: revoked_at
            .map(|at| time(at, TABLE, "revoked_at"))
            .transpose()?,
    })
}
