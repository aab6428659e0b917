//! The rules of the product, in the order in which a newcomer should read them.
//!
//! A token becomes an [`identity`], an identity owns [`conversation`]s, and
//! [`turn::next_step`] says how a conversation goes on. What the outside may
//! learn meanwhile is an [`event`].
//!
//! Not here: anything that waits. This crate does no IO, knows no database, no
//! network and no environment. The exceptions are named where they stand:
//! [`clock::Clock`] reads the time, [`secret::new_secret`] and
//! [`code::OneTimeCode`] ask the operating system for random bytes.

pub mod action;
pub mod agent;
pub mod assurance;
pub mod claims;
pub mod clock;
pub mod code;
pub mod contact;
pub mod conversation;
pub mod event;
pub mod id;
pub mod identity;
pub mod knowledge;
pub mod memory;
pub mod message;
pub mod policy;
pub mod scope;
pub mod search;
pub mod secret;
pub mod session;
pub mod turn;
