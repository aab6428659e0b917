//! What was found, check by check, and how it is told.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use reqwest::Url;
use serde_json::{Value, json};

/// What came of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Ok,
    /// It works, and it should be otherwise.
    Warn,
    Fail,
    /// There was nothing to look at.
    Skipped,
    /// It could not be found out.
    Unknown,
}

impl Outcome {
    fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Skipped => "skipped",
            Self::Unknown => "unknown",
        }
    }
}

/// One check and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) check: &'static str,
    pub(super) outcome: Outcome,
    pub(super) found: String,
    pub(super) fix: Option<String>,
}

/// All of them, in order.
pub(super) struct Report {
    url: Url,
    pub(super) findings: Vec<Finding>,
}

impl Report {
    pub(super) fn new(url: &Url) -> Self {
        Self {
            url: url.clone(),
            findings: Vec::new(),
        }
    }

    pub(super) fn ok(&mut self, check: &'static str, found: impl Into<String>) {
        self.add(check, Outcome::Ok, found.into(), None);
    }

    pub(super) fn warn(
        &mut self,
        check: &'static str,
        found: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.add(check, Outcome::Warn, found.into(), Some(fix.into()));
    }

    pub(super) fn fail(
        &mut self,
        check: &'static str,
        found: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.add(check, Outcome::Fail, found.into(), Some(fix.into()));
    }

    pub(super) fn skipped(
        &mut self,
        check: &'static str,
        found: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.add(check, Outcome::Skipped, found.into(), Some(fix.into()));
    }

    pub(super) fn unknown(
        &mut self,
        check: &'static str,
        found: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.add(check, Outcome::Unknown, found.into(), Some(fix.into()));
    }

    fn add(&mut self, check: &'static str, outcome: Outcome, found: String, fix: Option<String>) {
        self.findings.push(Finding {
            check,
            outcome,
            found,
            fix,
        });
    }

    fn has(&self, outcome: Outcome) -> bool {
        let mut findings = self.findings.iter();
        findings.any(|finding| finding.outcome == outcome)
    }

    /// 1 if something is wrong, else 3 if something could not be found out.
    pub(super) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code())
    }

    pub(super) fn code(&self) -> u8 {
        if self.has(Outcome::Fail) {
            1
        } else if self.has(Outcome::Unknown) {
            3
        } else {
            0
        }
    }

    pub(super) fn print(&self, as_json: bool) -> anyhow::Result<()> {
        let mut out = io::stdout().lock();
        if as_json {
            writeln!(out, "{}", self.json())?;
        } else {
            write!(out, "{}", self.text())?;
        }
        Ok(())
    }

    pub(super) fn json(&self) -> Value {
        let checks = self.findings.iter().map(|it| {
            json!({ "check": it.check, "outcome": it.outcome.as_str(), "found": it.found, "fix": it.fix })
        });
        json!({
            "page": self.url.as_str(),
            "good": self.code() == 0,
            "checks": checks.collect::<Vec<_>>(),
        })
    }

    pub(super) fn text(&self) -> String {
        let mut text = format!("{}\n", self.url);
        for Finding {
            check,
            outcome,
            found,
            fix,
        } in &self.findings
        {
            text += &format!("  {:<7}  {check:<8}  {found}\n", outcome.as_str());
            if let Some(fix) = fix {
                let label = match outcome {
                    Outcome::Ok | Outcome::Warn | Outcome::Fail => "fix:",
                    Outcome::Skipped | Outcome::Unknown => "hint:",
                };
                text += &format!("  {:<7}  {label:<8}  {fix}\n", "");
            }
        }
        text += match self.code() {
            0 if self.has(Outcome::Warn) => "works, with warnings\n",
            0 if self.has(Outcome::Skipped) => "nothing is wrong with what could be looked at\n",
            0 => "all is well\n",
            1 => "something is wrong\n",
            _ => "not everything could be found out\n",
        };
        text
    }
}
