//! The tables of the schema, as a SQLite database of it tells them: no list of them
//! stands anywhere that could be forgotten.

use std::{collections::BTreeMap, path::Path};

use sqlx::{AssertSqlSafe, Connection, SqliteConnection};

use super::{BackupError, manifest};
use crate::{MasterKey, installation::MASTER_CHECK, open::MIGRATIONS};

/// One table.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) columns: Vec<Column>,
    /// Whose rows must be there before its own.
    refers_to: Vec<String>,
}

#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) holds: Holds,
}

/// What a column holds: nothing else is in the portable subset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    Text,
    Integer,
    Bytes,
}

/// The number of the schema; none if there is no schema of ours.
pub(super) async fn schema_of(db: &mut SqliteConnection) -> Result<Option<i64>, BackupError> {
    const THERE: &str =
        "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = '_sqlx_migrations'";
    const SQL: &str = "SELECT max(version) FROM _sqlx_migrations";
    let there: i64 = sqlx::query_scalar(THERE).fetch_one(&mut *db).await?;
    if there == 0 {
        return Ok(None);
    }
    Ok(sqlx::query_scalar(SQL).fetch_one(db).await?)
}

/// The tables of a schema, those first that others refer to.
pub(super) async fn tables_of_schema(schema: i64) -> Result<Vec<Table>, BackupError> {
    let mut db = SqliteConnection::connect("sqlite::memory:").await?;
    MIGRATIONS.run_to(schema, &mut db).await?;
    let tables = tables(&mut db).await?;
    db.close().await?;
    Ok(tables)
}

/// The tables of a database, those first that others refer to.
pub(super) async fn tables(db: &mut SqliteConnection) -> Result<Vec<Table>, BackupError> {
    const NAMES: &str = r"
        SELECT name FROM sqlite_master
        WHERE type = 'table' AND name NOT LIKE 'sqlite\_%' ESCAPE '\'
            AND name <> '_sqlx_migrations' AND name <> $1
        ORDER BY name";
    const COLUMNS: &str = "SELECT name, type FROM pragma_table_info($1) ORDER BY cid";
    const REFERS_TO: &str = r#"SELECT DISTINCT "table" FROM pragma_foreign_key_list($1)"#;
    let names: Vec<String> = sqlx::query_scalar(NAMES)
        .bind(manifest::TABLE)
        .fetch_all(&mut *db)
        .await?;
    let mut tables = Vec::new();
    for name in names {
        let columns: Vec<(String, String)> = sqlx::query_as(COLUMNS)
            .bind(&name)
            .fetch_all(&mut *db)
            .await?;
        let columns = columns.into_iter().map(|(name, declared)| Column {
            name,
            holds: match declared.as_str() {
                "BIGINT" => Holds::Integer,
                "BYTEA" => Holds::Bytes,
                _ => Holds::Text,
            },
        });
        let columns = columns.collect();
        let refers_to = sqlx::query_scalar(REFERS_TO)
            .bind(&name)
            .fetch_all(&mut *db)
            .await?;
        tables.push(Table {
            name,
            columns,
            refers_to,
        });
    }
    Ok(parents_first(tables))
}

fn parents_first(mut waiting: Vec<Table>) -> Vec<Table> {
    let mut ordered: Vec<Table> = Vec::new();
    while !waiting.is_empty() {
        let is_there = |ordered: &[Table], name: &str| ordered.iter().any(|it| it.name == name);
        let ready = waiting.iter().position(|table| {
            let mut others = table.refers_to.iter().filter(|it| **it != table.name);
            others.all(|it| is_there(&ordered, it))
        });
        // In a circle there is no first one, and a database would say so.
        ordered.push(waiting.remove(ready.unwrap_or(0)));
    }
    ordered
}

/// How many rows each table has.
pub(super) async fn counted(
    db: &mut SqliteConnection,
) -> Result<BTreeMap<String, i64>, BackupError> {
    let mut counted = BTreeMap::new();
    for table in tables(db).await? {
        let sql = AssertSqlSafe(format!(r#"SELECT count(*) FROM "{}""#, table.name));
        let rows = sqlx::query_scalar(sql).fetch_one(&mut *db).await?;
        counted.insert(table.name, rows);
    }
    Ok(counted)
}

/// Refuses a file that is not sound.
pub(super) async fn check(db: &mut SqliteConnection, path: &Path) -> Result<(), BackupError> {
    let damaged = |what: String| BackupError::Damaged {
        path: path.to_owned(),
        what,
    };
    let found: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check(3)")
        .fetch_all(&mut *db)
        .await?;
    if found != ["ok"] {
        return Err(damaged(found.join("; ")));
    }
    let loose = sqlx::query("PRAGMA foreign_key_check")
        .fetch_all(&mut *db)
        .await?;
    if !loose.is_empty() {
        return Err(damaged(format!(
            "{} rows refer to others that are not there",
            loose.len()
        )));
    }
    Ok(())
}

/// Refuses a master key that does not open what is sealed in there.
pub(super) async fn refuse_other_master(
    db: &mut SqliteConnection,
    master: &MasterKey,
) -> Result<(), BackupError> {
    const SQL: &str = "SELECT value FROM installation WHERE name = $1";
    let kept: Option<String> = sqlx::query_scalar(SQL)
        .bind(MASTER_CHECK)
        .fetch_optional(db)
        .await?;
    match kept {
        Some(kept) if master.open(MASTER_CHECK, &kept).is_none() => {
            Err(BackupError::WrongMasterKey)
        }
        _ => Ok(()),
    }
}
