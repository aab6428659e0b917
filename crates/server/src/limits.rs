//! How much one address may ask for: refused tokens, anonymous sessions, codes,
//! requests.
//!
//! What a limit may never do is lock out somebody else (rule L3), and an address
//! is shared: by an office, a school, a mobile network. Hence:
//!
//! - A token is judged first and counted afterwards, only if it is refused. A
//!   good one is never turned away for anybody's bad ones. To judge costs
//!   microseconds and no look at the database; what is limited is the rest:
//!   lines in the log, diagnoses, reasons to learn from.
//! - What could be from anyone counts for its address and the configured origin
//!   that its page has. (The origin itself is the client's word: who invents one
//!   gets no bucket of their own for it.) What the site did sign, but is refused,
//!   counts for its address and its subject. So who forges tokens behind an
//!   office's address does not even keep the colleague, whose token has expired,
//!   from being told so.
//! - Anonymous sessions are made for nothing, so they count for the address alone,
//!   as do the one-time codes that are asked for in them, and requests of any kind,
//!   against floods. These a neighbour can use up: their defaults have room for an
//!   office.
//!
//! Of IPv6 a client commonly has a whole /64, which counts as one address. The
//! memory is bounded, whoever has how many.
//!
//! Each bucket holds what is allowed in a minute and fills evenly (the generic
//! cell rate algorithm, kept as one time for each key). The libraries for it
//! bound no memory and bring clocks of their own.
//!
//! Not here: finding out the address (`client`), connections (`accept`).

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use maitred_core::{id::AgentId, scope::Scope};

use crate::client::Network;

/// A bucket is full again after that long.
const MINUTE: i64 = 60_000_000;
/// How many refused tokens of an agent are explained in a minute, for the log alone.
const DIAGNOSES: u32 = 120;
/// The most keys that one limit remembers.
const MAX_KEYS: usize = 65_536;

/// What is set, for each address and minute. 0: no limit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowed {
    pub(crate) refused_tokens: u32,
    pub(crate) anonymous_sessions: u32,
    pub(crate) codes: u32,
    pub(crate) refused_api_keys: u32,
    pub(crate) requests: u32,
}

/// The limits of this process.
#[derive(Debug)]
pub(crate) struct Limits {
    refused_tokens: Limit<(Network, Scope, About)>,
    anonymous_sessions: Limit<(Network, Scope)>,
    codes: Limit<(Network, Scope)>,
    refused_api_keys: Limit<Network>,
    requests: Limit<Network>,
    diagnoses: Limit<AgentId>,
}

/// What a refused token says of where it is from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum About {
    /// Anyone's: by the number of the configured origin that its page has.
    Origin(Option<usize>),
    /// The site's, about that subject: by its keyed hash.
    Subject(String),
}

/// There was too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooMany {
    /// Whole seconds until there is room for one more.
    pub(crate) retry_after: i64,
}

impl Limits {
    pub(crate) fn new(allowed: Allowed) -> Self {
        Self {
            refused_tokens: Limit::new(allowed.refused_tokens),
            anonymous_sessions: Limit::new(allowed.anonymous_sessions),
            codes: Limit::new(allowed.codes),
            refused_api_keys: Limit::new(allowed.refused_api_keys),
            requests: Limit::new(allowed.requests),
            diagnoses: Limit::new(DIAGNOSES),
        }
    }

    /// Counts a token that was refused.
    pub(crate) fn refused_token(
        &self,
        from: Network,
        scope: Scope,
        about: About,
        now: Timestamp,
    ) -> Result<(), TooMany> {
        self.refused_tokens.take((from, scope, about), now)
    }

    /// Counts an anonymous session that is to be opened.
    pub(crate) fn anonymous_session(
        &self,
        from: Network,
        scope: Scope,
        now: Timestamp,
    ) -> Result<(), TooMany> {
        self.anonymous_sessions.take((from, scope), now)
    }

    /// Counts a one-time code that was asked for, whatever the visitor and the mailbox:
    /// visitors are made for nothing, and mail to many strangers is what they would be
    /// made for (rule A3).
    pub(crate) fn code(&self, from: Network, scope: Scope, now: Timestamp) -> Result<(), TooMany> {
        self.codes.take((from, scope), now)
    }

    /// Counts an API key that was refused. As with tokens, a good one is not counted
    /// and never turned away.
    pub(crate) fn refused_api_key(&self, from: Network, now: Timestamp) -> Result<(), TooMany> {
        self.refused_api_keys.take(from, now)
    }

    /// Counts a request.
    pub(crate) fn request(&self, from: Network, now: Timestamp) -> Result<(), TooMany> {
        self.requests.take(from, now)
    }

    /// Counts a refused token of an agent that is to be explained (rule K7).
    pub(crate) fn diagnosis(&self, agent: AgentId, now: Timestamp) -> Result<(), TooMany> {
        self.diagnoses.take(agent, now)
    }
}

/// One bucket for each key.
#[derive(Debug)]
pub(crate) struct Limit<K> {
    /// Microseconds for which one thing fills its bucket. 0: there is no limit.
    each: i64,
    /// When the bucket of a key will be empty. One that is has no entry to keep.
    empty_at: Mutex<HashMap<K, i64>>,
}

impl<K: Eq + Hash> Limit<K> {
    /// Allows so many in a minute, at once or spread over it.
    pub(crate) fn new(a_minute: u32) -> Self {
        Self {
            each: MINUTE.checked_div(i64::from(a_minute)).unwrap_or(0),
            empty_at: Mutex::default(),
        }
    }

    /// Counts one more, if there is room for it.
    pub(crate) fn take(&self, key: K, now: Timestamp) -> Result<(), TooMany> {
        if self.each == 0 {
            return Ok(());
        }
        let now = now.as_microsecond();
        let mut empty_at = self.empty_at.lock().unwrap_or_else(PoisonError::into_inner);
        let before = match empty_at.get_mut(&key) {
            Some(at) => {
                // Never more than full: a clock that was set back would shut everybody out.
                *at = (*at).clamp(now, now + MINUTE);
                *at
            }
            None => now,
        };
        let after = before + self.each;
        if after > now + MINUTE {
            let wait = SignedDuration::from_micros(after - now - MINUTE);
            let retry_after = wait.as_secs() + i64::from(wait.subsec_nanos() > 0);
            return Err(TooMany { retry_after });
        }
        if empty_at.len() >= MAX_KEYS && !empty_at.contains_key(&key) {
            make_room(&mut empty_at, now);
        }
        empty_at.insert(key, after);
        Ok(())
    }
}

/// Forgets the buckets that are empty. If that is not half of them, it forgets
/// all: somebody with that many addresses is not limited by address anyway.
fn make_room<K>(empty_at: &mut HashMap<K, i64>, now: i64) {
    empty_at.retain(|_, at| *at > now);
    if empty_at.len() > MAX_KEYS / 2 {
        tracing::warn!("too many addresses at once; the limits for each begin anew");
        empty_at.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    #[test]
    fn l3_a_minutes_worth_may_come_at_once_and_then_as_fast_as_there_is_room() {
        let limit = Limit::new(6);

        for _ in 0..6 {
            assert_eq!(limit.take("a", at(0)), Ok(()));
        }
        assert_eq!(limit.take("a", at(0)), Err(TooMany { retry_after: 10 }));
        assert_eq!(limit.take("a", at(4)), Err(TooMany { retry_after: 6 }));
        assert_eq!(limit.take("a", at(10)), Ok(()));
        assert_eq!(limit.take("a", at(10)), Err(TooMany { retry_after: 10 }));
        assert_eq!(limit.take("b", at(10)), Ok(()), "another has room");
    }

    #[test]
    fn l3_what_is_turned_away_does_not_count() {
        let limit = Limit::new(1);
        assert_eq!(limit.take("a", at(0)), Ok(()));

        for second in 1..60 {
            assert!(limit.take("a", at(second)).is_err());
        }

        assert_eq!(limit.take("a", at(60)), Ok(()));
    }

    #[test]
    fn no_limit_is_none() {
        let limit = Limit::new(0);

        assert!((0..100_000).all(|_| limit.take("a", at(0)).is_ok()));
        assert!(limit.empty_at.lock().unwrap().is_empty());
    }

    #[test]
    fn a_clock_that_is_set_back_shuts_nobody_out_for_longer_than_a_minute() {
        let limit = Limit::new(1);
        assert_eq!(limit.take("a", at(86_400)), Ok(()));

        assert_eq!(limit.take("a", at(0)), Err(TooMany { retry_after: 60 }));
        assert_eq!(limit.take("a", at(60)), Ok(()));
    }

    #[test]
    fn s7_the_memory_is_bounded_whoever_has_how_many_addresses() {
        let limit = Limit::new(10);

        for key in 0..3 * MAX_KEYS {
            assert_eq!(limit.take(key, at(0)), Ok(()));
        }

        assert!(limit.empty_at.lock().unwrap().len() <= MAX_KEYS);
    }

    #[test]
    fn s7_room_is_made_by_forgetting_those_who_owe_nothing() {
        let limit = Limit::new(1);
        for key in 0..MAX_KEYS - 1 {
            assert_eq!(limit.take(key, at(0)), Ok(()));
        }
        assert_eq!(limit.take(MAX_KEYS, at(59)), Ok(()));

        assert_eq!(limit.take(MAX_KEYS + 1, at(61)), Ok(()));

        assert!(limit.take(MAX_KEYS, at(61)).is_err(), "is remembered");
        assert_eq!(limit.empty_at.lock().unwrap().len(), 2);
    }
}
