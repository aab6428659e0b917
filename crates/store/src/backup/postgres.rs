//! From and to PostgreSQL, row by row.

use std::{path::Path, str::FromStr};

use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, PgConnection, SqliteConnection,
    postgres::PgConnectOptions,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

use super::{
    BackupError, Tell, copy, refuse_newer,
    tables::{self, Table, schema_of, tables_of_schema},
};
use crate::{Location, OpenError, open::MIGRATIONS};

/// What migrations put into their tables, which is no data.
const BORN_WITH_ROWS: [&str; 2] = ["changes", "counters"];

/// Copies what is in a database at one moment into a file.
pub(super) async fn read_into(url: &str, to: &Path, tell: Tell<'_>) -> Result<(), BackupError> {
    const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";
    const THERE: &str = "SELECT to_regclass('_sqlx_migrations') IS NOT NULL";
    const SCHEMA: &str = "SELECT max(version) FROM _sqlx_migrations";
    let mut source = connect(url).await?;
    sqlx::query(SNAPSHOT).execute(&mut source).await?;
    let there: bool = sqlx::query_scalar(THERE).fetch_one(&mut source).await?;
    let schema: Option<i64> = match there {
        true => sqlx::query_scalar(SCHEMA).fetch_one(&mut source).await?,
        false => None,
    };
    let schema = refuse_newer(schema)?;
    let mut copy = SqliteConnectOptions::new()
        .filename(to)
        // What is cut off is thrown away, and the file is synced when it is whole.
        .journal_mode(SqliteJournalMode::Off)
        .synchronous(SqliteSynchronous::Off)
        .foreign_keys(false)
        .connect()
        .await?;
    MIGRATIONS.run_to(schema, &mut copy).await?;
    sqlx::query("BEGIN").execute(&mut copy).await?;
    for table in tables::tables(&mut copy).await? {
        let empty = AssertSqlSafe(format!(r#"DELETE FROM "{}""#, table.name));
        sqlx::query(empty).execute(&mut copy).await?;
        let copied = copy::postgres_to_sqlite(&table, &mut source, &mut copy, tell).await?;
        let there = count(&table, &mut source).await?;
        if copied != there {
            return Err(BackupError::Damaged {
                path: to.to_owned(),
                what: format!("`{}` has {copied} rows of {there}", table.name),
            });
        }
    }
    sqlx::query("COMMIT").execute(&mut copy).await?;
    copy.close().await?;
    source.close().await?;
    Ok(())
}

/// Copies a file of the present schema into an empty database, in one transaction.
pub(super) async fn write_from(
    file: &mut SqliteConnection,
    url: &str,
    tell: Tell<'_>,
) -> Result<(), BackupError> {
    // A server that starts meanwhile waits for this table, and finds everything.
    const LOCK: &str = "LOCK TABLE installation IN ACCESS EXCLUSIVE MODE";
    let at = || Location::Postgres(url.to_owned()).to_string();
    let mut target = connect(url).await?;
    refuse_others(&mut target, at()).await?;
    MIGRATIONS.run(&mut target).await?;
    let schema = refuse_newer(schema_of(file).await?)?;
    let tables = tables_of_schema(schema).await?;
    let mut tx = target.begin().await?;
    sqlx::query(LOCK).execute(&mut *tx).await?;
    for table in &tables {
        if BORN_WITH_ROWS.contains(&table.name.as_str()) {
            let empty = AssertSqlSafe(format!(r#"DELETE FROM "{}""#, table.name));
            sqlx::query(empty).execute(&mut *tx).await?;
        } else if count(table, &mut tx).await? > 0 {
            return Err(BackupError::HoldsData { at: at() });
        }
    }
    for table in &tables {
        let copied = copy::sqlite_to_postgres(table, file, &mut tx, tell).await?;
        let there = count(table, &mut tx).await?;
        if copied != there {
            return Err(BackupError::Damaged {
                path: at().into(),
                what: format!("`{}` has {there} rows of {copied}", table.name),
            });
        }
    }
    tx.commit().await?;
    target.close().await?;
    Ok(())
}

/// Whether anything of ours is in there, before any work is done for it.
pub(super) async fn refuse_data(url: &str) -> Result<(), BackupError> {
    const SQL: &str = "SELECT to_regclass('installation') IS NOT NULL";
    const ROWS: &str = "SELECT count(*) FROM installation";
    let mut target = connect(url).await?;
    let at = Location::Postgres(url.to_owned()).to_string();
    let there: bool = sqlx::query_scalar(SQL).fetch_one(&mut target).await?;
    if there
        && sqlx::query_scalar::<_, i64>(ROWS)
            .fetch_one(&mut target)
            .await?
            > 0
    {
        return Err(BackupError::HoldsData { at });
    }
    refuse_others(&mut target, at).await?;
    target.close().await?;
    Ok(())
}

async fn refuse_others(target: &mut PgConnection, at: String) -> Result<(), BackupError> {
    const SQL: &str = "
        SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()
            AND backend_type = 'client backend'";
    let others: i64 = sqlx::query_scalar(SQL).fetch_one(target).await?;
    if others > 0 {
        return Err(BackupError::InUse { at, others });
    }
    Ok(())
}

async fn count(table: &Table, db: &mut PgConnection) -> Result<i64, BackupError> {
    let sql = AssertSqlSafe(format!(r#"SELECT count(*) FROM "{}""#, table.name));
    Ok(sqlx::query_scalar(sql).fetch_one(db).await?)
}

async fn connect(url: &str) -> Result<PgConnection, BackupError> {
    let unreachable = |at: String| move |cause| OpenError::Unreachable { at, cause };
    let options =
        PgConnectOptions::from_str(url).map_err(unreachable("the configured URL".to_owned()))?;
    let at = format!("{}:{}", options.get_host(), options.get_port());
    let connection = PgConnection::connect_with(&options).await;
    Ok(connection.map_err(unreachable(at))?)
}
