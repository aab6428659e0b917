//! The verification log: what came of every token that was shown (rule L1).
//!
//! Written in batches, behind the answers; what is counted is counted in the same
//! transaction. Entries are numbered in the order in which they become visible,
//! over all nodes, so whoever has read up to a number misses nothing.
//!
//! There is no place in it for a token, a claim or an address. A contact is named
//! by its id, and their name is joined when it is read: it vanishes with them.

mod counts;

use jiff::{SignedDuration, Timestamp};
use maitred_core::{
    id::{AgentId, ContactId},
    scope::{Environment, Scope},
};

use crate::{
    Store, StoreError,
    db::{Tx, all, execute, optional, optional_in},
    row::{json, parsed, time, to_json},
};

pub(crate) use counts::has_good_token;
pub use counts::{EnforcementDay, EnforcementReport, KeyImpact, KeyUsage};

/// The code of an attempt that opened or renewed a session.
pub const ACCEPTED: &str = "accepted";
/// How long an entry is kept.
const KEPT_FOR: SignedDuration = SignedDuration::from_hours(30 * 24);

/// One attempt to exchange a token, or several of which only the number is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Where.
    pub scope: Scope,
    /// When.
    pub at: Timestamp,
    /// [`ACCEPTED`], or the precise code of the refusal.
    pub code: String,
    /// How many attempts this stands for.
    pub attempts: u64,
    /// Where the page said it was loaded from, if that looks like an origin.
    pub page_origin: Option<String>,
    /// Our id of the key that the token named, or that made its signature.
    pub key: Option<String>,
    /// That key's algorithm.
    pub algorithm: Option<String>,
    /// Seconds since `iat`.
    pub age: Option<i64>,
    /// Seconds from `iat`, or else from when it was shown, to `exp`.
    pub lifetime: Option<i64>,
    /// Seconds by which the site's clock is ahead of ours.
    pub skew: Option<i64>,
    /// The keyed hash of its subject, if the signature was good.
    pub subject_hash: Option<String>,
    /// Whose session it opened or renewed.
    pub contact: Option<ContactId>,
    /// The limits over which something of an accepted token was dropped.
    pub warnings: Vec<String>,
}

impl Attempt {
    /// One of which nothing more is known.
    pub fn new(scope: Scope, at: Timestamp, code: impl Into<String>) -> Self {
        Self {
            scope,
            at,
            code: code.into(),
            attempts: 1,
            page_origin: None,
            key: None,
            algorithm: None,
            age: None,
            lifetime: None,
            skew: None,
            subject_hash: None,
            contact: None,
            warnings: Vec::new(),
        }
    }

    /// Whether it opened or renewed a session.
    pub fn is_accepted(&self) -> bool {
        self.code == ACCEPTED
    }
}

/// An entry of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// Its place in the log.
    pub number: i64,
    /// What happened.
    pub attempt: Attempt,
    /// The name of the contact, while there is one.
    pub contact_name: Option<String>,
}

/// Which entries are asked for: those of one agent, and of them…
#[derive(Clone, Debug)]
pub struct VerificationFilter {
    /// Whose.
    pub agent: AgentId,
    /// Of one environment only.
    pub environment: Option<Environment>,
    /// With one code only.
    pub code: Option<String>,
    /// Those that were refused only.
    pub refused: bool,
    /// Of one key only.
    pub key: Option<String>,
    /// From then on only.
    pub since: Option<Timestamp>,
}

impl VerificationFilter {
    /// All entries of an agent.
    pub fn of(agent: AgentId) -> Self {
        Self {
            agent,
            environment: None,
            code: None,
            refused: false,
            key: None,
            since: None,
        }
    }
}

#[derive(sqlx::FromRow)]
struct VerificationRow {
    number: i64,
    agent_id: String,
    environment: String,
    at: i64,
    code: String,
    attempts: i64,
    page_origin: Option<String>,
    key_id: Option<String>,
    algorithm: Option<String>,
    age: Option<i64>,
    lifetime: Option<i64>,
    skew: Option<i64>,
    subject_hash: Option<String>,
    contact_id: Option<String>,
    warnings: String,
    contact_name: Option<String>,
}

/// The query for what a [`VerificationFilter`] lets through, and which part of it.
macro_rules! matching {
    ($part:literal) => {
        concat!(
            "SELECT v.number, v.agent_id, v.environment, v.at, v.code, v.attempts, v.page_origin,
                v.key_id, v.algorithm, v.age, v.lifetime, v.skew, v.subject_hash, v.contact_id,
                v.warnings, c.name AS contact_name
            FROM verifications v LEFT JOIN contacts c ON c.id = v.contact_id
                AND c.agent_id = v.agent_id AND c.environment = v.environment
            WHERE v.agent_id = $1 AND v.environment = coalesce($2, v.environment)
                AND v.code = coalesce($3, v.code) AND v.code <> coalesce($4, '')
                AND coalesce(v.key_id, '') = coalesce($5, v.key_id, '') AND v.at >= $6
                AND ",
            $part
        )
    };
}

impl Store {
    /// Writes attempts into the log, counts what the keys were good for, and
    /// counts the sessions that were opened without a token. All of it, or nothing.
    pub async fn record(
        &self,
        attempts: &[Attempt],
        strangers: &[(Scope, u64)],
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        // Also where there is nothing to number: others wait here, and so never
        // in the middle for each other.
        let last = take_numbers(&mut tx, attempts.len()).await?;
        let first = last + 1 - count(attempts.len());
        for (number, attempt) in (first..).zip(attempts) {
            insert(&mut tx, number, attempt).await?;
        }
        forget_the_erased(&mut tx, first).await?;
        counts::count_keys(&mut tx, attempts).await?;
        counts::count_strangers(&mut tx, strangers, self.clock.now()).await?;
        tx.commit().await
    }

    /// At most so many entries, the newest first, from below a number on.
    pub async fn verifications(
        &self,
        filter: &VerificationFilter,
        below: Option<i64>,
        limit: usize,
    ) -> Result<Vec<Verification>, StoreError> {
        const SQL: &str = matching!("v.number < $7 ORDER BY v.number DESC LIMIT $8");
        self.read(SQL, filter, below.unwrap_or(i64::MAX), limit)
            .await
    }

    /// At most so many entries, the oldest first, from above a number on: what
    /// was written since then.
    pub async fn verifications_since(
        &self,
        filter: &VerificationFilter,
        above: i64,
        limit: usize,
    ) -> Result<Vec<Verification>, StoreError> {
        const SQL: &str = matching!("v.number > $7 ORDER BY v.number LIMIT $8");
        self.read(SQL, filter, above, limit).await
    }

    /// The number of the last entry; 0 before the first.
    pub async fn last_verification(&self) -> Result<i64, StoreError> {
        const SQL: &str = "SELECT number FROM counters WHERE name = 'verifications'";
        let row = optional!(&self.db, (i64,), SQL)?;
        row.map(|(number,)| number).ok_or(NO_COUNTER)
    }

    /// Deletes what was kept for long enough; how many entries.
    pub(crate) async fn sweep_verifications(&self, tx: &mut Tx) -> Result<u64, StoreError> {
        const SQL: &str = "DELETE FROM verifications WHERE at < $1";
        let since = self.clock.now() - KEPT_FOR;
        Ok(execute!(tx, SQL, since.as_microsecond())?)
    }

    async fn read(
        &self,
        sql: &'static str,
        filter: &VerificationFilter,
        edge: i64,
        limit: usize,
    ) -> Result<Vec<Verification>, StoreError> {
        let rows = all!(
            &self.db,
            VerificationRow,
            sql,
            filter.agent.to_string(),
            filter.environment.map(Environment::as_str),
            filter.code.as_deref(),
            filter.refused.then_some(ACCEPTED),
            filter.key.as_deref(),
            filter.since.map_or(i64::MIN, Timestamp::as_microsecond),
            edge,
            count(limit),
        )?;
        rows.into_iter().map(TryInto::try_into).collect()
    }
}

const NO_COUNTER: StoreError = StoreError::Corrupt {
    table: "counters",
    column: "number",
};

/// Takes the next so many numbers; the last of them. Whoever comes next waits
/// until these are visible, so nobody sees a later number before an earlier one.
async fn take_numbers(tx: &mut Tx, how_many: usize) -> Result<i64, StoreError> {
    const SQL: &str = "
        UPDATE counters SET number = number + $1 WHERE name = 'verifications' RETURNING number";
    let row = optional_in!(tx, (i64,), SQL, count(how_many))?;
    row.map(|(number,)| number).ok_or(NO_COUNTER)
}

async fn insert(tx: &mut Tx, number: i64, attempt: &Attempt) -> Result<(), StoreError> {
    const SQL: &str = "
        INSERT INTO verifications (number, agent_id, environment, at, code, attempts, page_origin,
            key_id, algorithm, age, lifetime, skew, subject_hash, contact_id, warnings)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";
    execute!(
        tx,
        SQL,
        number,
        attempt.scope.agent.to_string(),
        attempt.scope.environment.as_str(),
        attempt.at.as_microsecond(),
        attempt.code.as_str(),
        i64::try_from(attempt.attempts).unwrap_or(i64::MAX),
        attempt.page_origin.as_deref(),
        attempt.key.as_deref(),
        attempt.algorithm.as_deref(),
        attempt.age,
        attempt.lifetime,
        attempt.skew,
        attempt.subject_hash.as_deref(),
        attempt.contact.map(|id| id.to_string()),
        to_json(&attempt.warnings),
    )?;
    Ok(())
}

/// Takes out again what is about somebody who was erased while it waited to be
/// written (rule D7).
async fn forget_the_erased(tx: &mut Tx, first: i64) -> Result<(), StoreError> {
    const SQL: &str = "
        DELETE FROM verifications WHERE number >= $1 AND contact_id IS NOT NULL
            AND NOT EXISTS (SELECT 1 FROM contacts WHERE contacts.id = contact_id)";
    execute!(tx, SQL, first)?;
    Ok(())
}

fn count(how_many: usize) -> i64 {
    i64::try_from(how_many).unwrap_or(i64::MAX)
}

impl TryFrom<VerificationRow> for Verification {
    type Error = StoreError;

    fn try_from(row: VerificationRow) -> Result<Self, StoreError> {
        const TABLE: &str = "verifications";
        let contact = row
            .contact_id
            .map(|id| parsed(&id, TABLE, "contact_id"))
            .transpose()?;
        let attempt = Attempt {
            scope: Scope {
                agent: parsed(&row.agent_id, TABLE, "agent_id")?,
                environment: parsed(&row.environment, TABLE, "environment")?,
            },
            at: time(row.at, TABLE, "at")?,
            code: row.code,
            attempts: u64::try_from(row.attempts).unwrap_or(0),
            page_origin: row.page_origin,
            key: row.key_id,
            algorithm: row.algorithm,
            age: row.age,
            lifetime: row.lifetime,
            skew: row.skew,
            subject_hash: row.subject_hash,
            contact,
            warnings: json(&row.warnings, TABLE, "warnings")?,
        };
        Ok(Self {
            number: row.number,
            attempt,
            contact_name: row.contact_name,
        })
    }
}
