//! A library of another language: a small program that signs and verifies with
//! it, one job a line in, one answer a line out.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::LazyLock,
    thread,
};

use maitred_token::{Algorithm, AssertionKey, decode_base64url};
use serde_json::{Value, json};

use crate::keys::{Pair, SECRET, ed25519_pem, pair};

/// Where the programs are.
pub(crate) const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../interop");

const ALL: &[Algorithm] = &Algorithm::ALL;
const WITHOUT_EDDSA: &[Algorithm] = ALL.split_at(ALL.len() - 1).0;
const WITHOUT_PSS: &[Algorithm] = &[
    Algorithm::Hs256,
    Algorithm::Hs384,
    Algorithm::Hs512,
    Algorithm::Rs256,
    Algorithm::Rs384,
    Algorithm::Rs512,
    Algorithm::Es256,
    Algorithm::Es384,
    Algorithm::EdDsa,
];
const WITHOUT_PSS_AND_EDDSA: &[Algorithm] = WITHOUT_PSS.split_at(WITHOUT_PSS.len() - 1).0;

/// A library, and what it can do. Neither list is found out: a library that
/// lost an algorithm is a failure.
pub(crate) struct Peer {
    /// What runs the program; for a `.c`, nothing does.
    interpreter: &'static str,
    program: &'static str,
    /// Those of ours that it has.
    pub(crate) algorithms: &'static [Algorithm],
    /// Whether it declines to use a key in PEM as a shared secret.
    pub(crate) refuses_pem_as_secret: bool,
}

impl Peer {
    const fn new(interpreter: &'static str, program: &'static str) -> Self {
        Self {
            interpreter,
            program,
            algorithms: ALL,
            refuses_pem_as_secret: false,
        }
    }
}

pub(crate) const JOSE: Peer = Peer::new("node", "jose.mjs");
pub(crate) const FAST_JWT: Peer = Peer::new("node", "fast-jwt.mjs");
pub(crate) const JSONWEBTOKEN: Peer = Peer {
    algorithms: WITHOUT_EDDSA,
    ..Peer::new("node", "jsonwebtoken.mjs")
};
pub(crate) const PYJWT: Peer = Peer {
    refuses_pem_as_secret: true,
    ..Peer::new("/usr/bin/python3", "pyjwt.py")
};
pub(crate) const RUBY_JWT: Peer = Peer::new("ruby", "ruby-jwt.rb");
pub(crate) const CRYPT_JWT: Peer = Peer::new("perl", "crypt-jwt.pl");
/// It has PSS, with a salt that is longer than RFC 7518 says: see `main.rs`.
pub(crate) const ERLANG_JOSE: Peer = Peer {
    algorithms: WITHOUT_PSS,
    ..Peer::new("escript", "erlang-jose.escript")
};
pub(crate) const GOLANG_JWT: Peer = Peer::new("node", "golang-jwt.mjs");
pub(crate) const LIBJWT: Peer = Peer {
    algorithms: WITHOUT_PSS_AND_EDDSA,
    ..Peer::new("", "libjwt.c")
};

/// One thing asked of a library.
pub(crate) struct Job(Value);

impl Job {
    /// Signs with this run's key of the algorithm, whose id is its name.
    pub(crate) fn sign(algorithm: Algorithm, claims: &Value) -> Self {
        let name = algorithm.name();
        let job = Self(json!({ "do": "sign", "alg": name, "kid": name, "claims": claims }));
        match pair(algorithm) {
            None => job.with_secret(&SECRET),
            Some(pair) => job.with_pair(pair),
        }
    }

    /// Makes a token with `alg: none`.
    pub(crate) fn unsigned(claims: &Value) -> Self {
        Self(json!({ "do": "sign", "alg": "none", "kid": "HS256", "claims": claims }))
    }

    pub(crate) fn verify_secret(token: &str) -> Self {
        let secret = SECRET.as_str();
        Self(json!({ "do": "verify", "alg": "HS256", "secret": secret, "token": token }))
    }

    /// With the public key as our key set publishes it; in PEM, too, for libraries
    /// that read nothing else.
    pub(crate) fn verify_assertion(token: &str, key: &AssertionKey) -> Self {
        let jwk = key.public_jwk();
        let x = decode_base64url(jwk["x"].as_str().unwrap()).unwrap();
        let pem = ed25519_pem(&x);
        Self::verify(Algorithm::EdDsa, &jwk, token).with("pem", &pem)
    }

    pub(crate) fn verify(algorithm: Algorithm, jwk: &Value, token: &str) -> Self {
        let alg = algorithm.name();
        Self(json!({ "do": "verify", "alg": alg, "jwk": jwk, "token": token }))
    }

    pub(crate) fn with_secret(self, secret: &str) -> Self {
        self.with("secret", secret)
    }

    pub(crate) fn with_pair(self, pair: &Pair) -> Self {
        self.with("pem", &pair.private_pem)
    }

    pub(crate) fn with_kid(self, kid: &str) -> Self {
        self.with("kid", kid)
    }

    fn with(mut self, member: &str, value: &str) -> Self {
        self.0[member] = value.into();
        self
    }
}

impl Peer {
    /// What it makes of jobs that it must be able to do.
    pub(crate) fn tokens(&self, jobs: impl IntoIterator<Item = Job>) -> Vec<String> {
        let answers = self.answers(jobs).into_iter();
        answers
            .map(|answer| match answer["token"].as_str() {
                Some(token) => token.to_owned(),
                None => panic!("{} made no token: {answer}", self.program),
            })
            .collect()
    }

    /// What it answers, job by job.
    pub(crate) fn answers(&self, jobs: impl IntoIterator<Item = Job>) -> Vec<Value> {
        let jobs: Vec<String> = jobs.into_iter().map(|job| job.0.to_string()).collect();
        let asked = jobs.len();
        let mut program = self
            .command()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", self.program));
        let mut stdin = program.stdin.take().unwrap();
        // Both pipes can fill, so one of them is served beside.
        let asking = thread::spawn(move || {
            for job in jobs {
                writeln!(stdin, "{job}").unwrap();
            }
        });
        let lines = BufReader::new(program.stdout.take().unwrap()).lines();
        let answers: Vec<Value> = lines
            .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
            .collect();
        asking.join().unwrap();
        assert!(program.wait().unwrap().success(), "{}", self.program);
        assert_eq!(answers.len(), asked, "{}", self.program);
        answers
    }

    fn command(&self) -> Command {
        if self.interpreter.is_empty() {
            return Command::new(&*COMPILED);
        }
        let mut command = Command::new(self.interpreter);
        command.arg(Path::new(HERE).join("peers").join(self.program));
        command
    }
}

/// The program in C, compiled in this run.
static COMPILED: LazyLock<PathBuf> = LazyLock::new(|| {
    let source = Path::new(HERE).join("peers").join(LIBJWT.program);
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("libjwt");
    let compiled = Command::new("cc")
        .args(["-Wall", "-Wextra", "-Werror", "-o"])
        .args([&program, &source])
        .args(["-ljwt", "-ljansson"])
        .status();
    assert!(compiled.unwrap().success());
    program
});
