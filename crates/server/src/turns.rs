//! Which turns are running: at most one for each conversation.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use maitred_agent::{Agent, TurnError};
use maitred_core::id::{ConversationId, SessionId};
use tokio_util::sync::CancellationToken;

use crate::{hub::Hub, tasks::Tasks};

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
struct Running {
    /// The session whose message it answers, if this process saw it posted.
    session: Option<SessionId>,
    /// Interrupts what it waits for.
    wake: CancellationToken,
    /// Something was posted meanwhile: decide anew when it has ended.
    again: bool,
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
            turn.session = session;
            return;
        }
        let wake = CancellationToken::new();
        running.insert(
            conversation,
            Running {
                session,
                wake: wake.clone(),
                again: false,
            },
        );
        drop(running);
        let turns = self.clone();
        self.0
            .tasks
            .spawn(async move { turns.run(conversation, wake).await });
    }

    /// Takes up the turns that were cut off when the last process ended (rule R3).
    pub(crate) async fn resume(&self, conversations: Vec<ConversationId>) -> Result<(), TurnError> {
        for conversation in conversations {
            tracing::info!(conversation.id = %conversation, "a turn is taken up again");
            self.0.agent.mark_resumed(conversation).await?;
            self.start(conversation, None);
        }
        Ok(())
    }

    /// Interrupts the turns of a session that has ended (rule S5).
    pub(crate) fn interrupt(&self, session: SessionId) {
        for turn in self.running().values() {
            if turn.session == Some(session) {
                turn.wake.cancel();
            }
        }
    }

    async fn run(&self, conversation: ConversationId, mut wake: CancellationToken) {
        let stopping = self.0.tasks.stopping();
        loop {
            let turn = self.0.agent.run_turn(conversation, &*self.0.hub, &wake);
            let ended = tokio::select! {
                ended = turn => ended,
                // Dropped where it stands: it is taken up again from what is stored.
                () = stopping.cancelled() => return,
            };
            if let Err(error) = ended {
                tracing::error!(conversation.id = %conversation, %error, "a turn failed");
            }
            let mut running = self.running();
            match running.get_mut(&conversation) {
                Some(turn) if turn.again => {
                    turn.again = false;
                    turn.wake = CancellationToken::new();
                    wake = turn.wake.clone();
                }
                _ => {
                    running.remove(&conversation);
                    return;
                }
            }
        }
    }

    fn running(&self) -> MutexGuard<'_, HashMap<ConversationId, Running>> {
        self.0
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
