//! What an Action is, and what one call of it is.
//!
//! Not here: how an Action is run (`agent::action`), and how its definition is
//! written by an operator (`agent::action::definition`).

use serde_json::{Map, Value};

use crate::id::CallId;

/// The arguments of a call, as the model chose them. The identity is never
/// among them: what is bound to it is placed by the server (rules I1, I2).
pub type Arguments = Map<String, Value>;

/// One request by the model to run an Action.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// Names this call, and is sent as its `Idempotency-Key`.
    pub id: CallId,
    /// The Action's name.
    pub action: String,
    /// What it is to be run with.
    pub arguments: Arguments,
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It ran, and this came back.
    Succeeded(Value),
    /// It ran or could not be sent, and gave nothing.
    Failed(Failure),
    /// It was not run, because it may not be.
    Refused(Refused),
    /// It was started, and the process ended before an answer was stored
    /// (rule G5). It may or may not have happened.
    Unknown,
}

/// Why a call gave nothing, as far as the visitor and the model may know. What
/// exactly happened is for the operator, in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// There is no such thing, or it is not this visitor's.
    NotFound,
    /// The arguments do not fit what the Action takes.
    InvalidArguments,
    /// The other side refused the request.
    Rejected,
    /// The other side could not be reached, or failed.
    Unavailable,
    /// The Action is not set up so that it could be sent.
    NotSetUp,
}

/// Why a call may not run, whatever anyone agreed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The visitor is not proven enough for this Action.
    AssuranceTooLow,
    /// A member of staff acts as the visitor, and it changes something.
    ActorMayNot,
    /// No Action by that name is offered here.
    NoSuchAction,
    /// The turn that asked for it was closed before it ran.
    TurnClosed,
}

/// A line of what was asked or answered, in words: name and value.
pub type Detail = (String, String);
