//! Several processes over one database: each says that it lives, notices who does
//! not any more, and takes up the turns that were left open (rule R3).
//!
//! A node is thought dead when its beats stood still for a while, by the clock of
//! whoever watches and over several looks: neither clocks that differ nor a watcher
//! that was itself asleep make a living one dead. One that was thought dead by
//! mistake comes back by its next beat; what it lost are its turns.

use std::{collections::HashMap, time::Duration};

use jiff::{SignedDuration, Timestamp};
use maitred_core::id::NodeId;
use maitred_store::{NodeRow, Store};
use tokio::time::{MissedTickBehavior, interval};

use crate::{app::App, causes::Causes, tasks::Tasks};

/// How often a node says that it lives, and looks for those that do not.
const BEAT: Duration = Duration::from_secs(1);

/// For how long beats stand still before a node is thought dead.
const GONE_AFTER: SignedDuration = SignedDuration::from_secs(10);

/// And in how many looks.
const GONE_LOOKS: u32 = 3;

/// A turn of this node in which nothing happened for so long, and that it does not
/// run, was left open when the database was away.
const UNMOVED: SignedDuration = SignedDuration::from_secs(10);

/// Says that this node lives until everything else of it has ended; then its row
/// goes, and others take up what it had to cut off.
pub(crate) fn keep_alive(store: Store, tasks: &Tasks) {
    tasks.spawn_last(async move |ended| {
        let mut tick = interval(BEAT);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while store.is_shared() {
            tokio::select! {
                _ = tick.tick() => (),
                () = ended.cancelled() => break,
            }
            match store.beat().await {
                Ok(true) => (),
                Ok(false) => tracing::warn!(
                    "other nodes thought this one dead, and may have taken up its turns"
                ),
                Err(error) => {
                    tracing::warn!(error = %Causes(&error), "cannot say that this node lives");
                }
            }
        }
        ended.cancelled().await;
        if let Err(error) = store.leave().await {
            tracing::warn!(error = %Causes(&error), "others will think that this node died");
        }
    });
}

/// Looks for nodes that died and for turns that were left open, until the program
/// is told to end.
pub(crate) fn watch(app: &App) {
    let app = app.clone();
    let stopping = app.tasks.stopping();
    app.tasks.clone().spawn(async move {
        let mut peers = Peers::default();
        let mut tick = interval(BEAT);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = tick.tick() => (),
                () = stopping.cancelled() => return,
            }
            if let Err(error) = look(&app, &mut peers).await {
                tracing::warn!("cannot look for turns that were left open: {error:#}");
            }
        }
    });
}

async fn look(app: &App, peers: &mut Peers) -> anyhow::Result<()> {
    if app.store.is_shared() {
        let nodes = app.store.nodes().await?;
        for node in peers.gone(&nodes, app.store.clock.now()) {
            if app.store.remove_node(node).await? {
                tracing::warn!(node.id = %node.id, "a node is gone");
            }
        }
        return take_up(app).await;
    }
    // Whoever was there before is gone since the start.
    let unmoved_since = app.store.clock.now() - UNMOVED;
    let left_open = app.store.own_turns_left_open(unmoved_since).await?;
    app.turns.take_up(left_open, unmoved_since).await?;
    Ok(())
}

/// Takes up the turns that nobody runs.
pub(crate) async fn take_up(app: &App) -> anyhow::Result<()> {
    let unmoved_since = app.store.clock.now() - UNMOVED;
    let left_open = app.store.turns_left_open(unmoved_since).await?;
    app.turns.take_up(left_open, unmoved_since).await?;
    Ok(())
}

/// What is known of the nodes, this one among them: its own beats go on.
#[derive(Debug, Default)]
struct Peers(HashMap<NodeId, Seen>);

#[derive(Debug)]
struct Seen {
    beats: i64,
    since: Timestamp,
    looks: u32,
}

impl Peers {
    /// Those of which nothing was heard for too long.
    fn gone(&mut self, nodes: &[NodeRow], now: Timestamp) -> Vec<NodeRow> {
        self.0
            .retain(|id, _| nodes.iter().any(|node| node.id == *id));
        let mut gone = Vec::new();
        for node in nodes {
            let fresh = Seen {
                beats: node.beats,
                since: now,
                looks: 0,
            };
            let seen = self.0.entry(node.id).or_insert(fresh);
            if seen.beats == node.beats {
                seen.looks += 1;
            } else {
                *seen = Seen {
                    beats: node.beats,
                    since: now,
                    looks: 0,
                };
            }
            if now.duration_since(seen.since) >= GONE_AFTER && seen.looks > GONE_LOOKS {
                gone.push(*node);
            }
        }
        gone
    }
}

#[cfg(test)]
mod tests {
    use maitred_core::clock::Clock;

    use super::*;

    fn beats(id: NodeId, beats: i64) -> NodeRow {
        NodeRow { id, beats }
    }

    #[test]
    fn r3_a_node_whose_beats_stand_still_for_ten_seconds_is_gone() {
        let clock = Clock::manual(Timestamp::UNIX_EPOCH);
        let (lives, dies) = (NodeId::new(&clock), NodeId::new(&clock));
        let mut peers = Peers::default();

        for second in 0..10 {
            let nodes = [beats(lives, second), beats(dies, 7)];
            assert_eq!(peers.gone(&nodes, clock.now()), [], "after {second} s");
            clock.advance(SignedDuration::from_secs(1));
        }

        let nodes = [beats(lives, 10), beats(dies, 7)];
        assert_eq!(peers.gone(&nodes, clock.now()), [beats(dies, 7)]);
    }

    #[test]
    fn r3_a_watcher_that_slept_gives_the_others_time() {
        let clock = Clock::manual(Timestamp::UNIX_EPOCH);
        let other = NodeId::new(&clock);
        let mut peers = Peers::default();
        assert_eq!(peers.gone(&[beats(other, 1)], clock.now()), []);

        clock.advance(SignedDuration::from_hours(1));

        for _ in 0..GONE_LOOKS - 1 {
            assert_eq!(peers.gone(&[beats(other, 1)], clock.now()), []);
        }
        assert_eq!(peers.gone(&[beats(other, 2)], clock.now()), []);
        clock.advance(SignedDuration::from_secs(5));
        assert_eq!(peers.gone(&[beats(other, 2)], clock.now()), []);
    }
}
