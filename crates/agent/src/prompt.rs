//! From what is stored to what a model is asked: the only place where a request to
//! a model is put together.
//!
//! What always holds (rules G10, G11, T11): instructions are the operator's words
//! and this program's; everything else is data, and labelled so.

use maitred_core::{
    action::{Failure, Outcome, Refused},
    conversation::{Author, Body, Citation, Transcript},
};

use crate::{
    brain::Brain,
    engine::Question,
    knowledge::library::Found,
    model::{ModelMessage, ModelRequest, Tool},
};

/// The most tokens of one reply.
const MAX_TOKENS: u32 = 1_024;

/// What a model is asked, and what the numbers in its answer stand for.
pub(crate) struct Prompt {
    pub(crate) request: ModelRequest,
    /// `[1]` is the first.
    pub(crate) citations: Vec<Citation>,
}

/// Puts together what a model is asked.
pub(crate) fn prompt(brain: &Brain, question: &Question, found: &[Found<'_>]) -> Prompt {
    let mut messages = Vec::new();
    if !question.claims.is_empty() {
        messages.push(ModelMessage::Data {
            label: "visitor",
            text: lines(&question.claims),
        });
    }
    messages.extend(said(&question.transcript));
    if !found.is_empty() {
        let at = messages
            .iter()
            .rposition(|message| matches!(message, ModelMessage::User(_)))
            .unwrap_or(messages.len());
        messages.insert(
            at,
            ModelMessage::Data {
                label: "knowledge",
                text: numbered(found),
            },
        );
    }
    let request = ModelRequest {
        system: include_str!("../prompts/agent.md").to_owned(),
        messages,
        tools: tools(brain, question),
        temperature: None,
        max_tokens: MAX_TOKENS,
    };
    let citations = found.iter().map(|it| it.passage.citation.clone());
    Prompt {
        request,
        citations: citations.collect(),
    }
}

fn lines(claims: &[(String, String)]) -> String {
    let lines = claims
        .iter()
        .map(|(name, value)| format!("{name}: {value}"));
    lines.collect::<Vec<_>>().join("\n")
}

fn numbered(found: &[Found<'_>]) -> String {
    let passages = found.iter().zip(1..).map(|(it, number)| {
        let title = &it.passage.citation.title;
        format!("[{number}] {title}\n{}", it.passage.text)
    });
    passages.collect::<Vec<_>>().join("\n\n")
}

/// What may be called by whom is decided after the model has spoken (rule G3); here
/// only what could not run is left out (rule I3).
fn tools(brain: &Brain, question: &Question) -> Vec<Tool> {
    let offered = brain.actions.values().filter(|action| {
        action.is_offered_in(question.environment) && question.standing.reaches(action.requires)
    });
    offered
        .map(|action| Tool {
            name: action.name.clone(),
            description: action.description.clone(),
            parameters: action.parameters.clone(),
        })
        .collect()
}

/// The transcript as a model reads it: each call has exactly one result.
fn said(transcript: &Transcript) -> Vec<ModelMessage> {
    let mut messages = Vec::new();
    for entry in transcript.entries() {
        match &entry.body {
            Body::Message(message) if message.by == Author::Visitor => {
                messages.push(ModelMessage::User(message.text.clone()));
            }
            Body::Message(message) => messages.push(ModelMessage::Assistant {
                text: message.text.clone(),
                calls: Vec::new(),
            }),
            Body::CallAsked(call) => match messages.last_mut() {
                Some(ModelMessage::Assistant { calls, .. }) => calls.push(call.clone()),
                Some(_) | None => messages.push(ModelMessage::Assistant {
                    text: String::new(),
                    calls: vec![call.clone()],
                }),
            },
            Body::CallFinished { call, outcome, .. } => messages.push(ModelMessage::Result {
                call: *call,
                text: told(outcome),
            }),
            Body::CallStarted { .. } | Body::Status(_) => (),
        }
    }
    messages
}

/// What the model is told of how a call ended.
fn told(outcome: &Outcome) -> String {
    let sentence = match outcome {
        Outcome::Succeeded(result) => return result.to_string(),
        Outcome::Failed(Failure::NotFound) => {
            "There is no such thing, or it is not this visitor's."
        }
        Outcome::Failed(Failure::InvalidArguments) => "The arguments were not accepted.",
        Outcome::Failed(Failure::Rejected) => {
            "The request was refused. Do not repeat it unchanged."
        }
        Outcome::Failed(Failure::Unavailable) => {
            "The service is not available now. Tell the visitor so."
        }
        Outcome::Failed(Failure::NotSetUp) | Outcome::Refused(Refused::NoSuchAction) => {
            "This is not set up correctly. Tell the visitor that it cannot be done here."
        }
        Outcome::Refused(Refused::AssuranceTooLow) => {
            "The visitor must sign in first. Tell them so."
        }
        Outcome::Refused(Refused::ActorMayNot) => {
            "Whoever acts for somebody else may only look. Tell them so."
        }
        Outcome::Refused(Refused::TurnClosed) => "This was not run.",
        Outcome::Unknown => {
            "This was interrupted: whether it happened is not known. Tell the visitor so."
        }
    };
    sentence.to_owned()
}
