//! The loop of a turn: ask for the step, do it, append what happened, announce
//! what may be seen, repeat.
//!
//! Nothing about a turn lives only here: dropped at any point and begun again by
//! another process, it goes on from what is stored.

use std::sync::Arc;

use futures_util::StreamExt;
use maitred_core::{
    action::{Call, Failure, Outcome, Refused},
    assurance::Assurance,
    conversation::{Author, Body, Citation, EntryNumber, Message, NewEntry, Status, Transcript},
    event::Event,
    id::{CallId, ConversationId, EntryId},
    scope::{Owner, Scope},
    session::Session,
    turn::{Grant, Rules, Step, next_step},
};
use maitred_store::{Appended, Found, StoreError, TurnMark};
use tokio_util::sync::CancellationToken;

use crate::{
    Agent, Announce, TurnError,
    action::Context,
    brain::Brain,
    engine::builtin::Question,
    model::{ModelDelta, ModelError},
};

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
        let (Some(scope), Some(owner)) = (
            store.scope_of(conversation).await?,
            store.owner_of(conversation).await?,
        ) else {
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
        turn.typing(true);
        let ended = turn.run().await;
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

    /// Marks a turn that was cut off by the end of its process, so that it is
    /// taken up again, or closed if that was tried before (rule R3).
    pub async fn mark_resumed(&self, conversation: ConversationId) -> Result<(), TurnError> {
        let entry = NewEntry {
            id: EntryId::new(&self.0.store.clock),
            body: Body::Status(Status::Resumed),
        };
        self.0
            .store
            .append(conversation, None, vec![entry], TurnMark::Running)
            .await?;
        Ok(())
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
        loop {
            let transcript = self.agent.0.store.transcript(self.conversation).await?;
            let (grant, session) = self.standing(&transcript).await?;
            let last = transcript.last_number();
            match next_step(&transcript, &self.rules, grant) {
                Step::Done => {
                    self.agent.0.store.end_turn(self.conversation, last).await?;
                    return Ok(TurnEnd::Done);
                }
                Step::CallModel => {
                    let asked = self.ask_the_model(&transcript, session.as_ref()).await?;
                    if asked == TurnEnd::Woken {
                        return Ok(TurnEnd::Woken);
                    }
                }
                Step::RunCalls(calls) => self.run_calls(&calls, &transcript).await?,
                Step::Refuse(call, reason) => {
                    self.finish(call, Outcome::Refused(reason)).await?;
                }
                Step::GiveUpOn(call) => self.finish(call, Outcome::Unknown).await?,
                Step::Close(status) => self.close(last, status).await?,
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
            return Ok((Grant::Alive(session.assurance()), Some(session)));
        }
        let owner = store.owner_of(self.conversation).await?;
        let rose = match owner {
            Some(owner) => store.rose_into(id, owner).await?,
            None => false,
        };
        Ok((
            if rose {
                Grant::Alive(Assurance::Anonymous)
            } else {
                Grant::Ended
            },
            None,
        ))
    }

    async fn ask_the_model(
        &self,
        transcript: &Transcript,
        session: Option<&Session>,
    ) -> Result<TurnEnd, TurnError> {
        let last = transcript.last_number();
        let id = EntryId::new(&self.agent.0.store.clock);
        let reply = tokio::select! {
            reply = self.read_reply(id, transcript, session) => reply,
            () = self.wake.cancelled() => return Ok(TurnEnd::Woken),
        };
        match reply {
            Ok(reply) => self.append_reply(id, last, reply).await?,
            Err(error) => {
                tracing::error!(conversation.id = %self.conversation, %error, "a model gave no reply");
                self.close(last, Status::GaveUp).await?;
            }
        }
        Ok(TurnEnd::Done)
    }

    /// Runs calls, each as the session is when its turn has come (rule A1).
    async fn run_calls(&self, calls: &[&Call], transcript: &Transcript) -> Result<(), TurnError> {
        for call in calls {
            let (_, session) = self.standing(transcript).await?;
            match session {
                Some(session) => self.run_call(call, &session).await?,
                None => {
                    self.finish(call, Outcome::Refused(Refused::TurnClosed))
                        .await?
                }
            }
        }
        Ok(())
    }

    async fn read_reply(
        &self,
        id: EntryId,
        transcript: &Transcript,
        session: Option<&Session>,
    ) -> Result<Reply, ModelError> {
        let question = self
            .question(transcript, session)
            .await
            .map_err(|error| ModelError::Failed(error.to_string()))?;
        let mut deltas = self.agent.0.engine.reply(self.brain.clone(), question);
        let mut reply = Reply::default();
        while let Some(delta) = deltas.next().await {
            match delta? {
                ModelDelta::Text(text) => {
                    reply.text.push_str(&text);
                    let conversation = self.conversation;
                    self.announce.announce(
                        self.owner,
                        Event::Delta {
                            conversation,
                            reply: id,
                            text,
                        },
                    );
                }
                ModelDelta::Cite(citation) => reply.citations.push(citation),
                ModelDelta::Call { action, arguments } => {
                    let id = CallId::new(&self.agent.0.store.clock);
                    reply.calls.push(Call {
                        id,
                        action,
                        arguments,
                    });
                }
                ModelDelta::Done => return Ok(reply),
            }
        }
        Err(ModelError::BrokeOff)
    }

    async fn question(
        &self,
        transcript: &Transcript,
        session: Option<&Session>,
    ) -> Result<Question, StoreError> {
        let settings = self.agent.0.store.settings(self.scope).await?;
        let identity = session.and_then(Session::identity);
        Ok(Question {
            transcript: transcript.clone(),
            environment: self.scope.environment,
            assurance: session.map_or(Assurance::Anonymous, Session::assurance),
            name: identity
                .and_then(|identity| identity.greeting_name())
                .map(str::to_owned),
            sign_in_url: settings.and_then(|settings| settings.sign_in_url),
        })
    }

    async fn append_reply(
        &self,
        id: EntryId,
        last: EntryNumber,
        reply: Reply,
    ) -> Result<(), TurnError> {
        let mut entries = Vec::new();
        if !reply.text.is_empty() || reply.calls.is_empty() {
            let message = Message {
                by: Author::Agent,
                text: reply.text,
                citations: reply.citations,
                client_id: None,
                session: None,
            };
            entries.push(NewEntry {
                id,
                body: Body::Message(message),
            });
        }
        let mark = if reply.calls.is_empty() {
            TurnMark::Ended
        } else {
            TurnMark::Running
        };
        entries.extend(
            reply
                .calls
                .into_iter()
                .map(|call| self.new_entry(Body::CallAsked(call))),
        );
        self.append(Some(last), entries, mark).await
    }

    /// Runs one call: what is about to happen is stored before anything leaves,
    /// what came of it after (rule G5).
    async fn run_call(&self, call: &Call, session: &Session) -> Result<(), TurnError> {
        let Some(action) = self.brain.actions.get(&call.action) else {
            return self
                .finish(call, Outcome::Refused(Refused::NoSuchAction))
                .await;
        };
        let started = Body::CallStarted {
            call: call.id,
            action: call.action.clone(),
            label: action.running.clone(),
            details: details(call),
        };
        self.append(None, vec![self.new_entry(started)], TurnMark::Running)
            .await?;

        let context = Context {
            scope: self.scope,
            session,
            conversation: self.conversation,
        };
        let now = self.agent.0.store.clock.now();
        let result = self.agent.0.runner.run(action, call, context, now).await;
        let outcome = match result {
            Ok(value) => Outcome::Succeeded(value),
            Err(error) => {
                let failure = error.failure();
                if failure == Failure::NotFound {
                    tracing::info!(action.name = call.action, "an Action found nothing");
                } else {
                    tracing::warn!(action.name = call.action, call.id = %call.id, %error, "an Action failed");
                }
                Outcome::Failed(failure)
            }
        };
        self.finish(call, outcome).await
    }

    async fn finish(&self, call: &Call, outcome: Outcome) -> Result<(), TurnError> {
        let action = self.brain.actions.get(&call.action);
        let label = match &outcome {
            Outcome::Succeeded(_) | Outcome::Failed(Failure::NotFound) => {
                action.map_or("", |action| action.done.as_str())
            }
            Outcome::Failed(_) => "That did not work",
            Outcome::Refused(_) => "That was not possible",
            Outcome::Unknown => "Interrupted: the outcome is unknown",
        };
        let finished = Body::CallFinished {
            call: call.id,
            action: call.action.clone(),
            label: label.to_owned(),
            outcome,
        };
        self.append(None, vec![self.new_entry(finished)], TurnMark::Running)
            .await
    }

    async fn close(&self, last: EntryNumber, status: Status) -> Result<(), TurnError> {
        self.append(
            Some(last),
            vec![self.new_entry(Body::Status(status))],
            TurnMark::Ended,
        )
        .await
    }

    /// Appends and announces. If somebody else was there first, nothing happens
    /// here and the loop decides anew.
    async fn append(
        &self,
        after: Option<EntryNumber>,
        entries: Vec<NewEntry>,
        mark: TurnMark,
    ) -> Result<(), TurnError> {
        match self
            .agent
            .0
            .store
            .append(self.conversation, after, entries, mark)
            .await
        {
            Ok(appended) => {
                announce_all(self.announce, appended);
                Ok(())
            }
            Err(StoreError::Conflict) => Ok(()),
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

/// What a model said, whole.
#[derive(Default)]
struct Reply {
    text: String,
    citations: Vec<Citation>,
    calls: Vec<Call>,
}

/// What is asked, in words for the visitor.
fn details(call: &Call) -> Vec<(String, String)> {
    call.arguments
        .iter()
        .map(|(name, value)| {
            let words = name.replace('_', " ");
            let value = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            (words, value)
        })
        .collect()
}
