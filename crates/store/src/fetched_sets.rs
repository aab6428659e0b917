//! What was last fetched of the key sets of identity providers (rule K4).
//!
//! Kept, so that a restart while an identity provider is away locks nobody out,
//! and so that a command beside a server can tell how fetching goes. A set is
//! public: nothing here is sealed.

use jiff::Timestamp;
use maitred_core::{id::KeyId, scope::Scope};

use crate::{
    Store, StoreError,
    db::{all, execute},
    row::{parsed, time},
};

const TABLE: &str = "fetched_sets";

/// How fetching one set went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchedSet {
    /// The key that names its address.
    pub key: KeyId,
    /// The last one that could be used.
    pub last_good: Option<GoodSet>,
    /// How the last try failed, if it did.
    pub failure: Option<SetFailure>,
}

/// A set that could be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoodSet {
    /// The set as JSON.
    pub body: String,
    /// When it was fetched.
    pub fetched_at: Timestamp,
    /// Until when it need not be fetched again.
    pub fresh_until: Timestamp,
}

/// A try that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetFailure {
    /// When.
    pub at: Timestamp,
    /// Why, for the operator.
    pub reason: String,
}

#[derive(sqlx::FromRow)]
struct SetRow {
    key_id: String,
    body: Option<String>,
    fetched_at: Option<i64>,
    fresh_until: Option<i64>,
    failed_at: Option<i64>,
    failure: Option<String>,
}

impl Store {
    /// What was fetched for one agent and environment.
    pub async fn fetched_sets(&self, scope: Scope) -> Result<Vec<FetchedSet>, StoreError> {
        const SQL: &str = "
            SELECT f.key_id, f.body, f.fetched_at, f.fresh_until, f.failed_at, f.failure
            FROM fetched_sets f JOIN signing_keys k ON k.id = f.key_id
            WHERE k.agent_id = $1 AND k.environment = $2";
        let rows = all!(
            &self.db,
            SetRow,
            SQL,
            scope.agent.to_string(),
            scope.environment.as_str()
        )?;
        rows.into_iter().map(FetchedSet::try_from).collect()
    }

    /// Keeps a set that could be used, and forgets how fetching it failed before.
    pub async fn keep_set(
        &self,
        scope: Scope,
        key: KeyId,
        set: &GoodSet,
    ) -> Result<(), StoreError> {
        const SQL: &str = "
            INSERT INTO fetched_sets (key_id, body, fetched_at, fresh_until)
            SELECT id, $4, $5, $6 FROM signing_keys
            WHERE id = $1 AND agent_id = $2 AND environment = $3
            ON CONFLICT (key_id) DO UPDATE SET
                body = excluded.body, fetched_at = excluded.fetched_at,
                fresh_until = excluded.fresh_until, failed_at = NULL, failure = NULL";
        let mut tx = self.begin().await?;
        execute!(
            &mut tx,
            SQL,
            key.to_string(),
            scope.agent.to_string(),
            scope.environment.as_str(),
            set.body.as_str(),
            set.fetched_at.as_microsecond(),
            set.fresh_until.as_microsecond(),
        )?;
        tx.commit().await
    }

    /// Notes that fetching failed. What was fetched before stays.
    pub async fn note_set_failure(
        &self,
        scope: Scope,
        key: KeyId,
        failure: &SetFailure,
    ) -> Result<(), StoreError> {
        const SQL: &str = "
            INSERT INTO fetched_sets (key_id, failed_at, failure)
            SELECT id, $4, $5 FROM signing_keys
            WHERE id = $1 AND agent_id = $2 AND environment = $3
            ON CONFLICT (key_id) DO UPDATE SET
                failed_at = excluded.failed_at, failure = excluded.failure";
        let mut tx = self.begin().await?;
        execute!(
            &mut tx,
            SQL,
            key.to_string(),
            scope.agent.to_string(),
            scope.environment.as_str(),
            failure.at.as_microsecond(),
            failure.reason.as_str(),
        )?;
        tx.commit().await
    }
}

impl TryFrom<SetRow> for FetchedSet {
    type Error = StoreError;

    fn try_from(row: SetRow) -> Result<Self, StoreError> {
        let last_good = match (row.body, row.fetched_at, row.fresh_until) {
            (Some(body), Some(fetched_at), Some(fresh_until)) => Some(GoodSet {
                body,
                fetched_at: time(fetched_at, TABLE, "fetched_at")?,
                fresh_until: time(fresh_until, TABLE, "fresh_until")?,
            }),
            (None, None, None) => None,
            _ => {
                return Err(StoreError::Corrupt {
                    table: TABLE,
                    column: "body",
                });
            }
        };
        let failure = match (row.failed_at, row.failure) {
            (Some(at), Some(reason)) => Some(SetFailure {
                at: time(at, TABLE, "failed_at")?,
                reason,
            }),
            _ => None,
        };
        Ok(Self {
            key: parsed(&row.key_id, TABLE, "key_id")?,
            last_good,
            failure,
        })
    }
}
