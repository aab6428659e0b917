//! From a backup to a database.
//!
//! Everything happens to a copy of the backup: it is checked, brought up to date,
//! and made safe to go on from. Then the copy becomes the database, or its rows go
//! into PostgreSQL in one transaction.

use std::{
    fs::{self, File},
    path::Path,
};

use maitred_core::{clock::Clock, event::new_epoch};
use serde_json::json;
use sqlx::Connection;

use super::{
    BackupError, Manifest, Tell,
    file::{Unfinished, failed, with},
    manifest, open_file, postgres, tables,
};
use crate::{
    Actor, Location, MasterKey, Store, StoreError,
    audit::{Audited, Place},
    db::execute,
    installation::bump_changes,
};

/// What a restore has brought back, and ended.
#[derive(Clone, Debug)]
pub struct Restored {
    /// What the backup said of itself.
    pub backup: Manifest,
    /// How many sessions lived in it, and have ended.
    pub sessions_ended: u64,
}

/// Reads a backup into an empty database. `beside` is a file that may be made in the
/// meantime, with a name like it.
///
/// Every owner's events get another epoch, so that streams that were open read
/// everything again (rule R4), and every session has ended: one that was ended since
/// the backup was made must not live again.
pub async fn restore(
    backup: &Path,
    to: &Location,
    beside: &Path,
    master: &MasterKey,
    clock: Clock,
    tell: Tell<'_>,
) -> Result<Restored, BackupError> {
    refuse_data(to).await?;
    let target = match to {
        Location::Sqlite(path) => path.clone(),
        Location::Postgres(_) => with(beside, ".restoring"),
    };
    let copy = Unfinished::beside(&target)?;
    let manifest = super::inspect(backup).await?;
    tell("copying the backup");
    copied(backup, copy.path())?;
    tell("checking the copy");
    let mut file = open_file(copy.path(), &Location::Sqlite(backup.to_owned())).await?;
    tables::check(&mut file, backup).await?;
    tables::refuse_other_master(&mut file, master).await?;
    sqlx::query("DROP TABLE maitred_backup")
        .execute(&mut file)
        .await?;
    file.close().await?;
    let sessions_ended = made_safe(copy.path(), master, clock, &manifest).await?;
    tell("writing the database");
    let mut file = open_file(copy.path(), to).await?;
    refuse_foreign_tables(&mut file, backup).await?;
    if let Location::Postgres(url) = to {
        postgres::write_from(&mut file, url, tell).await?;
        file.close().await?;
    } else {
        tables::check(&mut file, backup).await?;
        file.close().await?;
        copy.finish(&target)?;
    }
    Ok(Restored {
        backup: manifest,
        sessions_ended,
    })
}

/// Whether there is anything where the data is to go.
async fn refuse_data(to: &Location) -> Result<(), BackupError> {
    let path = match to {
        Location::Sqlite(path) => path,
        Location::Postgres(url) => return postgres::refuse_data(url).await,
    };
    if path.symlink_metadata().is_ok() {
        return Err(BackupError::HoldsData {
            at: path.display().to_string(),
        });
    }
    for left in ["-wal", "-journal"] {
        let left = with(path, left);
        if left.symlink_metadata().is_ok() {
            return Err(BackupError::LeftOver(left));
        }
    }
    Ok(())
}

fn copied(backup: &Path, to: &Path) -> Result<(), BackupError> {
    // Into the file that is there, whose mode is right.
    let copied = File::open(backup).and_then(|mut backup| {
        let mut to = fs::OpenOptions::new().write(true).truncate(true).open(to)?;
        std::io::copy(&mut backup, &mut to)
    });
    copied.map(|_| ()).map_err(|cause| failed(to, cause))
}

/// Brings the copy up to date, and ends in it what must not live again.
async fn made_safe(
    copy: &Path,
    master: &MasterKey,
    clock: Clock,
    manifest: &Manifest,
) -> Result<u64, BackupError> {
    let store = Store::open(&Location::Sqlite(copy.to_owned()), master.clone(), clock).await?;
    let store = store.acting_as(Actor::CommandLine);
    let ended = store.begin_anew(manifest).await;
    store.close().await;
    Ok(ended?)
}

/// Refuses tables that no schema of ours has.
async fn refuse_foreign_tables(
    file: &mut sqlx::SqliteConnection,
    backup: &Path,
) -> Result<(), BackupError> {
    let schema = tables::schema_of(file).await?.unwrap_or_default();
    let names = |tables: Vec<tables::Table>| -> Vec<String> {
        tables.into_iter().map(|table| table.name).collect()
    };
    let expected = names(tables::tables_of_schema(schema).await?);
    let found = names(tables::tables(file).await?);
    debug_assert!(!found.iter().any(|it| it == manifest::TABLE));
    if expected != found {
        return Err(BackupError::Damaged {
            path: backup.to_owned(),
            what: "it has other tables than this release knows".to_owned(),
        });
    }
    Ok(())
}

impl Store {
    /// Ends all sessions and begins the numbering of everybody's events anew. How many
    /// sessions lived.
    async fn begin_anew(&self, manifest: &Manifest) -> Result<u64, StoreError> {
        const END: &str = "
            UPDATE sessions SET ended_at = $1 WHERE ended_at IS NULL AND expires_at > $1";
        // The id, so that no two owners have the same one.
        const CONTACTS: &str = "UPDATE contacts SET epoch = $1 || '-' || id";
        const VISITORS: &str = "UPDATE visitors SET epoch = $1 || '-' || id";
        let mut tx = self.begin().await?;
        let now = self.clock.now().as_microsecond();
        let ended = execute!(&mut tx, END, now)?;
        let epoch = new_epoch();
        execute!(&mut tx, CONTACTS, epoch.as_str())?;
        execute!(&mut tx, VISITORS, epoch.as_str())?;
        bump_changes(&mut tx).await?;
        let told = json!({ "backup_of": manifest.made_at.to_string(), "sessions_ended": ended });
        self.audit(&mut tx, Place::Installation, Audited::Restored, told)
            .await?;
        tx.commit().await?;
        Ok(ended)
    }
}
