//! Running calls: recorded before and after (rule G5).

use maitred_core::{
    action::{Call, Failure, Outcome, Refused},
    conversation::{Body, EntryNumber},
    session::Session,
};
use maitred_store::TurnMark;

use super::Turn;
use crate::{TurnError, action::Context};

impl Turn<'_> {
    /// Runs one call, as the session is now (rule A1): what is about to happen is
    /// stored before anything leaves, what came of it after (rule G5). If anything was
    /// said or stopped since this was decided, nothing leaves.
    pub(super) async fn run_call(
        &self,
        call: &Call,
        last: EntryNumber,
        session: Option<Session>,
    ) -> Result<(), TurnError> {
        let Some(session) = session else {
            return self
                .finish(call, Outcome::Refused(Refused::TurnClosed))
                .await;
        };
        let Some(action) = self.brain.actions.get(&call.action) else {
            return self
                .finish(call, Outcome::Refused(Refused::NoSuchAction))
                .await;
        };
        let now = self.agent.0.store.clock.now();
        if !session.standing(now).reaches(action.requires) {
            return self
                .finish(call, Outcome::Refused(Refused::AssuranceTooLow))
                .await;
        }
        let started = Body::CallStarted {
            call: call.id,
            action: call.action.clone(),
            label: action.running.clone(),
            details: details(call),
        };
        let started = vec![self.new_entry(started)];
        if !self.append(Some(last), started, TurnMark::Running).await? {
            return Ok(());
        }

        let context = Context {
            scope: self.scope,
            session: &session,
            conversation: self.conversation,
            now,
        };
        let result = self.agent.0.runner.run(action, call, context).await;
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

    pub(super) async fn finish(&self, call: &Call, outcome: Outcome) -> Result<(), TurnError> {
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
            .await?;
        Ok(())
    }
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
