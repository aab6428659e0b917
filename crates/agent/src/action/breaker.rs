//! Leaves a server alone that fails every time (rule G7): visitors are told at once
//! that it does not work, in place of after ten seconds each.
//!
//! ```text
//! closed ── five failures in a row ──► open for 30 s ──► one probe ── it works ──► closed
//!                                        ▲                  │
//!                                        └──── it fails ────┘
//! ```

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use maitred_core::scope::Scope;
use tokio::time::Instant;

/// So many failures in a row open it.
const FAILURES: u32 = 5;

/// For how long.
const OPEN_FOR: Duration = Duration::from_secs(30);

/// The breakers of all Actions that have failed of late. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Breakers(Arc<Mutex<HashMap<Key, Breaker>>>);

type Key = (Scope, String);

#[derive(Clone, Copy, Debug)]
struct Breaker {
    failures: u32,
    /// When the next call may be tried, once it has opened.
    probe_at: Option<Instant>,
}

/// A call that may be made. Given back unsaid, it counts for nothing.
#[derive(Debug)]
pub(super) struct Pass {
    breakers: Breakers,
    key: Key,
}

impl Breakers {
    /// Whether a call may be made now. While one tries whether it works again, others
    /// may not.
    pub(super) fn admit(&self, scope: Scope, action: &str) -> Option<Pass> {
        let key = (scope, action.to_owned());
        if let Some(breaker) = self.known().get_mut(&key)
            && let Some(probe_at) = &mut breaker.probe_at
        {
            let now = Instant::now();
            if now < *probe_at {
                return None;
            }
            // Whoever tries has it to themselves for as long; if they never come back,
            // the next one tries.
            *probe_at = now + OPEN_FOR;
        }
        let breakers = self.clone();
        Some(Pass { breakers, key })
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Key, Breaker>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass {
    /// The server answered, whatever it said.
    pub(super) fn works(self) {
        self.breakers.known().remove(&self.key);
    }

    /// It did not, or said that it failed.
    pub(super) fn fails(self) {
        let mut known = self.breakers.known();
        let breaker = known.entry(self.key).or_insert(Breaker {
            failures: 0,
            probe_at: None,
        });
        breaker.failures += 1;
        if breaker.failures >= FAILURES {
            breaker.probe_at = Some(Instant::now() + OPEN_FOR);
        }
    }
}

#[cfg(test)]
mod tests {
    use maitred_core::{clock::Clock, id::AgentId, scope::Environment};

    use super::*;

    fn scope() -> Scope {
        Scope {
            agent: AgentId::new(&Clock::system()),
            environment: Environment::Production,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn g7_five_failures_in_a_row_open_it_for_30_s_and_one_probe_closes_it() {
        let (breakers, scope) = (Breakers::default(), scope());
        let admit = || breakers.admit(scope, "refund");
        for _ in 0..5 {
            admit().expect("it is closed").fails();
        }
        assert!(admit().is_none());
        tokio::time::advance(Duration::from_secs(29)).await;
        assert!(admit().is_none());

        tokio::time::advance(Duration::from_secs(1)).await;
        let probe = admit().expect("one tries");
        assert!(admit().is_none(), "and nobody else");
        probe.works();

        assert!(admit().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn g7_a_probe_that_fails_or_is_lost_keeps_it_open() {
        let (breakers, scope) = (Breakers::default(), scope());
        let admit = || breakers.admit(scope, "refund");
        for _ in 0..5 {
            admit().expect("it is closed").fails();
        }

        tokio::time::advance(OPEN_FOR).await;
        admit().expect("one tries").fails();
        assert!(admit().is_none());
        tokio::time::advance(OPEN_FOR).await;
        drop(admit().expect("one tries, and is gone"));
        assert!(admit().is_none());

        tokio::time::advance(OPEN_FOR).await;
        assert!(admit().is_some(), "the next one tries");
    }

    #[test]
    fn failures_between_which_it_worked_and_those_of_others_open_nothing() {
        let (breakers, scope) = (Breakers::default(), scope());
        for _ in 0..4 {
            breakers.admit(scope, "refund").unwrap().fails();
        }
        breakers.admit(scope, "refund").unwrap().works();
        for _ in 0..4 {
            breakers.admit(scope, "refund").unwrap().fails();
        }
        for _ in 0..9 {
            if let Some(pass) = breakers.admit(scope, "order_status") {
                pass.fails();
            }
        }

        assert!(breakers.admit(scope, "refund").is_some());
        assert!(breakers.admit(scope, "order_status").is_none());
    }
}
