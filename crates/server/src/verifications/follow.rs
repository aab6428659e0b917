//! The log as it grows: entries of all nodes, in the order of their numbers.

use std::{collections::VecDeque, time::Duration};

use maitred_store::{Store, StoreError, Verification, VerificationFilter};
use tokio::{
    sync::watch,
    time::{Interval, MissedTickBehavior, interval},
};

use super::Verifications;

/// How often is looked for what other nodes have written.
const LOOK: Duration = Duration::from_secs(1);
/// The most entries that are read at once.
const PAGE: usize = 200;

/// Somebody who follows the log.
#[derive(Debug)]
pub(crate) struct Follower {
    store: Store,
    filter: VerificationFilter,
    /// The number up to which everything was read.
    read_to: i64,
    ready: VecDeque<Verification>,
    /// The last read was a full page.
    there_is_more: bool,
    written: watch::Receiver<()>,
    tick: Interval,
}

impl Verifications {
    /// Follows the entries after that number, or else those that come from now on.
    pub(crate) async fn follow(
        &self,
        filter: VerificationFilter,
        after: Option<i64>,
    ) -> Result<Follower, StoreError> {
        // Watched before it is read where things stand, so that nothing falls between.
        let written = self.written.subscribe();
        let read_to = match after {
            Some(number) => number,
            None => self.store.last_verification().await?,
        };
        let mut tick = interval(LOOK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Follower {
            store: self.store.clone(),
            filter,
            read_to,
            ready: VecDeque::new(),
            there_is_more: false,
            written,
            tick,
        })
    }
}

impl Follower {
    /// Waits for the next entry. Whoever stops waiting misses nothing.
    pub(crate) async fn next(&mut self) -> Result<Verification, StoreError> {
        loop {
            if let Some(entry) = self.ready.pop_front() {
                return Ok(entry);
            }
            if !self.there_is_more {
                tokio::select! {
                    _ = self.tick.tick() => (),
                    Ok(()) = self.written.changed() => (),
                }
            }
            self.read().await?;
        }
    }

    async fn read(&mut self) -> Result<(), StoreError> {
        let entries = self
            .store
            .verifications_since(&self.filter, self.read_to, PAGE)
            .await?;
        self.there_is_more = entries.len() >= PAGE;
        if let Some(last) = entries.last() {
            self.read_to = last.number;
        }
        self.ready.extend(entries);
        Ok(())
    }
}
