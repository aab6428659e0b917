//! What can go wrong with stored things.

use std::{path::PathBuf, sync::Arc};

use crate::KeyConflict;

/// Why the store could not do what was asked. Its reader is a caller that branches.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database said no, or is away.
    #[error("the database failed")]
    Db(#[from] sqlx::Error),
    /// The commit that this was a part of failed: nothing of it is stored.
    #[error("the database could not commit")]
    NotCommitted(#[source] Arc<sqlx::Error>),
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
    /// Another node runs this turn: it was taken from the one that asks.
    #[error("another node runs this turn")]
    TurnTaken,
    /// The key that verified a token was revoked before its session was stored.
    #[error("the key was revoked")]
    KeyRevoked,
    /// The subject of a token was logged out everywhere since it was made, or the
    /// token does not say when it was made (rule S6).
    #[error("the token was made before its user was logged out everywhere")]
    TokenRevoked,
    /// A token that is good once was used before (rule T9).
    #[error("the token was used before")]
    TokenReplayed,
    /// A new key has no place here (rules K6, K7, K8).
    #[error(transparent)]
    KeyConflict(#[from] KeyConflict),
    /// A second message under one client id says something else (rule R1).
    #[error("a message with this id says something else")]
    IdempotencyMismatch,
    /// Without a good token seen, requiring one would lock everybody out (rule E1).
    #[error("no good token was seen in this environment yet")]
    NoGoodToken,
    /// A sealed secret does not open with this master key.
    #[error("the master key does not open `{0}`")]
    Sealed(String),
}

impl StoreError {
    /// Whether nothing can be written, since there is no room left or the disk is
    /// read-only (rule R8).
    pub fn is_storage_full(&self) -> bool {
        match self.code() {
            // SQLITE_READONLY, SQLITE_FULL, and of SQLITE_IOERR those of a write and of
            // a log's index that cannot grow.
            Some(Code::Sqlite(code)) => matches!(code & 0xff, 8 | 13) || matches!(code, 778 | 4874),
            // disk_full, read_only_sql_transaction.
            Some(Code::Postgres(code)) => matches!(code.as_str(), "53100" | "25006"),
            None => false,
        }
    }

    /// Whether it may work again in a moment, without anybody's help.
    pub fn is_away(&self) -> bool {
        match self.code() {
            // SQLITE_BUSY, SQLITE_LOCKED.
            Some(Code::Sqlite(code)) => matches!(code & 0xff, 5 | 6),
            // Connection failures, too_many_connections, a lock that others hold too
            // long, and a server that stops, crashed or starts.
            Some(Code::Postgres(code)) => {
                code.starts_with("08")
                    || matches!(
                        code.as_str(),
                        "53300" | "55P03" | "57P01" | "57P02" | "57P03"
                    )
            }
            None => matches!(
                self.database(),
                Some(sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Io(_))
            ),
        }
    }

    fn database(&self) -> Option<&sqlx::Error> {
        if let Self::Db(error) = self {
            return Some(error);
        }
        if let Self::NotCommitted(error) = self {
            return Some(error);
        }
        None
    }

    fn code(&self) -> Option<Code> {
        let Some(sqlx::Error::Database(error)) = self.database() else {
            return None;
        };
        let code = error.code()?;
        // An SQLSTATE has five characters, and no code of SQLite's as many.
        Some(match code.parse() {
            Ok(number) if code.len() < 5 => Code::Sqlite(number),
            _ => Code::Postgres(code.into_owned()),
        })
    }
}

/// What a database calls an error.
enum Code {
    /// An extended result code, whose last byte is the class.
    Sqlite(u32),
    Postgres(String),
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
    /// A later release was here before (rule R9).
    #[error("the database was made by a later release (schema {found}); start that release")]
    NewerSchema {
        /// The number of the schema that this program does not know.
        found: i64,
    },
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
