//! The models and agents that answer. Under construction: only pure parts are here.

pub mod engine;
pub mod knowledge;
