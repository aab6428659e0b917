//! Running Actions: things done for the person who is asking, and for nobody else.
//!
//! ```text
//! definition ──► http (who and what go into the request) ──► outbound (may it leave?)
//!                 └─ assertion: proof of who is asking
//! ```
//!
//! What always holds:
//!
//! - The identity comes from the session, never from the model (rules G1, I1).
//! - Every call carries an assertion, an anonymous one too (rules I4, I6).
//! - What a remote server said reaches neither the visitor nor the model as an
//!   error: they are told one of a few sentences written here.

mod arguments;
mod assertion;
mod breaker;
mod definition;
mod http;
pub(crate) mod made_up;
mod outbound;

use std::time::Duration;

use jiff::Timestamp;
use maitred_core::{
    action::{Call, Failure},
    id::ConversationId,
    scope::Scope,
    session::Session,
};

use breaker::Breakers;

pub use arguments::BadArguments;
pub use assertion::Assertions;
pub use definition::{Action, DefinitionError};
pub use outbound::{
    Answer, Document, FetchError, Known, NotAllowed, Outbound, ROBOT, ReadError, Served,
};

/// For whom and where a call is made.
#[derive(Clone, Copy, Debug)]
pub struct Context<'c> {
    /// The agent and environment.
    pub scope: Scope,
    /// The session that posted the message.
    pub session: &'c Session,
    /// The conversation.
    pub conversation: ConversationId,
    /// When it is made: what the session proves depends on it.
    pub now: Timestamp,
}

/// Why a call gave no result.
///
/// The visitor and the model are told the [`Failure`], in words written here;
/// the operator finds the cause in the log.
#[derive(Debug, thiserror::Error)]
pub enum ActionError {
    /// The model's arguments do not fit the schema.
    #[error("the arguments do not fit: {0}")]
    BadArguments(#[from] BadArguments),
    /// A value is needed that nobody vouched for: not the token, not a code.
    #[error("`{{{{{0}}}}}` is not known of this visitor")]
    Absent(String),
    /// A value cannot stand where the definition puts it (rules G9, I1).
    #[error("the value of `{{{{{0}}}}}` may not stand there")]
    Unfit(String),
    /// The Action has no address for this environment.
    #[error("no address is set for this environment")]
    NoAddress,
    /// The address may not be called.
    #[error(transparent)]
    NotAllowed(#[from] NotAllowed),
    /// No answer in time.
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
    /// An answer other than 2xx.
    #[error("the server answered {0}")]
    Status(u16),
    /// The answer is too large, or no JSON.
    #[error("the answer cannot be read: {0}")]
    Unreadable(&'static str),
    /// No connection, or it broke.
    #[error("could not reach the server: {0}")]
    Unreachable(String),
    /// It failed five times in a row, and is left alone for a while (rule G7).
    #[error("the server failed five times in a row and is not called for 30 s")]
    LeftAlone,
}

impl ActionError {
    /// What the visitor and the model may know of it.
    pub fn failure(&self) -> Failure {
        match self {
            Self::BadArguments(_) => Failure::InvalidArguments,
            Self::Status(404) => Failure::NotFound,
            Self::Status(400..=499) => Failure::Rejected,
            Self::Absent(_) | Self::Unfit(_) | Self::NoAddress | Self::NotAllowed(_) => {
                Failure::NotSetUp
            }
            Self::TimedOut(_)
            | Self::Status(_)
            | Self::Unreadable(_)
            | Self::Unreachable(_)
            | Self::LeftAlone => Failure::Unavailable,
        }
    }
}

/// Sends calls to where their Actions live.
#[derive(Clone, Debug)]
pub struct Runner {
    assertions: Assertions,
    outbound: Outbound,
    breakers: Breakers,
}

impl Runner {
    /// Sends what these let out.
    pub fn new(assertions: Assertions, outbound: Outbound) -> Self {
        Self {
            assertions,
            outbound,
            breakers: Breakers::default(),
        }
    }

    /// Runs one call, for this session.
    pub async fn run(
        &self,
        action: &Action,
        call: &Call,
        context: Context<'_>,
    ) -> Result<serde_json::Value, ActionError> {
        arguments::check(&action.parameters, &call.arguments)?;
        let request = http::build(action, call, context)?;
        let pass = self
            .breakers
            .admit(context.scope, &action.name)
            .ok_or(ActionError::LeftAlone)?;
        let assertion = self.assertions.sign(action, call, context, &request);
        let id = call.id.to_string();
        let sent = self
            .outbound
            .send(request, &assertion, &id, action.http.timeout())
            .await;
        match &sent {
            Err(error) if error.failure() == Failure::Unavailable => pass.fails(),
            // It never left.
            Err(ActionError::NotAllowed(_)) => drop(pass),
            Ok(_) | Err(_) => pass.works(),
        }
        sent
    }
}
