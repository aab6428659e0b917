//! Shared secrets of our own making (K1).
//!
//! `mtd_live_` or `mtd_test_`, 43 characters of base64url for 256 random bits, and
//! six characters that tell a scanner it has found one: the beginning of the
//! base64url of the SHA-256 of all that comes before them.
//!
//! For HS512 there are 384 random bits in 64 characters: strict libraries take no
//! key for it that is shorter than the hash (RFC 7518 §3.2).

use std::fmt;

use aws_lc_rs::digest;
use secrecy::{ExposeSecret, SecretString};

use crate::algorithm::Algorithm;
use crate::jws::{base64url, decode_base64url};

const RANDOM_BYTES: usize = 32;
const RANDOM_BYTES_FOR_HS512: usize = 48;
/// What those are in base64url.
const RANDOM_CHARS: [usize; 2] = [43, 64];
const CHECKSUM_CHARS: usize = 6;
/// Of either kind.
const PREFIX_CHARS: usize = "mtd_live_".len();

/// What a secret is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretKind {
    /// Production: `mtd_live_…`.
    Live,
    /// Staging: `mtd_test_…`.
    Test,
}

impl SecretKind {
    fn prefix(self) -> &'static str {
        match self {
            Self::Live => "mtd_live_",
            Self::Test => "mtd_test_",
        }
    }
}

/// A shared secret. The bytes of the whole string are the HMAC key.
///
/// Overwritten in memory when dropped, and never shown by `Debug`.
#[derive(Clone)]
pub struct Secret {
    kind: SecretKind,
    text: SecretString,
}

/// Why a string is not one of our secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSecret {
    /// It does not have the form.
    #[error("a secret is `mtd_live_` or `mtd_test_` and 49 more characters, or 70 for HS512")]
    Form,
    /// It has the form, but not the checksum: most likely a typing error.
    #[error("the checksum at the secret's end is wrong; it was not copied whole")]
    Checksum,
}

impl Secret {
    /// Makes a new one for HS256 with the operating system's generator.
    pub fn generate(kind: SecretKind) -> Self {
        Self::of_random(kind, &mut [0; RANDOM_BYTES])
    }

    /// Makes a new one that is as long as this algorithm asks for. `None` if it is
    /// not one that signs with a shared secret.
    pub fn generate_for(kind: SecretKind, algorithm: Algorithm) -> Option<Self> {
        let hash = algorithm.hmac()?.digest_algorithm();
        let made = Self::generate(kind);
        if made.expose().len() >= hash.output_len() {
            return Some(made);
        }
        Some(Self::of_random(kind, &mut [0; RANDOM_BYTES_FOR_HS512]))
    }

    fn of_random(kind: SecretKind, random: &mut [u8]) -> Self {
        aws_lc_rs::rand::fill(random)
            .expect("aws-lc aborts the process rather than report a broken generator");
        let mut text = format!("{}{}", kind.prefix(), base64url(random));
        text.push_str(&checksum(&text));
        Self {
            kind,
            text: text.into(),
        }
    }

    /// Reads one, for instance from a file.
    pub fn parse(text: &str) -> Result<Self, BadSecret> {
        let kind = [SecretKind::Live, SecretKind::Test]
            .into_iter()
            .find(|kind| text.starts_with(kind.prefix()))
            .ok_or(BadSecret::Form)?;
        let others = kind.prefix().len() + CHECKSUM_CHARS;
        let fits = RANDOM_CHARS.contains(&text.len().saturating_sub(others));
        if !text.is_ascii() || !fits {
            return Err(BadSecret::Form);
        }
        let (body, found) = text.split_at(text.len() - CHECKSUM_CHARS);
        decode_base64url(&body[kind.prefix().len()..]).map_err(|_| BadSecret::Form)?;
        if checksum(body) != found {
            return Err(BadSecret::Checksum);
        }
        Ok(Self {
            kind,
            text: text.into(),
        })
    }

    /// The one that a text begins with, if it begins with one.
    pub fn at_start_of(text: &str) -> Option<Self> {
        RANDOM_CHARS.into_iter().find_map(|random| {
            let chars = PREFIX_CHARS + random + CHECKSUM_CHARS;
            Self::parse(text.get(..chars)?).ok()
        })
    }

    /// The whole string, to be shown once or used as a key.
    pub fn expose(&self) -> &str {
        self.text.expose_secret()
    }

    /// What may be shown afterwards.
    pub fn last_four(&self) -> &str {
        let text = self.expose();
        &text[text.len() - 4..]
    }

    /// What it is for.
    pub fn kind(&self) -> SecretKind {
        self.kind
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({}[redacted])", self.kind.prefix())
    }
}

/// The six characters that tell a scanner, or who reads it from a file, that what
/// comes before them is whole and of our making.
pub fn checksum(body: &str) -> String {
    let hash = digest::digest(&digest::SHA256, body.as_bytes());
    let mut checksum = base64url(hash.as_ref());
    checksum.truncate(CHECKSUM_CHARS);
    checksum
}
