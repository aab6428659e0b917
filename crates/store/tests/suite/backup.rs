use std::{
    collections::BTreeMap,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, AtomicI64, Ordering},
};

use maitred_core::clock::Clock;
use maitred_store::{
    BackupError, Location, Manifest, MasterKey, OpenError, Replay, Restored, Store,
    WrappedMasterKey, back_up, inspect, restore,
};
use sqlx::{AssertSqlSafe, Connection, Row, SqliteConnection};

use super::support::TestStore;

fn quiet(_: &str) {}

impl TestStore {
    async fn backed_up(&self, name: &str) -> Manifest {
        let to = self.path(name);
        back_up(self.location(), &to, None, self.now(), &quiet)
            .await
            .unwrap()
    }

    fn master(&self) -> MasterKey {
        MasterKey::at(&self.path("master.key")).unwrap()
    }

    async fn restored(&self, backup: &str, to: &Location) -> Result<Restored, BackupError> {
        restore(
            &self.path(backup),
            to,
            &self.path("data"),
            &self.master(),
            self.clock.clone(),
            &quiet,
        )
        .await
    }

    fn file(&self, name: &str) -> Location {
        Location::Sqlite(self.path(name))
    }

    async fn open_file(&self, name: &str) -> Store {
        Store::open(&self.file(name), self.master(), self.clock.clone())
            .await
            .unwrap()
    }
}

async fn opened(path: &Path) -> SqliteConnection {
    let url = format!("sqlite://{}", path.display());
    SqliteConnection::connect(&url).await.unwrap()
}

async fn texts(db: &mut SqliteConnection, sql: String) -> Vec<String> {
    sqlx::query_scalar(AssertSqlSafe(sql))
        .fetch_all(db)
        .await
        .unwrap()
}

/// Every table of ours in a file.
async fn tables(db: &mut SqliteConnection) -> Vec<String> {
    let sql = r"SELECT name FROM sqlite_master WHERE type = 'table'
        AND name NOT LIKE 'sqlite\_%' ESCAPE '\'
        AND name NOT IN ('_sqlx_migrations', 'maitred_backup') ORDER BY name";
    texts(db, sql.to_owned()).await
}

/// Every row of every table of a file, as texts, but for what a restore changes.
async fn rows(path: &Path) -> BTreeMap<String, Vec<String>> {
    let mut db = opened(path).await;
    let mut rows = BTreeMap::new();
    for table in tables(&mut db).await {
        let columns = texts(
            &mut db,
            format!("SELECT name FROM pragma_table_info('{table}')"),
        )
        .await;
        let kept = columns
            .iter()
            .filter(|name| !matches!(name.as_str(), "epoch" | "ended_at"))
            .map(|name| format!("quote(\"{name}\")"));
        let line = kept.collect::<Vec<_>>().join(" || ', ' || ");
        let of_table = match table.as_str() {
            // It goes up with each restore.
            "changes" => continue,
            "audit" => "audit WHERE kind <> 'restored'",
            table => table,
        };
        let sql = format!("SELECT {line} AS line FROM {of_table} ORDER BY line");
        rows.insert(table.clone(), texts(&mut db, sql).await);
    }
    rows
}

/// Puts a row into every table that has none, whatever tables there are.
async fn fill(path: &Path) {
    let mut db = opened(path).await;
    let mut empty = Vec::new();
    for table in tables(&mut db).await {
        let sql = format!("SELECT CAST(count(*) AS TEXT) FROM \"{table}\"");
        if texts(&mut db, sql).await == ["0"] {
            empty.push(table);
        }
    }
    // Those that others refer to may come later in the alphabet.
    for _ in 0..3 {
        for table in &empty {
            let refers = format!("PRAGMA foreign_key_list('{table}')");
            let refers: BTreeMap<String, (String, String)> = sqlx::query(AssertSqlSafe(refers))
                .fetch_all(&mut db)
                .await
                .unwrap()
                .iter()
                .map(|row| (row.get("from"), (row.get("table"), row.get("to"))))
                .collect();
            let columns = format!("SELECT name || ' ' || type FROM pragma_table_info('{table}')");
            let values: Vec<String> = texts(&mut db, columns)
                .await
                .iter()
                .map(|column| {
                    let (name, holds) = column.split_once(' ').unwrap();
                    match (refers.get(name), holds) {
                        (Some((to, key)), _) => {
                            format!("(SELECT \"{key}\" FROM \"{to}\" ORDER BY rowid LIMIT 1)")
                        }
                        (None, "BIGINT") => "9007199254740993".to_owned(),
                        (None, "BYTEA") => "x'00ff10'".to_owned(),
                        (None, _) => format!("'{table} ''{name}'' \u{e9}\u{1f9ed}'"),
                    }
                })
                .collect();
            let insert = format!(
                "INSERT OR IGNORE INTO \"{table}\" VALUES ({})",
                values.join(", ")
            );
            sqlx::query(AssertSqlSafe(insert))
                .execute(&mut db)
                .await
                .unwrap();
        }
    }
    for table in tables(&mut db).await {
        let sql = format!("SELECT CAST(count(*) AS TEXT) FROM \"{table}\"");
        assert_ne!(texts(&mut db, sql).await, ["0"], "{table} is filled");
    }
}

#[tokio::test]
async fn r10_every_row_of_every_table_comes_through_either_database_and_back() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let sarah = site.meets("sarah").await;
    let conversation = sarah.opens_conversation().await;
    sarah.says(conversation, "hello").await;
    store.backed_up("first").await;
    store
        .restored("first", &store.file("full.db"))
        .await
        .unwrap();
    fill(&store.path("full.db")).await;
    back_up(
        &store.file("full.db"),
        &store.path("full"),
        None,
        store.now(),
        &quiet,
    )
    .await
    .unwrap();

    // To whichever database the suite runs on, which for SQLite is a file again.
    let other = store.another_database().await;
    store.restored("full", other.location()).await.unwrap();
    let again = store.path("again");
    back_up(other.location(), &again, None, store.now(), &quiet)
        .await
        .unwrap();
    store
        .restored("again", &store.file("last.db"))
        .await
        .unwrap();

    let (first, last) = (
        rows(&store.path("full.db")).await,
        rows(&store.path("last.db")).await,
    );
    assert!(first.len() > 20, "all tables are compared");
    assert_eq!(first, last);
}

#[tokio::test]
async fn r10_whatever_was_acknowledged_before_a_backup_began_is_in_it() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let sarah = site.meets("sarah").await;
    let conversation = sarah.opens_conversation().await;
    let (stop, acknowledged) = (AtomicBool::new(false), AtomicI64::new(0));
    let talk = async {
        while !stop.load(Ordering::Relaxed) {
            sarah.says(conversation, "one more").await;
            acknowledged.fetch_add(1, Ordering::Release);
        }
    };
    let backups = async {
        let mut expected = Vec::new();
        for n in 0..5 {
            let before = acknowledged.load(Ordering::Acquire);
            let name = format!("backup-{n}");
            store.backed_up(&name).await;
            expected.push((name, before));
            while acknowledged.load(Ordering::Acquire) < before + 5 {
                tokio::task::yield_now().await;
            }
        }
        stop.store(true, Ordering::Relaxed);
        expected
    };

    let ((), expected) = tokio::join!(talk, backups);

    let last = expected.last().unwrap().1;
    assert!(last > 5, "only {last} messages were said meanwhile");
    for (name, before) in expected {
        let there = inspect(&store.path(&name)).await.unwrap().rows["entries"];
        assert!(there >= before, "{name}: {there} of {before}");
    }
}

#[tokio::test]
async fn r4_r10_a_restore_begins_every_numbering_anew_and_ends_every_session() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let sarah = site.meets("sarah").await;
    let stranger = site.meets_a_stranger().await;
    let conversation = sarah.opens_conversation().await;
    sarah.says(conversation, "hello").await;
    let before = store.position(sarah.owner()).await.unwrap().unwrap();
    store.backed_up("backup").await;

    let restored = store
        .restored("backup", &store.file("new.db"))
        .await
        .unwrap();

    assert_eq!(restored.sessions_ended, 2);
    let new = store.open_file("new.db").await;
    for held in [&sarah, &stranger] {
        let found = new.session_by_id(held.session()).await.unwrap();
        assert!(
            !matches!(found, Some(maitred_store::Found::Live(_))),
            "{found:?}"
        );
    }
    let hers = new.position(sarah.owner()).await.unwrap().unwrap();
    let theirs = new.position(stranger.owner()).await.unwrap().unwrap();
    assert_ne!(hers.epoch, before.epoch);
    assert_ne!(hers.epoch, theirs.epoch);
    let replay = new.replay(sarah.owner(), &before).await.unwrap();
    assert!(matches!(replay, Replay::Resync(_)), "{replay:?}");
    let audit = new.audit_log(None, None, 1).await.unwrap();
    assert_eq!(audit.items[0].kind, "restored");
    new.close().await;
}

#[tokio::test]
async fn r10_a_backup_is_for_its_owner_only_and_overwrites_nothing() {
    let store = TestStore::new().await;
    store.site().await;
    let manifest = store.backed_up("backup").await;

    let again = back_up(
        store.location(),
        &store.path("backup"),
        None,
        store.now(),
        &quiet,
    )
    .await;

    assert!(matches!(again, Err(BackupError::Exists(_))), "{again:?}");
    let mode = std::fs::metadata(store.path("backup"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let shown = inspect(&store.path("backup")).await.unwrap();
    assert_eq!(shown.rows, manifest.rows);
    assert_eq!(shown.made_at, store.now());
    assert_eq!(shown.rows["agents"], 1);
    let left: Vec<PathBuf> = std::fs::read_dir(store.path(""))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.display().to_string().contains("backup"))
        .collect();
    assert_eq!(left, [store.path("backup")], "nothing lies beside it");
}

#[tokio::test]
async fn r10_a_restore_is_into_nothing_but_an_empty_database() {
    let store = TestStore::new().await;
    store.site().await;
    store.backed_up("backup").await;

    let over = store.restored("backup", store.location()).await;
    std::fs::write(store.path("new.db-wal"), "of another").unwrap();
    let beside = store.restored("backup", &store.file("new.db")).await;

    assert!(
        matches!(
            over,
            Err(BackupError::HoldsData { .. } | BackupError::InUse { .. })
        ),
        "{over:?}"
    );
    assert!(
        matches!(beside, Err(BackupError::LeftOver(_))),
        "{beside:?}"
    );
    assert_eq!(store.agents().await.unwrap().len(), 1, "it is as it was");
    assert!(!store.path("new.db").exists());
}

#[tokio::test]
async fn r10_what_is_no_sound_backup_is_not_restored() {
    let store = TestStore::new().await;
    store.site().await;
    store.backed_up("backup").await;
    std::fs::write(store.path("text"), "no backup at all").unwrap();
    let mut bytes = std::fs::read(store.path("backup")).unwrap();
    std::fs::write(store.path("half"), &bytes[..bytes.len() / 2]).unwrap();
    let middle = bytes.len() / 2;
    // Two pages' length, so that one is hit where it says what it is.
    bytes[middle..middle + 8192].fill(0x5a);
    std::fs::write(store.path("bent"), &bytes).unwrap();
    std::fs::copy(store.path("backup"), store.path("fewer")).unwrap();
    let mut fewer = opened(&store.path("fewer")).await;
    sqlx::query("DELETE FROM signing_keys")
        .execute(&mut fewer)
        .await
        .unwrap();
    fewer.close().await.unwrap();

    for name in ["text", "half", "bent", "fewer", "not-there"] {
        let refused = store.restored(name, &store.file("new.db")).await;

        assert!(refused.is_err(), "{name}");
        assert!(!store.path("new.db").exists(), "{name}");
    }
}

#[tokio::test]
async fn r9_r10_a_backup_of_a_later_release_or_under_another_key_is_refused() {
    let store = TestStore::new().await;
    store.site().await;
    store.backed_up("backup").await;
    std::fs::copy(store.path("backup"), store.path("later")).unwrap();
    let mut later = opened(&store.path("later")).await;
    sqlx::query("UPDATE _sqlx_migrations SET version = 9999 WHERE version = 1")
        .execute(&mut later)
        .await
        .unwrap();
    later.close().await.unwrap();
    let another = MasterKey::at(&store.path("another.key")).unwrap();

    let newer = store.restored("later", &store.file("new.db")).await;
    let locked = restore(
        &store.path("backup"),
        &store.file("new.db"),
        &store.path("data"),
        &another,
        store.clock.clone(),
        &quiet,
    )
    .await;
    let passphrase = "correct horse battery staple".into();
    let wrapped = WrappedMasterKey::wrap(&another, &passphrase);
    let with_another = back_up(
        store.location(),
        &store.path("mine"),
        Some((&another, wrapped)),
        store.now(),
        &quiet,
    )
    .await;

    let is_newer = matches!(
        newer,
        Err(BackupError::Open(OpenError::NewerSchema { found: 9999 }))
    );
    assert!(is_newer, "{newer:?}");
    assert!(
        matches!(locked, Err(BackupError::WrongMasterKey)),
        "{locked:?}"
    );
    assert!(
        matches!(with_another, Err(BackupError::WrongMasterKey)),
        "{with_another:?}"
    );
    assert!(!store.path("new.db").exists());
    assert!(!store.path("mine").exists());
}

#[tokio::test]
async fn k2_r10_a_backup_has_the_master_key_only_if_asked_and_never_readable() {
    let store = TestStore::new().await;
    store.site().await;
    let passphrase = "correct horse battery staple".into();
    let wrapped = WrappedMasterKey::wrap(&store.master(), &passphrase);
    let master = store.master();
    back_up(
        store.location(),
        &store.path("with"),
        Some((&master, wrapped)),
        store.now(),
        &quiet,
    )
    .await
    .unwrap();
    store.backed_up("without").await;

    let with = inspect(&store.path("with")).await.unwrap().master.unwrap();
    let without = inspect(&store.path("without")).await.unwrap().master;

    assert_eq!(without, None);
    let text = std::fs::read_to_string(store.path("master.key")).unwrap();
    let bytes = std::fs::read(store.path("with")).unwrap();
    assert!(!bytes.windows(43).any(|it| it == text.trim().as_bytes()));
    let opened = with.unwrap_with(&passphrase).unwrap();
    let to = store.file("new.db");
    let beside = store.path("data");
    let clock: Clock = store.clock.clone();
    restore(&store.path("with"), &to, &beside, &opened, clock, &quiet)
        .await
        .unwrap();
    let mut new = self::opened(&store.path("new.db")).await;
    assert!(
        !texts(&mut new, "SELECT name FROM sqlite_master".to_owned())
            .await
            .contains(&"maitred_backup".to_owned())
    );
}

#[tokio::test]
async fn r10_a_backup_of_an_older_schema_is_brought_up_to_date() {
    let store = TestStore::new().await;
    store.site().await;
    store.backed_up("backup").await;
    std::fs::copy(store.path("backup"), store.path("older")).unwrap();
    let mut older = opened(&store.path("older")).await;
    // As it was before the indexes of the tenth.
    for sql in [
        "DROP INDEX sessions_by_end",
        "DROP INDEX codes_by_session",
        "DELETE FROM _sqlx_migrations WHERE version = 10",
    ] {
        sqlx::query(sql).execute(&mut older).await.unwrap();
    }
    older.close().await.unwrap();

    store
        .restored("older", &store.file("new.db"))
        .await
        .unwrap();

    let mut new = opened(&store.path("new.db")).await;
    let index = "SELECT name FROM sqlite_master WHERE name = 'sessions_by_end'".to_owned();
    assert_eq!(texts(&mut new, index).await, ["sessions_by_end"]);
}

#[tokio::test]
async fn r10_there_must_be_something_to_back_up() {
    let store = TestStore::new().await;
    std::fs::write(store.path("other.db"), "").unwrap();
    let backup = store.path("backup");

    let (nowhere, other) = (store.file("nowhere.db"), store.file("other.db"));
    let nowhere = back_up(&nowhere, &backup, None, store.now(), &quiet).await;
    let other = back_up(&other, &backup, None, store.now(), &quiet).await;

    assert!(
        matches!(nowhere, Err(BackupError::NoDatabase { .. })),
        "{nowhere:?}"
    );
    assert!(matches!(other, Err(BackupError::Empty)), "{other:?}");
    assert!(!backup.exists());
}
