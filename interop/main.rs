//! Tokens made by the JWT libraries of other languages, in this very run, and
//! tokens of ours read by them. What is needed and how it works: README.md.
//!
//! Not run by a plain `cargo test`, since it needs those libraries:
//! `scripts/check interop` installs them. A library that is missing is a failure.

#[cfg(test)]
mod keys;
#[cfg(test)]
mod libraries;
#[cfg(test)]
mod peer;
#[cfg(test)]
mod snippets;
