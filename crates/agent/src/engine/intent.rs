//! What a visitor wants: one of the agent's Actions, small talk, or neither.
//!
//! A [`Classifier`] is trained in process, in well under a second, from the
//! example phrases of each Action and from phrases that are shipped: for small
//! talk ([`Intent`]), and for what visitors ask that no Action answers, how
//! things work, what is sold, what the rules are. It is a softmax regression on
//! sentence embeddings, and deterministic.
//!
//! What names a thing of the visitor's (`A-10001`, by a parameter's pattern) is
//! read as the words for it ("my order number"): the embedding model cannot know
//! what a code stands for, and an Action's parameters say it.

mod regression;

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use serde_json::Value;

use super::embed::{Embedder, Embedding};
use super::slots::Slot;
use regression::{Example, Regression};

/// A shipped phrase this close to an Action's example speaks for that Action,
/// whatever it was shipped for.
const SAME_MEANING: f32 = 0.8;

/// How likely none of the Actions is, beside all Actions together. Less lets them
/// run for more of what is meant, and of what is not.
const SHARE_OF_NONE: f32 = 0.8;

/// Ways of talking that every agent understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Intent {
    /// "hello"
    Greeting,
    /// "thank you"
    Thanks,
    /// "yes please"
    Yes,
    /// "no thanks"
    No,
    /// "let me talk to a person"
    Person,
    /// "bye"
    Goodbye,
    /// Swearing at us.
    Abuse,
}

impl Intent {
    /// Every intent with its shipped phrases.
    const PHRASES: [(Self, &str); 7] = [
        (Self::Greeting, include_str!("intents/greeting.txt")),
        (Self::Thanks, include_str!("intents/thanks.txt")),
        (Self::Yes, include_str!("intents/yes.txt")),
        (Self::No, include_str!("intents/no.txt")),
        (Self::Person, include_str!("intents/person.txt")),
        (Self::Goodbye, include_str!("intents/goodbye.txt")),
        (Self::Abuse, include_str!("intents/abuse.txt")),
    ];
}

/// What no Action answers.
const NEGATIVES: &str = include_str!("negatives.txt");

/// What a visitor may want.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Label {
    /// The Action of this name.
    Action(String),
    /// Small talk.
    Intent(Intent),
    /// None of these: most likely a question for the knowledge.
    None,
}

/// One Action to be learned.
#[derive(Clone, Copy, Debug)]
pub struct Trained<'a> {
    /// Its name.
    pub name: &'a str,
    /// What visitors say when they want it: eight to ten phrases do.
    pub examples: &'a [String],
    /// The JSON Schema of its arguments.
    pub parameters: &'a Value,
}

/// What a visitor wants, with probabilities.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranked {
    /// The most probable.
    pub best: Label,
    /// How probable, between 0 and 1.
    pub p: f32,
    /// All labels, most probable first.
    pub all: Vec<(Label, f32)>,
}

/// Tells what a visitor wants.
pub struct Classifier {
    labels: Vec<Label>,
    regression: Regression,
    codes: Vec<Code>,
    embedder: Arc<Embedder>,
}

impl Classifier {
    /// Learns these Actions beside what is shipped. `embed` embeds what is
    /// learnt from, and may remember it: most of it never changes.
    pub fn train<'a>(
        actions: impl IntoIterator<Item = Trained<'a>>,
        embedder: &Arc<Embedder>,
        mut embed: impl FnMut(&str) -> Embedding,
    ) -> Self {
        let actions: Vec<Trained<'a>> = actions.into_iter().collect();
        let codes: Vec<Code> = actions
            .iter()
            .flat_map(|action| Code::of(action.parameters))
            .collect();

        let mut labels = Vec::new();
        let mut examples = Vec::new();
        for action in &actions {
            let phrases = action
                .examples
                .iter()
                .map(|phrase| in_words(&codes, phrase));
            examples.extend(phrases.map(|phrase| Example {
                label: labels.len(),
                embedding: embed(&phrase),
            }));
            labels.push(Label::Action(action.name.to_owned()));
        }
        let n_own = examples.len();
        for (label, embeddings) in shipped(embed) {
            let (own, _) = examples.split_at(n_own);
            let free = |embedding: &&Embedding| {
                own.iter()
                    .all(|example| example.embedding.cosine(embedding) < SAME_MEANING)
            };
            let kept: Vec<Example> = embeddings
                .iter()
                .filter(free)
                .map(|embedding| Example {
                    label: labels.len(),
                    embedding: embedding.clone(),
                })
                .collect();
            examples.extend(kept);
            labels.push(label.clone());
        }
        // None of the Actions is about as likely as all of them together: more
        // Actions shall not make each of them quicker to run.
        let n_actions = u16::try_from(actions.len()).map_or(f32::MAX, f32::from);
        let share = |label: &Label| match label {
            Label::Action(_) | Label::Intent(_) => 1.0,
            Label::None => SHARE_OF_NONE * n_actions.max(1.0),
        };
        let shares: Vec<f32> = labels.iter().map(share).collect();
        let regression = Regression::train(&examples, &shares);
        Self {
            labels,
            regression,
            codes,
            embedder: Arc::clone(embedder),
        }
    }

    /// What the visitor wants who said this; the embedding is the text's.
    pub fn classify(&self, text: &str, embedding: &Embedding) -> Ranked {
        let in_words = in_words(&self.codes, text);
        let probabilities = if in_words == text {
            self.regression.probabilities(embedding)
        } else {
            self.regression
                .probabilities(&self.embedder.embed(&in_words))
        };
        let mut all: Vec<(Label, f32)> = self.labels.iter().cloned().zip(probabilities).collect();
        all.sort_by(|a, b| b.1.total_cmp(&a.1));
        let (best, p) = all.first().cloned().unwrap_or((Label::None, 1.0));
        Ranked { best, p, all }
    }
}

/// How a parameter looks in text, and the words that say what it is.
struct Code {
    slot: Slot,
    words: String,
}

impl Code {
    fn of(parameters: &Value) -> Vec<Self> {
        let properties = parameters.get("properties").and_then(Value::as_object);
        let codes = properties
            .into_iter()
            .flatten()
            .filter_map(|(name, property)| {
                let slot = Slot::new(property).filter(Slot::is_telling)?;
                Some(Self {
                    slot,
                    words: format!("my {}", name.replace(['_', '-'], " ")),
                })
            });
        codes.collect()
    }
}

/// The text with every code replaced by the words for it.
fn in_words(codes: &[Code], text: &str) -> String {
    codes.iter().fold(text.to_owned(), |text, code| {
        code.slot.replace_all(&text, &code.words)
    })
}

/// The shipped phrases' embeddings. They are the same for every agent, so they
/// are made once in the life of the process.
fn shipped(mut embed: impl FnMut(&str) -> Embedding) -> &'static [(Label, Vec<Embedding>)] {
    static SHIPPED: OnceLock<Vec<(Label, Vec<Embedding>)>> = OnceLock::new();
    SHIPPED.get_or_init(|| {
        let intents = Intent::PHRASES.map(|(intent, phrases)| (Label::Intent(intent), phrases));
        let all = intents.into_iter().chain([(Label::None, NEGATIVES)]);
        let mut embedded = |phrases: &str| {
            let lines: BTreeSet<&str> = phrases.lines().filter(|line| is_phrase(line)).collect();
            lines.into_iter().map(&mut embed).collect()
        };
        all.map(|(label, phrases)| (label, embedded(phrases)))
            .collect()
    })
}

fn is_phrase(line: &str) -> bool {
    !line.trim().is_empty() && !line.starts_with('#')
}

#[cfg(test)]
mod tests;
