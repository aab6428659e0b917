//! Fan-out of events to the streams of this process, and to other nodes.
//!
//! What is numbered is also stored, so the hub may forget: a stream that missed
//! something reads it from the store. A stream that does not keep up is cut off
//! and comes back with its last position (rule R5).
//!
//! A stream that waits holds next to nothing here: its queue has no room until
//! something comes, and what comes is shared by all who follow its owner.

use std::{
    collections::{HashMap, VecDeque},
    fmt::{self, Write},
    future::poll_fn,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Poll, Waker},
};

use maitred_agent::Announce;
use maitred_core::{event::Event, id::ConversationId, scope::Owner};
use maitred_store::{Store, Told};
use tokio::sync::mpsc;

/// Events that a stream may lag behind.
const QUEUE: usize = 256;
/// And how much they may hold, in bytes.
const MOST_QUEUED: usize = 1024 * 1024;

/// Room that an empty queue may keep.
const KEPT: usize = 8;

/// Who follows whom.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    followers: Mutex<HashMap<Owner, Vec<Arc<Queue>>>>,
    /// Where other nodes are told; none where one process alone serves.
    others: Option<Others>,
}

#[derive(Debug)]
struct Others {
    told: mpsc::Sender<Told>,
    /// Knows whether there are any.
    store: Store,
}

/// What waits for one stream.
#[derive(Debug, Default)]
struct Queue(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    /// Each with its size, in bytes.
    events: VecDeque<(Arc<Event>, usize)>,
    /// The sum of these.
    size: usize,
    /// Nothing more comes: the stream was too slow, or is gone.
    is_closed: bool,
    reader: Option<Waker>,
}

impl Hub {
    /// One that tells other nodes what is announced here.
    pub(crate) fn telling(told: mpsc::Sender<Told>, store: Store) -> Self {
        Self {
            others: Some(Others { told, store }),
            ..Self::default()
        }
    }

    /// Everything that is announced to this owner from now on.
    pub(crate) fn subscribe(self: &Arc<Self>, owner: Owner) -> Subscription {
        let queue = Arc::new(Queue::default());
        self.followers()
            .entry(owner)
            .or_default()
            .push(queue.clone());
        Subscription {
            hub: self.clone(),
            owner,
            queue,
        }
    }

    /// To everybody here, whoever they follow: something changed that streams must
    /// look at for themselves.
    pub(crate) fn announce_to_all(&self, event: &Event) {
        let (event, size) = (Arc::new(event.clone()), size_of_event(event));
        let mut followers = self.followers();
        followers.retain(|_, of_owner| {
            of_owner.retain(|it| it.push(&event, size));
            !of_owner.is_empty()
        });
    }

    /// To the streams of this process alone: other nodes know.
    pub(crate) fn announce_here(&self, owner: Owner, event: Event) {
        let mut followers = self.followers();
        if let Some(of_owner) = followers.get_mut(&owner) {
            let size = size_of_event(&event);
            let event = Arc::new(event);
            // Full or gone: either way the stream ends.
            of_owner.retain(|it| it.push(&event, size));
            if of_owner.is_empty() {
                followers.remove(&owner);
            }
        }
    }

    /// Lets the turn of a conversation look again, wherever it runs.
    pub(crate) fn look_at_turn(&self, conversation: ConversationId) {
        self.tell(|| Some(Told::LookAtTurn(conversation)));
    }

    /// Tells all other nodes, if there are any. It may be lost.
    fn tell(&self, told: impl FnOnce() -> Option<Told>) {
        if let Some(others) = &self.others
            && others.store.has_peers()
            && let Some(told) = told()
        {
            // If that is full, streams find by their positions what they missed.
            _ = others.told.try_send(told);
        }
    }

    /// Everybody who is followed here.
    pub(crate) fn followed(&self) -> Vec<Owner> {
        self.followers().keys().copied().collect()
    }

    fn followers(&self) -> MutexGuard<'_, HashMap<Owner, Vec<Arc<Queue>>>> {
        self.followers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Announce for Hub {
    fn announce(&self, owner: Owner, event: Event) {
        self.tell(|| Told::about(owner, &event));
        self.announce_here(owner, event);
    }
}

impl Queue {
    /// False if nothing can be put here any more.
    fn push(&self, event: &Arc<Event>, size: usize) -> bool {
        let mut waiting = self.waiting();
        if waiting.events.len() >= QUEUE || waiting.size + size > MOST_QUEUED {
            waiting.is_closed = true;
        }
        if !waiting.is_closed {
            waiting.events.push_back((event.clone(), size));
            waiting.size += size;
        }
        let is_open = !waiting.is_closed;
        let reader = waiting.reader.take();
        drop(waiting);
        if let Some(reader) = reader {
            reader.wake();
        }
        is_open
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
    pub(crate) async fn recv(&mut self) -> Option<Arc<Event>> {
        poll_fn(|context| {
            let mut waiting = self.queue.waiting();
            if let Some((event, size)) = waiting.events.pop_front() {
                waiting.size -= size;
                if waiting.events.is_empty() && waiting.events.capacity() > KEPT {
                    waiting.events = VecDeque::new();
                }
                return Poll::Ready(Some(event));
            }
            if waiting.is_closed {
                return Poll::Ready(None);
            }
            waiting.reader = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.queue.waiting().is_closed = true;
        let mut followers = self.hub.followers();
        if let Some(of_owner) = followers.get_mut(&self.owner) {
            of_owner.retain(|it| !Arc::ptr_eq(it, &self.queue));
            if of_owner.is_empty() {
                followers.remove(&self.owner);
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

        assert_eq!(
            follows_one.recv().await.as_deref(),
            Some(&Event::Renumbered)
        );
        assert!(follows_other.recv().now_or_never().is_none());
    }

    #[tokio::test]
    async fn whoever_waits_is_woken() {
        let owner = Owner::Visitor(VisitorId::new(&Clock::system()));
        let hub = Arc::new(Hub::default());
        let mut waits = hub.subscribe(owner);

        let (heard, ()) = tokio::join!(waits.recv(), async {
            hub.announce(owner, Event::Renumbered);
        });

        assert_eq!(heard.as_deref(), Some(&Event::Renumbered));
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
        assert_eq!(other.recv().await.as_deref(), Some(&Event::Renumbered));
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
            .map(|(_, reader)| reader.queue.waiting().events.len() * (size_of::<Event>() + 64))
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
            assert_eq!(slow.recv().await.as_deref(), Some(&Event::Renumbered));
        }
        assert_eq!(slow.recv().await, None);
        assert!(hub.followers().is_empty());
    }
}
