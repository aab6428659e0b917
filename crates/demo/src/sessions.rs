//! Who is logged in to the shop: a random cookie, and a file that outlives a restart.
//!
//! The file holds hashes, so that reading it logs nobody in.

use std::{
    collections::HashMap,
    fs, io,
    io::Write as _,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
};

use anyhow::Context as _;
use aws_lc_rs::{
    digest::{SHA256, digest},
    rand,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use crate::users::{TestUser, by_id};

/// How long a login lasts, in seconds.
pub(crate) const SESSION_FOR: i64 = 30 * 24 * 60 * 60;

/// The sessions of everybody who is logged in.
pub(crate) struct Sessions {
    file: PathBuf,
    live: Mutex<HashMap<String, Session>>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Session {
    user: String,
    /// Seconds since 1970.
    ends_at: i64,
}

impl Sessions {
    /// Reads the file, if there is one.
    pub(crate) fn open(file: PathBuf) -> anyhow::Result<Self> {
        let live = match fs::read(&file) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .with_context(|| format!("{} is not a session file", file.display()))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => HashMap::new(),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", file.display()));
            }
        };
        Ok(Self {
            file,
            live: Mutex::new(live),
        })
    }

    /// Starts a session and returns what goes into the cookie.
    pub(crate) fn begin(&self, user: &TestUser, now: i64) -> anyhow::Result<String> {
        let id = random_text()?;
        let mut live = self.live();
        live.retain(|_, session| session.ends_at > now);
        live.insert(
            hash(&id),
            Session {
                user: user.id.to_owned(),
                ends_at: now + SESSION_FOR,
            },
        );
        self.save(&live)?;
        Ok(id)
    }

    /// Whose session this is, if it is one.
    pub(crate) fn user(&self, id: &str, now: i64) -> Option<&'static TestUser> {
        let live = self.live();
        let session = live
            .get(&hash(id))
            .filter(|session| session.ends_at > now)?;
        by_id(&session.user)
    }

    /// Ends a session. One that has ended already is no error.
    pub(crate) fn end(&self, id: &str) -> anyhow::Result<()> {
        let mut live = self.live();
        live.remove(&hash(id));
        self.save(&live)
    }

    fn live(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces the file in one step: a crash leaves the old one or the new one.
    fn save(&self, live: &HashMap<String, Session>) -> anyhow::Result<()> {
        let fresh = self.file.with_extension("new");
        let write = || -> io::Result<()> {
            let mut file = private_file(&fresh)?;
            file.write_all(&serde_json::to_vec(live)?)?;
            file.sync_all()?;
            fs::rename(&fresh, &self.file)
        };
        write().with_context(|| format!("cannot write {}", self.file.display()))
    }
}

#[cfg(unix)]
fn private_file(path: &std::path::Path) -> io::Result<fs::File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
}

#[cfg(not(unix))]
fn private_file(path: &std::path::Path) -> io::Result<fs::File> {
    fs::File::create(path)
}

/// 256 random bits from the operating system, as text for cookies and headers.
pub(crate) fn random_text() -> anyhow::Result<String> {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).context("the operating system gives no random numbers")?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

fn hash(id: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, id.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::users::users;

    #[test]
    fn a_session_outlives_a_restart_but_not_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("sessions.json");
        let id = Sessions::open(file.clone())
            .unwrap()
            .begin(&users()[0], 1_000)
            .unwrap();

        let again = Sessions::open(file).unwrap();

        assert_eq!(
            again.user(&id, 1_001).map(|user| user.id),
            Some(users()[0].id)
        );
        assert!(again.user(&id, 1_000 + SESSION_FOR).is_none());
    }

    #[test]
    fn the_file_does_not_hold_what_the_cookie_holds() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("sessions.json");
        let id = Sessions::open(file.clone())
            .unwrap()
            .begin(&users()[0], 1_000)
            .unwrap();

        assert!(!fs::read_to_string(file).unwrap().contains(&id));
    }
}
