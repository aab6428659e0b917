//! Sessions: opened by coming back, found, ended.
//!
//! Not here: a session that a token opens (`exchange`).

use jiff::{SignedDuration, Timestamp};
use maitred_core::{
    event::new_epoch,
    id::{SessionId, VisitorId},
    scope::{Owner, Scope},
    secret::{Secret, SecretFor, new_secret},
    session::{Ended, Holder, ProofKey, Session},
};

use crate::{
    Store, StoreError, codes,
    db::{Tx, all_in, execute, optional, optional_in},
    marks::UnlessMarked,
    notices::Notice,
    row::{IdentityJson, json, parsed, time, to_json},
};

/// For how long a session that has ended is told from one that never was.
const REMEMBERED_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Where a session is opened, and by which browser, whoever will be in it.
#[derive(Clone, Debug)]
pub struct Opening {
    /// The agent and environment.
    pub scope: Scope,
    /// Where the page said it was loaded from.
    pub page_origin: String,
    /// The key that the session is bound to, for ever (rule S4).
    pub proof_key: Option<ProofKey>,
}

/// What an anonymous visitor shows to be known again.
#[derive(Debug)]
pub struct Returning {
    /// What was given out when the visitor was made.
    pub secret: Secret,
    /// The key that a proof came along with: without it, a visitor who was made
    /// with a key is not known (rule S7).
    pub proof_key: Option<ProofKey>,
}

/// A session that was just opened, and the texts that only its holder may know.
#[derive(Debug)]
pub struct Opened {
    /// The session.
    pub session: Session,
    /// What opens it.
    pub secret: Secret,
    /// Of an anonymous one: what lets the visitor come back.
    pub visitor: Option<Secret>,
}

/// What a session's secret stands for.
#[derive(Debug)]
pub enum Found {
    /// A session that may be used.
    Live(Session),
    /// One that was.
    Ended(Ended),
}

impl Opening {
    pub(crate) fn session(self, id: SessionId, holder: Holder, expires_at: Timestamp) -> Session {
        Session {
            id,
            scope: self.scope,
            holder,
            proven: None,
            page_origin: self.page_origin,
            proof_key: self.proof_key,
            expires_at,
        }
    }
}

#[derive(sqlx::FromRow)]
struct SessionRow {
    id: String,
    agent_id: String,
    environment: String,
    visitor_id: Option<String>,
    contact_id: Option<String>,
    key_id: Option<String>,
    identity: Option<String>,
    page_origin: String,
    proof_key: Option<String>,
    expires_at: i64,
    ended_at: Option<i64>,
    address: Option<String>,
    proven_until: Option<i64>,
}

impl Store {
    /// Opens a session of somebody of whom nothing is known. A visitor's secret
    /// that is unknown, retired, of another agent, or shown without the key it was
    /// made with makes a new visitor.
    pub async fn open_anonymous(
        &self,
        opening: Opening,
        visitor: Option<Returning>,
        expires_at: Timestamp,
    ) -> Result<Opened, StoreError> {
        let store = self.clone();
        let opened = async move {
            store
                .open_anonymous_here(opening, visitor, expires_at)
                .await
        };
        self.writer.beside(opened).await
    }

    async fn open_anonymous_here(
        &self,
        opening: Opening,
        visitor: Option<Returning>,
        expires_at: Timestamp,
    ) -> Result<Opened, StoreError> {
        let mut tx = self.begin().await?;
        let known = match visitor {
            Some(visitor) => known_visitor(&mut tx, opening.scope, &visitor)
                .await?
                .map(|id| (id, visitor.secret)),
            None => None,
        };
        let (id, visitor) = match known {
            Some(known) => known,
            None => self.make_visitor(&mut tx, &opening).await?,
        };
        let session = opening.session(
            SessionId::new(&self.clock),
            Holder::Anonymous(id),
            expires_at,
        );
        let inserted = self.insert_session(&mut tx, &session, None).await?;
        let secret = inserted.ok_or(StoreError::Conflict)?;
        tx.commit().await?;
        Ok(Opened {
            session,
            secret,
            visitor: Some(visitor),
        })
    }

    /// The anonymous visitor behind a secret, if it still opens anything.
    pub async fn visitor(
        &self,
        scope: Scope,
        visitor: &Returning,
    ) -> Result<Option<VisitorId>, StoreError> {
        let mut tx = self.begin().await?;
        let id = known_visitor(&mut tx, scope, visitor).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// The session that this secret opens.
    pub async fn session(&self, secret: &Secret) -> Result<Option<Found>, StoreError> {
        const SQL: &str = "
            SELECT sessions.id, sessions.agent_id, sessions.environment, visitor_id, contact_id,
                key_id, identity, page_origin, proof_key, sessions.expires_at, ended_at,
                codes.address, codes.proven_until
            FROM sessions
                LEFT JOIN codes ON codes.session_id = sessions.id
                    AND codes.proven_until IS NOT NULL
            WHERE sessions.secret_hash = $1";
        let row = optional!(&self.db, SessionRow, SQL, secret.hash())?;
        row.map(|row| self.found(row)).transpose()
    }

    /// The session by its id: as whom a turn runs (rule A1).
    pub async fn session_by_id(&self, id: SessionId) -> Result<Option<Found>, StoreError> {
        const SQL: &str = "
            SELECT sessions.id, sessions.agent_id, sessions.environment, visitor_id, contact_id,
                key_id, identity, page_origin, proof_key, sessions.expires_at, ended_at,
                codes.address, codes.proven_until
            FROM sessions
                LEFT JOIN codes ON codes.session_id = sessions.id
                    AND codes.proven_until IS NOT NULL
            WHERE sessions.id = $1";
        let row = optional!(&self.db, SessionRow, SQL, id.to_string())?;
        row.map(|row| self.found(row)).transpose()
    }

    /// Whether a session ended because its anonymous visitor turned out to be
    /// this owner: what was asked in it is still theirs to be answered.
    pub async fn rose_into(&self, id: SessionId, owner: Owner) -> Result<bool, StoreError> {
        const SQL: &str = "
            SELECT sessions.id FROM sessions JOIN visitors ON visitors.id = sessions.visitor_id
            WHERE sessions.id = $1 AND visitors.contact_id = $2";
        let row = optional!(&self.db, (String,), SQL, id.to_string(), owner.to_string())?;
        Ok(row.is_some())
    }

    /// Ends a session for good, and every other of its holder that is bound to the
    /// same key: those of one browser (rule S5). Which ones ended.
    pub async fn end_session(&self, session: &Session) -> Result<Vec<SessionId>, StoreError> {
        const ONE: &str = "
            UPDATE sessions SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL RETURNING id";
        const OF_VISITOR: &str = "
            UPDATE sessions SET ended_at = $2
            WHERE visitor_id = $1 AND proof_key = $3 AND ended_at IS NULL RETURNING id";
        const OF_CONTACT: &str = "
            UPDATE sessions SET ended_at = $2
            WHERE contact_id = $1 AND proof_key = $3 AND ended_at IS NULL RETURNING id";
        let now = self.clock.now().as_microsecond();
        let mut tx = self.begin().await?;
        let ended = match (&session.proof_key, session.owner()) {
            (None, _) => all_in!(&mut tx, (String,), ONE, session.id.to_string(), now),
            (Some(key), owner) => {
                lock_owner(&mut tx, owner).await?;
                let sql = match owner {
                    Owner::Visitor(_) => OF_VISITOR,
                    Owner::Contact(_) => OF_CONTACT,
                };
                all_in!(
                    &mut tx,
                    (String,),
                    sql,
                    owner.to_string(),
                    now,
                    key.as_str()
                )
            }
        }?;
        if !ended.is_empty() {
            let owner = session.owner();
            self.notify(&mut tx, Notice::SessionsEnded(Some(owner)))
                .await?;
        }
        tx.commit().await?;
        ended
            .iter()
            .map(|(id,)| parsed(id, "sessions", "id"))
            .collect()
    }

    async fn make_visitor(
        &self,
        tx: &mut Tx,
        opening: &Opening,
    ) -> Result<(VisitorId, Secret), StoreError> {
        const SQL: &str = "
            INSERT INTO visitors
                (id, agent_id, environment, secret_hash, created_at, epoch, last_event, proof_key)
            VALUES ($1, $2, $3, $4, $5, $6, 0, $7)";
        let id = VisitorId::new(&self.clock);
        let secret = new_secret(SecretFor::Visitor);
        execute!(
            tx,
            SQL,
            id.to_string(),
            opening.scope.agent.to_string(),
            opening.scope.environment.as_str(),
            secret.hash(),
            self.clock.now().as_microsecond(),
            new_epoch(),
            opening.proof_key.as_ref().map(ProofKey::as_str),
        )?;
        Ok((id, secret))
    }

    /// Keeps the session, and makes what opens it. None if its key is revoked or its
    /// token is: the statement that stores it asks, so that none slips past (rule S6).
    pub(crate) async fn insert_session(
        &self,
        tx: &mut Tx,
        session: &Session,
        unless: Option<UnlessMarked>,
    ) -> Result<Option<Secret>, StoreError> {
        const SQL: &str = "
            INSERT INTO sessions (id, secret_hash, agent_id, environment, visitor_id, contact_id,
                key_id, identity, page_origin, created_at, expires_at, proof_key)
            SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12
            WHERE ($7 IS NULL OR EXISTS (
                    SELECT id FROM signing_keys
                    WHERE id = $7 AND agent_id = $3 AND environment = $4 AND revoked_at IS NULL))
                AND NOT EXISTS (
                    SELECT subject_hash FROM logout_marks
                    WHERE agent_id = $3 AND environment = $4 AND subject_hash = $13
                        AND marked_at >= $14)";
        let (visitor, contact, key) = match &session.holder {
            Holder::Anonymous(visitor) => (Some(visitor.to_string()), None, None),
            Holder::Verified { contact, key, .. } => {
                (None, Some(contact.to_string()), Some(key.to_string()))
            }
        };
        let secret = new_secret(SecretFor::Session);
        let (subject_hash, since) = unless.map(|it| (it.subject_hash, it.since)).unzip();
        let inserted = execute!(
            tx,
            SQL,
            session.id.to_string(),
            secret.hash(),
            session.scope.agent.to_string(),
            session.scope.environment.as_str(),
            visitor,
            contact,
            key,
            session
                .identity()
                .map(|identity| to_json(&IdentityJson::from(identity))),
            session.page_origin.as_str(),
            self.clock.now().as_microsecond(),
            session.expires_at.as_microsecond(),
            session.proof_key.as_ref().map(ProofKey::as_str),
            subject_hash,
            since,
        )?;
        Ok((inserted > 0).then_some(secret))
    }

    /// Forgets sessions that ended long ago: at most so many that others need not
    /// wait for it.
    pub(crate) async fn sweep_sessions(&self, tx: &mut Tx) -> Result<u64, StoreError> {
        const SQL: &str = "
            DELETE FROM sessions WHERE id IN (
                SELECT id FROM sessions WHERE expires_at < $1 ORDER BY expires_at LIMIT 10000)";
        let before = self.clock.now() - REMEMBERED_FOR;
        Ok(execute!(tx, SQL, before.as_microsecond())?)
    }

    fn found(&self, row: SessionRow) -> Result<Found, StoreError> {
        const TABLE: &str = "sessions";
        let expires_at = time(row.expires_at, TABLE, "expires_at")?;
        if row.ended_at.is_some() {
            return Ok(Found::Ended(Ended::Revoked));
        }
        if expires_at <= self.clock.now() {
            return Ok(Found::Ended(Ended::Expired));
        }
        let holder = match (row.visitor_id, row.contact_id, row.key_id, row.identity) {
            (Some(visitor), None, None, None) => {
                Holder::Anonymous(parsed(&visitor, TABLE, "visitor_id")?)
            }
            (None, Some(contact), Some(key), Some(identity)) => Holder::Verified {
                contact: parsed(&contact, TABLE, "contact_id")?,
                key: parsed(&key, TABLE, "key_id")?,
                identity: Box::new(json::<IdentityJson>(&identity, TABLE, "identity")?.into()),
            },
            _ => {
                return Err(StoreError::Corrupt {
                    table: TABLE,
                    column: "contact_id",
                });
            }
        };
        Ok(Found::Live(Session {
            id: parsed(&row.id, TABLE, "id")?,
            scope: Scope {
                agent: parsed(&row.agent_id, TABLE, "agent_id")?,
                environment: parsed(&row.environment, TABLE, "environment")?,
            },
            holder,
            proven: codes::proven(row.address.as_deref(), row.proven_until)?,
            page_origin: row.page_origin,
            proof_key: row
                .proof_key
                .map(|key| parsed(&key, TABLE, "proof_key"))
                .transpose()?,
            expires_at,
        }))
    }
}

/// The visitor behind a secret, who cannot be retired until the transaction ends:
/// else a session opened meanwhile would outlive its visitor (rule S8).
async fn known_visitor(
    tx: &mut Tx,
    scope: Scope,
    visitor: &Returning,
) -> Result<Option<VisitorId>, StoreError> {
    // SQLite has one writer at a time, and no word for locking a row.
    const SQLITE: &str = "
        SELECT id FROM visitors
        WHERE secret_hash = $1 AND agent_id = $2 AND environment = $3 AND retired_at IS NULL
            AND (proof_key IS NULL OR proof_key = $4)";
    const POSTGRES: &str = "
        SELECT id FROM visitors
        WHERE secret_hash = $1 AND agent_id = $2 AND environment = $3 AND retired_at IS NULL
            AND (proof_key IS NULL OR proof_key = $4)
        FOR SHARE";
    let sql = match tx {
        Tx::Sqlite(_) => SQLITE,
        Tx::Postgres(_) => POSTGRES,
    };
    let row = optional_in!(
        tx,
        (String,),
        sql,
        visitor.secret.hash(),
        scope.agent.to_string(),
        scope.environment.as_str(),
        visitor.proof_key.as_ref().map(ProofKey::as_str),
    )?;
    row.map(|(id,)| parsed(&id, "visitors", "id")).transpose()
}

/// Lets one at a time open and end sessions of this owner: two that end several
/// would take them in different orders.
pub(crate) async fn lock_owner(tx: &mut Tx, owner: Owner) -> Result<(), StoreError> {
    const VISITOR: &str = "UPDATE visitors SET last_event = last_event WHERE id = $1";
    const CONTACT: &str = "UPDATE contacts SET last_event = last_event WHERE id = $1";
    let sql = match owner {
        Owner::Visitor(_) => VISITOR,
        Owner::Contact(_) => CONTACT,
    };
    execute!(tx, sql, owner.to_string())?;
    Ok(())
}
