//! Sends requests for `scripts/bench exchange`: so many at once, over connections
//! that stay open, as fast as they are answered. Reads a job a line, answers with
//! what it measured.
//!
//! It shares the machine with the server, so it is light: one thread, requests that
//! were put together and signed before, and of an answer only its status and length
//! are read.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use maitred_bench::http::Connection;
use maitred_bench::{Failure, answer_jobs, at_share};
use maitred_token::base64url;
use serde::Deserialize;
use serde_json::{Value, json};

/// What is to be sent, and how.
#[derive(Deserialize)]
struct Job {
    address: String,
    path: String,
    /// Sent in turn.
    bodies: Vec<Value>,
    requests: usize,
    at_once: usize,
    /// Whether each comes with a proof of possession.
    proof: bool,
}

fn main() -> Result<(), Failure> {
    answer_jobs(run)
}

async fn run(job: Job) -> Result<Value, Failure> {
    let requests = if job.proof {
        with_proofs(&job).await?
    } else {
        let plain = job.bodies.iter().map(|body| request(&job, body, ""));
        plain.collect()
    };
    let shared = Rc::new(Shared {
        requests,
        sent: Cell::new(0),
        of: job.requests,
        took: RefCell::new(Vec::with_capacity(job.requests)),
    });
    let mut connections = Vec::new();
    for _ in 0..job.at_once {
        connections.push(Connection::open(&job.address).await?);
    }
    let began = Instant::now();
    let workers = connections.into_iter().map(|connection| {
        let shared = shared.clone();
        tokio::task::spawn_local(async move { work(connection, &shared).await })
    });
    for worker in workers.collect::<Vec<_>>() {
        worker.await??;
    }
    let seconds = began.elapsed().as_secs_f64();
    let took = shared.took.take();
    let per_second = job.requests as f64 / seconds;
    Ok(
        json!({ "per_second": per_second, "p50_ms": at_share(&took, 50), "p99_ms": at_share(&took, 99) }),
    )
}

/// What the connections have in common.
struct Shared {
    requests: Vec<Vec<u8>>,
    sent: Cell<usize>,
    of: usize,
    took: RefCell<Vec<Duration>>,
}

async fn work(mut connection: Connection, shared: &Shared) -> Result<(), Failure> {
    loop {
        let number = shared.sent.get();
        if number >= shared.of {
            return Ok(());
        }
        shared.sent.set(number + 1);
        let began = Instant::now();
        let request = &shared.requests[number % shared.requests.len()];
        let status = connection.exchange(request).await?.status;
        if status != 201 {
            return Err(format!("request {number} was answered {status}").into());
        }
        shared.took.borrow_mut().push(began.elapsed());
    }
}

fn request(job: &Job, body: &Value, more: &str) -> Vec<u8> {
    let Job { address, path, .. } = job;
    let body = body.to_string();
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
         {more}Content-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// Every request with a proof of its own, by one key, for the nonce of now.
async fn with_proofs(job: &Job) -> Result<Vec<Vec<u8>>, Failure> {
    let mut connection = Connection::open(&job.address).await?;
    let asked = connection.exchange(&request(job, &json!({}), "")).await?;
    let nonce = asked.nonce.ok_or("the server gives no nonce")?;
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
    let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
    let jwk = json!({ "kty": "EC", "crv": "P-256", "x": base64url(x), "y": base64url(y) });
    let header = json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": jwk });
    let random = SystemRandom::new();
    let proof = |number: usize| {
        let claims = json!({
            "jti": format!("{nonce}-{number}"), "htm": "POST", "nonce": nonce,
            "htu": format!("http://{}{}", job.address, job.path), "iat": 0,
        });
        let parts = [&header, &claims].map(|part| base64url(part.to_string().as_bytes()));
        let message = parts.join(".");
        let signature = pair.sign(&random, message.as_bytes()).expect("a fresh key");
        format!("DPoP: {message}.{}\r\n", base64url(signature.as_ref()))
    };
    let requests = job.bodies.iter().cycle().take(job.requests).enumerate();
    let requests = requests.map(|(number, body)| {
        let mut body = body.clone();
        body["key"] = jwk.clone();
        request(job, &body, &proof(number))
    });
    Ok(requests.collect())
}
