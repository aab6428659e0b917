//! Backups: one SQLite file of our own schema, whichever database it is of (rule R10).
//!
//! [`back_up`] writes one beside a running server, [`restore`] reads one into an
//! empty database of either kind, so a backup is also the way from one to the other.
//! A file that is there is whole: it is written under another name, checked,
//! and named last.
//!
//! The master key is no part of the data. A backup can carry it under a passphrase
//! ([`WrappedMasterKey`]), in a table of its own that says what the backup is.

mod copy;
mod error;
mod file;
mod manifest;
mod postgres;
mod restore;
mod tables;

use std::path::Path;

use jiff::Timestamp;
use sqlx::{ConnectOptions, Connection, SqliteConnection, sqlite::SqliteConnectOptions};

pub use self::{
    error::BackupError,
    manifest::Manifest,
    restore::{Restored, restore},
};
use self::{file::Unfinished, tables::schema_of};
use crate::{Location, MasterKey, OpenError, WrappedMasterKey, open::MIGRATIONS};

/// Says what is being done, for a person who waits.
pub type Tell<'a> = &'a (dyn Fn(&str) + Send + Sync);

/// Writes everything that is stored into a new file, in the state of one moment.
/// Whatever was acknowledged before it began is in it.
///
/// The database is not changed, and nobody who uses it waits.
pub async fn back_up(
    from: &Location,
    to: &Path,
    master: Option<(&MasterKey, WrappedMasterKey)>,
    made_at: Timestamp,
    tell: Tell<'_>,
) -> Result<Manifest, BackupError> {
    let unfinished = Unfinished::beside(to)?;
    tell("reading the database");
    match from {
        Location::Sqlite(path) => copy_sqlite(path, unfinished.path()).await?,
        Location::Postgres(url) => postgres::read_into(url, unfinished.path(), tell).await?,
    }
    tell("checking the copy");
    let mut copy = open_file(unfinished.path(), from).await?;
    // One file, and not two more beside it.
    sqlx::query("PRAGMA journal_mode = DELETE")
        .execute(&mut copy)
        .await?;
    let wrapped = match master {
        Some((master, wrapped)) => {
            tables::refuse_other_master(&mut copy, master).await?;
            Some(wrapped)
        }
        None => None,
    };
    let manifest = Manifest::of(&mut copy, made_at, wrapped).await?;
    manifest.write(&mut copy).await?;
    tables::check(&mut copy, unfinished.path()).await?;
    copy.close().await?;
    unfinished.finish(to)?;
    Ok(manifest)
}

/// What a backup says of itself, without restoring it.
pub async fn inspect(backup: &Path) -> Result<Manifest, BackupError> {
    Manifest::read(&mut open_backup(backup).await?, backup).await
}

/// Copies a database as it is at one moment. Writers go on meanwhile.
async fn copy_sqlite(path: &Path, to: &Path) -> Result<(), BackupError> {
    if !path.is_file() {
        return Err(BackupError::NoDatabase {
            at: path.display().to_string(),
        });
    }
    let mut source = SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(crate::open::BUSY)
        .connect()
        .await
        .map_err(|cause| OpenError::Unreachable {
            at: path.display().to_string(),
            cause,
        })?;
    refuse_newer(schema_of(&mut source).await?)?;
    let to = to
        .to_str()
        .ok_or_else(|| BackupError::NotUtf8(to.to_owned()))?;
    sqlx::query("VACUUM INTO $1")
        .bind(to)
        .execute(&mut source)
        .await?;
    source.close().await?;
    Ok(())
}

/// The file of a backup that is being made, or of one that is being restored.
async fn open_file(path: &Path, from: &Location) -> Result<SqliteConnection, BackupError> {
    let opened = SqliteConnectOptions::new().filename(path).connect().await;
    opened.map_err(|cause| {
        let at = from.to_string();
        OpenError::Unreachable { at, cause }.into()
    })
}

async fn open_backup(path: &Path) -> Result<SqliteConnection, BackupError> {
    let no_backup = || BackupError::NoBackup(path.to_owned());
    let is_sqlite =
        file::begins_with(path, b"SQLite format 3\0").map_err(|cause| BackupError::File {
            path: path.to_owned(),
            cause,
        })?;
    if !is_sqlite {
        return Err(no_backup());
    }
    SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .connect()
        .await
        .map_err(|_| no_backup())
}

fn refuse_newer(schema: Option<i64>) -> Result<i64, BackupError> {
    let known = MIGRATIONS.iter().map(|it| it.version).max().unwrap_or(0);
    match schema {
        None => Err(BackupError::Empty),
        Some(found) if found > known => Err(OpenError::NewerSchema { found }.into()),
        Some(found) => Ok(found),
    }
}
