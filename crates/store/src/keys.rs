//! Signing keys of the sites, and our own.

use jiff::Timestamp;
use maitred_core::{
    id::KeyId,
    scope::{Environment, Scope},
};
use secrecy::SecretSlice;

use crate::{
    Store, StoreError,
    audit::Audited,
    db::{all, execute},
    installation::bump_changes,
    marks::take_site,
    row::{parsed, time},
};

/// A key that verifies tokens, as it is kept.
#[derive(Debug)]
pub struct StoredKey {
    /// Its name, and its `kid`.
    pub id: KeyId,
    /// The agent and environment it belongs to.
    pub scope: Scope,
    /// `HS256`, …
    pub algorithm: String,
    /// The bytes of the HMAC key.
    pub secret: SecretSlice<u8>,
    /// What is shown of it.
    pub last_four: String,
    /// When it was made or imported.
    pub created_at: Timestamp,
    /// True if it was made elsewhere: its tokens must carry `aud` (rule K1).
    pub imported: bool,
    /// Whether it is still accepted.
    pub state: KeyState,
}

/// Whether a key is accepted (rule K6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// Yes.
    Active,
    /// Until then.
    Retiring(Timestamp),
    /// Never again.
    Revoked(Timestamp),
}

type KeyRow = (
    String,
    String,
    String,
    String,
    String,
    String,
    i64,
    Option<i64>,
    Option<i64>,
    Option<i64>,
);

impl Store {
    /// Keeps a shared secret, sealed.
    pub async fn insert_key(
        &self,
        scope: Scope,
        algorithm: &str,
        secret: &[u8],
        last_four: &str,
        imported: bool,
    ) -> Result<KeyId, StoreError> {
        const SQL: &str = "
            INSERT INTO signing_keys
                (id, agent_id, environment, algorithm, secret, last_four, created_at, imported_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";

        let id = KeyId::new(&self.clock);
        let now = self.clock.now().as_microsecond();
        let mut tx = self.begin().await?;
        execute!(
            &mut tx,
            SQL,
            id.to_string(),
            scope.agent.to_string(),
            scope.environment.as_str(),
            algorithm,
            self.master.seal(&row_of(id, scope), secret),
            last_four,
            now,
            imported.then_some(now),
        )?;
        let told = serde_json::json!({ "key": id.to_string(), "imported": imported });
        self.audit(&mut tx, scope, Audited::KeyCreated, told)
            .await?;
        bump_changes(&mut tx).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// The keys of one agent and environment, opened, the oldest first.
    pub async fn keys(&self, scope: Scope) -> Result<Vec<StoredKey>, StoreError> {
        const SQL: &str = "
            SELECT id, agent_id, environment, algorithm, secret, last_four, created_at,
                imported_at, accepted_until, revoked_at
            FROM signing_keys WHERE agent_id = $1 AND environment = $2
            ORDER BY created_at, id";
        let rows = all!(
            &self.db,
            KeyRow,
            SQL,
            scope.agent.to_string(),
            scope.environment.as_str()
        )?;
        rows.into_iter().map(|row| self.key_from(row)).collect()
    }

    /// Accepts the key until then and no longer. False if there is no such
    /// active key.
    pub async fn retire_key(
        &self,
        scope: Scope,
        id: KeyId,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        const SQL: &str = "
            UPDATE signing_keys SET accepted_until = $4
            WHERE id = $1 AND agent_id = $2 AND environment = $3 AND revoked_at IS NULL";
        let mut tx = self.begin().await?;
        let found = execute!(
            &mut tx,
            SQL,
            id.to_string(),
            scope.agent.to_string(),
            scope.environment.as_str(),
            until.as_microsecond()
        )? > 0;
        if found {
            let told = serde_json::json!({ "key": id.to_string(), "until": until.to_string() });
            self.audit(&mut tx, scope, Audited::KeyRetired, told)
                .await?;
            bump_changes(&mut tx).await?;
        }
        tx.commit().await?;
        Ok(found)
    }

    /// Never accepts the key again, and ends the sessions made with it. False if
    /// there is no such key, or it was revoked before.
    pub async fn revoke_key(&self, scope: Scope, id: KeyId) -> Result<bool, StoreError> {
        const KEY: &str = "
            UPDATE signing_keys SET revoked_at = $4
            WHERE id = $1 AND agent_id = $2 AND environment = $3 AND revoked_at IS NULL";
        const SESSIONS: &str =
            "UPDATE sessions SET ended_at = $2 WHERE key_id = $1 AND ended_at IS NULL";

        let now = self.clock.now().as_microsecond();
        let mut tx = self.begin().await?;
        // Whoever ends many sessions does it alone: two could wait for each other.
        take_site(&mut tx, scope).await?;
        let found = execute!(
            &mut tx,
            KEY,
            id.to_string(),
            scope.agent.to_string(),
            scope.environment.as_str(),
            now
        )? > 0;
        if found {
            execute!(&mut tx, SESSIONS, id.to_string(), now)?;
            let told = serde_json::json!({ "key": id.to_string() });
            self.audit(&mut tx, scope, Audited::KeyRevoked, told)
                .await?;
            bump_changes(&mut tx).await?;
        }
        tx.commit().await?;
        Ok(found)
    }

    /// The keys that sign our assertions in one environment, the newest first.
    pub async fn assertion_keys(
        &self,
        environment: Environment,
    ) -> Result<Vec<SecretSlice<u8>>, StoreError> {
        const SQL: &str = "
            SELECT id, secret FROM assertion_keys
            WHERE environment = $1 AND retired_at IS NULL
            ORDER BY created_at DESC, id DESC";
        let rows = all!(&self.db, (String, String), SQL, environment.as_str())?;
        rows.into_iter()
            .map(|(id, sealed)| {
                let row = assertion_row(&id, environment);
                self.master
                    .open(&row, &sealed)
                    .ok_or(StoreError::Sealed(id))
            })
            .collect()
    }

    /// Keeps a key that signs our assertions.
    pub async fn insert_assertion_key(
        &self,
        environment: Environment,
        id: &str,
        pkcs8: &[u8],
    ) -> Result<(), StoreError> {
        const SQL: &str = "
            INSERT INTO assertion_keys (id, environment, secret, created_at)
            VALUES ($1, $2, $3, $4)";
        let mut tx = self.begin().await?;
        execute!(
            &mut tx,
            SQL,
            id,
            environment.as_str(),
            self.master.seal(&assertion_row(id, environment), pkcs8),
            self.clock.now().as_microsecond(),
        )?;
        tx.commit().await
    }

    fn key_from(&self, row: KeyRow) -> Result<StoredKey, StoreError> {
        let (
            id,
            agent,
            environment,
            algorithm,
            sealed,
            last_four,
            created_at,
            imported,
            until,
            revoked,
        ) = row;
        const TABLE: &str = "signing_keys";
        let id: KeyId = parsed(&id, TABLE, "id")?;
        let scope = Scope {
            agent: parsed(&agent, TABLE, "agent_id")?,
            environment: parsed(&environment, TABLE, "environment")?,
        };
        let secret = self
            .master
            .open(&row_of(id, scope), &sealed)
            .ok_or_else(|| StoreError::Sealed(id.to_string()))?;
        let state = match (revoked, until) {
            (Some(at), _) => KeyState::Revoked(time(at, TABLE, "revoked_at")?),
            (None, Some(at)) => KeyState::Retiring(time(at, TABLE, "accepted_until")?),
            (None, None) => KeyState::Active,
        };
        Ok(StoredKey {
            id,
            scope,
            algorithm,
            secret,
            last_four,
            created_at: time(created_at, TABLE, "created_at")?,
            imported: imported.is_some(),
            state,
        })
    }
}

/// What a sealed secret is bound to: its row, its agent and its environment.
fn row_of(id: KeyId, scope: Scope) -> String {
    format!("signing_keys/{id}/{scope}")
}

fn assertion_row(id: &str, environment: Environment) -> String {
    format!("assertion_keys/{id}/{environment}")
}
