//! Two drivers, one text.

use sqlx::{PgPool, Postgres, SqlitePool, Transaction};

use crate::{
    StoreError,
    writer::{Lease, Writer},
};

/// The database this process was configured with: what reads go to.
#[derive(Clone, Debug)]
pub(crate) enum Db {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// What writes go to.
#[derive(Clone, Debug)]
pub(crate) enum WriteDb {
    Sqlite(Writer),
    Postgres(PgPool),
}

/// A transaction on either.
#[derive(Debug)]
pub(crate) enum Tx {
    Sqlite(Lease),
    Postgres(Transaction<'static, Postgres>),
}

impl WriteDb {
    /// Opens a transaction that will write.
    pub(crate) async fn begin(&self) -> Result<Tx, StoreError> {
        match self {
            Self::Sqlite(writer) => writer.begin().await.map(Tx::Sqlite),
            Self::Postgres(pool) => Ok(Tx::Postgres(pool.begin().await?)),
        }
    }

    /// Runs a whole transaction where it waits for as little as possible.
    pub(crate) async fn beside<T: Send + 'static>(
        &self,
        transaction: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        match self {
            Self::Sqlite(writer) => writer.beside(transaction).await,
            Self::Postgres(_) => transaction.await,
        }
    }
}

impl Tx {
    /// Only after this has returned may anybody be told.
    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        tracing::trace!("commit");
        match self {
            Self::Sqlite(lease) => lease.commit().await,
            Self::Postgres(tx) => Ok(tx.commit().await?),
        }
    }

    /// Undoes everything. To be dropped does the same, only later.
    pub(crate) async fn roll_back(self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(lease) => {
                drop(lease);
                Ok(())
            }
            Self::Postgres(tx) => Ok(tx.rollback().await?),
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

/// The rows of a query in a transaction.
macro_rules! all_in {
    ($tx:expr, $row:ty, $sql:expr $(, $bind:expr)* $(,)?) => {
        $crate::db::on!(Tx, $tx, |tx| {
            sqlx::query_as::<_, $row>($sql)$(.bind($bind))*.fetch_all(&mut **tx).await
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

pub(crate) use {all, all_in, execute, on, optional, optional_in};
