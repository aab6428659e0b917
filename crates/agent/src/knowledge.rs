//! From what the operator wrote to what can be searched.

pub mod chunk;
pub mod import;
pub mod index;
pub(crate) mod library;
pub mod robots;
mod sitemap;
pub mod sync;
