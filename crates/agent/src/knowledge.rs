//! From what the operator wrote to what can be searched.

pub mod chunk;
pub mod index;
pub(crate) mod library;
