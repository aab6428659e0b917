//! What answers a visitor.

pub mod embed;
pub mod search;
pub mod slots;
pub mod tokenizer;
