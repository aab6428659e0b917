//! What answers a visitor.
//!
//! A turn looks the same to the widget, the log and the tests whichever engine
//! ran it: each gives the same deltas.

pub mod builtin;
pub mod embed;
pub mod intent;
pub mod search;
pub mod slots;
pub mod tokenizer;
pub(crate) mod wording;

use std::sync::Arc;

use futures_util::{StreamExt, stream, stream::BoxStream};

use crate::{
    brain::Brain,
    engine::builtin::Question,
    model::{Model, ModelDelta, ModelError, ModelRequest},
};

/// Who drives a turn.
#[derive(Clone, Default)]
pub enum Engine {
    /// The built-in engine: needs no key and no network.
    #[default]
    Builtin,
    /// A language model.
    Agent(Arc<dyn Model>),
}

impl Engine {
    /// Whether it must hear for itself what is asked, and find what answers it.
    pub(crate) fn listens(&self) -> bool {
        matches!(self, Self::Builtin)
    }

    /// Streams the next reply. The last delta is [`ModelDelta::Done`].
    pub(crate) fn reply(
        &self,
        brain: Arc<Brain>,
        question: Question,
    ) -> BoxStream<'static, Result<ModelDelta, ModelError>> {
        match self {
            Self::Agent(model) => model.reply(ModelRequest {
                transcript: question.transcript,
                claims: question.claims,
            }),
            Self::Builtin => stream::once(think(brain, question)).flatten().boxed(),
        }
    }
}

/// Embedding a question takes milliseconds of a core: not on the threads that
/// serve everybody else.
async fn think(
    brain: Arc<Brain>,
    question: Question,
) -> BoxStream<'static, Result<ModelDelta, ModelError>> {
    match tokio::task::spawn_blocking(move || builtin::reply(&brain, &question)).await {
        Ok(deltas) => stream::iter(deltas.into_iter().map(Ok)).boxed(),
        Err(error) => stream::iter([Err(ModelError::Failed(error.to_string()))]).boxed(),
    }
}
