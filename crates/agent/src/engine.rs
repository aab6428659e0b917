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
use maitred_core::{
    action::Arguments,
    assurance::Standing,
    conversation::{Author, Body, Citation, Transcript},
    scope::Environment,
};

use crate::{
    Codes,
    action::made_up,
    brain::{Brain, Hearing},
    knowledge::library::Reader,
    model::{Model, ModelDelta, ModelError, ModelMessage, ModelRequest, Usage},
    prompt::{Prompt, prompt},
};

/// How many passages a language model is given to answer from.
const PASSAGES: usize = 4;

/// Who drives a turn.
#[derive(Clone, Default)]
pub enum Engine {
    /// The built-in engine: needs no key and no network.
    #[default]
    Builtin,
    /// A language model.
    Agent(Arc<dyn Model>),
}

/// What is asked, and of whom an agent may know what.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) transcript: Transcript,
    pub(crate) environment: Environment,
    pub(crate) standing: Standing,
    pub(crate) codes: Codes,
    /// The name to address the visitor by, if the agent may know one and it is fit
    /// for it.
    pub(crate) name: Option<String>,
    /// What the agent may know of the visitor besides: data, and no instructions.
    pub(crate) claims: Vec<(String, String)>,
    /// Where a visitor signs in, if the site said so.
    pub(crate) sign_in_url: Option<String>,
}

impl Question {
    /// Who may read what is answered from.
    pub(crate) fn reader(&self) -> Reader {
        Reader {
            rung: self.standing.into(),
            environment: self.environment,
        }
    }
}

/// A piece of a reply, whichever engine it comes from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Piece {
    /// More of the text.
    Text(String),
    /// A source of the text, in the order of the marks in it.
    Cite(Citation),
    /// An Action is to be run.
    Call {
        /// Its name.
        action: String,
        /// What it is to be run with.
        arguments: Arguments,
    },
    /// What a language model was paid for it.
    Usage(Usage),
    /// The reply is whole.
    Done,
}

impl Engine {
    /// Who hears what is asked.
    pub(crate) fn hearing(&self) -> Hearing {
        match self {
            Self::Builtin => Hearing::OurOwn,
            Self::Agent(_) => Hearing::TheModels,
        }
    }

    /// Streams the next reply. The last piece is [`Piece::Done`].
    pub(crate) fn reply(
        &self,
        brain: Arc<Brain>,
        question: Question,
    ) -> BoxStream<'static, Result<Piece, ModelError>> {
        match self {
            Self::Agent(model) => stream::once(ask(model.clone(), brain, question))
                .flatten()
                .boxed(),
            Self::Builtin => stream::once(think(brain, question)).flatten().boxed(),
        }
    }
}

/// Looks up what may answer the question, and asks the model.
async fn ask(
    model: Arc<dyn Model>,
    brain: Arc<Brain>,
    question: Question,
) -> BoxStream<'static, Result<Piece, ModelError>> {
    let prepared = tokio::task::spawn_blocking(move || {
        let said = last_said(&question.transcript);
        let known = brain.library.seen_by(question.reader());
        let found = if known.is_empty() {
            Vec::new()
        } else {
            known.search(&said, &brain.embedder.embed(&said), PASSAGES)
        };
        prompt(&brain, &question, &found)
    });
    let Prompt { request, citations } = match prepared.await {
        Ok(prompt) => prompt,
        Err(error) => return failed(&error),
    };
    // The numbers in the text are those of the passages, so all of these are its sources.
    let sources = stream::iter(citations.into_iter().map(|it| Ok(Piece::Cite(it))));
    let told = request.clone();
    sources
        .chain(
            model
                .reply(request)
                .map(move |delta| Ok(piece(delta?, &told))),
        )
        .boxed()
}

fn last_said(transcript: &Transcript) -> String {
    let last = transcript.entries().iter().rev();
    last.filter_map(|entry| match &entry.body {
        Body::Message(message) if message.by == Author::Visitor => Some(message.text.clone()),
        Body::Message(_)
        | Body::CallAsked(_)
        | Body::CallStarted { .. }
        | Body::CallFinished { .. }
        | Body::Status(_) => None,
    })
    .next()
    .unwrap_or_default()
}

fn piece(delta: ModelDelta, told: &ModelRequest) -> Piece {
    match delta {
        ModelDelta::Text(text) => Piece::Text(text),
        ModelDelta::Call {
            name,
            mut arguments,
        } => {
            if let Some(tool) = told.tools.iter().find(|tool| tool.name == name) {
                let texts = told.messages.iter().filter_map(ModelMessage::told);
                let left_out = made_up::leave_out(&tool.parameters, &mut arguments, texts);
                if !left_out.is_empty() {
                    tracing::info!(
                        action.name = name,
                        arguments = ?left_out,
                        "a model made up arguments, which are left out"
                    );
                }
            }
            Piece::Call {
                action: name,
                arguments,
            }
        }
        ModelDelta::Usage(usage) => Piece::Usage(usage),
        ModelDelta::Done => Piece::Done,
    }
}

/// Embedding a question takes milliseconds of a core: not on the threads that
/// serve everybody else.
async fn think(
    brain: Arc<Brain>,
    question: Question,
) -> BoxStream<'static, Result<Piece, ModelError>> {
    match tokio::task::spawn_blocking(move || builtin::reply(&brain, &question)).await {
        Ok(pieces) => stream::iter(pieces.into_iter().map(Ok)).boxed(),
        Err(error) => failed(&error),
    }
}

fn failed(error: &tokio::task::JoinError) -> BoxStream<'static, Result<Piece, ModelError>> {
    stream::iter([Err(ModelError::Failed(error.to_string()))]).boxed()
}
