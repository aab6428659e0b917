//! Rows of any table, from one database to the other.

use futures_util::TryStreamExt;
use sqlx::{AssertSqlSafe, PgConnection, Row, SqliteConnection};

use super::{
    BackupError, Tell,
    tables::{Holds, Table},
};

/// How many rows are written at once.
const AT_ONCE: usize = 500;
/// How many rows are read between two words about it.
const WORD_AFTER: i64 = 100_000;

/// One value.
enum Cell {
    Text(Option<String>),
    Integer(Option<i64>),
    Bytes(Option<Vec<u8>>),
}

/// Reads the values of a row, whichever driver it is of.
macro_rules! cells {
    ($row:expr, $table:expr) => {{
        let columns = $table.columns.iter().enumerate();
        let cells = columns.map(|(at, column)| {
            Ok::<Cell, sqlx::Error>(match column.holds {
                Holds::Text => Cell::Text($row.try_get(at)?),
                Holds::Integer => Cell::Integer($row.try_get(at)?),
                Holds::Bytes => Cell::Bytes($row.try_get(at)?),
            })
        });
        cells.collect::<Result<Vec<Cell>, sqlx::Error>>()?
    }};
}

/// Copies the rows of a table; how many those were.
pub(super) async fn postgres_to_sqlite(
    table: &Table,
    from: &mut PgConnection,
    to: &mut SqliteConnection,
    tell: Tell<'_>,
) -> Result<i64, BackupError> {
    let select = AssertSqlSafe(format!(
        "SELECT {} FROM {}",
        names(table),
        quoted(&table.name)
    ));
    let places: Vec<String> = (1..=table.columns.len()).map(|n| format!("${n}")).collect();
    let insert = format!(
        "INSERT INTO {} ({}) VALUES ({})",
        quoted(&table.name),
        names(table),
        places.join(", ")
    );
    let mut rows = sqlx::query(select).fetch(from);
    let mut copied = 0;
    while let Some(row) = rows.try_next().await? {
        let mut query = sqlx::query(AssertSqlSafe(insert.clone()));
        for cell in cells!(row, table) {
            query = match cell {
                Cell::Text(it) => query.bind(it),
                Cell::Integer(it) => query.bind(it),
                Cell::Bytes(it) => query.bind(it),
            };
        }
        query.execute(&mut *to).await?;
        count(&mut copied, table, tell);
    }
    Ok(copied)
}

/// Copies the rows of a table; how many those were.
pub(super) async fn sqlite_to_postgres(
    table: &Table,
    from: &mut SqliteConnection,
    to: &mut PgConnection,
    tell: Tell<'_>,
) -> Result<i64, BackupError> {
    let select = AssertSqlSafe(format!(
        "SELECT {} FROM {}",
        names(table),
        quoted(&table.name)
    ));
    let insert = insert_into_postgres(table);
    let mut rows = sqlx::query(select).fetch(from);
    let mut copied = 0;
    let mut waiting = Vec::with_capacity(AT_ONCE);
    while let Some(row) = rows.try_next().await? {
        waiting.push(cells!(row, table));
        count(&mut copied, table, tell);
        if waiting.len() == AT_ONCE {
            write(table, &insert, std::mem::take(&mut waiting), to).await?;
        }
    }
    write(table, &insert, waiting, to).await?;
    Ok(copied)
}

/// One statement for any number of rows: an array for each column.
fn insert_into_postgres(table: &Table) -> String {
    let arrays: Vec<String> = (1..)
        .zip(&table.columns)
        .map(|(n, column)| match column.holds {
            Holds::Text => format!("${n}::text[]"),
            Holds::Integer => format!("${n}::bigint[]"),
            Holds::Bytes => format!("${n}::bytea[]"),
        })
        .collect();
    format!(
        "INSERT INTO {} ({}) SELECT * FROM unnest({})",
        quoted(&table.name),
        names(table),
        arrays.join(", ")
    )
}

async fn write(
    table: &Table,
    insert: &str,
    rows: Vec<Vec<Cell>>,
    to: &mut PgConnection,
) -> Result<(), BackupError> {
    if rows.is_empty() {
        return Ok(());
    }
    let (mut texts, mut integers, mut bytes) = (Vec::new(), Vec::new(), Vec::new());
    for _ in &table.columns {
        texts.push(Vec::<Option<String>>::new());
        integers.push(Vec::<Option<i64>>::new());
        bytes.push(Vec::<Option<Vec<u8>>>::new());
    }
    for row in rows {
        for (at, cell) in row.into_iter().enumerate() {
            match cell {
                Cell::Text(it) => texts[at].push(it),
                Cell::Integer(it) => integers[at].push(it),
                Cell::Bytes(it) => bytes[at].push(it),
            }
        }
    }
    let mut query = sqlx::query(AssertSqlSafe(insert.to_owned()));
    for (at, column) in table.columns.iter().enumerate() {
        query = match column.holds {
            Holds::Text => query.bind(std::mem::take(&mut texts[at])),
            Holds::Integer => query.bind(std::mem::take(&mut integers[at])),
            Holds::Bytes => query.bind(std::mem::take(&mut bytes[at])),
        };
    }
    query.execute(to).await?;
    Ok(())
}

fn count(copied: &mut i64, table: &Table, tell: Tell<'_>) {
    *copied += 1;
    if *copied % WORD_AFTER == 0 {
        tell(&format!("{}: {copied} rows", table.name));
    }
}

/// The columns, as SQL lists them.
fn names(table: &Table) -> String {
    let names: Vec<String> = table.columns.iter().map(|it| quoted(&it.name)).collect();
    names.join(", ")
}

fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}
