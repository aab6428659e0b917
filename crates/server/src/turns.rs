//! Which turns are running: at most one for each conversation.

use std::{
    collections::{HashMap, HashSet},
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::FutureExt;
use jiff::Timestamp;
use maitred_agent::{Agent, TurnEnd, TurnError};
use maitred_core::id::{ConversationId, SessionId};
use maitred_store::{Found, Store, StoreError};
use tokio_util::sync::CancellationToken;

use crate::{hub::Hub, tasks::Tasks};

/// How long is waited before a turn that failed is tried again. Then it is closed.
const PAUSES: [Duration; 5] = [
    Duration::from_millis(200),
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(6),
    Duration::from_secs(10),
];

/// Starts turns, and interrupts them. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Turns(Arc<Inner>);

struct Inner {
    agent: Agent,
    hub: Arc<Hub>,
    tasks: Tasks,
    running: Mutex<HashMap<ConversationId, Running>>,
}

/// A turn that is running.
#[derive(Default)]
struct Running {
    /// The sessions whose messages it answers, but for those that have ended.
    sessions: Vec<SessionId>,
    /// Interrupts what it waits for.
    wake: CancellationToken,
    /// Something was posted meanwhile: decide anew when it has ended.
    again: bool,
}

/// Whether it will pass, if only when somebody makes room.
fn is_storage_trouble(error: &TurnError) -> bool {
    match error {
        TurnError::Store(error) => error.is_away() || error.is_storage_full(),
        TurnError::Engine(_) => false,
    }
}

impl Turns {
    /// Puts together what turns run on.
    pub(crate) fn new(agent: Agent, hub: Arc<Hub>, tasks: Tasks) -> Self {
        Self(Arc::new(Inner {
            agent,
            hub,
            tasks,
            running: Mutex::default(),
        }))
    }

    /// Runs a turn in that conversation, or lets the one that runs look again.
    pub(crate) fn start(&self, conversation: ConversationId, session: Option<SessionId>) {
        let mut running = self.running();
        if let Some(turn) = running.get_mut(&conversation) {
            turn.again = true;
            turn.sessions.extend(session);
            return;
        }
        let turn = Running {
            sessions: session.into_iter().collect(),
            ..Running::default()
        };
        running.insert(conversation, turn);
        drop(running);
        let turns = self.clone();
        self.0
            .tasks
            .spawn(async move { turns.run(conversation).await });
    }

    /// Takes up the turns that were left open by a node that is gone, or by this one
    /// before that moment (rule R3).
    pub(crate) async fn take_up(
        &self,
        left_open: Vec<ConversationId>,
        unmoved_since: Timestamp,
    ) -> Result<(), TurnError> {
        for conversation in left_open {
            if self.running().contains_key(&conversation) {
                continue;
            }
            let taken = self
                .0
                .agent
                .take_up(conversation, unmoved_since, &*self.0.hub);
            if let Some(asked) = taken.await? {
                tracing::info!(conversation.id = %conversation, "a turn is taken up again");
                self.start(conversation, asked);
            }
        }
        Ok(())
    }

    /// Interrupts the turns of a session that has ended (rule S5). One that
    /// answers another session only decides anew.
    pub(crate) fn interrupt(&self, session: SessionId) {
        for turn in self.running().values_mut() {
            let known = turn.sessions.len();
            // Once: else whoever else leaves would have its model asked anew.
            turn.sessions.retain(|it| *it != session);
            if turn.sessions.len() < known {
                turn.wake.cancel();
            }
        }
    }

    /// Lets the turn of a conversation, if it runs here, decide anew what is next:
    /// something was added that closes it.
    pub(crate) fn look_again(&self, conversation: ConversationId) {
        if let Some(turn) = self.running().get(&conversation) {
            turn.wake.cancel();
        }
    }

    /// Interrupts the turns whose session was ended beside this process: by another
    /// node or a command (rules K6, S6).
    pub(crate) async fn interrupt_ended(&self, store: &Store) -> Result<(), StoreError> {
        let running: HashSet<SessionId> = {
            let running = self.running();
            running
                .values()
                .flat_map(|turn| turn.sessions.iter().copied())
                .collect()
        };
        for session in running {
            if !matches!(store.session_by_id(session).await?, Some(Found::Live(_))) {
                self.interrupt(session);
            }
        }
        Ok(())
    }

    /// Runs turns in one conversation until nothing is left to do in it.
    async fn run(&self, conversation: ConversationId) {
        let cut = self.0.tasks.cut();
        let mut failures = 0;
        while let Some(wake) = self.fresh_token(conversation) {
            let ended = tokio::select! {
                ended = self.run_once(conversation, &wake) => ended,
                // Dropped where it stands: it is taken up again from what is stored.
                () = cut.cancelled() => return,
            };
            match ended {
                Ok(TurnEnd::Woken) => {}
                Ok(TurnEnd::Done) => {
                    if self.has_nothing_left(conversation) {
                        return;
                    }
                    failures = 0;
                }
                Err(error) => {
                    // What cannot be stored cannot be closed either: it waits (rule R8).
                    let waits = is_storage_trouble(&error);
                    let error = anyhow::Error::from(error);
                    tracing::error!(conversation.id = %conversation, "a turn failed: {error:#}");
                    let last = PAUSES.last().filter(|_| waits);
                    let Some(pause) = PAUSES.get(failures).or(last) else {
                        return self.give_up(conversation).await;
                    };
                    failures += 1;
                    tokio::select! {
                        () = tokio::time::sleep(*pause) => (),
                        () = wake.cancelled() => (),
                        () = cut.cancelled() => return,
                    }
                }
            }
        }
    }

    async fn run_once(
        &self,
        conversation: ConversationId,
        wake: &CancellationToken,
    ) -> Result<TurnEnd, TurnError> {
        let turn = self.0.agent.run_turn(conversation, &*self.0.hub, wake);
        AssertUnwindSafe(turn)
            .catch_unwind()
            .await
            .unwrap_or_else(|_| Err(TurnError::Engine("it panicked".to_owned())))
    }

    /// The visitor is told, if the store can be reached at all; else the next
    /// start takes the turn up.
    async fn give_up(&self, conversation: ConversationId) {
        if let Err(error) = self.0.agent.give_up(conversation, &*self.0.hub).await {
            let error = anyhow::Error::from(error);
            tracing::error!(conversation.id = %conversation, "a turn was left open: {error:#}");
        }
        self.running().remove(&conversation);
    }

    /// A token that nobody has cancelled yet, for the next run.
    fn fresh_token(&self, conversation: ConversationId) -> Option<CancellationToken> {
        let mut running = self.running();
        let turn = running.get_mut(&conversation)?;
        turn.wake = CancellationToken::new();
        turn.again = false;
        Some(turn.wake.clone())
    }

    /// Forgets the turn, unless something was posted while it ended.
    fn has_nothing_left(&self, conversation: ConversationId) -> bool {
        let mut running = self.running();
        let again = running.get(&conversation).is_some_and(|turn| turn.again);
        if !again {
            running.remove(&conversation);
        }
        !again
    }

    fn running(&self) -> MutexGuard<'_, HashMap<ConversationId, Running>> {
        self.0
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
