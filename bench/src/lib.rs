//! What drives a running maitred from outside, as browsers would: plain HTTP over
//! plain sockets, light enough to share the machine with what it measures.

pub mod http;
pub mod server;
pub mod visitor;

use std::time::Duration;

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
