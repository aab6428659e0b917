//! The canary of rule D3: whatever a test does, nothing secret is printed.
//!
//! All that the program logs while a test runs is kept, at the finest level,
//! and searched when the test ends; so are the URLs that were asked for and the
//! body of every error. Every test of this suite is a test of this rule.

use std::{
    io,
    sync::{Mutex, MutexGuard, Once, PoisonError},
    time::Duration,
};

use maitred_core::secret::find_secret;
use tracing_subscriber::{filter::LevelFilter, fmt::MakeWriter};

static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// Every address that the tests sign tokens for or type in.
const ADDRESSES: &str = "@example.com";

/// Keeps all that is logged from here on.
pub(crate) fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let everything = tracing_subscriber::fmt()
            .with_max_level(LevelFilter::TRACE)
            .with_ansi(false)
            .with_writer(Keep)
            .finish();
        tracing::subscriber::set_global_default(everything).unwrap();
    });
}

/// Fails if anything secret, or one of these texts, was logged.
pub(crate) fn is_silent(texts: &[String]) {
    let log = String::from_utf8_lossy(&kept()).into_owned();
    assert_eq!(found_in(&log), None, "in the log");
    for text in texts {
        assert!(!log.contains(text), "what a visitor said is in the log");
    }
}

/// Everything that was logged, once it holds this text.
pub(crate) async fn until_logged(text: &str) -> String {
    let look = async {
        loop {
            let log = String::from_utf8_lossy(&kept()).into_owned();
            if log.contains(text) {
                return log;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), look)
        .await
        .expect("it is logged within 30 s")
}

/// The lines that were logged so far and hold this text.
pub(crate) fn lines_with(text: &str) -> Vec<String> {
    let log = String::from_utf8_lossy(&kept()).into_owned();
    let lines = log.lines().filter(|line| line.contains(text));
    lines.map(str::to_owned).collect()
}

/// The line around the first secret in a text.
pub(crate) fn found_in(text: &str) -> Option<&str> {
    let at = find_secret(text).or_else(|| text.find(ADDRESSES))?;
    let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    text[start..].lines().next()
}

fn kept() -> MutexGuard<'static, Vec<u8>> {
    LOG.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Keep;

impl io::Write for Keep {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        kept().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Keep {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        Self
    }
}

/// The canary sings: what it is there for would be found.
#[test]
fn d3_a_secret_that_is_logged_is_found() {
    listen();
    tracing::trace!("the canary can hear");
    assert!(String::from_utf8_lossy(&kept()).contains("the canary can hear"));

    for secret in [
        format!("mtd_session_{}", "x".repeat(43)),
        maitred_token::Secret::generate(maitred_token::SecretKind::Live)
            .expose()
            .to_owned(),
        maitred_token::mint_hs256(&[7; 32], None, &serde_json::json!({ "sub": "42" })),
        "sarah@example.com".to_owned(),
    ] {
        let line = format!("INFO a line that says {secret} and more");
        assert_eq!(
            found_in(&format!("one\n{line}\nthree")),
            Some(line.as_str())
        );
    }
    assert_eq!(found_in("it begins with `mtd_live_` or `eyJ`"), None);
}
