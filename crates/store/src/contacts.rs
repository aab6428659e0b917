//! Contacts: the records of visitors whose subject is known.

use maitred_core::{
    contact::{Contact, ContactChange, FieldChange, Record, Subject},
    event::new_epoch,
    id::ContactId,
    scope::Scope,
};

use crate::{
    Cursor, Page, Store, StoreError,
    db::{Tx, all, execute, optional, optional_in},
    exchange::Proven,
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

    /// What tokens changed about a contact, the latest first.
    pub async fn contact_changes(
        &self,
        contact: ContactId,
    ) -> Result<Vec<ContactChange>, StoreError> {
        let rows = all!(&self.db, ChangeRow, CHANGES, contact.to_string())?;
        rows.into_iter().map(TryInto::try_into).collect()
    }

    /// The record of whom a token is about, made or brought up to date; what that
    /// changes is kept beside it.
    ///
    /// Keeps logouts and revocations off the environment until the transaction ends
    /// (ADR 8), in the same statement: this is what sign-ins wait for.
    pub(crate) async fn upsert_contact(
        &self,
        tx: &mut Tx,
        scope: Scope,
        proven: &Proven,
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
                        before_name = contacts.name, before_email = contacts.email,
                        before_claims = contacts.claims,
                        name = excluded.name, email = excluded.email,
                        claims = excluded.claims, updated_at = excluded.updated_at
                    RETURNING id, before_name, before_email, before_claims"
                )
            };
        }
        // SQLite has one writer at a time, and no word for locking a row.
        let sql = match tx {
            Tx::Sqlite(_) => upsert!(""),
            Tx::Postgres(_) => upsert!("FOR SHARE"),
        };
        let record = &proven.record;
        let claims = (!record.claims.is_empty()).then(|| to_json(&record.claims));
        let fresh = ContactId::new(&self.clock);
        let row = optional_in!(
            tx,
            UpsertedRow,
            sql,
            fresh.to_string(),
            scope.agent.to_string(),
            scope.environment.as_str(),
            proven.identity.subject.as_str(),
            record.name.as_deref(),
            record.email.as_deref(),
            claims.as_deref(),
            self.clock.now().as_microsecond(),
            new_epoch(),
        )?
        .ok_or(StoreError::Conflict)?;
        let contact = parsed(&row.id, "contacts", "id")?;
        if contact != fresh {
            let fields = record.changes_since(&row.before()?);
            self.keep_change(tx, contact, proven, fields).await?;
        }
        Ok(contact)
    }

    /// Keeps what a token changed, and forgets what was long ago.
    async fn keep_change(
        &self,
        tx: &mut Tx,
        contact: ContactId,
        proven: &Proven,
        fields: Vec<FieldChange>,
    ) -> Result<(), StoreError> {
        const KEEP: &str = "
            INSERT INTO contact_changes (contact_id, number, at, key_id, issued_at, fields)
            SELECT $1, coalesce(max(number), 0) + 1, $2, $3, $4, $5
            FROM contact_changes WHERE contact_id = $1";
        const FORGET: &str = "
            DELETE FROM contact_changes WHERE contact_id = $1 AND number <=
                (SELECT max(number) FROM contact_changes WHERE contact_id = $1) - $2";
        if fields.is_empty() {
            return Ok(());
        }
        execute!(
            &mut *tx,
            KEEP,
            contact.to_string(),
            self.clock.now().as_microsecond(),
            proven.key.to_string(),
            proven.issued_at.map(|at| at.as_microsecond()),
            to_json(&fields),
        )?;
        execute!(&mut *tx, FORGET, contact.to_string(), MOST_CHANGES)?;
        Ok(())
    }
}

/// How many changes of a contact are kept.
const MOST_CHANGES: i64 = 100;

/// The changes of one contact, the latest first.
pub(crate) const CHANGES: &str = "
    SELECT at, key_id, issued_at, fields FROM contact_changes
    WHERE contact_id = $1 ORDER BY number DESC";

/// A contact's row after a token, and what it was before.
#[derive(sqlx::FromRow)]
struct UpsertedRow {
    id: String,
    before_name: Option<String>,
    before_email: Option<String>,
    before_claims: Option<String>,
}

impl UpsertedRow {
    fn before(self) -> Result<Record, StoreError> {
        let claims = self.before_claims.as_deref();
        let claims = claims.map(|text| json(text, "contacts", "before_claims"));
        Ok(Record {
            name: self.before_name,
            email: self.before_email,
            claims: claims.transpose()?.unwrap_or_default(),
        })
    }
}

#[derive(sqlx::FromRow)]
pub(crate) struct ChangeRow {
    at: i64,
    key_id: String,
    issued_at: Option<i64>,
    fields: String,
}

impl TryFrom<ChangeRow> for ContactChange {
    type Error = StoreError;

    fn try_from(row: ChangeRow) -> Result<Self, StoreError> {
        const TABLE: &str = "contact_changes";
        let issued_at = row.issued_at.map(|at| time(at, TABLE, "issued_at"));
        Ok(Self {
            at: time(row.at, TABLE, "at")?,
            key: parsed(&row.key_id, TABLE, "key_id")?,
            issued_at: issued_at.transpose()?,
            fields: json(&row.fields, TABLE, "fields")?,
        })
    }
}
