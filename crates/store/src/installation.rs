//! What is true of the whole installation.

use crate::{
    Store, StoreError,
    db::{Tx, execute, optional, optional_in},
    error::OpenError,
};

pub(crate) const MASTER_CHECK: &str = "master_check";
const DEMO: &str = "demo";

impl Store {
    /// Marks the data as a demo's: its logins are public knowledge.
    pub async fn mark_as_demo(&self) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        set_once(&mut tx, DEMO, "true").await?;
        tx.commit().await
    }

    /// Whether the data was made by a demo.
    pub async fn is_demo(&self) -> Result<bool, StoreError> {
        const SQL: &str = "SELECT value FROM installation WHERE name = $1";
        let row = optional!(&self.db, (String,), SQL, DEMO)?;
        Ok(row.is_some())
    }

    /// Counts what was written beside a running server: keys, policies, Actions.
    /// Whoever caches such things reads them again when this number moves.
    pub async fn changes(&self) -> Result<i64, StoreError> {
        const SQL: &str = "SELECT number FROM changes WHERE id = 1";
        let row = optional!(&self.db, (i64,), SQL)?;
        row.map(|(number,)| number).ok_or(StoreError::Corrupt {
            table: "changes",
            column: "number",
        })
    }

    /// Seals a known text on first start, and opens it on every start.
    ///
    /// It is read back even by who wrote it: of two that start at once with
    /// different keys, only one may go on.
    pub(crate) async fn check_master_key(&self) -> Result<(), OpenError> {
        let sealed = self.master.seal(MASTER_CHECK, MASTER_CHECK.as_bytes());
        let kept = self.kept_once(MASTER_CHECK, &sealed).await?;
        self.master
            .open(MASTER_CHECK, &kept)
            .map(|_| ())
            .ok_or(OpenError::WrongMasterKey)
    }

    /// Writes a value that is not there yet, and reads what is kept.
    pub(crate) async fn kept_once(&self, name: &str, new: &str) -> Result<String, StoreError> {
        let mut tx = self.begin().await?;
        set_once(&mut tx, name, new).await?;
        let kept = value(&mut tx, name).await?;
        tx.commit().await?;
        kept.ok_or(StoreError::Corrupt {
            table: "installation",
            column: "value",
        })
    }
}

/// To be called in every transaction that changes what servers cache.
pub(crate) async fn bump_changes(tx: &mut Tx) -> Result<(), StoreError> {
    execute!(tx, "UPDATE changes SET number = number + 1 WHERE id = 1")?;
    Ok(())
}

async fn value(tx: &mut Tx, name: &str) -> Result<Option<String>, StoreError> {
    const SQL: &str = "SELECT value FROM installation WHERE name = $1";
    let row = optional_in!(tx, (String,), SQL, name)?;
    Ok(row.map(|(value,)| value))
}

async fn set_once(tx: &mut Tx, name: &str, value: &str) -> Result<(), StoreError> {
    const SQL: &str = "
        INSERT INTO installation (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
    execute!(tx, SQL, name, value)?;
    Ok(())
}
