//! What drives a running maitred from outside, as browsers would: plain HTTP over
//! plain sockets, light enough to share the machine with what it measures.

pub mod http;
pub mod server;
pub mod visitor;

use std::io::{self, BufRead, Write};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::runtime::Builder;
use tokio::task::LocalSet;

/// Why a measurement is none.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Something between nothing and the most.
pub fn random(most: Duration) -> Duration {
    most.mul_f64(f64::from(random_below(u32::MAX)) / f64::from(u32::MAX))
}

/// A whole number below that one.
pub fn random_below(limit: u32) -> u32 {
    let mut bytes = [0; 8];
    aws_lc_rs::rand::fill(&mut bytes).expect("the operating system's generator works");
    (u64::from_le_bytes(bytes) % u64::from(limit)) as u32
}

/// The time below which so many percent are, in milliseconds.
pub fn at_share(took: &[Duration], percent: usize) -> f64 {
    let mut sorted = took.to_vec();
    sorted.sort_unstable();
    sorted[(sorted.len() - 1) * percent / 100].as_secs_f64() * 1e3
}

/// Reads a job a line, and answers each with a line of what came of it.
pub fn answer_jobs<J, F>(run: impl Fn(J) -> F) -> Result<(), Failure>
where
    J: DeserializeOwned,
    F: Future<Output = Result<Value, Failure>>,
{
    let runtime = Builder::new_current_thread().enable_all().build()?;
    for line in io::stdin().lock().lines() {
        let job = serde_json::from_str(&line?)?;
        let measured = LocalSet::new().block_on(&runtime, run(job))?;
        println!("{measured}");
        io::stdout().flush()?;
    }
    Ok(())
}

/// Does something so many times to an installation, as the arguments say, and prints
/// what came of it.
pub fn try_out<F>(run: impl FnOnce(server::Installation, usize) -> F) -> Result<(), Failure>
where
    F: Future<Output = Result<Value, Failure>>,
{
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [binary, times, directory, database @ ..] = &arguments[..] else {
        return Err("usage: BINARY TIMES DIRECTORY [DATABASE-URL]".into());
    };
    let database = database.first().cloned();
    let words = &server::TWENTY_WORDS;
    let installation =
        server::Installation::new(binary.as_ref(), directory.as_ref(), database, words)?;
    let times = times.parse()?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let found = LocalSet::new().block_on(&runtime, run(installation, times))?;
    println!("{found}");
    Ok(())
}
