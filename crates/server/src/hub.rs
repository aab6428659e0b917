//! Fan-out of events to the streams of this process.
//!
//! What is numbered is also stored, so the hub may forget: a stream that missed
//! something reads it from the store. A stream that does not keep up is cut off
//! and comes back with its last position (rule R5).

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use maitred_agent::Announce;
use maitred_core::{event::Event, scope::Owner};
use tokio::sync::mpsc;

/// Events that a stream may lag behind.
const QUEUE: usize = 256;

/// Who follows whom.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    followers: Mutex<HashMap<Owner, Vec<mpsc::Sender<Event>>>>,
}

impl Hub {
    /// Everything that is announced to this owner from now on.
    pub(crate) fn subscribe(self: &Arc<Self>, owner: Owner) -> Subscription {
        let (sender, events) = mpsc::channel(QUEUE);
        self.followers().entry(owner).or_default().push(sender);
        Subscription {
            hub: self.clone(),
            owner,
            events,
        }
    }

    /// To everybody, whoever they follow: something changed that streams must
    /// look at for themselves.
    pub(crate) fn announce_to_all(&self, event: &Event) {
        let mut followers = self.followers();
        followers.retain(|_, of_owner| {
            of_owner.retain(|it| it.try_send(event.clone()).is_ok());
            !of_owner.is_empty()
        });
    }

    fn followers(&self) -> MutexGuard<'_, HashMap<Owner, Vec<mpsc::Sender<Event>>>> {
        self.followers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one stream follows. The hub forgets it when it is dropped.
#[derive(Debug)]
pub(crate) struct Subscription {
    hub: Arc<Hub>,
    owner: Owner,
    events: mpsc::Receiver<Event>,
}

impl Subscription {
    /// The next event; `None` if this reader has fallen too far behind.
    pub(crate) async fn recv(&mut self) -> Option<Event> {
        self.events.recv().await
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.events.close();
        let mut followers = self.hub.followers();
        if let Some(of_owner) = followers.get_mut(&self.owner) {
            of_owner.retain(|it| !it.is_closed());
            if of_owner.is_empty() {
                followers.remove(&self.owner);
            }
        }
    }
}

impl Announce for Hub {
    fn announce(&self, owner: Owner, event: Event) {
        let mut followers = self.followers();
        if let Some(of_owner) = followers.get_mut(&owner) {
            // Full or gone: either way the stream ends.
            of_owner.retain(|it| it.try_send(event.clone()).is_ok());
            if of_owner.is_empty() {
                followers.remove(&owner);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use maitred_core::{clock::Clock, id::VisitorId};

    use super::*;

    #[tokio::test]
    async fn an_event_reaches_those_who_follow_its_owner_and_nobody_else() {
        let clock = Clock::manual(Timestamp::UNIX_EPOCH);
        let (one, other) = (
            Owner::Visitor(VisitorId::new(&clock)),
            Owner::Visitor(VisitorId::new(&clock)),
        );
        let hub = Arc::new(Hub::default());
        let (mut follows_one, mut follows_other) = (hub.subscribe(one), hub.subscribe(other));

        hub.announce(one, Event::Renumbered);

        assert_eq!(follows_one.recv().await, Some(Event::Renumbered));
        assert!(follows_other.events.try_recv().is_err());
    }

    #[tokio::test]
    async fn r5_a_reader_that_has_gone_leaves_nothing_behind() {
        let clock = Clock::manual(Timestamp::UNIX_EPOCH);
        let owner = Owner::Visitor(VisitorId::new(&clock));
        let hub = Arc::new(Hub::default());
        let (one, mut other) = (hub.subscribe(owner), hub.subscribe(owner));

        drop(one);

        assert_eq!(hub.followers()[&owner].len(), 1);
        hub.announce(owner, Event::Renumbered);
        assert_eq!(other.recv().await, Some(Event::Renumbered));
        drop(other);
        assert!(hub.followers().is_empty());
    }

    #[tokio::test]
    async fn r5_a_reader_that_falls_behind_is_cut_off() {
        let owner = Owner::Visitor(VisitorId::new(&Clock::system()));
        let hub = Arc::new(Hub::default());
        let mut slow = hub.subscribe(owner);

        for _ in 0..=QUEUE {
            hub.announce(owner, Event::Renumbered);
        }

        for _ in 0..QUEUE {
            assert_eq!(slow.recv().await, Some(Event::Renumbered));
        }
        assert_eq!(slow.recv().await, None);
        assert!(hub.followers().is_empty());
    }
}
