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

/// For how many seconds a nonce is given out. It is accepted for as long again.
const SLOT: i64 = 120;

/// How many proofs of one slot are remembered, in up to 40 MiB: over 16,000 a second.
const MOST_SEEN: usize = 2_000_000;

/// The nonces that are good now, and the proofs that were made with them.
pub(crate) struct Freshness {
    store: Store,
    /// Keyed by chance, so that nobody can choose proofs that are taken for one
    /// another.
    hasher: RandomState,
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
    TooMany,
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
        let proof = self.hasher.hash_one((proof.key(), proof.id()));
        let mut slots = self.slots();
        let Slots { current, previous } = &mut *slots;
        let slot = [current, previous]
            .into_iter()
            .find(|slot| slot.nonce == nonce)
            .ok_or(NotFresh::Stale)?;
        if slot.seen.contains(&proof) {
            return Err(NotFresh::Replayed);
        }
        if slot.seen.len() >= MOST_SEEN {
            return Err(NotFresh::TooMany);
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
