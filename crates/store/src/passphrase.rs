//! A master key that may lie beside the data it opens: under a passphrase (rule R10).
//!
//! PBKDF2-HMAC-SHA-256, then AES-256-GCM. Both are in the library that does all our
//! cryptography; a function that costs memory, too, is not.

use std::{fmt, num::NonZeroU32, str::FromStr};

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey},
    pbkdf2, rand,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};

use crate::MasterKey;

/// As OWASP's cheat sheet on storing passwords has it for PBKDF2-HMAC-SHA-256.
const ITERATIONS: u32 = 600_000;
/// The most that a backup may ask for: somebody waits.
const MOST_ITERATIONS: u32 = 10_000_000;
const NONCE_LEN: usize = 12;
/// What the sealed text is bound to.
const PURPOSE: &[u8] = b"maitred backup, master key";
const KDF: &str = "pbkdf2-hmac-sha256";

/// A master key under a passphrase. Printed and read as one line:
/// `pbkdf2-hmac-sha256$<iterations>$<salt>$<sealed>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrappedMasterKey {
    iterations: NonZeroU32,
    salt: [u8; 16],
    sealed: Vec<u8>,
}

/// A text that is no wrapped master key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no master key under a passphrase")]
pub struct ParseWrappedError;

impl WrappedMasterKey {
    /// The fewest characters of a passphrase.
    pub const MIN_PASSPHRASE: usize = 12;

    /// Wraps a key. It takes a good part of a second, which is the point.
    pub fn wrap(master: &MasterKey, passphrase: &SecretString) -> Self {
        let mut salt = [0; 16];
        rand::fill(&mut salt).expect("the operating system's generator works from boot on");
        let iterations = NonZeroU32::new(ITERATIONS).expect("it is not 0");
        let mut text = master.bytes().to_vec();
        let nonce = cipher(iterations, &salt, passphrase)
            .seal_in_place_append_tag(Aad::from(PURPOSE), &mut text)
            .expect("a key is far below the limit of AES-GCM");
        let mut sealed = nonce.as_ref().to_vec();
        sealed.append(&mut text);
        Self {
            iterations,
            salt,
            sealed,
        }
    }

    /// The key; none if it is another passphrase.
    pub fn unwrap_with(&self, passphrase: &SecretString) -> Option<MasterKey> {
        let mut bytes = self.sealed.clone();
        let (nonce, text) = bytes.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let key = cipher(self.iterations, &self.salt, passphrase)
            .open_in_place(nonce, Aad::from(PURPOSE), text)
            .ok()?;
        MasterKey::from_bytes(key)
    }
}

fn cipher(iterations: NonZeroU32, salt: &[u8], passphrase: &SecretString) -> RandomizedNonceKey {
    let mut key = [0; 32];
    let passphrase = passphrase.expose_secret().as_bytes();
    pbkdf2::derive(
        pbkdf2::PBKDF2_HMAC_SHA256,
        iterations,
        salt,
        passphrase,
        &mut key,
    );
    RandomizedNonceKey::new(&AES_256_GCM, &key).expect("a derived key has 32 bytes")
}

impl fmt::Display for WrappedMasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (salt, sealed) = (
            URL_SAFE_NO_PAD.encode(self.salt),
            URL_SAFE_NO_PAD.encode(&self.sealed),
        );
        write!(f, "{KDF}${}${salt}${sealed}", self.iterations)
    }
}

impl FromStr for WrappedMasterKey {
    type Err = ParseWrappedError;

    fn from_str(text: &str) -> Result<Self, ParseWrappedError> {
        let parts: Vec<&str> = text.split('$').collect();
        let [KDF, iterations, salt, sealed] = parts[..] else {
            return Err(ParseWrappedError);
        };
        let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| ParseWrappedError);
        let iterations: NonZeroU32 = iterations.parse().map_err(|_| ParseWrappedError)?;
        if iterations.get() > MOST_ITERATIONS {
            return Err(ParseWrappedError);
        }
        Ok(Self {
            iterations,
            salt: bytes(salt)?.try_into().map_err(|_| ParseWrappedError)?,
            sealed: bytes(sealed)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn master() -> MasterKey {
        MasterKey::parse(&URL_SAFE_NO_PAD.encode([7; 32])).unwrap()
    }

    #[test]
    fn r10_a_wrapped_master_key_opens_with_its_passphrase_and_no_other() {
        let passphrase = SecretString::from("correct horse battery staple");
        let wrapped = WrappedMasterKey::wrap(&master(), &passphrase);
        let read: WrappedMasterKey = wrapped.to_string().parse().unwrap();

        assert_eq!(read, wrapped);
        let opened = read.unwrap_with(&passphrase).unwrap();
        assert_eq!(opened.bytes(), master().bytes());
        assert!(
            read.unwrap_with(&"correct horse battery stable".into())
                .is_none()
        );
        assert_ne!(
            WrappedMasterKey::wrap(&master(), &passphrase),
            wrapped,
            "never twice the same"
        );
    }

    #[test]
    fn r10_what_is_no_wrapped_key_is_not_read() {
        let good = WrappedMasterKey {
            iterations: NonZeroU32::MIN,
            salt: [0; 16],
            sealed: vec![1, 2, 3],
        };
        let text = good.to_string();
        assert_eq!(text.parse(), Ok(good.clone()));
        assert!(good.unwrap_with(&"whatever it is".into()).is_none());

        for bad in [
            text.replace("pbkdf2", "scrypt"),
            text.replace("$1$", "$0$"),
            text.replace("$1$", "$4000000000$"),
            text.replace("AAAA", "AA"),
            format!("{text}$"),
            String::new(),
        ] {
            assert_eq!(
                bad.parse::<WrappedMasterKey>(),
                Err(ParseWrappedError),
                "{bad}"
            );
        }
    }
}
