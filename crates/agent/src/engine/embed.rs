//! Sentence embeddings, in process.
//!
//! [`Embedder::embed`] turns a text into an [`Embedding`]: texts that mean alike
//! point alike. The model (all-MiniLM-L6-v2, English, eight-bit weights) is part
//! of the binary, and this is the one module that includes it. It is loaded on
//! first use, since a server that answers nobody need not carry it in memory.
//!
//! What always holds:
//!
//! - The same text gives the same embedding, whatever else is embedded with it:
//!   the model scales its eight-bit numbers per run, so each text is run alone.
//! - No IO, and nothing here can fail because of the text.

use std::sync::OnceLock;

use rten::{Model, NodeId};
use rten_tensor::NdTensor;
use rten_tensor::prelude::*;

use super::tokenizer::Tokenizer;

static MODEL: &[u8] = include_bytes!("../../../../models/all-MiniLM-L6-v2/model.onnx");
static VOCABULARY: &str = include_str!("../../../../models/all-MiniLM-L6-v2/vocab.txt");

/// Pieces beyond this are not read: the model was trained on texts up to here.
const MAX_PIECES: usize = 256;

/// Turns texts into embeddings.
#[derive(Default)]
pub struct Embedder {
    tokenizer: OnceLock<Tokenizer>,
    network: OnceLock<Network>,
}

impl Embedder {
    /// An embedder that has loaded nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the model is in memory.
    pub fn is_loaded(&self) -> bool {
        self.network.get().is_some()
    }

    /// Cuts text as the model will see it. Does not load the model.
    pub fn tokenizer(&self) -> &Tokenizer {
        self.tokenizer.get_or_init(|| Tokenizer::new(VOCABULARY))
    }

    /// The embedding of a text. Only about its first 250 word pieces count.
    pub fn embed(&self, text: &str) -> Embedding {
        let pieces = self.tokenizer().encode(text, MAX_PIECES);
        self.network.get_or_init(Network::load).run(pieces)
    }

    /// The embedding of each text, in order.
    pub fn embed_all(&self, texts: &[&str]) -> Vec<Embedding> {
        texts.iter().map(|text| self.embed(text)).collect()
    }
}

/// The loaded model and the names of its ends.
struct Network {
    model: Model,
    pieces: NodeId,
    mask: NodeId,
    segments: NodeId,
    states: NodeId,
}

impl Network {
    fn load() -> Self {
        let model =
            Model::load_static_slice(MODEL).expect("the shipped model is read by the tests");
        let node = |name| {
            model
                .node_id(name)
                .expect("the shipped model has this node")
        };
        Self {
            pieces: node("input_ids"),
            mask: node("attention_mask"),
            segments: node("token_type_ids"),
            states: node("last_hidden_state"),
            model,
        }
    }

    fn run(&self, pieces: Vec<i32>) -> Embedding {
        let shape = [1, pieces.len()];
        let inputs = vec![
            (self.pieces, NdTensor::from_data(shape, pieces).into()),
            (self.mask, NdTensor::<i32, 2>::full(shape, 1).into()),
            (self.segments, NdTensor::<i32, 2>::zeros(shape).into()),
        ];
        let [states] = self
            .model
            .run_n(inputs, [self.states], None)
            .expect("the shipped model accepts every sequence up to its limit");
        let states: NdTensor<f32, 3> = states
            .try_into()
            .expect("the shipped model answers with a matrix per text");

        let mut mean = vec![0.0; Embedding::LEN];
        for state in states.slice(0).axis_iter(0) {
            for (sum, value) in mean.iter_mut().zip(state.iter()) {
                *sum += value;
            }
        }
        Embedding::unit(mean)
    }
}

/// What a text means, as a direction.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedding(Vec<f32>);

impl Embedding {
    /// How many numbers an embedding has.
    pub const LEN: usize = 384;

    /// How alike two embeddings are: 1 for the same meaning, about 0 for unrelated.
    pub fn cosine(&self, other: &Self) -> f32 {
        dot(&self.0, &other.0)
    }

    /// The numbers, little-endian, for a cache.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect()
    }

    /// Reads back what [`to_bytes`](Self::to_bytes) wrote; `None` for anything of another length.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (values, rest) = bytes.as_chunks::<4>();
        let whole = rest.is_empty() && values.len() == Self::LEN;
        whole.then(|| {
            Self(
                values
                    .iter()
                    .map(|&value| f32::from_le_bytes(value))
                    .collect(),
            )
        })
    }

    /// The numbers: [`LEN`](Self::LEN) of them, of length 1 as a vector.
    pub(crate) fn values(&self) -> &[f32] {
        &self.0
    }

    fn unit(mut values: Vec<f32>) -> Self {
        let length = dot(&values, &values).sqrt().max(f32::MIN_POSITIVE);
        for value in &mut values {
            *value /= length;
        }
        Self(values)
    }
}

/// The dot product, summed in lanes so that the compiler can use wide instructions.
pub(crate) fn dot(left: &[f32], right: &[f32]) -> f32 {
    const LANES: usize = 16;
    let (left, left_rest) = left.as_chunks::<LANES>();
    let (right, right_rest) = right.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for (left, right) in left.iter().zip(right) {
        for lane in 0..LANES {
            sums[lane] += left[lane] * right[lane];
        }
    }
    let rest: f32 = left_rest
        .iter()
        .zip(right_rest)
        .map(|(left, right)| left * right)
        .sum();
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_mean_alike_point_alike() {
        let embedder = Embedder::new();
        let [question, same, other] = [
            "How do I reset my password?",
            "I forgot my login",
            "We ship to Norway",
        ]
        .map(|text| embedder.embed(text));

        assert!(question.cosine(&same) > 0.5, "{}", question.cosine(&same));
        assert!(question.cosine(&other) < 0.2, "{}", question.cosine(&other));
    }

    #[test]
    fn the_embedding_is_the_reference_runtimes() {
        let embedding = Embedder::new().embed("Where is my order?");

        let reference = REFERENCE_START.iter().zip(embedding.values());
        for (expected, found) in reference {
            assert!((expected - found).abs() < 0.01, "{expected} {found}");
        }
    }

    #[test]
    fn the_model_is_loaded_on_first_use() {
        let embedder = Embedder::new();
        let n_pieces = embedder.tokenizer().count("hello there");
        let before = embedder.is_loaded();

        embedder.embed("hello there");

        assert_eq!((n_pieces, before, embedder.is_loaded()), (2, false, true));
    }

    #[test]
    fn any_text_has_an_embedding_of_length_one() {
        let embedder = Embedder::new();
        for text in [
            "",
            "\u{0}\u{200b}",
            "¿Dónde está mi pedido? 我的订单 🙂",
            &"word ".repeat(2_000),
        ] {
            let embedding = embedder.embed(text);

            assert!(
                (embedding.cosine(&embedding) - 1.0).abs() < 1e-5,
                "{text:.20}"
            );
        }
    }

    #[test]
    fn bytes_are_read_back_whole_or_not_at_all() {
        let embedding = Embedder::new().embed("cache me");
        let bytes = embedding.to_bytes();

        assert_eq!(Embedding::from_bytes(&bytes), Some(embedding));
        assert_eq!(Embedding::from_bytes(&bytes[4..]), None);
    }

    /// The first numbers that onnxruntime 1.32 gives for the same model and text.
    const REFERENCE_START: [f32; 8] = [
        -0.002_84, -0.028_82, 0.074_60, 0.047_83, 0.007_19, 0.024_22, -0.038_51, -0.019_67,
    ];
}
