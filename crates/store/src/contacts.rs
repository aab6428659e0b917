//! Contacts: the records of visitors whose subject is known.

use maitred_core::{
    contact::{Contact, Record, Subject},
    event::new_epoch,
    id::ContactId,
    scope::Scope,
};

use crate::{
    Cursor, Page, Store, StoreError,
    db::{Tx, all, optional, optional_in},
    row::{json, parsed, time, to_json},
};

#[derive(sqlx::FromRow)]
struct ContactRow {
    id: String,
    subject: String,
    name: Option<String>,
    email: Option<String>,
    claims: Option<String>,
    created_at: i64,
    updated_at: i64,
}

impl TryFrom<ContactRow> for Contact {
    type Error = StoreError;

    fn try_from(row: ContactRow) -> Result<Self, StoreError> {
        const TABLE: &str = "contacts";
        Ok(Self {
            id: parsed(&row.id, TABLE, "id")?,
            subject: row.subject,
            record: Record {
                name: row.name,
                email: row.email,
                claims: row
                    .claims
                    .map(|text| json(&text, TABLE, "claims"))
                    .transpose()?
                    .unwrap_or_default(),
            },
            created_at: time(row.created_at, TABLE, "created_at")?,
            seen_at: time(row.updated_at, TABLE, "updated_at")?,
        })
    }
}

impl Store {
    /// The contacts of one agent and environment, the last seen first.
    pub async fn contacts(
        &self,
        scope: Scope,
        after: Option<Cursor<ContactId>>,
        limit: i64,
    ) -> Result<Page<Contact, ContactId>, StoreError> {
        const SQL: &str = "
            SELECT id, subject, name, email, claims, created_at, updated_at FROM contacts
            WHERE agent_id = $1 AND environment = $2
                AND (updated_at < $3 OR (updated_at = $3 AND id < $4))
            ORDER BY updated_at DESC, id DESC LIMIT $5";
        let (before, id) = Cursor::bounds(after);
        let rows = all!(
            &self.db,
            ContactRow,
            SQL,
            scope.agent.to_string(),
            scope.environment.as_str(),
            before,
            id,
            limit + 1
        )?;
        let items = rows
            .into_iter()
            .map(TryInto::try_into)
            .collect::<Result<Vec<Contact>, _>>()?;
        Ok(Page::of(items, limit, |contact| {
            (contact.seen_at.as_microsecond(), contact.id)
        }))
    }

    /// The contact of that subject, compared byte for byte.
    pub async fn contact(
        &self,
        scope: Scope,
        subject: &Subject,
    ) -> Result<Option<Contact>, StoreError> {
        const SQL: &str = "
            SELECT id, subject, name, email, claims, created_at, updated_at FROM contacts
            WHERE agent_id = $1 AND environment = $2 AND subject = $3";
        let row = optional!(
            &self.db,
            ContactRow,
            SQL,
            scope.agent.to_string(),
            scope.environment.as_str(),
            subject.as_str()
        )?;
        row.map(TryInto::try_into).transpose()
    }

    /// The contact by that id.
    pub async fn contact_by_id(
        &self,
        scope: Scope,
        id: ContactId,
    ) -> Result<Option<Contact>, StoreError> {
        const SQL: &str = "
            SELECT id, subject, name, email, claims, created_at, updated_at FROM contacts
            WHERE agent_id = $1 AND environment = $2 AND id = $3";
        let row = optional!(
            &self.db,
            ContactRow,
            SQL,
            scope.agent.to_string(),
            scope.environment.as_str(),
            id.to_string()
        )?;
        row.map(TryInto::try_into).transpose()
    }

    /// The record of whom a token is about, made or brought up to date.
    ///
    /// Keeps logouts and revocations off the environment until the transaction ends
    /// (ADR 8), in the same statement: this is what sign-ins wait for.
    pub(crate) async fn upsert_contact(
        &self,
        tx: &mut Tx,
        scope: Scope,
        subject: &str,
        record: &Record,
    ) -> Result<ContactId, StoreError> {
        macro_rules! upsert {
            ($lock:literal) => {
                concat!(
                    "INSERT INTO contacts (id, agent_id, environment, subject, name, email,
                        claims, created_at, updated_at, epoch, last_event)
                    SELECT $1, agent_id, environment, $4, $5, $6, $7, $8, $8, $9, 0
                    FROM environments WHERE agent_id = $2 AND environment = $3 ",
                    $lock,
                    " ON CONFLICT (agent_id, environment, subject) DO UPDATE SET
                        name = excluded.name, email = excluded.email,
                        claims = excluded.claims, updated_at = excluded.updated_at
                    RETURNING id"
                )
            };
        }
        // SQLite has one writer at a time, and no word for locking a row.
        let sql = match tx {
            Tx::Sqlite(_) => upsert!(""),
            Tx::Postgres(_) => upsert!("FOR SHARE"),
        };
        let claims = (!record.claims.is_empty()).then(|| to_json(&record.claims));
        let (id,) = optional_in!(
            tx,
            (String,),
            sql,
            ContactId::new(&self.clock).to_string(),
            scope.agent.to_string(),
            scope.environment.as_str(),
            subject,
            record.name.as_deref(),
            record.email.as_deref(),
            claims.as_deref(),
            self.clock.now().as_microsecond(),
            new_epoch(),
        )?
        .ok_or(StoreError::Conflict)?;
        parsed(&id, "contacts", "id")
    }
}
