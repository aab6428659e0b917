//! A model that says what a file tells it to. For tests only.
//!
//! It stands in for a language model where a test must stop the program at an
//! exact point: a `hold` asks an address and goes on when it has answered, so
//! that the test knows the point is reached and decides how long it lasts.
//!
//! `data` says what the model was told under a label (`visitor`, `knowledge`).
//!
//! ```json
//! { "replies": [
//!   { "when": "hello", "deltas": [ { "text": "Good " }, { "hold": "http://127.0.0.1:9/a" }, { "text": "day." } ] },
//!   { "when": "order", "deltas": [ { "call": "order_status", "arguments": {} } ] },
//!   { "when": "order", "after_call": true, "deltas": [ { "text": "It is on its way." } ] }
//! ] }
//! ```

use std::path::Path;

use futures_util::{StreamExt, stream, stream::BoxStream};
use maitred_core::{action::Arguments, secret::find_secret};
use serde::Deserialize;

use super::{Model, ModelDelta, ModelError, ModelMessage, ModelRequest};

/// A model with a script in place of a mind.
#[derive(Debug)]
pub struct ScriptedModel {
    script: Script,
    client: reqwest::Client,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Script {
    replies: Vec<Reply>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Reply {
    /// Part of what the visitor said last.
    when: String,
    /// Whether this is what is said once a call has ended.
    #[serde(default)]
    after_call: bool,
    deltas: Vec<Line>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Line {
    Text { text: String },
    Hold { hold: String },
    Data { data: String },
    Call { call: String, arguments: Arguments },
}

impl ScriptedModel {
    /// Reads a script.
    pub fn from_file(path: &Path) -> Result<Self, std::io::Error> {
        let script = serde_json::from_str(&std::fs::read_to_string(path)?)?;
        let client = reqwest::Client::builder()
            .no_proxy()
            .build()
            .map_err(std::io::Error::other)?;
        Ok(Self { script, client })
    }

    fn reply_to(&self, request: &ModelRequest) -> Option<&Reply> {
        let messages = request.messages.iter().rev();
        let said = messages
            .clone()
            .find_map(|message| match message {
                ModelMessage::User(text) => Some(text.as_str()),
                ModelMessage::Data { .. }
                | ModelMessage::Assistant { .. }
                | ModelMessage::Result { .. } => None,
            })
            .unwrap_or_default();
        let after_call = matches!(messages.clone().next(), Some(ModelMessage::Result { .. }));
        self.script
            .replies
            .iter()
            .find(|reply| reply.after_call == after_call && said.contains(&reply.when))
    }
}

impl Model for ScriptedModel {
    fn reply(&self, request: ModelRequest) -> BoxStream<'static, Result<ModelDelta, ModelError>> {
        if find_secret(&format!("{request:?}")).is_some() {
            let error = ModelError::Failed("a secret stands in what the model reads".to_owned());
            return stream::iter([Err(error)]).boxed();
        }
        let Some(deltas) = self.reply_to(&request).map(|it| it.deltas.clone()) else {
            let error = ModelError::Failed("the script has no reply to this".to_owned());
            return stream::iter([Err(error)]).boxed();
        };
        let client = self.client.clone();
        stream::iter(deltas)
            .then(move |line| play(client.clone(), request.messages.clone(), line))
            .filter_map(async |delta| delta.transpose())
            .chain(stream::iter([Ok(ModelDelta::Done)]))
            .boxed()
    }
}

/// What the model was told under that label.
fn told(messages: &[ModelMessage], label: &str) -> String {
    let told = messages.iter().filter_map(|message| match message {
        ModelMessage::Data { label: it, text } if *it == label => Some(text.as_str()),
        ModelMessage::Data { .. }
        | ModelMessage::User(_)
        | ModelMessage::Assistant { .. }
        | ModelMessage::Result { .. } => None,
    });
    told.collect::<Vec<_>>().join("\n")
}

async fn play(
    client: reqwest::Client,
    messages: Vec<ModelMessage>,
    line: Line,
) -> Result<Option<ModelDelta>, ModelError> {
    match line {
        Line::Text { text } => Ok(Some(ModelDelta::Text(text))),
        Line::Data { data } => Ok(Some(ModelDelta::Text(told(&messages, &data)))),
        Line::Call { call, arguments } => Ok(Some(ModelDelta::Call {
            name: call,
            arguments,
        })),
        Line::Hold { hold } => {
            let answer = client.get(hold).send().await;
            answer
                .map(|_| None)
                .map_err(|error| ModelError::Failed(error.to_string()))
        }
    }
}
