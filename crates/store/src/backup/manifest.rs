//! What a backup says of itself, in a table of its own.

use std::{collections::BTreeMap, path::Path};

use jiff::Timestamp;
use sqlx::SqliteConnection;

use super::{
    BackupError, refuse_newer,
    tables::{self, schema_of},
};
use crate::WrappedMasterKey;

/// The table. It is no part of the schema, and is not restored.
pub(super) const TABLE: &str = "maitred_backup";

/// Stands in the file's header, where `file` and the like look.
const APPLICATION: &str = "PRAGMA application_id = 1297371204";

/// What a backup says of itself.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// The moment that it shows.
    pub made_at: Timestamp,
    /// The number of its schema.
    pub schema: i64,
    /// How many rows each table has.
    pub rows: BTreeMap<String, i64>,
    /// The master key under a passphrase, if it is in there.
    pub master: Option<WrappedMasterKey>,
}

impl Manifest {
    /// Of a copy that has none yet.
    pub(super) async fn of(
        copy: &mut SqliteConnection,
        made_at: Timestamp,
        master: Option<WrappedMasterKey>,
    ) -> Result<Self, BackupError> {
        Ok(Self {
            made_at,
            schema: refuse_newer(schema_of(copy).await?)?,
            rows: tables::counted(copy).await?,
            master,
        })
    }

    pub(super) async fn write(&self, copy: &mut SqliteConnection) -> Result<(), BackupError> {
        const CREATE: &str =
            "CREATE TABLE maitred_backup (name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL)";
        const INSERT: &str = "INSERT INTO maitred_backup (name, value) VALUES ($1, $2)";
        sqlx::query(APPLICATION).execute(&mut *copy).await?;
        sqlx::query(CREATE).execute(&mut *copy).await?;
        let rows = serde_json::json!(self.rows).to_string();
        let told = [
            ("made_at", Some(self.made_at.to_string())),
            ("made_by", Some(env!("CARGO_PKG_VERSION").to_owned())),
            ("rows", Some(rows)),
            ("master_key", self.master.as_ref().map(ToString::to_string)),
        ];
        for (name, value) in told {
            if let Some(value) = value {
                let insert = sqlx::query(INSERT).bind(name).bind(value);
                insert.execute(&mut *copy).await?;
            }
        }
        Ok(())
    }

    /// Of a backup, which it also looks through: it has the tables it should have,
    /// with as many rows as were written into them.
    pub(super) async fn read(
        backup: &mut SqliteConnection,
        path: &Path,
    ) -> Result<Self, BackupError> {
        const SQL: &str = "SELECT name, value FROM maitred_backup";
        let told: Vec<(String, String)> = sqlx::query_as(SQL)
            .fetch_all(&mut *backup)
            .await
            .map_err(|_| BackupError::NoBackup(path.to_owned()))?;
        let told: BTreeMap<String, String> = told.into_iter().collect();
        let damaged = |what: &str| BackupError::Damaged {
            path: path.to_owned(),
            what: what.to_owned(),
        };
        let value = |name: &str| {
            told.get(name)
                .ok_or_else(|| damaged("it does not say what it is"))
        };
        let schema = refuse_newer(schema_of(backup).await?)?;
        let manifest = Self {
            made_at: value("made_at")?
                .parse()
                .map_err(|_| damaged("it does not say when it was made"))?,
            schema,
            rows: serde_json::from_str(value("rows")?)
                .map_err(|_| damaged("it does not say how much is in it"))?,
            master: match told.get("master_key") {
                Some(text) => Some(
                    text.parse()
                        .map_err(|_| damaged("its master key cannot be read"))?,
                ),
                None => None,
            },
        };
        if tables::counted(backup).await? != manifest.rows {
            return Err(damaged("tables have other numbers of rows than it says"));
        }
        Ok(manifest)
    }

    /// All rows together.
    pub fn n_rows(&self) -> i64 {
        self.rows.values().sum()
    }
}
