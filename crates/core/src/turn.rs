//! How a conversation goes on: transcript in, step out.
//!
//! [`next_step`] depends on its arguments alone, so a turn can be picked up by
//! another process at any entry: a crash, a restart and a wait are one case.
//!
//! What always holds:
//!
//! - Every call gets exactly one result.
//! - A call that was started and has no result is never run again unless its
//!   Action is safe to repeat (rule G5).
//! - Whether a call may run is decided here, after the model has spoken (G3).

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    action::{Call, Refused},
    assurance::{Requires, Standing},
    conversation::{Author, Body, Entry, Status, Transcript},
    id::CallId,
};

/// What the operator has laid down for an agent's turns.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// The most replies of the model in one turn.
    pub max_model_replies: usize,
    /// The most calls in one turn.
    pub max_calls: usize,
    /// The Actions that are offered, by name.
    pub actions: BTreeMap<String, ActionRule>,
}

/// What is laid down for one Action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActionRule {
    /// How far the visitor must be proven.
    pub requires: Requires,
    /// Whether a call whose end is unknown may be sent again.
    pub safe_to_repeat: bool,
    /// Whether it changes anything. A member of staff who acts as the visitor may
    /// not run it then (rule T10).
    pub changes: bool,
}

impl Default for Rules {
    /// The limits of rule G6, and no Actions.
    fn default() -> Self {
        Self {
            max_model_replies: 6,
            max_calls: 8,
            actions: BTreeMap::new(),
        }
    }
}

/// As whom a turn runs: read again from the session before each step (rule A1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    /// The session that posted the message lives, and is proven this far.
    Alive(Standing),
    /// It has ended; nothing may be done in its name.
    Ended,
}

/// What the driver must do next.
#[derive(Debug, PartialEq)]
pub enum Step<'t> {
    /// Ask the model to go on from the whole transcript.
    CallModel,
    /// Run these calls, the first of them first. None has a result yet, and all of them
    /// may run: what is next after that is decided anew.
    RunCalls(Vec<&'t Call>),
    /// This call may not run: say why, as its result.
    Refuse(&'t Call, Refused),
    /// This call was started by a process that is no more, and must not be
    /// repeated: say that its outcome is unknown, as its result.
    GiveUpOn(&'t Call),
    /// The agent has said what it had to say.
    Done,
    /// Stop here, and say so in the transcript.
    Close(Status),
}

/// Decides how a conversation goes on.
pub fn next_step<'t>(transcript: &'t Transcript, rules: &Rules, grant: Grant) -> Step<'t> {
    let calls = Calls::of(transcript);
    let turn = transcript.last_turn();

    if let Some(call) = calls.lost(rules) {
        return Step::GiveUpOn(call);
    }
    if let Some(call) = calls.left_behind(turn) {
        return Step::Refuse(call, Refused::TurnClosed);
    }
    let open = calls.open();
    if was_closed(turn) {
        // By a hand from outside, perhaps, between a call and its result.
        return match open.first() {
            Some(call) => Step::Refuse(call, Refused::TurnClosed),
            None => Step::Done,
        };
    }
    if turn.is_empty() || has_an_answer(turn) {
        return Step::Done;
    }
    let standing = match goes_on(turn, rules, grant) {
        Ok(standing) => standing,
        // Every call gets a result, in this turn: nobody may find it open later
        // and run it as somebody else.
        Err(status) => {
            return match open.first() {
                Some(call) => Step::Refuse(call, Refused::TurnClosed),
                None => Step::Close(status),
            };
        }
    };
    if let Some((call, reason)) = open
        .iter()
        .find_map(|call| Some((*call, refusal(call, rules, standing)?)))
    {
        return Step::Refuse(call, reason);
    }
    if !open.is_empty() {
        return Step::RunCalls(open);
    }
    if model_replies(turn) >= rules.max_model_replies {
        return Step::Close(Status::GaveUp);
    }
    Step::CallModel
}

/// As whom the turn goes on, or how it is closed.
fn goes_on(turn: &[Entry], rules: &Rules, grant: Grant) -> Result<Standing, Status> {
    let Grant::Alive(standing) = grant else {
        return Err(Status::Cancelled);
    };
    if count(turn, |body| matches!(body, Body::Status(Status::Resumed))) > 1 {
        return Err(Status::Interrupted);
    }
    if count(turn, |body| matches!(body, Body::CallAsked(_))) > rules.max_calls {
        return Err(Status::GaveUp);
    }
    Ok(standing)
}

/// Why this call may not run for somebody proven that far.
fn refusal(call: &Call, rules: &Rules, standing: Standing) -> Option<Refused> {
    match rules.actions.get(&call.action) {
        None => Some(Refused::NoSuchAction),
        Some(rule) if !standing.reaches(rule.requires) => Some(Refused::AssuranceTooLow),
        Some(rule) if rule.changes && standing.has_actor() => Some(Refused::ActorMayNot),
        Some(_) => None,
    }
}

/// A status closed the turn. What ended meanwhile may stand behind it.
fn was_closed(turn: &[Entry]) -> bool {
    turn.iter()
        .any(|entry| matches!(entry.body, Body::Status(status) if status.closes_a_turn()))
}

/// A turn ends with an answer. A status that closes nothing may stand behind it.
fn has_an_answer(turn: &[Entry]) -> bool {
    let is_status = |entry: &&Entry| matches!(entry.body, Body::Status(_));
    match turn.iter().rev().find(|entry| !is_status(entry)) {
        Some(entry) => matches!(&entry.body, Body::Message(it) if it.by != Author::Visitor),
        None => false,
    }
}

/// Calls asked in one reply follow each other, so a reply is a run of them.
fn model_replies(turn: &[Entry]) -> usize {
    let asked = |entry: &Entry| matches!(entry.body, Body::CallAsked(_));
    let mut replies = 0;
    let mut in_a_run = false;
    for entry in turn {
        replies += usize::from(asked(entry) && !in_a_run);
        in_a_run = asked(entry);
    }
    replies
}

fn count(turn: &[Entry], is: impl Fn(&Body) -> bool) -> usize {
    turn.iter().filter(|entry| is(&entry.body)).count()
}

/// The calls of a transcript, and what has become of each.
struct Calls<'t> {
    transcript: &'t Transcript,
    started: BTreeSet<CallId>,
    finished: BTreeSet<CallId>,
}

impl<'t> Calls<'t> {
    fn of(transcript: &'t Transcript) -> Self {
        let mut started = BTreeSet::new();
        let mut finished = BTreeSet::new();
        for entry in transcript.entries() {
            match &entry.body {
                Body::CallStarted { call, .. } => _ = started.insert(*call),
                Body::CallFinished { call, .. } => _ = finished.insert(*call),
                Body::Message(_) | Body::CallAsked(_) | Body::Status(_) => (),
            }
        }
        Self {
            transcript,
            started,
            finished,
        }
    }

    /// Asked for, and without a result.
    fn open(&self) -> Vec<&'t Call> {
        self.transcript
            .calls()
            .filter(|call| !self.finished.contains(&call.id))
            .collect()
    }

    /// Open, though the visitor has said something since it was asked for: what
    /// asked for it is over, and who speaks now may be somebody else.
    fn left_behind(&self, turn: &'t [Entry]) -> Option<&'t Call> {
        let asked_now = |id: CallId| {
            turn.iter()
                .any(|entry| matches!(&entry.body, Body::CallAsked(call) if call.id == id))
        };
        self.open().into_iter().find(|call| !asked_now(call.id))
    }

    /// Started, without a result, and not to be repeated. One driver runs a
    /// conversation and waits for its calls, so whoever started it is gone.
    fn lost(&self, rules: &Rules) -> Option<&'t Call> {
        let repeatable = |call: &Call| {
            rules
                .actions
                .get(&call.action)
                .is_some_and(|rule| rule.safe_to_repeat)
        };
        self.open()
            .into_iter()
            .find(|call| self.started.contains(&call.id) && !repeatable(call))
    }
}

#[cfg(test)]
mod tests;
