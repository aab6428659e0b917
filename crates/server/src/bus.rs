//! What nodes tell each other at once, so that streams are live on all of them.
//!
//! It may be lost: when the database was away, when more came than could be sent,
//! when a node died between its commit and telling. So each node asks now and then,
//! by one query for everybody who is followed here, how far their events have come;
//! streams compare that with where they are.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use maitred_core::{
    event::{Event, Position},
    scope::Owner,
};
use maitred_store::{Heard, Listener, Store, StoreError, Told};
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval, sleep, timeout},
};

use crate::{app::App, causes::Causes, hub::Hub, tasks::Tasks};

/// What may wait to be told. Beyond it, streams elsewhere find what was stored, and
/// do without the rest.
const WAITING: usize = 4_096;

/// What is told at once.
const AT_ONCE: usize = 512;

/// How often it is asked how far everybody's events have come.
const ASKED_EVERY: Duration = Duration::from_secs(15);

/// How long nothing is heard before it is asked whether anything still could be.
const QUIET: Duration = Duration::from_secs(15);

/// How long is waited before the database is tried again.
const PAUSE: Duration = Duration::from_millis(500);

/// The hub of this node, and how it hears others; nothing where it serves alone.
pub(crate) async fn connect(
    store: &Store,
    tasks: &Tasks,
) -> Result<(Arc<Hub>, Option<Listener>), StoreError> {
    let Some(listener) = store.listen().await? else {
        return Ok((Arc::default(), None));
    };
    let (sender, told) = mpsc::channel(WAITING);
    tell(store.clone(), told, tasks);
    let hub = Hub::telling(sender, store.clone());
    Ok((Arc::new(hub), Some(listener)))
}

/// Tells other nodes what is announced here, as fast as the database takes it: what
/// comes meanwhile goes together.
fn tell(store: Store, mut told: mpsc::Receiver<Told>, tasks: &Tasks) {
    tasks.spawn_last(async move |ended| {
        let mut batch = Vec::new();
        loop {
            tokio::select! {
                n = told.recv_many(&mut batch, AT_ONCE) => if n == 0 { return },
                () = ended.cancelled() => return,
            }
            if let Err(error) = store.tell_nodes(&batch).await {
                tracing::warn!(error = %Causes(&error), "other nodes are not told");
            }
            batch.clear();
        }
    });
}

/// Passes on what other nodes say, and finds what they could not.
pub(crate) fn hear(app: &App, mut listener: Listener) {
    let stopping = app.tasks.stopping();
    let hearing = app.clone();
    app.tasks.spawn(async move {
        loop {
            let heard = tokio::select! {
                heard = timeout(QUIET, listener.hear()) => heard,
                () = stopping.cancelled() => return,
            };
            let Ok(heard) = heard else {
                listener.check().await;
                continue;
            };
            match heard {
                Ok(Heard::Told(told)) => told.into_iter().for_each(|told| pass_on(&hearing, told)),
                Ok(Heard::Again) => {
                    tracing::info!("other nodes are heard again");
                    look(&hearing, Look::AtAll).await;
                }
                Err(error) => {
                    tracing::warn!(error = %Causes(&error), "other nodes are not heard");
                    sleep(PAUSE).await;
                }
            }
        }
    });
    let stopping = app.tasks.stopping();
    let looking = app.clone();
    app.tasks.spawn(async move {
        let mut tick = interval(ASKED_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut had_peers = false;
        loop {
            tokio::select! {
                _ = tick.tick() => (),
                () = stopping.cancelled() => return,
            }
            // Once more after the last has gone: it may have died before it told.
            let has_peers = looking.store.has_peers();
            if has_peers || had_peers {
                look(&looking, Look::AtMoved).await;
            }
            had_peers = has_peers;
        }
    });
}

fn pass_on(app: &App, told: Told) {
    match told {
        Told::Event(owner, event) => app.hub.announce_here(owner, event),
        Told::LookAtTurn(conversation) => app.turns.look_again(conversation),
    }
}

/// Whose streams are told how far their events have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    /// Those who were somewhere else when it was last asked.
    AtMoved,
    /// All: it was not heard what happened meanwhile.
    AtAll,
}

async fn look(app: &App, look: Look) {
    if let Err(error) = tell_positions(app, look).await {
        tracing::warn!(error = %Causes(&error), "cannot look how far everybody's events have come");
    }
}

async fn tell_positions(app: &App, look: Look) -> Result<(), StoreError> {
    let positions = app.store.positions(&app.hub.followed()).await?;
    for (owner, position) in app.positions.moved(positions, look) {
        app.hub.announce_here(owner, Event::Moved(position));
    }
    Ok(())
}

/// How far everybody's events had come when it was last asked, shortened.
#[derive(Debug, Default)]
pub(crate) struct Positions(Mutex<HashMap<Owner, u64>>);

impl Positions {
    fn moved(&self, now: Vec<(Owner, Position)>, look: Look) -> Vec<(Owner, Position)> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::take(&mut *known);
        let mut moved = Vec::new();
        for (owner, position) in now {
            let short = shortened(&position);
            known.insert(owner, short);
            if look == Look::AtAll || before.get(&owner) != Some(&short) {
                moved.push((owner, position));
            }
        }
        moved
    }
}

fn shortened(position: &Position) -> u64 {
    let mut hasher = DefaultHasher::new();
    (&position.epoch, position.number).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use maitred_core::{clock::Clock, id::VisitorId};

    use super::*;

    #[test]
    fn r4_only_who_moved_since_the_last_look_is_told() {
        let clock = Clock::system();
        let [one, other] = [(); 2].map(|()| Owner::Visitor(VisitorId::new(&clock)));
        let at = |number| Position {
            epoch: "epoch".to_owned(),
            number,
        };
        let positions = Positions::default();

        let first = positions.moved(vec![(one, at(1)), (other, at(1))], Look::AtMoved);
        let second = positions.moved(vec![(one, at(2)), (other, at(1))], Look::AtMoved);
        let third = positions.moved(vec![(one, at(2)), (other, at(1))], Look::AtMoved);
        let all = positions.moved(vec![(one, at(2)), (other, at(1))], Look::AtAll);

        assert_eq!(first.len(), 2);
        assert_eq!(second, [(one, at(2))]);
        assert_eq!(third, []);
        assert_eq!(all.len(), 2);
    }
}
