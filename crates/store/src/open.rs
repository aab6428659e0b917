//! Opening and closing.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use aws_lc_rs::hmac;
use maitred_core::clock::Clock;
use sqlx::{
    ConnectOptions, Connection, Executor, PgConnection, PgPool, SqlitePool,
    migrate::{MigrateError, Migrator},
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::{
    Actor, MasterKey, StoreError,
    db::{Db, Tx, WriteDb, on},
    error::OpenError,
    nodes::Node,
    writer::Writer,
};

pub(crate) static MIGRATIONS: Migrator = sqlx::migrate!();

/// How many read at once from a SQLite database.
const READERS: u32 = 4;

/// How long a statement waits for another writer (rule R8).
pub(crate) const BUSY: Duration = Duration::from_secs(5);

/// Where the data lives.
#[derive(Clone)]
pub enum Location {
    /// A file, made if it is not there.
    Sqlite(PathBuf),
    /// A `postgres://` URL.
    Postgres(String),
}

impl fmt::Display for Location {
    /// Without what may be secret in a URL: user, password, parameters.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => path.display().fmt(f),
            Self::Postgres(url) => {
                let rest = url.split_once("://").map_or("", |(_, rest)| rest);
                let rest = rest.split('?').next().unwrap_or_default();
                let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
                write!(f, "postgres://{host}")
            }
        }
    }
}

impl fmt::Debug for Location {
    /// As it is displayed: what holds one is printed in logs too.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Everything that is kept. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) db: Db,
    /// On SQLite one connection that transactions share: one writer at a time is
    /// a fact there, and a queue in front of it is fairer than a race for its lock.
    pub(crate) writer: WriteDb,
    pub(crate) master: MasterKey,
    /// Who has things done with it.
    pub(crate) actor: Option<Actor>,
    /// The node that serves with it; none for a command.
    pub(crate) node: Option<Node>,
    /// What keyed hashes are made with.
    pub(crate) hash_key: hmac::Key,
    /// The one source of time and ids for what is stored.
    pub clock: Clock,
}

impl Store {
    /// Opens the database, brings its schema up to date, and checks that the
    /// master key opens what is sealed in it (rule R9).
    pub async fn open(
        location: &Location,
        master: MasterKey,
        clock: Clock,
    ) -> Result<Self, OpenError> {
        let (db, writer) = match location {
            Location::Sqlite(path) => {
                let unreachable = |cause| OpenError::Unreachable {
                    at: path.display().to_string(),
                    cause,
                };
                let options = sqlite_options(path);
                // One connection at first: it makes the file and switches it to a
                // write-ahead log.
                let readers = SqlitePoolOptions::new()
                    .max_connections(READERS)
                    .acquire_timeout(BUSY)
                    // A file does not hang up; asking would double the cost of a read.
                    .test_before_acquire(false)
                    .connect_with(options.clone());
                let readers = readers.await.map_err(unreachable)?;
                refuse_old_sqlite(&readers).await?;
                migrated(MIGRATIONS.run(&readers).await)?;
                let writer = options.connect().await.map_err(unreachable)?;
                let writer =
                    Writer::new(writer, BUSY).map_err(|error| unreachable(error.into()))?;
                let writer = WriteDb::Sqlite(writer);
                (Db::Sqlite(readers), writer)
            }
            Location::Postgres(url) => {
                let pool = open_postgres(url).await?;
                (Db::Postgres(pool.clone()), WriteDb::Postgres(pool))
            }
        };
        let mut store = Self {
            db,
            writer,
            master,
            // Until the one that is kept can be read.
            hash_key: hmac::Key::new(hmac::HMAC_SHA256, &[]),
            actor: None,
            node: None,
            clock,
        };
        store.check_master_key().await?;
        store.hash_key = store.settled_hash_key().await?;
        store.fingerprint_older_keys().await?;
        Ok(store)
    }

    /// Waits for what is being written and closes the files.
    pub async fn close(&self) {
        match &self.writer {
            WriteDb::Sqlite(writer) => writer.close().await,
            WriteDb::Postgres(pool) => pool.close().await,
        }
        on!(Db, &self.db, |pool| pool.close().await);
    }

    pub(crate) async fn begin(&self) -> Result<Tx, StoreError> {
        self.writer.begin().await
    }

    /// Empties SQLite's write-ahead log, in which what was deleted still stands. While
    /// somebody reads from it or writes, that is not possible, and the next sweep does
    /// it: to wait for readers would hold the lock of writers.
    pub(crate) async fn empty_the_log(&self) {
        const SQL: &str = "PRAGMA wal_checkpoint(TRUNCATE)";
        let Db::Sqlite(pool) = &self.db else {
            return;
        };
        let options = pool.connect_options().as_ref().clone();
        let emptied = async {
            let mut impatient = options.busy_timeout(Duration::ZERO).connect().await?;
            impatient.execute(SQL).await?;
            impatient.close().await
        };
        if let Err(error) = emptied.await {
            tracing::warn!(%error, "the write-ahead log is not emptied yet");
        }
    }
}

fn migrated(done: Result<(), MigrateError>) -> Result<(), OpenError> {
    done.map_err(|error| {
        // Migrations are added and never taken away.
        if let MigrateError::VersionMissing(found) = error {
            OpenError::NewerSchema { found }
        } else {
            OpenError::Migrate(error)
        }
    })
}

async fn refuse_old_sqlite(pool: &SqlitePool) -> Result<(), OpenError> {
    let found: String = sqlx::query_scalar("SELECT sqlite_version()")
        .fetch_one(pool)
        .await
        .map_err(StoreError::from)?;
    let parts: Vec<u32> = found
        .split('.')
        .filter_map(|part| part.parse().ok())
        .collect();
    if parts < vec![3, 51, 3] {
        Err(OpenError::SqliteTooOld { found })
    } else {
        Ok(())
    }
}

fn sqlite_options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        // What is deleted is overwritten in the file, too (rule D7).
        .pragma("secure_delete", "ON")
        .foreign_keys(true)
        .busy_timeout(BUSY)
}

async fn open_postgres(url: &str) -> Result<PgPool, OpenError> {
    let options = PgConnectOptions::from_str(url).map_err(|cause| OpenError::Unreachable {
        at: "the configured URL".to_owned(),
        cause,
    })?;
    // Put together anew, since a URL can carry the password in two places.
    let at = format!("{}:{}", options.get_host(), options.get_port());
    let unreachable = |cause| OpenError::Unreachable {
        at: at.clone(),
        cause,
    };
    let once = async {
        // Without the pool, which would try again for seconds and then say that it
        // timed out instead of why.
        PgConnection::connect_with(&options).await?.close().await?;
        let pool = PgPoolOptions::new().max_connections(1);
        pool.connect_with(options.clone()).await
    };
    let once = once.await.map_err(unreachable)?;
    // Whoever migrates waits for others who do.
    migrated(MIGRATIONS.run(&once).await)?;
    once.close().await;
    let patience = format!("{}s", BUSY.as_secs());
    PgPoolOptions::new()
        .max_connections(10)
        .acquire_timeout(BUSY)
        .connect_with(options.options([("lock_timeout", patience)]))
        .await
        .map_err(unreachable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn k2_a_location_is_printed_without_what_is_secret_in_it() {
        let url = "postgres://ada:hunter2@db.example:5432/maitred?password=hunter2";
        let location = Location::Postgres(url.to_owned());

        for printed in [format!("{location}"), format!("{location:?}")] {
            assert_eq!(printed, "postgres://db.example:5432/maitred");
        }
    }
}
