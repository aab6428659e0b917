//! How many connections there may be: in all, and from one address (rule R6).
//!
//! A proxy that is listed in `server.trusted_proxies` stands for many clients, so
//! it counts for the limit in all and for no other: which client a connection of
//! its is for changes with every request, and how many a client may have is the
//! proxy's to say.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use ipnet::IpNet;

use super::Connections;
use crate::client::Network;

/// The places there are, and who has them.
#[derive(Debug)]
pub(super) struct Places {
    connections: Connections,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Debug, Default)]
struct Taken {
    in_all: usize,
    by: HashMap<Network, usize>,
}

/// One place, free again when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    taken: Arc<Mutex<Taken>>,
    by: Option<Network>,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    InAll,
    FromOneAddress,
}

impl Places {
    pub(super) fn new(connections: Connections) -> Self {
        Self {
            connections,
            taken: Arc::default(),
        }
    }

    /// A place for somebody from there.
    pub(super) fn take(&self, from: IpAddr) -> Result<Place, Full> {
        let by = self.counted(from);
        let mut taken = locked(&self.taken);
        if taken.in_all >= self.connections.at_most {
            return Err(Full::InAll);
        }
        if let Some(by) = by {
            let theirs = taken.by.entry(by).or_default();
            // One that is new is below any limit, so no entry of nobody's is left.
            if *theirs >= self.connections.from_one_address {
                return Err(Full::FromOneAddress);
            }
            *theirs += 1;
        }
        taken.in_all += 1;
        Ok(Place {
            taken: self.taken.clone(),
            by,
        })
    }

    /// What a connection counts for besides all of them.
    fn counted(&self, from: IpAddr) -> Option<Network> {
        let is_proxy = |net: &IpNet| net.contains(&from.to_canonical());
        let is_counted = self.connections.from_one_address > 0
            && !self.connections.not_counted.iter().any(is_proxy);
        is_counted.then(|| from.into())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = locked(&self.taken);
        taken.in_all -= 1;
        if let Some(by) = self.by
            && let Some(theirs) = taken.by.get_mut(&by)
        {
            *theirs -= 1;
            if *theirs == 0 {
                taken.by.remove(&by);
            }
        }
    }
}

fn locked(taken: &Mutex<Taken>) -> MutexGuard<'_, Taken> {
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accept::tests::patience;

    fn places(at_most: usize, from_one_address: usize) -> Places {
        Places::new(Connections {
            at_most,
            from_one_address,
            not_counted: vec!["10.0.0.0/8".parse().unwrap()],
            patience: patience(),
        })
    }

    fn at(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn r6_one_address_takes_its_own_places_and_nobody_elses() {
        let places = places(10, 2);
        let first = places.take(at("198.51.100.1")).unwrap();
        let _second = places.take(at("::ffff:198.51.100.1")).unwrap();

        let third = places.take(at("198.51.100.1")).map(|_| ());

        assert_eq!(third, Err(Full::FromOneAddress));
        assert!(places.take(at("198.51.100.2")).is_ok());
        drop(first);
        assert!(places.take(at("198.51.100.1")).is_ok());
    }

    #[test]
    fn r6_a_64_of_ipv6_is_one_address() {
        let places = places(10, 1);
        let _held = places.take(at("2001:db8:1:2::1")).unwrap();

        assert!(places.take(at("2001:db8:1:2:ffff::9")).is_err());
        assert!(places.take(at("2001:db8:1:3::1")).is_ok());
    }

    #[test]
    fn r6_a_listed_proxy_counts_for_the_limit_in_all_alone() {
        let places = places(3, 1);
        let held: Vec<_> = (0..3).map(|_| places.take(at("10.1.2.3"))).collect();

        assert!(held.iter().all(Result::is_ok));
        assert_eq!(places.take(at("10.1.2.3")).unwrap_err(), Full::InAll);
        assert_eq!(places.take(at("198.51.100.1")).unwrap_err(), Full::InAll);
    }

    #[test]
    fn r6_who_has_left_is_forgotten() {
        let places = places(3, 1);

        for last in 1..=200 {
            drop(places.take(IpAddr::from([192, 0, 2, last])).unwrap());
        }

        let taken = locked(&places.taken);
        assert_eq!((taken.in_all, taken.by.len()), (0, 0));
    }
}
