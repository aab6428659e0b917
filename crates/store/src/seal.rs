//! Secrets at rest: AES-256-GCM under a master key (rules K2, D4).

use std::{fmt, fs, io, path::Path};

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey},
    rand,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretSlice, SecretString};

use crate::{error::OpenError, files::make_private_file};

const NONCE_LEN: usize = 12;

/// What seals the secrets of one database. Kept apart from it, in a file of its own.
#[derive(Clone)]
pub struct MasterKey(SecretSlice<u8>);

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey([hidden])")
    }
}

impl MasterKey {
    /// Reads the key from its file, or makes one with mode 0600.
    pub fn at(path: &Path) -> Result<Self, OpenError> {
        let text = read_or_make(path).map_err(|cause| OpenError::MasterKey {
            path: path.to_owned(),
            cause,
        })?;
        Self::parse(text.trim()).ok_or_else(|| OpenError::MalformedMasterKey {
            path: path.to_owned(),
        })
    }

    /// Takes 43 base64url characters.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        Self::from_bytes(&bytes)
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        (bytes.len() == 32).then(|| Self(bytes.to_vec().into()))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.expose_secret()
    }

    /// As it stands in its file.
    pub fn to_text(&self) -> SecretString {
        URL_SAFE_NO_PAD.encode(self.bytes()).into()
    }

    /// Encrypts under a fresh nonce. `row` names where the result will stand, so
    /// that two swapped rows do not open.
    pub(crate) fn seal(&self, row: &str, secret: &[u8]) -> String {
        let mut text = secret.to_vec();
        let nonce = self
            .cipher()
            .seal_in_place_append_tag(Aad::from(row.as_bytes()), &mut text)
            .expect("a secret is far below the limit of AES-GCM");
        let mut sealed = nonce.as_ref().to_vec();
        sealed.append(&mut text);
        URL_SAFE_NO_PAD.encode(sealed)
    }

    /// Decrypts what [`seal`](Self::seal) made for the same row. `None` for
    /// anything else.
    pub(crate) fn open(&self, row: &str, sealed: &str) -> Option<SecretSlice<u8>> {
        let mut bytes = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let (nonce, text) = bytes.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let plain = self
            .cipher()
            .open_in_place(nonce, Aad::from(row.as_bytes()), text)
            .ok()?;
        Some(plain.to_vec().into())
    }

    fn cipher(&self) -> RandomizedNonceKey {
        RandomizedNonceKey::new(&AES_256_GCM, self.0.expose_secret())
            .expect("a master key has 32 bytes")
    }
}

fn read_or_make(path: &Path) -> io::Result<String> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        read => return read,
    }
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).expect("the operating system's generator works from boot on");
    match make_private_file(path, &format!("{}\n", URL_SAFE_NO_PAD.encode(bytes))) {
        // Another process was first: its key is the key.
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => fs::read_to_string(path),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn key(dir: &tempfile::TempDir) -> MasterKey {
        MasterKey::at(&dir.path().join("master.key")).unwrap()
    }

    #[test]
    fn k2_the_master_key_is_made_once_and_only_its_owner_can_read_it() {
        let dir = tempfile::tempdir().unwrap();
        let sealed = key(&dir).seal("row", b"secret");

        let again = key(&dir).open("row", &sealed).unwrap();

        assert_eq!(again.expose_secret(), b"secret");
        let mode = fs::metadata(dir.path().join("master.key"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn k2_a_crash_while_the_master_key_is_made_does_not_stop_the_next_start() {
        let dir = tempfile::tempdir().unwrap();
        let half = dir.path().join("master.key.new");
        fs::write(&half, "q83v").unwrap();

        let sealed = key(&dir).seal("row", b"secret");

        assert!(key(&dir).open("row", &sealed).is_some());
        assert!(!half.exists());
    }

    #[test]
    fn d4_a_sealed_secret_does_not_open_in_another_row() {
        let dir = tempfile::tempdir().unwrap();
        let sealed = key(&dir).seal("key_1", b"secret");

        assert!(key(&dir).open("key_2", &sealed).is_none());
    }

    #[test]
    fn k2_a_sealed_secret_does_not_open_with_another_key() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let sealed = key(&one).seal("row", b"secret");

        assert!(key(&other).open("row", &sealed).is_none());
    }

    #[test]
    fn a_sealed_secret_never_looks_the_same_twice() {
        let dir = tempfile::tempdir().unwrap();

        assert_ne!(
            key(&dir).seal("row", b"secret"),
            key(&dir).seal("row", b"secret")
        );
    }
}
