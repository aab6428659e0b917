use std::sync::atomic::{AtomicUsize, Ordering};

use sqlx::{ConnectOptions, Executor, sqlite::SqliteConnectOptions};
use tempfile::TempDir;

use super::*;

/// A writer on a fresh database, and how often it committed.
struct Fixture {
    writer: Writer,
    commits: Arc<AtomicUsize>,
    dir: TempDir,
}

impl Fixture {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut connection = connection(&dir).await;
        connection
            .execute(
                "CREATE TABLE parents (id BIGINT PRIMARY KEY);
                 CREATE TABLE items (
                    id BIGINT PRIMARY KEY,
                    parent BIGINT REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED
                 );",
            )
            .await
            .unwrap();
        let commits = Arc::new(AtomicUsize::new(0));
        let counted = commits.clone();
        let mut handle = connection.lock_handle().await.unwrap();
        handle.set_commit_hook(move || {
            counted.fetch_add(1, Ordering::Relaxed);
            true
        });
        drop(handle);
        Self {
            writer: Writer::new(connection, Duration::from_secs(5)).unwrap(),
            commits,
            dir,
        }
    }

    /// What somebody else sees in the database.
    async fn stored(&self) -> Vec<i64> {
        let mut other = connection(&self.dir).await;
        sqlx::query_scalar("SELECT id FROM items ORDER BY id")
            .fetch_all(&mut other)
            .await
            .unwrap()
    }

    fn commits(&self) -> usize {
        self.commits.load(Ordering::Relaxed)
    }
}

async fn connection(dir: &TempDir) -> SqliteConnection {
    SqliteConnectOptions::new()
        .filename(dir.path().join("test.db"))
        .create_if_missing(true)
        .journal_mode(sqlx::sqlite::SqliteJournalMode::Wal)
        .foreign_keys(true)
        .connect()
        .await
        .unwrap()
}

async fn insert(lease: &mut Lease, id: i64) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO items (id) VALUES ($1)")
        .bind(id)
        .execute(&mut **lease)
        .await
        .map(|_| ())
}

#[tokio::test]
async fn r1_what_waits_together_is_committed_together() {
    let fixture = Fixture::new().await;
    // While this one is out, all others queue up behind it.
    let mut first = fixture.writer.begin().await.unwrap();
    let waiting: Vec<_> = (2..=20)
        .map(|id| {
            let writer = fixture.writer.clone();
            Box::pin(async move {
                let mut lease = writer.begin().await?;
                insert(&mut lease, id).await?;
                lease.commit().await
            })
        })
        .collect();
    let all = futures_util::future::join_all(waiting);
    insert(&mut first, 1).await.unwrap();

    let (first, others) = tokio::join!(biased_last(first.commit()), all);

    first.unwrap();
    assert!(others.iter().all(Result::is_ok), "{others:?}");
    assert_eq!(fixture.stored().await, (1..=20).collect::<Vec<i64>>());
    assert_eq!(fixture.commits(), 1);
}

/// Lets everything else that is polled with it begin before it does.
async fn biased_last<T>(future: impl Future<Output = T>) -> T {
    tokio::task::yield_now().await;
    future.await
}

#[tokio::test]
async fn r1_nothing_is_seen_before_it_is_committed() {
    let fixture = Fixture::new().await;
    let mut lease = fixture.writer.begin().await.unwrap();
    insert(&mut lease, 1).await.unwrap();

    assert_eq!(fixture.stored().await, Vec::<i64>::new());
    lease.commit().await.unwrap();

    assert_eq!(fixture.stored().await, [1]);
}

#[tokio::test]
async fn what_is_dropped_or_fails_is_undone_and_its_neighbours_are_kept() {
    let fixture = Fixture::new().await;
    let mut kept = fixture.writer.begin().await.unwrap();
    insert(&mut kept, 1).await.unwrap();
    let dropped = async {
        let mut lease = fixture.writer.begin().await.unwrap();
        insert(&mut lease, 2).await.unwrap();
    };
    let failed = async {
        let mut lease = fixture.writer.begin().await.unwrap();
        insert(&mut lease, 3).await.unwrap();
        insert(&mut lease, 1).await.unwrap_err();
    };
    let last = async {
        let mut lease = fixture.writer.begin().await.unwrap();
        insert(&mut lease, 4).await.unwrap();
        lease.commit().await
    };
    let gone = fixture.writer.begin();

    let (kept, (), (), last) = tokio::join!(biased_last(kept.commit()), dropped, failed, last);
    drop(gone);

    kept.unwrap();
    last.unwrap();
    assert_eq!(fixture.stored().await, [1, 4]);
    assert_eq!(fixture.commits(), 1);
}

#[tokio::test]
async fn r1_a_commit_that_fails_is_told_to_everybody_in_it() {
    let fixture = Fixture::new().await;
    let mut good = fixture.writer.begin().await.unwrap();
    insert(&mut good, 1).await.unwrap();
    let bad = async {
        let mut lease = fixture.writer.begin().await.unwrap();
        // Checked at the commit only: no such parent.
        sqlx::query("INSERT INTO items (id, parent) VALUES (2, 99)")
            .execute(&mut *lease)
            .await
            .unwrap();
        lease.commit().await
    };

    let (good, bad) = tokio::join!(biased_last(good.commit()), bad);

    assert!(matches!(good, Err(StoreError::NotCommitted(_))), "{good:?}");
    assert!(matches!(bad, Err(StoreError::NotCommitted(_))), "{bad:?}");
    assert_eq!(fixture.stored().await, Vec::<i64>::new());
    let mut again = fixture.writer.begin().await.unwrap();
    insert(&mut again, 1).await.unwrap();
    again.commit().await.unwrap();
    assert_eq!(fixture.stored().await, [1]);
}

#[tokio::test]
async fn a_transaction_that_was_ended_from_inside_is_told_to_its_neighbours() {
    let fixture = Fixture::new().await;
    let mut neighbour = fixture.writer.begin().await.unwrap();
    insert(&mut neighbour, 1).await.unwrap();
    // As SQLite itself does when the disk is full.
    let ended = async {
        let mut lease = fixture.writer.begin().await.unwrap();
        lease.execute("ROLLBACK").await.unwrap();
    };
    let after = async {
        let mut lease = fixture.writer.begin().await.unwrap();
        insert(&mut lease, 3).await.unwrap();
        lease.commit().await
    };

    let (neighbour, (), after) = tokio::join!(biased_last(neighbour.commit()), ended, after);

    assert!(neighbour.is_err());
    after.unwrap();
    assert_eq!(fixture.stored().await, [3]);
}

#[tokio::test]
async fn who_gave_up_waiting_leaves_the_connection_to_the_next() {
    let fixture = Fixture::new().await;
    let first = fixture.writer.begin().await.unwrap();
    let impatient = Writer {
        patience: Duration::ZERO,
        ..fixture.writer.clone()
    };

    let late = impatient.begin().await;

    assert!(late.unwrap_err().is_away());
    drop(first);
    let mut next = fixture.writer.begin().await.unwrap();
    insert(&mut next, 1).await.unwrap();
    next.commit().await.unwrap();
    assert_eq!(fixture.stored().await, [1]);
}

/// Says how many pages the file may have.
async fn at_most(writer: &Writer, pages: u32) {
    let mut lease = writer.begin().await.unwrap();
    let sql = sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"));
    sqlx::query(sql).fetch_one(&mut *lease).await.unwrap();
}

#[tokio::test]
async fn r8_when_there_is_no_room_nothing_is_acknowledged_and_later_all_goes_on() {
    let fixture = Fixture::new().await;
    at_most(&fixture.writer, 1).await;
    let mut id = 0;
    let mut acknowledged = Vec::new();

    let refused = loop {
        id += 1;
        let mut lease = fixture.writer.begin().await.unwrap();
        let done: Result<(), StoreError> = match insert(&mut lease, id).await {
            Ok(()) => lease.commit().await,
            Err(error) => Err(error.into()),
        };
        match done {
            Ok(()) => acknowledged.push(id),
            Err(error) => break error,
        }
        assert!(id < 10_000, "it is never full");
    };

    assert!(
        refused.is_storage_full() && !refused.is_away(),
        "{refused:?}"
    );
    assert_eq!(fixture.stored().await, acknowledged);
    at_most(&fixture.writer, 1_000).await;
    let mut lease = fixture.writer.begin().await.unwrap();
    insert(&mut lease, id).await.unwrap();
    lease.commit().await.unwrap();
    assert_eq!(fixture.stored().await.last(), Some(&id));
}

#[tokio::test]
async fn r8_while_another_process_writes_too_long_nobody_waits_for_ever() {
    let fixture = Fixture::new().await;
    let mut other = connection(&fixture.dir).await;
    other.execute("BEGIN IMMEDIATE").await.unwrap();
    let mut writer = connection(&fixture.dir).await;
    writer.execute("PRAGMA busy_timeout = 50").await.unwrap();
    let writer = Writer::new(writer, Duration::from_secs(5)).unwrap();

    let refused = writer.begin().await.unwrap_err();

    assert!(
        refused.is_away() && !refused.is_storage_full(),
        "{refused:?}"
    );
    other.execute("ROLLBACK").await.unwrap();
    let mut lease = writer.begin().await.unwrap();
    insert(&mut lease, 1).await.unwrap();
    lease.commit().await.unwrap();
}

#[tokio::test]
async fn r8_what_is_read_only_is_told_like_a_full_disk() {
    let fixture = Fixture::new().await;
    let mut read_only = SqliteConnectOptions::new()
        .filename(fixture.dir.path().join("test.db"))
        .read_only(true)
        .connect()
        .await
        .unwrap();

    let insert = "INSERT INTO items (id) VALUES (1)";
    let refused: StoreError = read_only.execute(insert).await.unwrap_err().into();

    assert!(refused.is_storage_full(), "{refused:?}");
}
