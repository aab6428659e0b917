//! What a token costs in Rust, for `scripts/bench verify`: one of three ways to
//! check it, by the first argument. Reads a job a line, answers with nanoseconds of
//! processor time, which other programs on the machine prolong least.
//!
//! - `bare`: aws-lc's check of the signature with a parsed key, and nothing else.
//! - `maitred`: all rules, to a proven identity.
//! - `jsonwebtoken`: its `decode`.

use std::hint::black_box;
use std::io::{self, BufRead, Write};
use std::time::Duration;

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{self, ParsedPublicKey, VerificationAlgorithm};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::{DecodingKey, Validation};
use maitred_token::{Algorithm, Key, KeySet, Policy, PublicKey, Verifier, decode_base64url};
use rustix::time::{ClockId, clock_gettime};
use serde::Deserialize;

/// One token, its key, and how long to measure.
#[derive(Deserialize)]
struct Job {
    alg: String,
    kid: String,
    token: String,
    now: i64,
    secret: Option<String>,
    pem: Option<String>,
    for_ms: u64,
}

/// The claims, as a backend in Rust would read them.
#[derive(Deserialize)]
#[expect(dead_code, reason = "the other library reads them, nobody looks")]
struct Claims {
    sub: String,
    email: String,
    name: String,
    iat: i64,
    exp: i64,
    locale: String,
    company: String,
    plan: String,
    seats: u32,
    trial: bool,
    teams: Vec<String>,
    customer_since: String,
}

fn main() -> io::Result<()> {
    let way = std::env::args().nth(1).unwrap_or_default();
    for line in io::stdin().lock().lines() {
        let job: Job = serde_json::from_str(&line?)?;
        let nanoseconds = match way.as_str() {
            "bare" => bare(&job),
            "maitred" => maitred(&job),
            "jsonwebtoken" => jsonwebtoken(&job),
            other => panic!("there is no way `{other}`; there are bare, maitred, jsonwebtoken"),
        };
        println!("{}", serde_json::json!({ "ns": nanoseconds }));
        io::stdout().flush()?;
    }
    Ok(())
}

fn bare(job: &Job) -> f64 {
    let (message, signature) = job.token.rsplit_once('.').expect("a token");
    let (message, signature) = (message.as_bytes(), decode_base64url(signature));
    let signature = signature.expect("a token");
    if let Some(secret) = &job.secret {
        let key = hmac::Key::new(hmac_of(&job.alg), secret.as_bytes());
        return per_call(job, || {
            hmac::verify(&key, black_box(message), &signature).expect("good")
        });
    }
    let der = der(job.pem.as_deref().expect("a secret or a key"));
    let key = ParsedPublicKey::new(check_of(&job.alg), &der).expect("a public key");
    per_call(job, || {
        key.verify_sig(black_box(message), &signature)
            .expect("good")
    })
}

fn maitred(job: &Job) -> f64 {
    let algorithm: Algorithm = job.alg.parse().expect("it has them all");
    let key = match &job.secret {
        Some(secret) => Key::shared_secret(&job.kid, secret.as_bytes(), algorithm),
        None => {
            let key = PublicKey::parse(job.pem.as_deref().expect("a secret or a key"));
            key.and_then(|key| Key::public(&job.kid, &key, algorithm))
        }
    };
    let keys = KeySet::new(vec![key.expect("a good key")]);
    let verifier = Verifier::new(keys, Policy::new("agt_1"));
    per_call(job, || {
        verifier
            .verify(black_box(&job.token), job.now)
            .expect("good")
    })
}

fn jsonwebtoken(job: &Job) -> f64 {
    let key = match (&job.secret, &job.pem) {
        (Some(secret), _) => DecodingKey::from_secret(secret.as_bytes()),
        (None, pem) => {
            let pem = pem.as_deref().expect("a secret or a key").as_bytes();
            let key = match &job.alg[..2] {
                "ES" => DecodingKey::from_ec_pem(pem),
                "Ed" => DecodingKey::from_ed_pem(pem),
                _ => DecodingKey::from_rsa_pem(pem),
            };
            key.expect("a public key")
        }
    };
    let validation = Validation::new(job.alg.parse().expect("it has them all"));
    per_call(job, || {
        jsonwebtoken::decode::<Claims>(black_box(&job.token), &key, &validation).expect("good")
    })
}

/// Nanoseconds for one call, over as many as fill the time.
fn per_call<T>(job: &Job, call: impl Fn() -> T) -> f64 {
    let enough = Duration::from_millis(job.for_ms);
    let mut calls = 1_u32;
    loop {
        let began = processor_time();
        for _ in 0..calls {
            black_box(call());
        }
        let took = processor_time() - began;
        if took >= enough {
            return took.as_secs_f64() * 1e9 / f64::from(calls);
        }
        calls *= if took * 10 < enough { 10 } else { 2 };
    }
}

fn processor_time() -> Duration {
    let used = clock_gettime(ClockId::ThreadCPUTime);
    used.try_into().expect("time does not run backwards")
}

fn hmac_of(algorithm: &str) -> hmac::Algorithm {
    match algorithm {
        "HS256" => hmac::HMAC_SHA256,
        "HS384" => hmac::HMAC_SHA384,
        _ => hmac::HMAC_SHA512,
    }
}

fn check_of(algorithm: &str) -> &'static dyn VerificationAlgorithm {
    match algorithm {
        "RS256" => &signature::RSA_PKCS1_2048_8192_SHA256,
        "RS384" => &signature::RSA_PKCS1_2048_8192_SHA384,
        "RS512" => &signature::RSA_PKCS1_2048_8192_SHA512,
        "PS256" => &signature::RSA_PSS_2048_8192_SHA256,
        "PS384" => &signature::RSA_PSS_2048_8192_SHA384,
        "PS512" => &signature::RSA_PSS_2048_8192_SHA512,
        "ES256" => &signature::ECDSA_P256_SHA256_FIXED,
        "ES384" => &signature::ECDSA_P384_SHA384_FIXED,
        _ => &signature::ED25519,
    }
}

fn der(pem: &str) -> Vec<u8> {
    let body: String = pem.lines().filter(|line| !line.contains("-----")).collect();
    STANDARD.decode(body).expect("PEM")
}
