//! Contacts: the records of visitors whose subject is known.

use maitred_core::{id::ContactId, identity::Identity, scope::Scope, session::new_epoch};

use crate::{
    Store, StoreError,
    db::{Tx, optional_in},
    row::parsed,
};

impl Store {
    /// The record of whom a token is about, made or brought up to date.
    pub(crate) async fn upsert_contact(
        &self,
        tx: &mut Tx,
        scope: Scope,
        identity: &Identity,
    ) -> Result<ContactId, StoreError> {
        const SQL: &str = "
            INSERT INTO contacts (id, agent_id, environment, subject, name, email,
                created_at, updated_at, epoch, last_event)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8, 0)
            ON CONFLICT (agent_id, environment, subject) DO UPDATE SET
                name = excluded.name, email = excluded.email, updated_at = excluded.updated_at
            RETURNING id";
        let (id,) = optional_in!(
            tx,
            (String,),
            SQL,
            ContactId::new(&self.clock).to_string(),
            scope.agent.to_string(),
            scope.environment.as_str(),
            identity.subject.as_str(),
            identity.name.as_deref(),
            identity.email.as_ref().map(|email| email.address.as_str()),
            self.clock.now().as_microsecond(),
            new_epoch(),
        )?
        .ok_or(StoreError::Conflict)?;
        parsed(&id, "contacts", "id")
    }
}
