//! What can be wrong with a backup.

use std::path::PathBuf;

use crate::{OpenError, StoreError};

/// Why a backup was not made, or not restored. Its reader is the person who asked.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// Nothing is overwritten.
    #[error("`{}` is there already, and nothing is overwritten", .0.display())]
    Exists(PathBuf),
    /// SQLite takes names in UTF-8 only.
    #[error("`{}` is no name in UTF-8", .0.display())]
    NotUtf8(PathBuf),
    /// A file cannot be read or written.
    #[error("cannot use `{}`: {cause}", .path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// There is nothing to back up.
    #[error("there is no database at `{at}`")]
    NoDatabase {
        /// Where it was looked for.
        at: String,
    },
    /// There is a database, and nothing of ours in it.
    #[error("there is nothing of maitred in this database")]
    Empty,
    /// It is something else.
    #[error("`{}` is no backup that `maitred backup` has made", .0.display())]
    NoBackup(PathBuf),
    /// What is in it is not what was written into it.
    #[error("`{}` is damaged: {what}", .path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is not as it should be.
        what: String,
    },
    /// A restore is into an empty database only.
    #[error("there is data at `{at}` already, and nothing is overwritten")]
    HoldsData {
        /// Where.
        at: String,
    },
    /// The log of a database that is not there would be taken for the log of the new one.
    #[error("`{}` is left from another database", .0.display())]
    LeftOver(PathBuf),
    /// Somebody else works on the database.
    #[error("{others} other connections to `{at}` are open")]
    InUse {
        /// Where.
        at: String,
        /// How many.
        others: i64,
    },
    /// The master key is not the one that the data was sealed with.
    #[error("this master key does not open the secrets of this data")]
    WrongMasterKey,
    /// A database cannot be opened or brought up to date.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A database failed.
    #[error("the database failed")]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for BackupError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<sqlx::migrate::MigrateError> for BackupError {
    fn from(error: sqlx::migrate::MigrateError) -> Self {
        Self::Open(error.into())
    }
}
