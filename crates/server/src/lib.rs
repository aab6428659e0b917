//! maitred: a support agent for websites that recognises who is logged in.
//!
//! The program, as a library, so that tests drive the same [`App`] as `main`.
//! Read on in `http.rs` (every route), `app.rs` (what a request can reach),
//! `http/sessions.rs` (a token comes in) and `http/events.rs` (what goes out).

mod accept;
mod app;
mod attempt;
mod bus;
mod causes;
mod checker;
mod cli;
mod client;
mod config;
mod demo;
mod http;
mod hub;
mod jwks;
mod keys;
mod knowledge;
mod limits;
mod mail;
mod master;
mod nodes;
mod possession;
mod prove;
mod serve;
mod settings;
mod sites;
mod tasks;
mod test_identities;
mod turns;
mod verifications;

pub use app::App;
pub use client::Peer;
pub use config::{Config, Overrides};
pub use http::{in_the_shell, router};

use std::process::ExitCode;

use clap::Parser;

/// Does what the command line asks for.
pub fn run() -> ExitCode {
    let cli = cli::Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return cli::report(&error.into()),
    };
    let code = runtime.block_on(cli.run());
    // What still computes (an embedding, at most) is of no use to anybody.
    runtime.shutdown_background();
    code
}
