//! The agent: what answers a visitor, and what is done for them.
//!
//! [`Agent::run_turn`] takes a conversation from the visitor's message to the
//! agent's silence. What happens next is decided by `core::turn::next_step` from
//! the stored transcript; [`drive`](self) does it, appends what happened, and
//! announces what may be seen.
//!
//! Not here: who may talk to whom (`server`), and what a token proves (`token`).

pub mod action;
mod brain;
mod drive;
pub mod engine;
pub mod knowledge;
mod memory;
pub mod model;
mod prompt;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use maitred_core::{
    event::Event,
    id::AgentId,
    knowledge::Readers,
    scope::{Environment, Owner},
};
use maitred_store::{Store, StoreError};
use tokio::time::Instant;

pub use crate::drive::TurnEnd;
pub use crate::knowledge::library::Tried;
use crate::{
    action::Runner,
    brain::{Brain, Growing},
    engine::{Engine, embed::Embedder},
    knowledge::library::Reader,
};

/// Why a turn stopped. Its reader is the operator; the visitor gets a fixed sentence.
#[derive(Debug, thiserror::Error)]
pub enum TurnError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The engine failed in a way that is a bug.
    #[error("the engine failed: {0}")]
    Engine(String),
}

/// Tells the outside what a turn brings about.
pub trait Announce: Send + Sync {
    /// To everybody who follows this owner.
    fn announce(&self, owner: Owner, event: Event);
}

/// Whether one-time codes can be sent, so that a visitor may be told of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codes {
    /// They can.
    Sent,
    /// There is no mail server to send them with.
    Unavailable,
}

/// Runs turns. Cheap to clone.
#[derive(Clone)]
pub struct Agent(Arc<Inner>);

struct Inner {
    store: Store,
    engine: Engine,
    runner: Runner,
    codes: Codes,
    embedder: Arc<Embedder>,
    brains: Mutex<HashMap<AgentId, Arc<Slot>>>,
}

/// The brain of one agent. Locked while it is put together, so that everybody waits
/// for it once.
type Slot = tokio::sync::Mutex<Growing>;

/// How long a turn waits for what its agent learned since the last one.
const PATIENCE: Duration = Duration::from_secs(1);

/// And the first turn of all, for what it is about to learn.
const FIRST_PATIENCE: Duration = Duration::from_secs(5);

/// For how long turns wait for whoever reads ahead of them.
const READS_AHEAD: Duration = Duration::from_millis(200);

impl Agent {
    /// Puts together what turns need.
    pub fn new(store: Store, engine: Engine, runner: Runner, codes: Codes) -> Self {
        Self(Arc::new(Inner {
            store,
            engine,
            runner,
            codes,
            embedder: Arc::new(Embedder::new()),
            brains: Mutex::default(),
        }))
    }

    /// Reads and embeds what an agent knows, so that the first visitor does not wait for it.
    pub async fn prepare(&self, agent: AgentId) -> Result<(), TurnError> {
        while !self.brain_within(agent, Some(READS_AHEAD)).await?.1 {}
        Ok(())
    }

    /// Whether that was asked for before.
    pub fn is_prepared(&self, agent: AgentId) -> bool {
        self.0
            .brains
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains_key(&agent)
    }

    /// Those that were prepared.
    pub fn prepared(&self) -> Vec<AgentId> {
        let brains = self.0.brains.lock().unwrap_or_else(PoisonError::into_inner);
        brains.keys().copied().collect()
    }

    /// What would be found for a question, by somebody who is proven so far.
    pub async fn try_knowledge(
        &self,
        agent: AgentId,
        question: String,
        rung: Readers,
        environment: Environment,
        limit: usize,
    ) -> Result<Vec<Tried>, TurnError> {
        let brain = self.brain(agent).await?;
        let reader = Reader { rung, environment };
        let tried = tokio::task::spawn_blocking(move || {
            let known = brain.library.seen_by(reader);
            if known.is_empty() {
                return Vec::new();
            }
            let found = known.search(&question, &brain.embedder.embed(&question), limit);
            found.into_iter().map(Tried::from).collect()
        });
        tried
            .await
            .map_err(|error| TurnError::Engine(error.to_string()))
    }

    /// The embedding model, for whoever indexes what is known.
    pub fn embedder(&self) -> &Arc<Embedder> {
        &self.0.embedder
    }

    /// What the agent knows, as of the last change in the store.
    async fn brain(&self, agent: AgentId) -> Result<Arc<Brain>, TurnError> {
        Ok(self.brain_within(agent, None).await?.0)
    }

    /// And whether it knows all there is to know.
    async fn brain_within(
        &self,
        agent: AgentId,
        patience: Option<Duration>,
    ) -> Result<(Arc<Brain>, bool), TurnError> {
        let store = &self.0.store;
        let slot = self
            .0
            .brains
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(agent)
            .or_default()
            .clone();
        let mut growing = slot.lock().await;
        let patience = patience.unwrap_or(if growing.is_new() {
            FIRST_PATIENCE
        } else {
            PATIENCE
        });
        let (hearing, until) = (self.0.engine.hearing(), Instant::now() + patience);
        let brain = growing
            .brain(store, &self.0.embedder, hearing, agent, until)
            .await?;
        Ok((brain, growing.is_whole()))
    }
}
