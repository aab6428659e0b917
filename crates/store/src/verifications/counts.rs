//! What the log adds up to: how much a key is used, and what `required` would refuse.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};
use maitred_core::{id::KeyId, scope::Scope};

use super::{ACCEPTED, Attempt};
use crate::{
    Store, StoreError,
    db::{Tx, all, execute, optional, optional_in},
    row::time,
};

/// How far back the question goes what depends on a key (rule K6).
const LOOKED_BACK: SignedDuration = SignedDuration::from_hours(7 * 24);
/// The most origins that are named.
const MAX_ORIGINS: i64 = 20;
const MICROSECONDS_A_DAY: i64 = 86_400_000_000;

/// How much a key is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyUsage {
    /// Which.
    pub key: String,
    /// How many of its tokens were accepted since midnight UTC.
    pub accepted_today: i64,
    /// When the last one was.
    pub last_used_at: Timestamp,
}

/// What depends on a key: what it was good for in the last 7 days, and what it
/// holds open now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyImpact {
    /// Tokens that were accepted.
    pub tokens: i64,
    /// Different people they were about.
    pub subjects: i64,
    /// The origins of their pages, the busiest first, at most 20.
    pub origins: Vec<String>,
    /// Sessions that would end.
    pub live_sessions: i64,
    /// When the last token was accepted, however long ago.
    pub last_used_at: Option<Timestamp>,
}

/// What `required` would have refused in one environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EnforcementReport {
    /// By day, the latest first. Days without any are left out.
    pub days: Vec<EnforcementDay>,
    /// When the last good token was seen; never, and nobody could chat under `required`.
    pub good_token_at: Option<Timestamp>,
}

/// One day of an [`EnforcementReport`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnforcementDay {
    /// Which, in UTC.
    pub day: Date,
    /// Sessions that were opened without a token under `report`.
    pub strangers: i64,
}

impl Store {
    /// How much the keys of one agent and environment are used. A key that was
    /// never used is not among them.
    pub async fn key_usage(&self, scope: Scope) -> Result<Vec<KeyUsage>, StoreError> {
        const SQL: &str = "
            SELECT key_id, CASE WHEN day = $3 THEN accepted ELSE 0 END, last_used_at
            FROM key_usage WHERE agent_id = $1 AND environment = $2 ORDER BY key_id";
        let rows = all!(
            &self.db,
            (String, i64, i64),
            SQL,
            scope.agent.to_string(),
            scope.environment.as_str(),
            day_of(self.clock.now()),
        )?;
        let usage = rows.into_iter().map(|(key, accepted_today, at)| {
            Ok(KeyUsage {
                key,
                accepted_today,
                last_used_at: time(at, "key_usage", "last_used_at")?,
            })
        });
        usage.collect()
    }

    /// What would break if the key were revoked now (rule K6).
    pub async fn key_impact(&self, scope: Scope, key: KeyId) -> Result<KeyImpact, StoreError> {
        const TOKENS: &str = "
            SELECT count(*), count(DISTINCT subject_hash) FROM verifications
            WHERE key_id = $1 AND agent_id = $2 AND environment = $3 AND code = $4 AND at >= $5";
        const ORIGINS: &str = "
            SELECT page_origin, count(*) AS n FROM verifications
            WHERE key_id = $1 AND agent_id = $2 AND environment = $3 AND code = $4 AND at >= $5
                AND page_origin IS NOT NULL
            GROUP BY page_origin ORDER BY n DESC, page_origin LIMIT $6";
        const SESSIONS: &str = "
            SELECT count(*) FROM sessions
            WHERE key_id = $1 AND agent_id = $2 AND environment = $3 AND ended_at IS NULL
                AND expires_at > $4";
        let (id, agent) = (key.to_string(), scope.agent.to_string());
        let (id, agent) = (id.as_str(), agent.as_str());
        let environment = scope.environment.as_str();
        let now = self.clock.now();
        let since = (now - LOOKED_BACK).as_microsecond();

        let tokens = optional!(
            &self.db,
            (i64, i64),
            TOKENS,
            id,
            agent,
            environment,
            ACCEPTED,
            since
        )?;
        let origins = all!(
            &self.db,
            (String, i64),
            ORIGINS,
            id,
            agent,
            environment,
            ACCEPTED,
            since,
            MAX_ORIGINS
        )?;
        let sessions = optional!(
            &self.db,
            (i64,),
            SESSIONS,
            id,
            agent,
            environment,
            now.as_microsecond()
        )?;
        let (tokens, subjects) = tokens.unwrap_or_default();
        let usage = self.key_usage(scope).await?;
        Ok(KeyImpact {
            tokens,
            subjects,
            origins: origins.into_iter().map(|(origin, _)| origin).collect(),
            live_sessions: sessions.unwrap_or_default().0,
            last_used_at: usage
                .into_iter()
                .find(|it| it.key == id)
                .map(|it| it.last_used_at),
        })
    }

    /// What `required` would have refused, and whether it would let anybody in (rule E1).
    pub async fn enforcement_report(&self, scope: Scope) -> Result<EnforcementReport, StoreError> {
        const SQL: &str = "
            SELECT day, strangers FROM enforcement_days
            WHERE agent_id = $1 AND environment = $2 ORDER BY day DESC LIMIT 30";
        let rows = all!(
            &self.db,
            (i64, i64),
            SQL,
            scope.agent.to_string(),
            scope.environment.as_str()
        )?;
        let days = rows.into_iter().map(|(day, strangers)| {
            let at = time(day * MICROSECONDS_A_DAY, "enforcement_days", "day")?;
            let day = TimeZone::UTC.to_datetime(at).date();
            Ok(EnforcementDay { day, strangers })
        });
        Ok(EnforcementReport {
            days: days.collect::<Result<_, StoreError>>()?,
            good_token_at: self.good_token_at(scope).await?,
        })
    }

    /// When a token was last accepted whose key is not revoked.
    async fn good_token_at(&self, scope: Scope) -> Result<Option<Timestamp>, StoreError> {
        const SQL: &str = "
            SELECT max(u.last_used_at) FROM key_usage u
            JOIN signing_keys k ON k.id = u.key_id AND k.agent_id = u.agent_id
                AND k.environment = u.environment
            WHERE u.agent_id = $1 AND u.environment = $2 AND k.revoked_at IS NULL";
        let row = optional!(
            &self.db,
            (Option<i64>,),
            SQL,
            scope.agent.to_string(),
            scope.environment.as_str()
        )?;
        let at = row.and_then(|(at,)| at);
        at.map(|at| time(at, "key_usage", "last_used_at"))
            .transpose()
    }
}

/// Whether a token was accepted here whose key is not revoked.
pub(crate) async fn has_good_token(tx: &mut Tx, scope: Scope) -> Result<bool, StoreError> {
    const SQL: &str = "
        SELECT u.key_id FROM key_usage u
        JOIN signing_keys k ON k.id = u.key_id AND k.agent_id = u.agent_id
            AND k.environment = u.environment
        WHERE u.agent_id = $1 AND u.environment = $2 AND k.revoked_at IS NULL LIMIT 1";
    let (agent, environment) = (scope.agent.to_string(), scope.environment.as_str());
    let row = optional_in!(tx, (String,), SQL, agent, environment)?;
    Ok(row.is_some())
}

/// Adds accepted tokens to what their keys were good for.
pub(super) async fn count_keys(tx: &mut Tx, attempts: &[Attempt]) -> Result<(), StoreError> {
    const SQL: &str = "
        INSERT INTO key_usage (agent_id, environment, key_id, day, accepted, last_used_at)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (agent_id, environment, key_id) DO UPDATE SET
            accepted = CASE
                WHEN key_usage.day = excluded.day THEN key_usage.accepted + excluded.accepted
                WHEN key_usage.day < excluded.day THEN excluded.accepted
                ELSE key_usage.accepted END,
            last_used_at = CASE
                WHEN key_usage.last_used_at < excluded.last_used_at THEN excluded.last_used_at
                ELSE key_usage.last_used_at END,
            day = CASE WHEN key_usage.day < excluded.day THEN excluded.day ELSE key_usage.day END";
    // Once for each key and day, whatever the size of the batch.
    let mut used: BTreeMap<(String, &str, &str, i64), (i64, Timestamp)> = BTreeMap::new();
    for attempt in attempts.iter().filter(|it| it.is_accepted()) {
        let Some(key) = &attempt.key else { continue };
        let of = (
            attempt.scope.agent.to_string(),
            attempt.scope.environment.as_str(),
            key.as_str(),
            day_of(attempt.at),
        );
        let (accepted, last) = used.entry(of).or_insert((0, attempt.at));
        *accepted += 1;
        *last = attempt.at.max(*last);
    }
    for ((agent, environment, key, day), (accepted, last)) in used {
        execute!(
            tx,
            SQL,
            agent,
            environment,
            key,
            day,
            accepted,
            last.as_microsecond()
        )?;
    }
    Ok(())
}

/// Adds sessions that were opened without a token under `report`.
pub(super) async fn count_strangers(
    tx: &mut Tx,
    strangers: &[(Scope, u64)],
    now: Timestamp,
) -> Result<(), StoreError> {
    const SQL: &str = "
        INSERT INTO enforcement_days (agent_id, environment, day, strangers)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (agent_id, environment, day) DO UPDATE SET
            strangers = enforcement_days.strangers + excluded.strangers";
    for (scope, how_many) in strangers {
        execute!(
            tx,
            SQL,
            scope.agent.to_string(),
            scope.environment.as_str(),
            day_of(now),
            i64::try_from(*how_many).unwrap_or(i64::MAX),
        )?;
    }
    Ok(())
}

/// The number of a day in UTC, since 1970.
fn day_of(at: Timestamp) -> i64 {
    at.as_microsecond().div_euclid(MICROSECONDS_A_DAY)
}
