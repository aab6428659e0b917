//! Two drivers, one text.

use sqlx::{PgPool, Postgres, Sqlite, SqlitePool, Transaction};

/// The database this process was configured with.
#[derive(Clone, Debug)]
pub(crate) enum Db {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// A transaction on either.
#[derive(Debug)]
pub(crate) enum Tx {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

impl Db {
    /// Opens a transaction that will write.
    pub(crate) async fn begin(&self) -> Result<Tx, sqlx::Error> {
        match self {
            // A deferred transaction fails half-way when another writer was
            // faster; an immediate one waits for its turn at the start.
            Self::Sqlite(pool) => pool.begin_with("BEGIN IMMEDIATE").await.map(Tx::Sqlite),
            Self::Postgres(pool) => pool.begin().await.map(Tx::Postgres),
        }
    }
}

impl Tx {
    /// Only after this has returned may anybody be told.
    pub(crate) async fn commit(self) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(tx) => tx.commit().await,
            Self::Postgres(tx) => tx.commit().await,
        }
    }
}

/// Runs one body against whichever driver `$value` holds.
///
/// The body is compiled once per driver. Its SQL and its binds are written once.
macro_rules! on {
    ($enum:ident, $value:expr, |$it:ident| $body:expr) => {
        match $value {
            $crate::db::$enum::Sqlite($it) => $body,
            $crate::db::$enum::Postgres($it) => $body,
        }
    };
}

/// Runs a statement in a transaction; how many rows it touched.
macro_rules! execute {
    ($tx:expr, $sql:expr $(, $bind:expr)* $(,)?) => {
        $crate::db::on!(Tx, $tx, |tx| {
            sqlx::query($sql)$(.bind($bind))*.execute(&mut **tx).await.map(|done| done.rows_affected())
        })
    };
}

/// The row of a query in a transaction, if there is one.
macro_rules! optional_in {
    ($tx:expr, $row:ty, $sql:expr $(, $bind:expr)* $(,)?) => {
        $crate::db::on!(Tx, $tx, |tx| {
            sqlx::query_as::<_, $row>($sql)$(.bind($bind))*.fetch_optional(&mut **tx).await
        })
    };
}

/// The row of a query, if there is one.
macro_rules! optional {
    ($db:expr, $row:ty, $sql:expr $(, $bind:expr)* $(,)?) => {
        $crate::db::on!(Db, $db, |pool| {
            sqlx::query_as::<_, $row>($sql)$(.bind($bind))*.fetch_optional(pool).await
        })
    };
}

/// The rows of a query.
macro_rules! all {
    ($db:expr, $row:ty, $sql:expr $(, $bind:expr)* $(,)?) => {
        $crate::db::on!(Db, $db, |pool| {
            sqlx::query_as::<_, $row>($sql)$(.bind($bind))*.fetch_all(pool).await
        })
    };
}

pub(crate) use {all, execute, on, optional, optional_in};
