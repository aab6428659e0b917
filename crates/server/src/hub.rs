//! Fan-out of events to the streams of this process.
//!
//! What is numbered is also stored, so the hub may forget: a stream that missed
//! something reads it from the store. A stream that does not keep up is cut off
//! and comes back with its last position (rule R5).

use std::{
    collections::{HashMap, VecDeque},
    fmt::{self, Write},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use maitred_agent::Announce;
use maitred_core::{event::Event, scope::Owner};
use tokio::sync::Notify;

/// Events that a stream may lag behind.
const QUEUE: usize = 256;
/// And how much they may hold, in bytes.
const MOST_QUEUED: usize = 1024 * 1024;

/// Who follows whom.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    followers: Mutex<HashMap<Owner, Vec<Arc<Queue>>>>,
}

impl Hub {
    /// Everything that is announced to this owner from now on.
    pub(crate) fn subscribe(self: &Arc<Self>, owner: Owner) -> Subscription {
        let queue = Arc::<Queue>::default();
        let mut followers = self.followers();
        followers.entry(owner).or_default().push(queue.clone());
        drop(followers);
        Subscription {
            hub: self.clone(),
            owner,
            queue,
        }
    }

    /// To everybody, whoever they follow: something changed that streams must
    /// look at for themselves.
    pub(crate) fn announce_to_all(&self, event: &Event) {
        let size = size_of_event(event);
        let mut followers = self.followers();
        followers.retain(|_, of_owner| {
            of_owner.retain(|it| it.takes(event, size));
            !of_owner.is_empty()
        });
    }

    fn followers(&self) -> MutexGuard<'_, HashMap<Owner, Vec<Arc<Queue>>>> {
        self.followers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// What waits for one stream. A stream where nothing happens keeps nothing: channels
/// with a bound keep room for what may come.
#[derive(Debug, Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    something: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    events: VecDeque<(Event, usize)>,
    bytes: usize,
    /// Nothing more comes: the reader is gone, or too slow.
    is_over: bool,
}

impl Queue {
    /// Puts an event into the queue. False if that is full, or its reader gone: either
    /// way the stream ends.
    fn takes(&self, event: &Event, size: usize) -> bool {
        let mut waiting = self.waiting();
        if waiting.events.len() >= QUEUE || waiting.bytes + size > MOST_QUEUED {
            waiting.is_over = true;
        }
        if !waiting.is_over {
            waiting.bytes += size;
            waiting.events.push_back((event.clone(), size));
        }
        let takes = !waiting.is_over;
        drop(waiting);
        self.something.notify_one();
        takes
    }

    /// The next event; `None` if nothing waits, and nothing more comes.
    async fn next(&self) -> Option<Event> {
        loop {
            {
                let mut waiting = self.waiting();
                if let Some((event, size)) = waiting.events.pop_front() {
                    waiting.bytes -= size;
                    if waiting.events.is_empty() {
                        waiting.events = VecDeque::new();
                    }
                    return Some(event);
                }
                if waiting.is_over {
                    return None;
                }
            }
            self.something.notified().await;
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// About what an event holds in memory.
fn size_of_event(event: &Event) -> usize {
    /// Of anything that is printed, the length.
    struct Length(usize);

    impl Write for Length {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0 += text.len();
            Ok(())
        }
    }

    let mut length = Length(size_of::<Event>());
    if let Event::Delta { text, .. } = event {
        // Of these there are many.
        length.0 += text.len();
    } else {
        _ = write!(length, "{event:?}");
    }
    length.0
}

/// What one stream follows. The hub forgets it when it is dropped.
#[derive(Debug)]
pub(crate) struct Subscription {
    hub: Arc<Hub>,
    owner: Owner,
    queue: Arc<Queue>,
}

impl Subscription {
    /// The next event; `None` if this reader has fallen too far behind.
    pub(crate) async fn recv(&mut self) -> Option<Event> {
        self.queue.next().await
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.queue.waiting().is_over = true;
        let mut followers = self.hub.followers();
        if let Some(of_owner) = followers.get_mut(&self.owner) {
            of_owner.retain(|it| !Arc::ptr_eq(it, &self.queue));
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
            let size = size_of_event(&event);
            of_owner.retain(|it| it.takes(&event, size));
            if of_owner.is_empty() {
                followers.remove(&owner);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use jiff::Timestamp;
    use maitred_core::{
        clock::Clock,
        id::{ConversationId, EntryId, VisitorId},
    };

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
        assert!(follows_other.recv().now_or_never().is_none());
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
    async fn r5_a_reader_with_a_megabyte_waiting_is_cut_off() {
        let clock = Clock::system();
        let owner = Owner::Visitor(VisitorId::new(&clock));
        let hub = Arc::new(Hub::default());
        let (mut slow, mut quick) = (hub.subscribe(owner), hub.subscribe(owner));
        let piece = || Event::Delta {
            conversation: ConversationId::new(&clock),
            reply: EntryId::new(&clock),
            text: "x".repeat(MOST_QUEUED / 8),
        };

        for _ in 0..20 {
            hub.announce(owner, piece());
            assert!(quick.recv().await.is_some(), "who reads is not cut off");
        }

        let mut got = 0;
        while let Some(event) = slow.recv().await {
            got += size_of_event(&event);
        }
        assert!((MOST_QUEUED / 2..=MOST_QUEUED).contains(&got), "{got}");
        assert_eq!(hub.followers()[&owner].len(), 1);
    }

    #[tokio::test]
    async fn r5_what_a_thousand_stalled_readers_keep_is_bounded() {
        let hub = Arc::new(Hub::default());
        let clock = Clock::system();
        let readers: Vec<_> = (0..1_000)
            .map(|_| {
                let owner = Owner::Visitor(VisitorId::new(&clock));
                (owner, hub.subscribe(owner))
            })
            .collect();
        let (conversation, reply) = (ConversationId::new(&clock), EntryId::new(&clock));

        // Twice what any of them may leave unread.
        for (owner, _) in &readers {
            for _ in 0..2 * QUEUE {
                let text = "x".repeat(64);
                hub.announce(
                    *owner,
                    Event::Delta {
                        conversation,
                        reply,
                        text,
                    },
                );
            }
        }

        let kept: usize = readers
            .iter()
            .map(|(_, reader)| {
                reader.queue.waiting().events.capacity() * (size_of::<(Event, usize)>() + 64)
            })
            .sum();
        assert!(kept <= 1_000 * QUEUE * 256, "{kept}");
        assert!(hub.followers().is_empty(), "all are cut off");
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
