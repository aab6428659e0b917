//! The verification log of this node: behind the answers, into the store (rule L1).
//!
//! [`Verifications::note`] puts an attempt into a queue and returns. One task
//! writes what has gathered a few times a second; a crash loses what it had not
//! written, a stop does not. The queue is bounded: of what does not fit only the
//! number is kept, as an entry of its own that says so. Of attempts that were
//! turned away by a limit only the number is kept, too: they come in floods.
//!
//! Whoever [follows](Verifications::follow) the log reads the table by number,
//! woken by this node's task and else each second, for the entries of other
//! nodes. So every entry comes once and in order, and a slow reader costs nothing.

mod follow;
mod words;

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use maitred_core::scope::Scope;
use maitred_store::{Attempt, Store};
use tokio::{
    sync::{Notify, watch},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

pub(crate) use self::{follow::Follower, words::Words};
use crate::causes::Causes;

/// The code of attempts that a limit turned away.
pub(crate) const RATE_LIMITED: &str = "rate_limited";
/// The code of attempts that did not fit into the queue.
const NOT_LOGGED: &str = "not_logged";

/// The most entries that wait to be written.
const MAX_WAITING: usize = 20_000;
/// How many of them one transaction writes: everybody else who writes waits for it.
const AT_ONCE: usize = 500;
/// How long attempts gather before they are written together.
const GATHER: Duration = Duration::from_millis(250);
/// How long is waited before a write that failed is tried again.
const PAUSE: Duration = Duration::from_secs(1);
/// How long the last write may take when the program ends.
const LAST_WRITE: Duration = Duration::from_secs(3);

/// What waits to be written, and who waits for it.
#[derive(Debug)]
pub(crate) struct Verifications {
    store: Store,
    waiting: Mutex<Waiting>,
    something: Notify,
    /// Bumped whenever this node has written.
    written: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct Waiting {
    attempts: VecDeque<Attempt>,
    /// Of these only the number is kept, from when the first of them was made.
    counted: HashMap<Counted, (Timestamp, u64)>,
    strangers: HashMap<Scope, u64>,
}

/// What is counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Counted {
    scope: Scope,
    code: &'static str,
    /// Only one that the site's settings know, so that there are few.
    page_origin: Option<String>,
}

impl Verifications {
    pub(crate) fn new(store: Store) -> Self {
        Self {
            store,
            waiting: Mutex::default(),
            something: Notify::new(),
            written: watch::Sender::default(),
        }
    }

    /// Keeps an attempt; it is written soon.
    pub(crate) fn note(&self, attempt: Attempt) {
        self.waiting().push(attempt);
        self.something.notify_one();
    }

    /// Counts an attempt that a limit turned away.
    pub(crate) fn count_limited(&self, scope: Scope, page_origin: Option<String>) {
        let now = self.store.clock.now();
        self.waiting().count(scope, RATE_LIMITED, page_origin, now);
        self.something.notify_one();
    }

    /// Counts a session that was opened without a token under `report` (rule E1).
    pub(crate) fn count_stranger(&self, scope: Scope) {
        *self.waiting().strangers.entry(scope).or_default() += 1;
        self.something.notify_one();
    }

    /// Writes until everything else has ended, then what is left.
    pub(crate) async fn write_behind(&self, ended: CancellationToken) {
        while !ended.is_cancelled() {
            tokio::select! {
                () = self.something.notified() => (),
                () = ended.cancelled() => break,
            }
            tokio::select! {
                () = sleep(GATHER) => (),
                () = ended.cancelled() => break,
            }
            while !ended.is_cancelled() && !self.write().await {
                sleep(PAUSE).await;
            }
        }
        if !matches!(timeout(LAST_WRITE, self.write()).await, Ok(true)) {
            tracing::warn!("the last entries of the verification log could not be written");
        }
    }

    /// Writes what waits. False if it waits still.
    async fn write(&self) -> bool {
        while let Some(Batch {
            attempts,
            strangers,
        }) = self.next_batch()
        {
            match self.store.record(&attempts, &strangers).await {
                Ok(()) => self.written.send_replace(()),
                Err(error) => {
                    tracing::error!(error = %Causes(&error), "the verification log could not be written");
                    // Everything else would fail for ever, and hold up what is behind it.
                    if error.is_away() || error.is_storage_full() {
                        self.waiting().put_back(attempts, strangers);
                        return false;
                    }
                }
            }
        }
        true
    }

    fn next_batch(&self) -> Option<Batch> {
        self.waiting().batch()
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is written in one transaction.
struct Batch {
    attempts: Vec<Attempt>,
    strangers: Vec<(Scope, u64)>,
}

impl Waiting {
    fn push(&mut self, attempt: Attempt) {
        if self.attempts.len() < MAX_WAITING {
            self.attempts.push_back(attempt);
        } else {
            self.count(attempt.scope, NOT_LOGGED, None, attempt.at);
        }
    }

    fn count(
        &mut self,
        scope: Scope,
        code: &'static str,
        page_origin: Option<String>,
        now: Timestamp,
    ) {
        let of = Counted {
            scope,
            code,
            page_origin,
        };
        self.counted.entry(of).or_insert((now, 0)).1 += 1;
    }

    /// Takes what is to be written next, in the order in which it happened.
    fn batch(&mut self) -> Option<Batch> {
        let how_many = self.attempts.len().min(AT_ONCE);
        let mut attempts: Vec<Attempt> = self.attempts.drain(..how_many).collect();
        for (of, (at, n)) in self.counted.drain() {
            if of.code == NOT_LOGGED {
                tracing::warn!(attempts = n, "the verification log could not keep up");
            }
            attempts.push(Attempt {
                attempts: n,
                page_origin: of.page_origin,
                ..Attempt::new(of.scope, at, of.code)
            });
        }
        attempts.sort_by_key(|it| it.at);
        let strangers: Vec<_> = self.strangers.drain().collect();
        let is_something = !attempts.is_empty() || !strangers.is_empty();
        is_something.then_some(Batch {
            attempts,
            strangers,
        })
    }

    /// What could not be written waits again, before what has come since.
    fn put_back(&mut self, attempts: Vec<Attempt>, strangers: Vec<(Scope, u64)>) {
        for attempt in attempts.into_iter().rev() {
            self.attempts.push_front(attempt);
        }
        for (scope, n) in strangers {
            *self.strangers.entry(scope).or_default() += n;
        }
    }
}

#[cfg(test)]
mod tests;
