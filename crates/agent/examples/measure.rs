//! Measures the built-in engine: `cargo run --release -p maitred-agent --example measure -- <data>`.
//!
//! `<data>` is a directory with `stackfaq.json` (questions with human
//! paraphrases) and `b77_train.csv`, `b77_test.csv` (Banking77). Neither is part
//! of this repository. Prints one line a measure.
#![expect(clippy::print_stdout, reason = "printing is what this program is for")]

use std::{collections::BTreeMap, error::Error, fs, path::Path, sync::Arc, time::Instant};

use maitred_agent::engine::{
    embed::{Embedder, Embedding},
    intent::{Classifier, Label, Trained},
    search::{Band, Hit, Index, Indexed, Thresholds},
};
use serde_json::{Value, json};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// From which probability on an Action is run.
const RUN: f32 = 0.6;

fn main() -> Outcome<()> {
    let data = std::env::args()
        .nth(1)
        .ok_or("give the directory of the data")?;
    let data = Path::new(&data);
    let embedder = Arc::new(Embedder::new());
    order_status(&embedder)?;
    let banking = Banking::read(data, &embedder)?;
    banking.triggering(&embedder);
    banking.accuracy(&embedder);
    let off_topic: Vec<Embedding> = banking
        .test
        .into_iter()
        .map(|(_, embedding)| embedding)
        .collect();
    faq(
        &fs::read_to_string(data.join("stackfaq.json"))?,
        &off_topic,
        &embedder,
    )
}

/// The development and the held-out list of one Action, as the shop of the demo defines it.
fn order_status(embedder: &Arc<Embedder>) -> Outcome<()> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let action: Value =
        serde_json::from_str(&fs::read_to_string(here.join("../demo/order_status.json"))?)?;
    let examples: Vec<String> = serde_json::from_value(action["examples"].clone())?;
    let trained = Trained {
        name: "order_status",
        examples: &examples,
        parameters: &action["parameters"],
    };
    let started = Instant::now();
    let classifier = Classifier::train([trained], embedder, |text| embedder.embed(text));
    println!(
        "training one Action, with the shipped phrases: {:?}",
        started.elapsed()
    );
    for list in ["dev", "held"] {
        let path = here.join(format!("tests/intent/order_status.{list}.txt"));
        for (mark, what) in [("+ ", "run"), ("- ", "falsely run")] {
            let text = fs::read_to_string(&path)?;
            let lines: Vec<&str> = text
                .lines()
                .filter_map(|line| line.strip_prefix(mark))
                .collect();
            let p = |line: &&&str| {
                let ranked = classifier.classify(line, &embedder.embed(line));
                matches!(&ranked.best, Label::Action(_) if ranked.p > RUN)
            };
            println!(
                "order_status {list}: {} of {} {what}",
                lines.iter().filter(p).count(),
                lines.len()
            );
        }
    }
    Ok(())
}

/// Banking77: customers' questions, each with one of 77 intents.
struct Banking {
    train: BTreeMap<String, Vec<String>>,
    test: Vec<(String, Embedding)>,
    texts: Vec<String>,
}

impl Banking {
    fn read(data: &Path, embedder: &Embedder) -> Outcome<Self> {
        let mut train: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (text, intent) in rows(&fs::read_to_string(data.join("b77_train.csv"))?) {
            train.entry(intent).or_default().push(text);
        }
        let (texts, intents): (Vec<_>, Vec<_>) =
            rows(&fs::read_to_string(data.join("b77_test.csv"))?)
                .into_iter()
                .unzip();
        let test = intents
            .into_iter()
            .zip(&texts)
            .map(|(intent, text)| (intent, embedder.embed(text)));
        Ok(Self {
            train,
            test: test.collect(),
            texts,
        })
    }

    /// Some intents are Actions with ten examples each; the questions of all others should run none.
    fn triggering(&self, embedder: &Arc<Embedder>) {
        let names: Vec<&String> = self.train.keys().collect();
        for n_actions in [1, 3, 5] {
            let (mut right, mut own, mut false_runs, mut others) = (0, 0, 0, 0);
            for start in 0..12 {
                let chosen: Vec<&str> = (0..n_actions)
                    .map(|n| names[(start * 19 + n * 31) % names.len()].as_str())
                    .collect();
                let classifier = self.classifier(&chosen, 10, embedder);
                for ((intent, embedding), text) in self.test.iter().zip(&self.texts) {
                    let ranked = classifier.classify(text, embedding);
                    let ran = match &ranked.best {
                        Label::Action(name) if ranked.p > RUN => Some(name),
                        Label::Action(_) | Label::Intent(_) | Label::None => None,
                    };
                    if chosen.contains(&intent.as_str()) {
                        own += 1;
                        right += usize::from(ran == Some(intent));
                    } else {
                        others += 1;
                        false_runs += usize::from(ran.is_some());
                    }
                }
            }
            println!(
                "Banking77, {n_actions} Actions of 10 examples: recall {:.3}, run by other banking questions {:.4}",
                share(right, own),
                share(false_runs, others)
            );
        }
    }

    /// All intents are Actions: how often the most probable is the right one.
    fn accuracy(&self, embedder: &Arc<Embedder>) {
        let all: Vec<&str> = self.train.keys().map(String::as_str).collect();
        for n_examples in [10, 20] {
            let classifier = self.classifier(&all, n_examples, embedder);
            let right = self
                .test
                .iter()
                .zip(&self.texts)
                .filter(|((intent, embedding), text)| {
                    let ranked = classifier.classify(text, embedding);
                    let first = ranked.all.iter().find_map(|(label, _)| match label {
                        Label::Action(name) => Some(name),
                        Label::Intent(_) | Label::None => None,
                    });
                    first == Some(intent)
                });
            println!(
                "A4 accuracy, {n_examples} examples: {:.3}",
                share(right.count(), self.test.len())
            );
        }
    }

    fn classifier(
        &self,
        intents: &[&str],
        n_examples: usize,
        embedder: &Arc<Embedder>,
    ) -> Classifier {
        let nothing = json!({});
        // Spread over the file: neighbours are alike.
        let spread = |all: &Vec<String>| -> Vec<String> {
            all.iter()
                .step_by((all.len() / n_examples).max(1))
                .take(n_examples)
                .cloned()
                .collect()
        };
        let examples: Vec<_> = intents
            .iter()
            .map(|&name| (name, spread(&self.train[name])))
            .collect();
        let actions = examples.iter().map(|(name, examples)| Trained {
            name,
            examples,
            parameters: &nothing,
        });
        Classifier::train(actions, embedder, |text| embedder.embed(text))
    }
}

/// Questions about 125 topics, asked in other words by people, against their answers.
fn faq(text: &str, off_topic: &[Embedding], embedder: &Embedder) -> Outcome<()> {
    let faq: Value = serde_json::from_str(text)?;
    let pairs = faq["root"]["qapair"]
        .as_array()
        .ok_or("not the questions expected")?;
    let strings = |value: &Value| -> Vec<String> {
        value
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect()
    };
    let mut passages = Vec::new();
    let mut queries = Vec::new();
    for (topic, pair) in pairs.iter().enumerate() {
        let title = pair["question"].as_str().unwrap_or_default().to_owned();
        let text = strings(&pair["answer"]).join("\n\n");
        passages.push(Indexed {
            id: topic.to_string(),
            title_embedding: embedder.embed(&title),
            text_embedding: embedder.embed(&text),
            title,
            text,
        });
        let asked = strings(&pair["rephr"])
            .into_iter()
            .filter(|query| query.chars().count() > 5);
        queries.extend(asked.map(|query| (topic, embedder.embed(&query), query)));
    }
    let index = Index::build(passages);
    let thresholds = Thresholds::default();

    let (mut first, mut third, mut answered, mut answered_right) = (0, 0, 0, 0);
    let (mut on_topic, mut without) = (Vec::new(), Vec::new());
    for (topic, embedding, query) in &queries {
        let hits = index.search(query, embedding, 4);
        let right = |hit: &Hit| hit.position == *topic;
        first += usize::from(hits.first().is_some_and(right));
        third += usize::from(hits.iter().take(3).any(right));
        if let Some(best) = hits
            .first()
            .filter(|hit| thresholds.band(hit) == Band::Answer)
        {
            answered += 1;
            answered_right += usize::from(right(best));
        }
        on_topic.extend(hits.first().map(|hit| hit.cosine));
        without.extend(hits.iter().find(|hit| !right(hit)).map(|hit| hit.cosine));
    }
    let off: Vec<Hit> = off_topic
        .iter()
        .flat_map(|query| index.search("", query, 1))
        .collect();
    let off_answered = off
        .iter()
        .filter(|hit| thresholds.band(hit) == Band::Answer)
        .count();
    let off_cosines: Vec<f32> = off.iter().map(|hit| hit.cosine).collect();
    println!(
        "A1 {} questions: hit@1 {:.3}, hit@3 {:.3}",
        queries.len(),
        share(first, queries.len()),
        share(third, queries.len())
    );
    println!(
        "A2 AUROC: off-topic {:.3}, right article removed {:.3}",
        auroc(&on_topic, &off_cosines),
        auroc(&on_topic, &without)
    );
    println!(
        "A3 answered {:.3}, right among them {:.3}, off-topic answered {:.4}",
        share(answered, queries.len()),
        share(answered_right, answered),
        share(off_answered, off.len())
    );
    Ok(())
}

/// How often a value of the first kind is above one of the second.
fn auroc(above: &[f32], below: &[f32]) -> f64 {
    let wins = above
        .iter()
        .map(|a| below.iter().filter(|b| a > b).count())
        .sum();
    share(wins, above.len() * below.len())
}

fn share(part: usize, whole: usize) -> f64 {
    let small = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    small(part) / small(whole.max(1))
}

/// The rows of a two-column CSV file, without its header.
fn rows(csv: &str) -> Vec<(String, String)> {
    let mut rows = Vec::new();
    let mut record = String::new();
    for line in csv.lines().skip(1) {
        if !record.is_empty() {
            record.push('\n');
        }
        record.push_str(line);
        // A quoted text may go on in the next line.
        if record.matches('"').count().is_multiple_of(2) {
            let whole = std::mem::take(&mut record);
            if let Some((text, label)) = whole.rsplit_once(',') {
                let text = text
                    .strip_prefix('"')
                    .and_then(|text| text.strip_suffix('"'))
                    .unwrap_or(text);
                rows.push((
                    text.replace("\"\"", "\"").trim().to_owned(),
                    label.trim().to_owned(),
                ));
            }
        }
    }
    rows
}
