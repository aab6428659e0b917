//! Shared secrets of our own making (K1).
//!
//! `mtd_live_` or `mtd_test_`, 43 characters of base64url for 256 random bits, and
//! six characters that tell a scanner it has found one: the beginning of the
//! base64url of the SHA-256 of all that comes before them.

use std::fmt;

use aws_lc_rs::digest;
use secrecy::{ExposeSecret, SecretString};

use crate::jws::{base64url, decode_base64url};

const RANDOM_BYTES: usize = 32;
const RANDOM_CHARS: usize = 43;
const CHECKSUM_CHARS: usize = 6;

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
    #[error("a secret is `mtd_live_` or `mtd_test_` and 49 more characters")]
    Form,
    /// It has the form, but not the checksum: most likely a typing error.
    #[error("the checksum at the secret's end is wrong; it was not copied whole")]
    Checksum,
}

impl Secret {
    /// Makes a new one with the operating system's generator.
    pub fn generate(kind: SecretKind) -> Self {
        let mut random = [0; RANDOM_BYTES];
        aws_lc_rs::rand::fill(&mut random)
            .expect("aws-lc aborts the process rather than report a broken generator");
        let mut text = format!("{}{}", kind.prefix(), base64url(&random));
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
        let length = kind.prefix().len() + RANDOM_CHARS + CHECKSUM_CHARS;
        if !text.is_ascii() || text.len() != length {
            return Err(BadSecret::Form);
        }
        let (body, found) = text.split_at(length - CHECKSUM_CHARS);
        decode_base64url(&body[kind.prefix().len()..]).map_err(|_| BadSecret::Form)?;
        if checksum(body) != found {
            return Err(BadSecret::Checksum);
        }
        Ok(Self {
            kind,
            text: text.into(),
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
