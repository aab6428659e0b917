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
pub mod model;
mod prompt;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use maitred_core::{event::Event, id::AgentId, scope::Owner};
use maitred_store::{Store, StoreError};

pub use crate::drive::TurnEnd;
use crate::{
    action::Runner,
    brain::{Basis, Brain},
    engine::{Engine, embed::Embedder},
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

/// The brain of one agent, and the number of changes in the store that it has
/// seen. Locked while it is built, so that everybody waits for one build.
type Slot = tokio::sync::Mutex<Option<(i64, Arc<Brain>)>>;

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
        self.brain(agent).await.map(|_| ())
    }

    /// Whether that was asked for before.
    pub fn is_prepared(&self, agent: AgentId) -> bool {
        self.0
            .brains
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains_key(&agent)
    }

    /// What the agent knows, as of the last change in the store.
    async fn brain(&self, agent: AgentId) -> Result<Arc<Brain>, TurnError> {
        let store = &self.0.store;
        let slot = self
            .0
            .brains
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(agent)
            .or_default()
            .clone();
        let mut slot = slot.lock().await;
        let changes = store.changes().await?;
        if let Some((seen, brain)) = &*slot
            && *seen == changes
        {
            return Ok(brain.clone());
        }
        let basis = Basis::read(store, agent).await?;
        let brain = match &*slot {
            Some((_, brain)) if brain.is_built_from(&basis) => brain.clone(),
            Some(_) | None => {
                let hearing = self.0.engine.hearing();
                let embedder = self.0.embedder.clone();
                Arc::new(Brain::build(store, embedder, hearing, basis).await?)
            }
        };
        *slot = Some((changes, brain.clone()));
        Ok(brain)
    }
}
