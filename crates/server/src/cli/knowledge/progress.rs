//! How far work on a source has come, on a terminal only.

use std::io::{self, IsTerminal, Write};

use maitred_store::Source;

use crate::knowledge::Step;

/// How many signs the bar has.
const WIDTH: usize = 24;

/// A line that is written over again and again.
pub(super) struct Shown {
    is_on: bool,
    is_dirty: bool,
}

impl Shown {
    pub(super) fn new(is_json: bool) -> Self {
        Self {
            is_on: !is_json && io::stderr().is_terminal(),
            is_dirty: false,
        }
    }

    pub(super) fn step(&mut self, step: Step) {
        match step {
            Step::Reading(it) => {
                let changed = format!("{} changed", it.changed);
                self.line("reading", it.read, it.of, &changed);
            }
            Step::Indexing(it) => {
                let of = it.passages.max(it.embedded);
                self.line("embedding", it.embedded, of, "");
            }
        }
    }

    /// Of a source that somebody else works on.
    pub(super) fn counts(&mut self, source: &Source) {
        let number = |count: i64| usize::try_from(count).unwrap_or(0);
        let (done, of) = (source.counts.embedded, source.counts.passages);
        self.line("a server works on it", number(done), number(of), "");
    }

    fn line(&mut self, what: &str, done: usize, of: usize, more: &str) {
        if !self.is_on {
            return;
        }
        let filled = (done.min(of) * WIDTH).checked_div(of).unwrap_or(0);
        let bar = "#".repeat(filled) + &".".repeat(WIDTH - filled);
        self.is_dirty = true;
        _ = write!(io::stderr(), "\r\x1b[2K{what} [{bar}] {done}/{of} {more}");
        _ = io::stderr().flush();
    }

    /// Leaves nothing behind.
    pub(super) fn clear(&mut self) {
        if std::mem::take(&mut self.is_dirty) {
            _ = write!(io::stderr(), "\r\x1b[2K");
        }
    }
}
