//! A model that says what a file tells it to. For tests only.
//!
//! It stands in for a language model where a test must stop the program at an
//! exact point: a `hold` asks an address and goes on when it has answered, so
//! that the test knows the point is reached and decides how long it lasts.
//!
//! `claims` says what the model was told of the visitor, behind a text.
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
use maitred_core::{action::Arguments, conversation::Body, secret::find_secret};
use serde::Deserialize;

use super::{Model, ModelDelta, ModelError, ModelRequest};

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
    Claims { claims: String },
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
        let said = request
            .transcript
            .unanswered()
            .last()
            .map_or("", |it| it.text.as_str());
        let after_call = matches!(
            request
                .transcript
                .last_turn()
                .last()
                .map(|entry| &entry.body),
            Some(Body::CallFinished { .. })
        );
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
        let Some(reply) = self.reply_to(&request) else {
            let error = ModelError::Failed("the script has no reply to this".to_owned());
            return stream::iter([Err(error)]).boxed();
        };
        let client = self.client.clone();
        let claims = told(&request.claims);
        stream::iter(reply.deltas.clone())
            .then(move |line| play(client.clone(), claims.clone(), line))
            .filter_map(async |delta| delta.transpose())
            .chain(stream::iter([Ok(ModelDelta::Done)]))
            .boxed()
    }
}

/// What the model was told of the visitor.
fn told(claims: &[(String, String)]) -> String {
    let told = claims.iter().map(|(name, value)| format!("{name}={value}"));
    told.collect::<Vec<_>>().join(", ")
}

async fn play(
    client: reqwest::Client,
    told: String,
    line: Line,
) -> Result<Option<ModelDelta>, ModelError> {
    match line {
        Line::Text { text } => Ok(Some(ModelDelta::Text(text))),
        Line::Claims { claims } => Ok(Some(ModelDelta::Text(format!("{claims}{told}")))),
        Line::Call { call, arguments } => Ok(Some(ModelDelta::Call {
            action: call,
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
