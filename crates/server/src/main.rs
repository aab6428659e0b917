//! maitred: a support agent for websites that recognises who is logged in.
//!
//! The one binary. Read on in `http.rs` (every route), `app.rs` (what a request
//! can reach) and `cli.rs` (what a person can type).

mod accept;
mod app;
mod cli;
mod config;
mod demo;
mod http;
mod hub;
mod serve;
mod sites;
mod tasks;
mod turns;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return cli::report(&anyhow::Error::from(error)),
    };
    runtime.block_on(cli.run())
}
