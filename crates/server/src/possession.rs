//! Whether a proof of possession is fresh, and new (rule S4).
//!
//! What a proof is, and for which request, is `maitred_token::Proof`'s to say. Here
//! is what needs a clock and a memory: a nonce stands for two minutes, and within
//! them each proof counts once on this node.

use std::{
    collections::HashSet,
    hash::{BuildHasher, RandomState},
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
};

use maitred_store::{KeyedFor, Store};
use maitred_token::Proof;

use crate::limits::TooMany;

/// For how many seconds a nonce is given out. It is accepted for as long again.
const SLOT: i64 = 120;

/// In up to 40 MiB for a slot: over 16,000 proofs a second.
const ROOM: usize = 2_000_000;

/// The nonces that are good now, and the proofs that were made with them.
pub(crate) struct Freshness {
    store: Store,
    /// Keyed by chance, so that nobody can choose proofs that are taken for one
    /// another.
    hasher: RandomState,
    /// How many proofs of one slot are remembered.
    room: usize,
    slots: Mutex<Slots>,
}

/// Why a good proof is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotFresh {
    /// Without a nonce, or with one whose time is over.
    Stale,
    /// It was accepted before.
    Replayed,
    /// There is no room to remember it, so it could be replayed.
    Full(TooMany),
}

struct Slots {
    current: Slot,
    previous: Slot,
}

struct Slot {
    number: i64,
    nonce: String,
    seen: HashSet<u64>,
}

impl Freshness {
    pub(crate) fn new(store: Store) -> Self {
        let number = slot_at(&store);
        let slots = Slots {
            current: Slot::new(&store, number),
            previous: Slot::new(&store, number - 1),
        };
        Self {
            store,
            hasher: RandomState::new(),
            room: ROOM,
            slots: Mutex::new(slots),
        }
    }

    /// What the next proof is to be made with. The same on every node.
    pub(crate) fn nonce(&self) -> String {
        self.slots().current.nonce.clone()
    }

    /// Accepts a proof once.
    pub(crate) fn accept(&self, proof: &Proof) -> Result<(), NotFresh> {
        let nonce = proof.nonce().ok_or(NotFresh::Stale)?;
        self.remember(nonce, self.hasher.hash_one((proof.key(), proof.id())))
    }

    fn remember(&self, nonce: &str, proof: u64) -> Result<(), NotFresh> {
        let mut slots = self.slots();
        let Slots { current, previous } = &mut *slots;
        let slot = [current, previous]
            .into_iter()
            .find(|slot| slot.nonce == nonce)
            .ok_or(NotFresh::Stale)?;
        if slot.seen.contains(&proof) {
            return Err(NotFresh::Replayed);
        }
        if slot.seen.len() >= self.room {
            return Err(NotFresh::Full(TooMany { retry_after: SLOT }));
        }
        slot.seen.insert(proof);
        Ok(())
    }

    /// The slots as of now: it is asked under the lock, or a proof could be
    /// remembered in a slot that another thread has just given up.
    fn slots(&self) -> MutexGuard<'_, Slots> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let now = slot_at(&self.store);
        if slots.current.number != now {
            slots.turn_to(now, &self.store);
        }
        slots
    }
}

impl Slots {
    /// What was seen in a slot that stays is kept, also when the clock was set back.
    fn turn_to(&mut self, now: i64, store: &Store) {
        let mut kept =
            [&mut self.current, &mut self.previous].map(|slot| mem::take(&mut slot.seen));
        let numbers = [self.current.number, self.previous.number];
        let mut slot = |number| {
            let mut slot = Slot::new(store, number);
            if let Some(at) = numbers.iter().position(|known| *known == number) {
                slot.seen = mem::take(&mut kept[at]);
            }
            slot
        };
        *self = Self {
            current: slot(now),
            previous: slot(now - 1),
        };
    }
}

impl Slot {
    fn new(store: &Store, number: i64) -> Self {
        Self {
            number,
            nonce: store.keyed_hash(KeyedFor::ProofNonce, &number.to_be_bytes()),
            seen: HashSet::new(),
        }
    }
}

fn slot_at(store: &Store) -> i64 {
    store.clock.now().as_second().div_euclid(SLOT)
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use maitred_core::clock::Clock;
    use maitred_store::{Location, MasterKey};
    use tempfile::TempDir;

    use super::*;

    async fn store(dir: &TempDir) -> Store {
        let master = MasterKey::at(&dir.path().join("master.key")).unwrap();
        let location = Location::Sqlite(dir.path().join("maitred.db"));
        let clock = Clock::manual("2026-03-01T12:00:00Z".parse().unwrap());
        Store::open(&location, master, clock).await.unwrap()
    }

    fn passes(store: &Store, seconds: i64) {
        store.clock.advance(SignedDuration::from_secs(seconds));
    }

    #[tokio::test]
    async fn s4_a_nonce_lasts_two_minutes_and_is_accepted_for_two_more() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(&dir).await;
        let fresh = Freshness::new(store.clone());
        let nonce = fresh.nonce();

        passes(&store, 119);
        assert_eq!(fresh.nonce(), nonce);
        passes(&store, 1);
        assert_ne!(fresh.nonce(), nonce);
        passes(&store, 119);
        assert_eq!(fresh.remember(&nonce, 1), Ok(()));
        passes(&store, 1);
        assert_eq!(fresh.remember(&nonce, 2), Err(NotFresh::Stale));
        let after_an_hour = {
            passes(&store, 3_600);
            fresh.nonce()
        };
        assert_eq!(fresh.remember(&after_an_hour, 3), Ok(()));
    }

    #[tokio::test]
    async fn s4_every_node_gives_out_the_same_nonce_and_another_installation_another() {
        let (dir, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let fresh = Freshness::new(store(&dir).await);

        let node = Freshness::new(store(&dir).await);
        let stranger = Freshness::new(store(&elsewhere).await);

        assert_eq!(node.nonce(), fresh.nonce());
        assert_ne!(stranger.nonce(), fresh.nonce());
    }

    #[tokio::test]
    async fn s4_what_was_seen_is_remembered_for_as_long_as_its_nonce_is_accepted() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(&dir).await;
        let fresh = Freshness::new(store.clone());
        let nonce = fresh.nonce();
        assert_eq!(fresh.remember(&nonce, 7), Ok(()));

        // And a clock that is set back.
        for seconds in [0, 119, 1, 119, -120, -119] {
            passes(&store, seconds);
            assert_eq!(
                fresh.remember(&nonce, 7),
                Err(NotFresh::Replayed),
                "{seconds}"
            );
        }

        passes(&store, 240);
        assert_eq!(
            fresh.remember(&fresh.nonce(), 7),
            Ok(()),
            "a nonce of its own"
        );
        let slots = fresh.slots();
        assert_eq!(slots.current.seen.len() + slots.previous.seen.len(), 1);
    }

    #[tokio::test]
    async fn s4_a_proof_that_cannot_be_remembered_is_not_accepted() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(&dir).await;
        let fresh = Freshness {
            room: 2,
            ..Freshness::new(store.clone())
        };
        let nonce = fresh.nonce();
        assert_eq!(fresh.remember(&nonce, 1), Ok(()));
        assert_eq!(fresh.remember(&nonce, 2), Ok(()));

        let refused = fresh.remember(&nonce, 3);

        assert_eq!(refused, Err(NotFresh::Full(TooMany { retry_after: 120 })));
        assert_eq!(fresh.remember(&nonce, 1), Err(NotFresh::Replayed));
        passes(&store, 120);
        assert_eq!(fresh.remember(&fresh.nonce(), 3), Ok(()));
    }
}
