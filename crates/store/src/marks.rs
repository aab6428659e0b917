//! Logging out everywhere (rule S6).
//!
//! A mark says that tokens of a subject made up to some moment open nothing. It
//! names the subject by a keyed hash and no contact, so it works for somebody we
//! never saw and outlives the record of somebody who was erased.
//!
//! On PostgreSQL a sign-in and a mark could pass each other by: the one looks for
//! a mark that is not there yet, the other for a session that is not there yet,
//! and there is no row that both could lock. So both lock the row of their
//! environment first: sign-ins share it, whoever marks takes it alone (ADR 8).

use jiff::{SignedDuration, Timestamp};
use maitred_core::{
    contact::Subject,
    id::{ContactId, SessionId},
    scope::{Owner, Scope},
};

use crate::{
    KeyedFor, Proven, Store, StoreError,
    audit::Audited,
    db::{Tx, all_in, execute, optional_in},
    notices::Notice,
    row::parsed,
};

/// After that long no token that a mark refuses could still be good: the longest
/// lifetime, and an hour for leeways and for clocks of nodes that differ.
const LASTS: SignedDuration = SignedDuration::from_hours(25);

/// The marks that refuse a token: on its subject, and not before it was made.
pub(crate) struct UnlessMarked {
    pub(crate) subject_hash: String,
    pub(crate) since: i64,
}

/// What was logged out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedOut {
    /// Whose sessions they were; none, if the subject was never seen.
    pub contact: Option<ContactId>,
    /// The sessions that were ended.
    pub sessions: Vec<SessionId>,
}

impl Store {
    /// Ends all sessions of a subject, and refuses its tokens that were made up
    /// to now. `None` if there is no such agent.
    pub async fn log_out_everywhere(
        &self,
        scope: Scope,
        subject: &Subject,
    ) -> Result<Option<LoggedOut>, StoreError> {
        let mut tx = self.begin().await?;
        if !self.mark_logged_out(&mut tx, scope, subject).await? {
            return Ok(None);
        }
        let done = self.end_sessions_of(&mut tx, scope, subject).await?;
        let LoggedOut { contact, sessions } = &done;
        let told = serde_json::json!({
            "contact": contact.map(|id| id.to_string()),
            "sessions": sessions.len(),
        });
        self.audit(&mut tx, scope, Audited::LoggedOutEverywhere, told)
            .await?;
        self.notify_logged_out(&mut tx, &done).await?;
        tx.commit().await?;
        Ok(Some(done))
    }

    /// Ends all sessions of a subject. In a transaction that has taken the
    /// environment, so that none is opened meanwhile.
    pub(crate) async fn end_sessions_of(
        &self,
        tx: &mut Tx,
        scope: Scope,
        subject: &Subject,
    ) -> Result<LoggedOut, StoreError> {
        // An update and no select: who ends many sessions of somebody locks them
        // first, so that two do not wait for each other.
        const CONTACT: &str = "
            UPDATE contacts SET updated_at = updated_at
            WHERE agent_id = $1 AND environment = $2 AND subject = $3
            RETURNING id";
        const SESSIONS: &str = "
            UPDATE sessions SET ended_at = $2
            WHERE contact_id = $1 AND ended_at IS NULL
            RETURNING id";
        let row = optional_in!(
            tx,
            (String,),
            CONTACT,
            scope.agent.to_string(),
            scope.environment.as_str(),
            subject.as_str()
        )?;
        let Some((id,)) = row else {
            return Ok(LoggedOut {
                contact: None,
                sessions: Vec::new(),
            });
        };
        let now = self.clock.now().as_microsecond();
        let ended = all_in!(tx, (String,), SESSIONS, id.as_str(), now)?;
        let sessions = ended.iter().map(|(id,)| parsed(id, "sessions", "id"));
        Ok(LoggedOut {
            contact: Some(parsed(&id, "contacts", "id")?),
            sessions: sessions.collect::<Result<_, _>>()?,
        })
    }

    /// Tells every node whose sessions were ended, if there were any.
    pub(crate) async fn notify_logged_out(
        &self,
        tx: &mut Tx,
        done: &LoggedOut,
    ) -> Result<(), StoreError> {
        match done.contact {
            Some(contact) if !done.sessions.is_empty() => {
                let owner = Owner::Contact(contact);
                self.notify(tx, Notice::SessionsEnded(Some(owner))).await
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Refuses the tokens of a subject that were made up to now, and keeps sign-ins
    /// off its environment until the transaction ends. False if there is none.
    pub(crate) async fn mark_logged_out(
        &self,
        tx: &mut Tx,
        scope: Scope,
        subject: &Subject,
    ) -> Result<bool, StoreError> {
        // A clock that is behind must not take back what another one marked.
        const MARK: &str = "
            INSERT INTO logout_marks (agent_id, environment, subject_hash, marked_at)
            VALUES ($1, $2, $3, $4)
            ON CONFLICT (agent_id, environment, subject_hash) DO UPDATE SET marked_at =
                CASE WHEN excluded.marked_at > logout_marks.marked_at
                    THEN excluded.marked_at ELSE logout_marks.marked_at END";
        if !take_site(tx, scope).await? {
            return Ok(false);
        }
        execute!(
            tx,
            MARK,
            scope.agent.to_string(),
            scope.environment.as_str(),
            self.subject_hash(scope, subject.as_str()),
            self.clock.now().as_microsecond()
        )?;
        Ok(true)
    }

    /// Refuses a token that was made before its subject was logged out
    /// everywhere, or does not say when it was made.
    pub(crate) async fn refuse_marked(
        &self,
        tx: &mut Tx,
        scope: Scope,
        proven: &Proven,
    ) -> Result<(), StoreError> {
        const SQL: &str = "
            SELECT subject_hash FROM logout_marks
            WHERE agent_id = $1 AND environment = $2 AND subject_hash = $3 AND marked_at >= $4";
        let unless = self.unless_marked(scope, proven);
        let row = optional_in!(
            tx,
            (String,),
            SQL,
            scope.agent.to_string(),
            scope.environment.as_str(),
            unless.subject_hash,
            unless.since
        )?;
        match row {
            Some(_) => Err(StoreError::TokenRevoked),
            None => Ok(()),
        }
    }

    /// The marks that refuse a token.
    pub(crate) fn unless_marked(&self, scope: Scope, proven: &Proven) -> UnlessMarked {
        let good_if_marked_before = |at: Timestamp| (at - proven.leeway).as_microsecond();
        UnlessMarked {
            subject_hash: self.subject_hash(scope, &proven.identity.subject),
            since: proven.issued_at.map_or(i64::MIN, good_if_marked_before),
        }
    }

    /// Forgets marks that can refuse nothing any more.
    pub(crate) async fn sweep_marks(&self, tx: &mut Tx) -> Result<u64, StoreError> {
        const SQL: &str = "DELETE FROM logout_marks WHERE marked_at < $1";
        let before = self.clock.now() - LASTS;
        Ok(execute!(tx, SQL, before.as_microsecond())?)
    }

    /// By which a subject is known where its name must not stand.
    pub(crate) fn subject_hash(&self, scope: Scope, subject: &str) -> String {
        self.keyed_hash(KeyedFor::Subject(scope), subject.as_bytes())
    }
}

/// Keeps those who take it off this environment until the transaction ends, and
/// nobody else who shares it.
pub(crate) async fn share_site(tx: &mut Tx, scope: Scope) -> Result<(), StoreError> {
    const SQL: &str = "
        SELECT agent_id FROM environments WHERE agent_id = $1 AND environment = $2 FOR SHARE";
    // SQLite has one writer at a time, and no word for locking a row.
    if let Tx::Postgres(_) = tx {
        let (agent, environment) = (scope.agent.to_string(), scope.environment.as_str());
        optional_in!(tx, (String,), SQL, agent, environment)?;
    }
    Ok(())
}

/// Keeps sign-ins and others who take it off this environment until the
/// transaction ends. False if there is no such environment.
pub(crate) async fn take_site(tx: &mut Tx, scope: Scope) -> Result<bool, StoreError> {
    const SQL: &str = "
        UPDATE environments SET settings = settings WHERE agent_id = $1 AND environment = $2";
    let found = execute!(tx, SQL, scope.agent.to_string(), scope.environment.as_str())?;
    Ok(found > 0)
}
