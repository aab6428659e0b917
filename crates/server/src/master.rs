//! The file of the master key, and how a new one takes its place (rules K2, D4).
//!
//! The new key is written beside the old one before anything is sealed with it, and
//! takes its place after everything was, in one transaction. Whenever the program
//! dies in between, one of the two files opens the data: [`open`] tries both, and
//! finishes what was begun.

use std::{
    ffi::OsString,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use aws_lc_rs::rand;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use maitred_core::clock::Clock;
use maitred_store::{MasterKey, OpenError, Store, make_private_file};
use secrecy::{ExposeSecret, SecretString};

use crate::{
    config::{Config, MasterKeySource},
    serve,
};

/// Opens the data with the master key that the settings name.
pub(crate) async fn open(config: &Config, clock: Clock) -> anyhow::Result<Store> {
    let path = match &config.master_key {
        MasterKeySource::Given(key) => {
            return Ok(Store::open(&config.database, given(key)?, clock).await?);
        }
        MasterKeySource::File(path) => path,
    };
    let opened = Store::open(&config.database, MasterKey::at(path)?, clock.clone()).await;
    let next = beside(path, "next");
    if !matches!(opened, Err(OpenError::WrongMasterKey)) || !next.is_file() {
        return Ok(opened?);
    }
    // A rotation was cut off between the data and the file.
    let store = Store::open(&config.database, MasterKey::at(&next)?, clock).await?;
    put_in_place(&next, path)?;
    tracing::warn!("a rotation of the master key was cut off, and is finished now");
    Ok(store)
}

/// The master key that the settings name. None is made.
pub(crate) fn read(config: &Config) -> anyhow::Result<MasterKey> {
    match &config.master_key {
        MasterKeySource::Given(key) => given(key),
        MasterKeySource::File(path) if path.exists() => Ok(MasterKey::at(path)?),
        MasterKeySource::File(path) => bail!("there is no master key in `{}`", path.display()),
    }
}

fn given(key: &SecretString) -> anyhow::Result<MasterKey> {
    MasterKey::parse(key.expose_secret())
        .context("`server.master_key` must be 43 base64url characters")
}

/// What became of a rotation.
pub(crate) struct Rotated {
    /// How many things were sealed anew.
    pub(crate) sealed: usize,
    pub(crate) path: PathBuf,
    /// Where the old key is, which backups from before need.
    pub(crate) old: PathBuf,
}

/// Makes a new master key and seals everything with it. No server may run on the
/// data meanwhile: it would go on with the old key.
pub(crate) async fn rotate(config: &Config, clock: Clock) -> anyhow::Result<Rotated> {
    let MasterKeySource::File(path) = &config.master_key else {
        bail!(
            "the master key is given in `server.master_key`, where it cannot be replaced\nhint: put it into a file, name that in `server.master_key_file` instead, and rotate; then take the new one from the file"
        );
    };
    let _lock = serve::lock(config)?;
    let store = open(config, clock.clone()).await?;
    let (next, old) = (beside(path, "next"), kept_as(path, clock.now()));
    // The key in its place has opened the data, so one that lies here opens nothing.
    match fs::remove_file(&next) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("cannot remove `{}`", next.display()));
        }
        Ok(()) | Err(_) => (),
    }
    make_private_file(&next, &fresh())
        .with_context(|| format!("cannot make `{}`", next.display()))?;
    let new = MasterKey::at(&next)?;
    fs::hard_link(path, &old).with_context(|| format!("cannot make `{}`", old.display()))?;
    let sealed = store
        .rotate_master(&new)
        .await
        .context("the master key stays; nothing was sealed anew")?;
    store.close().await;
    put_in_place(&next, path)?;
    Ok(Rotated {
        sealed,
        path: path.clone(),
        old,
    })
}

/// `master.key.next`, …
fn beside(path: &Path, what: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(format!(".{what}"));
    PathBuf::from(name)
}

fn kept_as(path: &Path, now: Timestamp) -> PathBuf {
    beside(
        path,
        &format!("before-{}", now.strftime("%Y%m%dT%H%M%S%.6fZ")),
    )
}

/// Replaces the old file whole.
fn put_in_place(next: &Path, path: &Path) -> anyhow::Result<()> {
    match fs::rename(next, path) {
        // Another command was first.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        done => done.with_context(|| {
            format!(
                "the data is sealed with the key in `{}` now, which could not take the place of `{}`",
                next.display(),
                path.display()
            )
        })?,
    }
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    let dir = dir.unwrap_or(Path::new("."));
    File::open(dir)
        .and_then(|dir| dir.sync_all())
        .with_context(|| format!("cannot write to `{}`", dir.display()))
}

fn fresh() -> String {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).expect("the operating system's generator works from boot on");
    format!("{}\n", URL_SAFE_NO_PAD.encode(bytes))
}

#[cfg(test)]
mod tests;
