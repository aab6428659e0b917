//! Embeddings by the hundred thousand: a byte for each number, and a bit for a first
//! look.
//!
//! Eight bits change a cosine by about a thousandth. A sketch has only the signs; how
//! many differ says roughly how alike two texts are, and costs a sixtieth.

use crate::engine::embed::Embedding;

const LEN: usize = Embedding::LEN;
const WORDS: usize = LEN / 64;

/// How many bytes a packed embedding has.
pub(crate) const PACKED: usize = size_of::<f32>() + LEN;

type Sketch = [u64; WORDS];

/// An embedding as it is kept: a scale, and a byte for each number.
pub(crate) fn pack(embedding: &Embedding) -> Vec<u8> {
    let values = embedding.values();
    let scale = largest(values) / f32::from(i8::MAX);
    let mut packed = Vec::with_capacity(PACKED);
    packed.extend(scale.to_le_bytes());
    packed.extend(
        values
            .iter()
            .flat_map(|value| as_i8(value / scale).to_le_bytes()),
    );
    packed
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "at most 127 either way, by how the scale was chosen; a cast rounds to what fits"
)]
fn as_i8(value: f32) -> i8 {
    value.round() as i8
}

#[expect(clippy::cast_possible_truncation, reason = "at most 4,095 either way")]
fn as_i16(value: f32) -> i16 {
    value.round() as i16
}

fn largest(values: &[f32]) -> f32 {
    let largest = values.iter().map(|value| value.abs());
    largest.fold(f32::MIN_POSITIVE, f32::max)
}

fn sketch(is_positive: impl Iterator<Item = bool>) -> Sketch {
    let mut sketch = [0; WORDS];
    for (at, is_positive) in is_positive.enumerate() {
        sketch[at / 64] |= u64::from(is_positive) << (at % 64);
    }
    sketch
}

/// Many embeddings, one after the other.
#[derive(Default)]
pub(super) struct Vectors {
    scales: Vec<f32>,
    values: Vec<i8>,
    sketches: Vec<Sketch>,
}

impl Vectors {
    /// Adds a packed one. Of another length than it should have, it is like nothing.
    pub(super) fn push(&mut self, packed: &[u8]) {
        let (scale, values) = match packed.split_first_chunk() {
            Some((scale, values)) if values.len() == LEN => (f32::from_le_bytes(*scale), values),
            Some(_) | None => (0.0, [0; LEN].as_slice()),
        };
        self.scales.push(scale);
        let values = values.iter().map(|value| i8::from_le_bytes([*value]));
        self.sketches
            .push(sketch(values.clone().map(|value| value > 0)));
        self.values.extend(values);
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.scales.len()
    }

    /// How alike the question and this one are.
    pub(super) fn cosine(&self, query: &Query, at: usize) -> f32 {
        let values = &self.values[at * LEN..(at + 1) * LEN];
        dot(&query.values, values) * query.scale * self.scales[at]
    }

    /// In how many signs of 384 they differ.
    pub(super) fn distance(&self, query: &Query, at: usize) -> u32 {
        let signs = self.sketches[at].iter().zip(&query.sketch);
        signs.map(|(one, other)| (one ^ other).count_ones()).sum()
    }
}

/// A question, ready to be compared with many.
pub(super) struct Query {
    values: [i16; LEN],
    scale: f32,
    sketch: Sketch,
}

impl Query {
    pub(super) fn new(embedding: &Embedding) -> Self {
        let numbers = embedding.values();
        // So that no sum of 384 products with a byte leaves 32 bits.
        let scale = largest(numbers) / 4_095.0;
        let mut values = [0; LEN];
        for (value, number) in values.iter_mut().zip(numbers) {
            *value = as_i16(number / scale);
        }
        Self {
            values,
            scale,
            sketch: sketch(numbers.iter().map(|number| *number > 0.0)),
        }
    }
}

/// In lanes, so that the compiler can use wide instructions.
#[expect(
    clippy::cast_precision_loss,
    reason = "eight digits are more than it has"
)]
fn dot(query: &[i16; LEN], values: &[i8]) -> f32 {
    const LANES: usize = 16;
    let mut sums = [0_i32; LANES];
    let (query, _) = query.as_chunks::<LANES>();
    let (values, _) = values.as_chunks::<LANES>();
    for (query, values) in query.iter().zip(values) {
        for lane in 0..LANES {
            sums[lane] += i32::from(query[lane]) * i32::from(values[lane]);
        }
    }
    sums.iter().sum::<i32>() as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::embed::Embedder;

    #[test]
    fn a_packed_embedding_is_as_alike_as_the_embedding_was() {
        let embedder = Embedder::new();
        let question = embedder.embed("How do I reset my password?");
        let mut vectors = Vectors::default();
        let texts = ["I forgot my login", "We ship to Norway", "", "密码"];
        let embeddings = texts.map(|text| embedder.embed(text));
        for embedding in &embeddings {
            vectors.push(&pack(embedding));
        }

        for (at, embedding) in embeddings.iter().enumerate() {
            let found = vectors.cosine(&Query::new(&question), at);

            assert!((found - question.cosine(embedding)).abs() < 0.003, "{at}");
        }
    }

    #[test]
    fn what_means_alike_has_a_like_sketch() {
        let embedder = Embedder::new();
        let mut vectors = Vectors::default();
        for text in ["I forgot my login", "We ship to Norway"] {
            vectors.push(&pack(&embedder.embed(text)));
        }

        let query = Query::new(&embedder.embed("How do I reset my password?"));

        assert!(vectors.distance(&query, 0) + 20 < vectors.distance(&query, 1));
    }

    #[test]
    fn what_is_no_embedding_is_like_nothing() {
        let mut vectors = Vectors::default();
        vectors.push(b"too short");

        let query = Query::new(&Embedder::new().embed("anything"));

        assert_eq!((vectors.len(), vectors.cosine(&query, 0)), (1, 0.0));
    }
}
