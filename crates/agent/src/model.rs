//! What continues a conversation: the one interface that others may implement.

pub mod scripted;

use futures_util::stream::BoxStream;
use maitred_core::{
    action::Arguments,
    conversation::{Citation, Transcript},
};

/// What a model is asked to go on from.
#[derive(Clone, Debug)]
pub struct ModelRequest {
    /// Everything so far.
    pub transcript: Transcript,
    /// What the agent may know of the visitor, as the site's token says it: names
    /// and values. Whoever writes a prompt quotes them in a block of their own
    /// (rule T11).
    pub claims: Vec<(String, String)>,
}

/// A piece of a reply.
#[derive(Clone, Debug, PartialEq)]
pub enum ModelDelta {
    /// More of the text.
    Text(String),
    /// A source of the text.
    Cite(Citation),
    /// An Action is to be run.
    Call {
        /// Its name.
        action: String,
        /// What it is to be run with.
        arguments: Arguments,
    },
    /// The reply is whole.
    Done,
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
