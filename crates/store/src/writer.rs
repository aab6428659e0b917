//! The one writer of a SQLite database: what waits together is committed together.
//!
//! SQLite has one writer at a time, and a commit waits for the disk. A task owns
//! the connection that writes and lends it to one transaction after another;
//! each runs inside a SAVEPOINT of its own, and as long as somebody waits they
//! share one commit. [`Lease::commit`] returns when that commit has, so that
//! durability costs one wait for the disk and not one for each (rule R1).
//!
//! All of that runs on a thread of its own: whoever holds the connection keeps everybody
//! waiting, and must not queue behind requests for their next moment. What is asked for
//! most runs there whole ([`Writer::beside`]).
//!
//! What always holds:
//!
//! - A lease that is dropped leaves nothing behind and harms no neighbour.
//! - If the shared commit fails, everybody in it is told, and nothing is stored.

use std::{
    io,
    ops::{Deref, DerefMut},
    sync::Arc,
    thread,
    time::Duration,
};

use sqlx::{Connection, SqliteConnection};
use tokio::{
    runtime::{Builder, Handle},
    sync::{mpsc, oneshot},
};
use tracing::Instrument;

use crate::StoreError;

/// So that nobody waits long for their neighbours.
const MOST_TOGETHER: usize = 128;

/// Lends the connection out. A clone asks the same task.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    requests: mpsc::UnboundedSender<Request>,
    patience: Duration,
    /// Of the thread.
    runtime: Handle,
}

#[derive(Debug)]
enum Request {
    Lend(Borrower),
    /// Closes the file and says so.
    Close(oneshot::Sender<()>),
}

type Borrower = oneshot::Sender<Result<Lease, StoreError>>;
type Verdict = oneshot::Sender<Result<(), StoreError>>;

/// The connection, for one transaction.
#[derive(Debug)]
pub(crate) struct Lease {
    /// None once it was given back.
    lent: Option<(SqliteConnection, oneshot::Sender<Returned>)>,
}

/// What comes back of a lease.
#[derive(Debug)]
struct Returned {
    connection: SqliteConnection,
    /// Whoever waits to hear that it is kept; none if it is to be undone.
    kept: Option<Verdict>,
}

impl Writer {
    /// Begins to write through this connection; nobody else in the process may.
    pub(crate) fn new(connection: SqliteConnection, patience: Duration) -> io::Result<Self> {
        let (requests, asked) = mpsc::unbounded_channel();
        let runtime = Builder::new_current_thread().enable_time().build()?;
        let writer = Self {
            requests,
            patience,
            runtime: runtime.handle().clone(),
        };
        // It ends with the last handle, and a commit that was awaited is done.
        thread::Builder::new()
            .name("maitred-writer".to_owned())
            .spawn(move || runtime.block_on(lend(connection, asked)))?;
        Ok(writer)
    }

    /// Runs a whole transaction where the connection is, and its end even if nobody
    /// waits for it any more.
    pub(crate) async fn beside<T: Send + 'static>(
        &self,
        transaction: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        match self.runtime.spawn(transaction.in_current_span()).await {
            Ok(done) => done,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The thread has ended.
                Err(_) => Err(sqlx::Error::PoolClosed.into()),
            },
        }
    }

    /// Waits for what is being written. Nothing can be written after it.
    pub(crate) async fn close(&self) {
        let (say, closed) = oneshot::channel();
        _ = self.requests.send(Request::Close(say));
        _ = closed.await;
    }

    /// Waits for the connection, and for other processes that write (rule R8).
    pub(crate) async fn begin(&self) -> Result<Lease, StoreError> {
        let (lend, lent) = oneshot::channel();
        let is_open = self.requests.send(Request::Lend(lend)).is_ok();
        match tokio::time::timeout(self.patience, lent).await {
            Ok(Ok(lease)) => lease,
            Err(_) if is_open => Err(sqlx::Error::PoolTimedOut.into()),
            _ => Err(sqlx::Error::PoolClosed.into()),
        }
    }
}

impl Lease {
    /// Only after this has returned may anybody be told.
    pub(crate) async fn commit(mut self) -> Result<(), StoreError> {
        let (tell, told) = oneshot::channel();
        self.give_back(Some(tell));
        told.await
            .unwrap_or_else(|_| Err(sqlx::Error::PoolClosed.into()))
    }

    fn give_back(&mut self, kept: Option<Verdict>) {
        if let Some((connection, back)) = self.lent.take() {
            // The task is gone only when its runtime is.
            _ = back.send(Returned { connection, kept });
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.give_back(None);
    }
}

impl Deref for Lease {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        let (connection, _) = self.lent.as_ref().expect("only `commit` gives it back");
        connection
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        let (connection, _) = self.lent.as_mut().expect("only `commit` gives it back");
        connection
    }
}

async fn lend(mut connection: SqliteConnection, mut asked: mpsc::UnboundedReceiver<Request>) {
    let mut left_over = None;
    loop {
        let request = match left_over.take() {
            Some(request) => Some(request),
            None => asked.recv().await,
        };
        match request {
            Some(Request::Lend(first)) => {
                match commit_together(connection, first, &mut asked).await {
                    Some((given_back, request)) => (connection, left_over) = (given_back, request),
                    None => return,
                }
            }
            Some(Request::Close(say)) => {
                _ = connection.close().await;
                _ = say.send(());
                return;
            }
            None => return,
        }
    }
}

/// Serves everybody who waits, in one transaction. Gives the connection back,
/// and a request that is not for this transaction; none if the connection was
/// lost.
async fn commit_together(
    mut connection: SqliteConnection,
    first: Borrower,
    asked: &mut mpsc::UnboundedReceiver<Request>,
) -> Option<(SqliteConnection, Option<Request>)> {
    // Immediate: a deferred transaction fails half-way when another process was
    // faster.
    if let Err(error) = run(&mut connection, "BEGIN IMMEDIATE; SAVEPOINT item").await {
        _ = run(&mut connection, "ROLLBACK").await;
        _ = first.send(Err(error.into()));
        return Some((connection, None));
    }
    let mut kept: Vec<Verdict> = Vec::new();
    let mut borrower = first;
    for served in 1.. {
        let returned = lend_to(borrower, connection).await?;
        connection = returned.connection;
        let next = if served < MOST_TOGETHER {
            asked.try_recv().ok()
        } else {
            None
        };
        let goes_on = matches!(next, Some(Request::Lend(_)));
        let step = match (&returned.kept, goes_on) {
            (Some(_), true) => "RELEASE item; SAVEPOINT item",
            (Some(_), false) => "RELEASE item; COMMIT",
            // The savepoint stays, for the next one.
            (None, true) => "ROLLBACK TO item",
            (None, false) => "ROLLBACK TO item; RELEASE item; COMMIT",
        };
        kept.extend(returned.kept);
        let done = run(&mut connection, step).await;
        match (done, next) {
            (Ok(_), Some(Request::Lend(next))) => borrower = next,
            (Ok(_), next) => {
                tell(kept, || Ok(()));
                return Some((connection, next));
            }
            (Err(error), next) => {
                // A full disk ends the whole transaction, whoever filled it.
                _ = run(&mut connection, "ROLLBACK").await;
                let error = Arc::new(error);
                tell(kept, || Err(StoreError::NotCommitted(error.clone())));
                return Some((connection, next));
            }
        }
    }
    None
}

/// Runs a statement that is kept prepared, as a bare text would not be.
async fn run(connection: &mut SqliteConnection, sql: &'static str) -> sqlx::Result<()> {
    sqlx::query(sql).execute(connection).await.map(|_| ())
}

/// Lends the connection and waits until it is back: at once from whoever does
/// not wait any more.
async fn lend_to(borrower: Borrower, connection: SqliteConnection) -> Option<Returned> {
    let (back, came_back) = oneshot::channel();
    _ = borrower.send(Ok(Lease {
        lent: Some((connection, back)),
    }));
    came_back.await.ok()
}

fn tell(everybody: Vec<Verdict>, verdict: impl Fn() -> Result<(), StoreError>) {
    for waiting in everybody {
        _ = waiting.send(verdict());
    }
}

#[cfg(test)]
mod tests;
