//! The keys that sign our own assertions.

use maitred_core::scope::Environment;
use secrecy::SecretSlice;

use crate::{
    Store, StoreError,
    db::{all, execute},
    installation::bump_changes,
};

impl Store {
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
                self.master
                    .open(&sealed_in(&id, environment), &sealed)
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
        // Whoever seals takes it, so that no new master key comes between.
        bump_changes(&mut tx).await?;
        self.refuse_other_master(&mut tx).await?;
        execute!(
            &mut tx,
            SQL,
            id,
            environment.as_str(),
            self.master.seal(&sealed_in(id, environment), pkcs8),
            self.clock.now().as_microsecond(),
        )?;
        tx.commit().await
    }
}

pub(crate) fn sealed_in(id: &str, environment: Environment) -> String {
    format!("assertion_keys/{id}/{environment}")
}
