//! Softmax regression: from an embedding to a probability for each label.

use crate::engine::embed::{Embedding, dot};

/// How strongly small weights are preferred, for each label's share.
const DECAY: f32 = 1e-3;
/// Enough for the probabilities to stand still in the second digit.
const ROUNDS: u16 = 400;

/// An embedding and what it is an example of.
pub(super) struct Example {
    pub(super) label: usize,
    pub(super) embedding: Embedding,
}

/// A trained model: one row of weights for each label.
#[derive(Clone, Debug)]
pub(super) struct Regression {
    rows: Vec<Row>,
}

#[derive(Clone, Debug)]
struct Row {
    weights: Vec<f32>,
    bias: f32,
}

impl Row {
    fn zero() -> Self {
        Self {
            weights: vec![0.0; Embedding::LEN],
            bias: 0.0,
        }
    }

    fn add(&mut self, factor: f32, other: &Self) {
        self.add_to_weights(factor, &other.weights);
        self.bias += factor * other.bias;
    }

    fn add_to_weights(&mut self, factor: f32, values: &[f32]) {
        for (weight, value) in self.weights.iter_mut().zip(values) {
            *weight += factor * value;
        }
    }
}

impl Regression {
    /// Fits a row for each of `shares`, by accelerated gradient descent, which starts at zero
    /// and takes a fixed number of rounds: the same examples give the same model.
    pub(super) fn train(examples: &[Example], shares: &[f32]) -> Self {
        let importances = importances(examples, shares);
        // The more labels, the less the examples of each count, and their weights resist it.
        let decay = DECAY / shares.iter().sum::<f32>();
        // The gradient's steepness is at most 1 for unit embeddings beside a bias.
        let step = 1.0 / (1.0 + decay);

        let mut now = Self {
            rows: vec![Row::zero(); shares.len()],
        };
        let mut before = now.clone();
        for round in 0..ROUNDS {
            let momentum = f32::from(round) / f32::from(round + 3);
            let mut ahead = now.clone();
            for ((ahead, now), before) in ahead.rows.iter_mut().zip(&now.rows).zip(&before.rows) {
                ahead.add(momentum, now);
                ahead.add(-momentum, before);
            }
            let mut next = ahead.clone();
            for (next, ahead) in next.rows.iter_mut().zip(&ahead.rows) {
                next.add_to_weights(-step * decay, &ahead.weights);
            }
            for (example, importance) in examples.iter().zip(&importances) {
                let probabilities = ahead.probabilities(&example.embedding);
                for (label, (row, p)) in next.rows.iter_mut().zip(probabilities).enumerate() {
                    let wanted = if label == example.label { 1.0 } else { 0.0 };
                    let factor = -step * importance * (p - wanted);
                    row.add_to_weights(factor, example.embedding.values());
                    row.bias += factor;
                }
            }
            before = std::mem::replace(&mut now, next);
        }
        now
    }

    /// The probability of each label; together they are 1.
    pub(super) fn probabilities(&self, embedding: &Embedding) -> Vec<f32> {
        let row = |row: &Row| dot(&row.weights, embedding.values()) + row.bias;
        let mut values: Vec<f32> = self.rows.iter().map(row).collect();
        let most = values.iter().copied().fold(f32::MIN, f32::max);
        values
            .iter_mut()
            .for_each(|value| *value = (*value - most).exp());
        let sum: f32 = values.iter().sum();
        values.iter_mut().for_each(|value| *value /= sum);
        values
    }
}

/// What each example counts for; together they are 1. However many examples a
/// label has, they count for its share: there are ten of an Action, and hundreds
/// of what runs none.
fn importances(examples: &[Example], shares: &[f32]) -> Vec<f32> {
    let mut counts = vec![0.0_f32; shares.len()];
    for example in examples {
        counts[example.label] += 1.0;
    }
    let raw: Vec<f32> = examples
        .iter()
        .map(|example| shares[example.label] / counts[example.label])
        .collect();
    let sum: f32 = raw.iter().sum();
    raw.into_iter().map(|importance| importance / sum).collect()
}
