//! What continues a conversation: the one interface that others may implement.

pub mod scripted;

use futures_util::stream::BoxStream;
use maitred_core::{
    action::{Arguments, Call},
    id::CallId,
};
use serde_json::Value;

/// What a model is asked to go on from. Whatever a model gets, it gets from here:
/// it is put together by `prompt.rs` and by nobody else.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelRequest {
    /// Instructions: the operator's words and this program's, and nobody else's
    /// (rule G10).
    pub system: String,
    /// What was said and done, oldest first.
    pub messages: Vec<ModelMessage>,
    /// What may be called now.
    pub tools: Vec<Tool>,
    /// How freely it words things, from 0 to 2; the provider's default if `None`.
    pub temperature: Option<f32>,
    /// The most tokens of the reply.
    pub max_tokens: u32,
}

/// One line of what was said and done.
#[derive(Clone, Debug, PartialEq)]
pub enum ModelMessage {
    /// What is known and was said by nobody here: data, whatever it says (rule G10).
    /// To a provider it is a part of what the user says.
    Data {
        /// What it is: `visitor`, `knowledge`.
        label: &'static str,
        /// Cleaned, and cut.
        text: String,
    },
    /// What the visitor said.
    User(String),
    /// What was said to the visitor, and what was called.
    Assistant {
        /// May be empty if something was called.
        text: String,
        /// Each has exactly one [`ModelMessage::Result`] behind it.
        calls: Vec<Call>,
    },
    /// What came of a call.
    Result {
        /// Which one.
        call: CallId,
        /// What the model is told of it.
        text: String,
    },
}

impl ModelMessage {
    /// What the model was told with it; nothing, if it is what the model said itself.
    pub(crate) fn told(&self) -> Option<&str> {
        match self {
            Self::Data { text, .. } | Self::User(text) | Self::Result { text, .. } => Some(text),
            Self::Assistant { .. } => None,
        }
    }
}

/// Something that a model may call.
#[derive(Clone, Debug, PartialEq)]
pub struct Tool {
    /// Its name: letters, digits and underscores.
    pub name: String,
    /// What it does, in the operator's words.
    pub description: String,
    /// The JSON Schema of its arguments, without anything that the identity
    /// provides (rules G1, I2).
    pub parameters: Value,
}

/// A piece of a model's reply.
#[derive(Clone, Debug, PartialEq)]
pub enum ModelDelta {
    /// More of the text.
    Text(String),
    /// Something is to be called.
    Call {
        /// Its name, as the model said it.
        name: String,
        /// What it is to be called with.
        arguments: Arguments,
    },
    /// What the reply cost. At most once.
    Usage(Usage),
    /// The reply is whole.
    Done,
}

/// What a reply cost, as its provider counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens that were read.
    pub input_tokens: u64,
    /// Tokens that were written.
    pub output_tokens: u64,
}

/// Why a reply did not come. Its reader is the driver.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The stream ended before [`ModelDelta::Done`].
    #[error("the reply broke off")]
    BrokeOff,
    /// The model could not be reached, or said something that is no reply.
    #[error("the model failed: {0}")]
    Failed(String),
}

/// A language model that can be asked to continue a conversation.
pub trait Model: Send + Sync {
    /// Streams the continuation. The last delta is always [`ModelDelta::Done`];
    /// a stream that ends without it has failed.
    fn reply(&self, request: ModelRequest) -> BoxStream<'static, Result<ModelDelta, ModelError>>;
}
