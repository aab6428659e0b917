//! The clock: the one source of time and of fresh ids.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

/// Where the program gets the time and fresh ids from.
///
/// The manual clock stands still until it is told to move and numbers its ids,
/// so a test can compare whole responses.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Manual(Arc<Mutex<Manual>>),
}

#[derive(Debug)]
struct Manual {
    now: Timestamp,
    ids: u128,
}

impl Clock {
    /// The machine's clock, and random ids in the order of their making (UUIDv7).
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that moves by [`advance`](Self::advance) only.
    pub fn manual(start: Timestamp) -> Self {
        Self(Source::Manual(Arc::new(Mutex::new(Manual {
            now: start,
            ids: 0,
        }))))
    }

    /// The time, cut to microseconds: what the database can hold.
    pub fn now(&self) -> Timestamp {
        #[expect(
            clippy::disallowed_methods,
            reason = "the one place that reads the time"
        )]
        let now = match &self.0 {
            Source::System => Timestamp::now(),
            Source::Manual(manual) => manual.lock().unwrap_or_else(PoisonError::into_inner).now,
        };
        Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
    }

    /// Moves a manual clock. The system's clock does not listen.
    pub fn advance(&self, by: SignedDuration) {
        if let Source::Manual(manual) = &self.0 {
            manual.lock().unwrap_or_else(PoisonError::into_inner).now += by;
        }
    }

    pub(crate) fn uuid(&self) -> Uuid {
        match &self.0 {
            #[expect(clippy::disallowed_methods, reason = "the one place that makes ids")]
            Source::System => Uuid::now_v7(),
            Source::Manual(manual) => {
                let mut manual = manual.lock().unwrap_or_else(PoisonError::into_inner);
                manual.ids += 1;
                Uuid::from_u128(manual.ids)
            }
        }
    }
}
