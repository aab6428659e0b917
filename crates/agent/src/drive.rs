//! The loop of a turn: ask for the step, do it, append what happened, announce
//! what may be seen, repeat.
//!
//! Nothing about a turn lives only here: dropped at any point and begun again by
//! another process, it goes on from what is stored.

mod calls;
mod reply;

use std::sync::Arc;

use jiff::Timestamp;
use maitred_core::{
    action::Outcome,
    assurance::Standing,
    conversation::{Body, EntryNumber, NewEntry, Status, Transcript},
    event::{Event, Typist},
    id::{ConversationId, EntryId, SessionId},
    scope::{Owner, Scope},
    session::Session,
    turn::{Grant, Rules, Step, next_step},
};
use maitred_store::{Appended, Found, StoreError, TurnMark};
use tokio_util::sync::CancellationToken;

use crate::{Agent, Announce, TurnError, brain::Brain};

impl Agent {
    /// Takes a conversation from its last message to the agent's silence.
    ///
    /// `wake` interrupts the model: what is to be done must then be decided anew,
    /// by another run with another token.
    pub async fn run_turn(
        &self,
        conversation: ConversationId,
        announce: &dyn Announce,
        wake: &CancellationToken,
    ) -> Result<TurnEnd, TurnError> {
        let store = &self.0.store;
        let Some(place) = store.turn_place(conversation).await? else {
            return Ok(TurnEnd::Done);
        };
        let (scope, Some(owner), true) = (place.scope, place.owner, place.is_ours) else {
            return Ok(TurnEnd::Done);
        };
        let brain = self.brain(scope.agent).await?;
        let turn = Turn {
            agent: self,
            rules: brain.rules(scope.environment),
            brain,
            scope,
            owner,
            conversation,
            announce,
            wake,
        };
        let ended = turn.run().await;
        if let Err(TurnError::Store(StoreError::TurnTaken)) = ended {
            // Whoever runs it now says whether the agent types.
            tracing::info!(conversation.id = %conversation, "a turn is run by another node now");
            return Ok(TurnEnd::Done);
        }
        turn.typing(false);
        ended
    }

    /// Closes a turn that cannot be run, so that the visitor is not left waiting.
    pub async fn give_up(
        &self,
        conversation: ConversationId,
        announce: &dyn Announce,
    ) -> Result<(), TurnError> {
        let body = Body::Status(Status::GaveUp);
        let entry = NewEntry {
            id: EntryId::new(&self.0.store.clock),
            body,
        };
        let appended = self
            .0
            .store
            .append(conversation, None, vec![entry], TurnMark::Ended)
            .await?;
        announce_all(announce, appended);
        Ok(())
    }

    /// Takes up a turn that its node left open, or that this one left open before that
    /// moment, so that it goes on here, or is closed if that was tried before (rule
    /// R3). `None` if another node was first; else the session that it runs as: if
    /// that ends, so does the turn.
    pub async fn take_up(
        &self,
        conversation: ConversationId,
        unmoved_since: Timestamp,
        announce: &dyn Announce,
    ) -> Result<Option<Option<SessionId>>, TurnError> {
        let store = &self.0.store;
        let Some(appended) = store.take_up_turn(conversation, unmoved_since).await? else {
            return Ok(None);
        };
        announce_all(announce, appended);
        let transcript = store.transcript(conversation).await?;
        Ok(Some(transcript.session()))
    }
}

/// How a run of a turn ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TurnEnd {
    /// The agent has said what it had to say.
    Done,
    /// It was woken, and must be run again.
    Woken,
}

/// One turn, and everything it needs.
struct Turn<'t> {
    agent: &'t Agent,
    brain: Arc<Brain>,
    rules: Rules,
    scope: Scope,
    owner: Owner,
    conversation: ConversationId,
    announce: &'t dyn Announce,
    wake: &'t CancellationToken,
}

impl Turn<'_> {
    async fn run(&self) -> Result<TurnEnd, TurnError> {
        let mut is_working = false;
        let mut done_after = None;
        loop {
            let transcript = self.agent.0.store.transcript(self.conversation).await?;
            let (grant, session) = self.standing(&transcript).await?;
            let last = transcript.last_number();
            let step = next_step(&transcript, &self.rules, grant);
            // Not of a turn that only looks once more and finds itself stopped.
            if !is_working && matches!(step, Step::CallModel | Step::RunCalls(_)) {
                is_working = true;
                self.typing(true);
            }
            match step {
                Step::Done => {
                    let store = &self.agent.0.store;
                    // Once more if something was posted meanwhile, on whichever node.
                    if store.end_turn(self.conversation, last).await? || done_after == Some(last) {
                        return Ok(TurnEnd::Done);
                    }
                    done_after = Some(last);
                }
                Step::CallModel => {
                    let asked = self.ask_the_model(&transcript, session.as_ref()).await?;
                    if let Some(end) = asked {
                        return Ok(end);
                    }
                }
                Step::RunCalls(calls) => self.run_call(calls[0], last, session).await?,
                Step::Refuse(call, reason) => {
                    self.finish(call, Outcome::Refused(reason)).await?;
                }
                Step::GiveUpOn(call) => self.finish(call, Outcome::Unknown).await?,
                Step::Close(status) => {
                    if self.close(last, status).await? {
                        return Ok(TurnEnd::Done);
                    }
                }
            }
        }
    }

    /// As whom the turn goes on: as the session that posted the last message, if
    /// it lives (rule A1). If it ended because its visitor signed in, the answer
    /// is still awaited, but nothing may be done in its name.
    async fn standing(
        &self,
        transcript: &Transcript,
    ) -> Result<(Grant, Option<Session>), TurnError> {
        let store = &self.agent.0.store;
        let Some(id) = transcript.session() else {
            return Ok((Grant::Ended, None));
        };
        if let Some(Found::Live(session)) = store.session_by_id(id).await? {
            return Ok((
                Grant::Alive(session.standing(store.clock.now())),
                Some(session),
            ));
        }
        let owner = store.owner_of(self.conversation).await?;
        let rose = match owner {
            Some(owner) => store.rose_into(id, owner).await?,
            None => false,
        };
        Ok((
            if rose {
                Grant::Alive(Standing::ANONYMOUS)
            } else {
                Grant::Ended
            },
            None,
        ))
    }

    /// Whether that has ended the turn. What is posted from then on is a turn of its
    /// own, maybe of another node.
    async fn close(&self, last: EntryNumber, status: Status) -> Result<bool, TurnError> {
        self.append(
            Some(last),
            vec![self.new_entry(Body::Status(status))],
            TurnMark::Ended,
        )
        .await
    }

    /// Appends and announces. If somebody else was there first, nothing happens
    /// here and the loop decides anew. Whether it was appended.
    async fn append(
        &self,
        after: Option<EntryNumber>,
        entries: Vec<NewEntry>,
        mark: TurnMark,
    ) -> Result<bool, TurnError> {
        match self
            .agent
            .0
            .store
            .append(self.conversation, after, entries, mark)
            .await
        {
            Ok(appended) => {
                announce_all(self.announce, appended);
                Ok(true)
            }
            Err(StoreError::Conflict) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn new_entry(&self, body: Body) -> NewEntry {
        NewEntry {
            id: EntryId::new(&self.agent.0.store.clock),
            body,
        }
    }

    fn typing(&self, typing: bool) {
        let conversation = self.conversation;
        self.announce.announce(
            self.owner,
            Event::Typing {
                conversation,
                by: Typist::Agent,
                typing,
            },
        );
    }
}

/// Tells the outside what was appended, if anybody may know.
fn announce_all(announce: &dyn Announce, appended: Appended) {
    if let Some(owner) = appended.owner {
        for event in appended.events {
            announce.announce(owner, Event::Numbered(Box::new(event)));
        }
    }
}
