//! Asking the model, and keeping what it said.

use futures_util::StreamExt;
use maitred_core::{
    action::Call,
    assurance::Standing,
    conversation::{Author, Body, Citation, EntryNumber, Message, NewEntry, Status, Transcript},
    event::Event,
    id::{CallId, EntryId},
    session::Session,
};
use maitred_store::{StoreError, TurnMark};

use super::{Turn, TurnEnd};
use crate::{
    TurnError,
    engine::{Piece, Question},
    model::ModelError,
};

impl Turn<'_> {
    /// How this run of the turn ended with what the model said; `None` if it goes on.
    pub(super) async fn ask_the_model(
        &self,
        transcript: &Transcript,
        session: Option<&Session>,
    ) -> Result<Option<TurnEnd>, TurnError> {
        let last = transcript.last_number();
        let id = EntryId::new(&self.agent.0.store.clock);
        let reply = tokio::select! {
            reply = self.read_reply(id, transcript, session) => reply,
            () = self.wake.cancelled() => return Ok(Some(TurnEnd::Woken)),
        };
        let has_ended = match reply {
            Ok(reply) => self.append_reply(id, last, reply).await?,
            Err(error) => {
                tracing::error!(conversation.id = %self.conversation, %error, "a model gave no reply");
                self.close(last, Status::GaveUp).await?
            }
        };
        Ok(has_ended.then_some(TurnEnd::Done))
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
        let mut pieces = self.agent.0.engine.reply(self.brain.clone(), question);
        let mut reply = Reply::default();
        while let Some(piece) = pieces.next().await {
            match piece? {
                Piece::Text(text) => {
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
                Piece::Cite(citation) => reply.citations.push(citation),
                Piece::Call { action, arguments } => {
                    let id = CallId::new(&self.agent.0.store.clock);
                    reply.calls.push(Call {
                        id,
                        action,
                        arguments,
                    });
                }
                // Counted when there is a budget to hold it against.
                Piece::Usage(_) => (),
                Piece::Done => return Ok(reply),
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
        let settings = settings.unwrap_or_default();
        let identity = session.and_then(Session::identity);
        let claims = &settings.claims;
        Ok(Question {
            transcript: transcript.clone(),
            environment: self.scope.environment,
            standing: session.map_or(Standing::ANONYMOUS, |session| {
                session.standing(self.agent.0.store.clock.now())
            }),
            codes: self.agent.0.codes,
            name: identity
                .map(|identity| claims.for_agent(identity))
                .and_then(|known| known.greeting_name().map(str::to_owned)),
            claims: identity.map_or_else(Vec::new, |identity| claims.told(identity)),
            sign_in_url: settings.sign_in_url,
        })
    }

    /// Whether the turn has ended with it.
    async fn append_reply(
        &self,
        id: EntryId,
        last: EntryNumber,
        reply: Reply,
    ) -> Result<bool, TurnError> {
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
        let appended = self.append(Some(last), entries, mark).await?;
        Ok(appended && mark == TurnMark::Ended)
    }
}

/// What a model said, whole.
#[derive(Default)]
struct Reply {
    text: String,
    citations: Vec<Citation>,
    calls: Vec<Call>,
}
