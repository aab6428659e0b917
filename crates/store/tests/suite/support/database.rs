//! A database of its own for each test, and what can be done to it past the store.

use std::path::Path;

use maitred_store::Location;
use sqlx::{
    AssertSqlSafe, Connection, Executor, PgConnection, PgPool, SqlitePool, migrate::Migrator,
};
use uuid::Uuid;

/// As the store has them; the API suite includes this file, too.
static MIGRATIONS: Migrator = sqlx::migrate!("../store/migrations");

/// A file in the test's directory, or a database on the server that
/// `MAITRED_TEST_DATABASE_URL` names. It goes when this goes.
pub(super) enum Database {
    Sqlite(Location),
    Postgres { server: String, location: Location },
}

enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

impl Database {
    pub(super) async fn new(dir: &Path) -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "no configuration is loaded here, and CI names the database this way"
        )]
        let server = std::env::var("MAITRED_TEST_DATABASE_URL");
        match server {
            Err(_) => Self::Sqlite(Location::Sqlite(dir.join("maitred.db"))),
            Ok(server) => Self::Postgres {
                location: Location::Postgres(create_on(&server).await),
                server,
            },
        }
    }

    pub(super) fn location(&self) -> &Location {
        match self {
            Self::Sqlite(location) | Self::Postgres { location, .. } => location,
        }
    }

    pub(super) async fn execute(&self, sql: &str) {
        let sql = AssertSqlSafe(sql.to_owned());
        match self.pool().await {
            Pool::Sqlite(pool) => drop(sqlx::query(sql).execute(&pool).await.unwrap()),
            Pool::Postgres(pool) => drop(sqlx::query(sql).execute(&pool).await.unwrap()),
        }
    }

    /// The first column of what a query finds.
    pub(super) async fn column(&self, sql: &str) -> Vec<String> {
        let sql = AssertSqlSafe(sql.to_owned());
        match self.pool().await {
            Pool::Sqlite(pool) => sqlx::query_scalar(sql).fetch_all(&pool).await.unwrap(),
            Pool::Postgres(pool) => sqlx::query_scalar(sql).fetch_all(&pool).await.unwrap(),
        }
    }

    /// The bytes of the file and its log, or every row of every table.
    pub(super) async fn dump(&self) -> String {
        if let Location::Sqlite(path) = self.location() {
            let log = path.with_extension("db-wal");
            let mut bytes = std::fs::read(path).unwrap();
            bytes.extend(std::fs::read(log).unwrap_or_default());
            return String::from_utf8_lossy(&bytes).into_owned();
        }
        const TABLES: &str =
            "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public'";
        let Pool::Postgres(pool) = self.pool().await else {
            unreachable!("the other kind was dealt with above");
        };
        let tables: Vec<String> = sqlx::query_scalar(TABLES).fetch_all(&pool).await.unwrap();
        let mut text = String::new();
        for table in tables {
            let rows = AssertSqlSafe(format!("SELECT t::text FROM {table} t"));
            let rows: Vec<String> = sqlx::query_scalar(rows).fetch_all(&pool).await.unwrap();
            text.extend(rows);
        }
        text
    }

    async fn pool(&self) -> Pool {
        match self.location() {
            Location::Sqlite(path) => {
                let url = format!("sqlite://{}", path.display());
                Pool::Sqlite(SqlitePool::connect(&url).await.unwrap())
            }
            Location::Postgres(url) => Pool::Postgres(PgPool::connect(url).await.unwrap()),
        }
    }
}

impl Drop for Database {
    /// Takes the database away, also after a failed test. A file goes with its directory.
    fn drop(&mut self) {
        let Self::Postgres {
            server,
            location: Location::Postgres(url),
        } = self
        else {
            return;
        };
        let sql = format!("DROP DATABASE {} WITH (FORCE)", name_of(url));
        let server = server.clone();
        // A thread, because a runtime cannot be started inside the test's own.
        let dropped = std::thread::spawn(move || {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap()
                .block_on(run_on(&server, sql));
        });
        // A panic in here would hide why the test failed.
        drop(dropped.join());
    }
}

/// A copy of a database that has the schema already: to bring each one up to date
/// would take longer than most tests do.
async fn create_on(server: &str) -> String {
    let mut connection = PgConnection::connect(server).await.unwrap();
    let template = template_on(server, &mut connection).await;
    let name = format!("maitred_test_{}", Uuid::new_v4().simple());
    let create = format!("CREATE DATABASE {name} TEMPLATE {template}");
    connection.execute(AssertSqlSafe(create)).await.unwrap();
    connection.close().await.unwrap();
    beside(server, &name)
}

/// The database that all are copied from, made by whichever test is the first.
async fn template_on(server: &str, connection: &mut PgConnection) -> String {
    // Any number, but the same for all who wait for each other here.
    const LOCK: &str = "SELECT pg_advisory_lock(7070)";
    const UNLOCK: &str = "SELECT pg_advisory_unlock(7070)";
    const IS_THERE: &str = "SELECT datname::text FROM pg_database WHERE datname = $1";
    // Made of another set of migrations, it is another one.
    let version = MIGRATIONS
        .iter()
        .flat_map(|it| it.checksum.iter())
        .fold(0_u64, |hash, byte| {
            hash.wrapping_mul(31).wrapping_add(u64::from(*byte))
        });
    let name = format!("maitred_template_{version:x}");
    connection.execute(LOCK).await.unwrap();
    let found: Option<String> = sqlx::query_scalar(IS_THERE)
        .bind(&name)
        .fetch_optional(&mut *connection)
        .await
        .unwrap();
    if found.is_none() {
        // Under another name until it is whole: whoever makes it may be stopped.
        let unfinished = format!("{name}_{}", Uuid::new_v4().simple());
        let create = format!("CREATE DATABASE {unfinished}");
        connection.execute(AssertSqlSafe(create)).await.unwrap();
        let mut inside = PgConnection::connect(&beside(server, &unfinished))
            .await
            .unwrap();
        MIGRATIONS.run(&mut inside).await.unwrap();
        inside.close().await.unwrap();
        let rename = format!("ALTER DATABASE {unfinished} RENAME TO {name}");
        connection.execute(AssertSqlSafe(rename)).await.unwrap();
    }
    connection.execute(UNLOCK).await.unwrap();
    name
}

/// The URL of another database on that server.
fn beside(server: &str, name: &str) -> String {
    let (rest, query) = server.split_once('?').unwrap_or((server, ""));
    let (host, _) = rest.rsplit_once('/').expect("the URL names a database");
    format!("{host}/{name}?{query}")
}

fn name_of(url: &str) -> &str {
    let path = url.split('?').next().unwrap_or(url);
    path.rsplit('/').next().unwrap_or(path)
}

async fn run_on(server: &str, sql: String) {
    let mut connection = PgConnection::connect(server).await.unwrap();
    connection.execute(AssertSqlSafe(sql)).await.unwrap();
    connection.close().await.unwrap();
}
