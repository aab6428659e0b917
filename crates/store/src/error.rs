//! What can go wrong with stored things.

use std::path::PathBuf;

/// Why the store could not do what was asked. Its reader is a caller that branches.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database said no, or is away.
    #[error("the database failed")]
    Db(#[from] sqlx::Error),
    /// What is stored cannot be read as what it should be.
    #[error("`{table}.{column}` holds something that cannot be read")]
    Corrupt {
        /// Where.
        table: &'static str,
        /// Which column.
        column: &'static str,
    },
    /// Somebody else was there first.
    #[error("someone else changed this first")]
    Conflict,
    /// The key that verified a token was revoked before its session was stored.
    #[error("the key was revoked")]
    KeyRevoked,
    /// A second message under one client id says something else (rule R1).
    #[error("a message with this id says something else")]
    IdempotencyMismatch,
    /// A sealed secret does not open with this master key.
    #[error("the master key does not open `{0}`")]
    Sealed(String),
}

/// Why a database could not be opened. Its reader is the person who starts the program.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It is not there, is no database, or may not be read.
    #[error("cannot open the database at `{at}`: {cause}")]
    Unreachable {
        /// Where it was looked for, without a password.
        at: String,
        /// What the driver said.
        cause: sqlx::Error,
    },
    /// The schema could not be brought up to date.
    #[error("cannot bring the database up to date: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// The linked SQLite can corrupt a write-ahead log (fixed in 3.51.3).
    #[error("SQLite {found} can corrupt a database; 3.51.3 or later is needed")]
    SqliteTooOld {
        /// The version that is linked.
        found: String,
    },
    /// The stored secrets were sealed under another key.
    #[error(
        "the master key does not open the secrets in this database; put back the key file that belongs to it"
    )]
    WrongMasterKey,
    /// The master key's file cannot be read or made.
    #[error("cannot read or make the master key `{path}`: {cause}")]
    MasterKey {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// The master key is not 32 bytes of base64url.
    #[error("`{path}` holds no master key: it must be one line of 43 base64url characters")]
    MalformedMasterKey {
        /// Which file.
        path: PathBuf,
    },
    /// Something in it cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}
