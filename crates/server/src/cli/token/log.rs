//! `maitred token log`: what came of the tokens that were shown.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use maitred_core::{
    id::{AgentId, KeyId},
    scope::Environment,
};
use maitred_store::{Verification, VerificationFilter};

use crate::{
    cli::data::{Data, printable},
    http::VerificationView,
    verifications::{Verifications, Words},
};

/// What is asked of the log.
#[derive(Debug, clap::Args)]
pub(crate) struct Log {
    /// The agent: `agt_…`
    #[arg(long, value_name = "ID")]
    agent: AgentId,
    /// `production` or `staging`; without it, both
    #[arg(long, value_name = "NAME")]
    environment: Option<Environment>,
    /// Only those that were refused
    #[arg(long)]
    refused: bool,
    /// Only those with this code, like `token_expired`
    #[arg(long, value_name = "CODE")]
    code: Option<String>,
    /// Only those of this key: `key_…`
    #[arg(long, value_name = "ID")]
    key: Option<KeyId>,
    /// Only those from then on, like `2026-11-23T14:00:00Z`
    #[arg(long, value_name = "TIME")]
    since: Option<Timestamp>,
    /// How many of the latest
    #[arg(long, value_name = "NUMBER", default_value_t = 50)]
    limit: u16,
    /// Go on with what comes, until Ctrl-C
    #[arg(long)]
    follow: bool,
    #[command(flatten)]
    data: Data,
}

impl Log {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let store = self.data.open().await?;
        self.data.known(&store, self.agent).await?;
        let filter = VerificationFilter {
            environment: self.environment,
            code: self.code.clone(),
            refused: self.refused,
            key: self.key.map(|key| key.to_string()),
            since: self.since,
            ..VerificationFilter::of(self.agent)
        };
        let limit = usize::from(self.limit);
        let mut latest = store.verifications(&filter, None, limit).await?;
        latest.reverse();
        let mut page = Page::new(self.environment);
        if !self.follow {
            if self.data.json {
                let list: Vec<_> = latest.iter().map(VerificationView::from).collect();
                self.data.print_value(&list)?;
                return Ok(ExitCode::SUCCESS);
            }
            if latest.is_empty() {
                writeln!(io::stderr(), "no such token was shown in the last 30 days")?;
            }
        }
        for entry in &latest {
            self.print(&mut page, entry)?;
        }
        if !self.follow {
            return Ok(ExitCode::SUCCESS);
        }
        let last = latest.last().map(|entry| entry.number);
        let mut follower = Verifications::new(store).follow(filter, last).await?;
        loop {
            self.print(&mut page, &follower.next().await?)?;
        }
    }

    fn print(&self, page: &mut Page, entry: &Verification) -> anyhow::Result<()> {
        if self.data.json {
            return self.data.print_value(&VerificationView::from(entry));
        }
        writeln!(io::stdout().lock(), "{}", page.lines(entry))?;
        Ok(())
    }
}

/// The log on paper: a line for each entry, one below it that says how to mend what
/// it tells of, and one above the first of a day.
struct Page {
    day: Option<Date>,
    names_environment: bool,
}

impl Page {
    fn new(environment: Option<Environment>) -> Self {
        Self {
            day: None,
            names_environment: environment.is_none(),
        }
    }

    fn lines(&mut self, entry: &Verification) -> String {
        let at = TimeZone::UTC.to_datetime(entry.attempt.at);
        let mut lines = String::new();
        if self.day.replace(at.date()) != Some(at.date()) {
            lines = format!("{} (UTC)\n", at.date());
        }
        let environment = self
            .names_environment
            .then(|| format!("{:<10}", entry.attempt.scope.environment.as_str()));
        let parts = [
            Some(at.time().strftime("%H:%M:%S").to_string()),
            environment,
        ];
        let Words { message, fix } = Words::of(entry);
        // A name is the visitor's to choose.
        let message = printable(&message);
        let parts: Vec<String> = parts
            .into_iter()
            .flatten()
            .chain(words(entry, &message))
            .collect();
        lines += parts.join("  ").trim_end();
        if let Some(fix) = fix {
            lines += &format!("\n          fix: {fix}");
        }
        lines
    }
}

/// What happened, in a few words each.
fn words(entry: &Verification, message: &str) -> impl Iterator<Item = String> {
    let attempt = &entry.attempt;
    let outcome = if attempt.is_accepted() {
        format!("accepted  {message}")
    } else {
        format!("refused   {message} ({})", attempt.code)
    };
    let key = attempt.key.as_deref().filter(|key| !message.contains(key));
    let key = key.map(|key| {
        let last_four = key.char_indices().rev().nth(3).map_or(0, |(at, _)| at);
        format!("key …{}", &key[last_four..])
    });
    let origin = attempt.page_origin.as_deref();
    let origin = origin.filter(|origin| !message.contains(origin));
    let words = [Some(outcome), key, origin.map(str::to_owned)];
    words.into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use maitred_core::{clock::Clock, id::ContactId, scope::Scope};
    use maitred_store::{ACCEPTED, Attempt};

    use super::*;

    fn entry(code: &str, more: impl FnOnce(&mut Attempt)) -> Verification {
        let clock = Clock::manual("2026-11-23T14:03:07Z".parse().unwrap());
        let scope = Scope {
            agent: AgentId::new(&clock),
            environment: Environment::Production,
        };
        let mut attempt = Attempt {
            page_origin: Some("https://shop.example".to_owned()),
            key: Some("key_0197f6ab12".to_owned()),
            ..Attempt::new(scope, clock.now(), code)
        };
        more(&mut attempt);
        Verification {
            number: 1,
            attempt,
            contact_name: None,
        }
    }

    /// Without the line that names the day.
    fn told(entry: &Verification) -> String {
        let mut page = Page::new(Some(Environment::Production));
        page.lines(entry);
        page.lines(entry)
    }

    #[test]
    fn l1_an_entry_reads_like_a_sentence() {
        let expired = entry("token_expired", |it| {
            it.age = Some(780);
            it.lifetime = Some(600);
        });
        let ahead = entry("issued_in_future", |it| it.skew = Some(300));
        let other = entry("wrong_environment", |_| ());
        let many = entry("rate_limited", |it| {
            it.key = None;
            it.attempts = 12;
        });
        let mut sarah = entry(ACCEPTED, |it| {
            it.contact = Some(ContactId::new(&Clock::system()));
            it.warnings = vec!["text_too_long".to_owned()];
        });
        sarah.contact_name = Some("Sarah Miller".to_owned());

        let told = [expired, ahead, other, many, sarah].map(|entry| told(&entry));

        insta::assert_snapshot!(told.join("\n"), @r"
        14:03:07  refused   the token expired 3 min ago (token_expired)  key …ab12  https://shop.example
                  fix: if it was made just now, your server's clock is 13 min behind; else make a fresh token for each page
        14:03:07  refused   the token was issued 5 min in the future (issued_in_future)  key …ab12  https://shop.example
                  fix: set your server's clock, which is 5 min ahead of ours
        14:03:07  refused   the token is signed with the staging key `key_0197f6ab12` (wrong_environment)  https://shop.example
                  fix: sign with the key of the environment that the page uses
        14:03:07  refused   12 attempts were turned away unread: too many tokens from there were refused (rate_limited)  https://shop.example
                  fix: mend what the refusals before it tell of; behind a proxy, list it in `server.trusted_proxies`
        14:03:07  accepted  recognised Sarah Miller, and dropped claims: text_too_long  key …ab12  https://shop.example
                  fix: keep these claims within their limits, or leave them out
        ");
    }

    #[test]
    fn l1_a_name_writes_no_lines_of_its_own_and_moves_no_cursor() {
        let mut forged = entry(ACCEPTED, |_| ());
        forged.contact_name = Some("Eve\n14:03:08  accepted\u{1b}[2A\u{202e}".to_owned());

        let line = told(&forged);

        assert_eq!(line.lines().count(), 1, "{line}");
        assert!(!line.contains(['\u{1b}', '\u{202e}']), "{line:?}");
    }

    #[test]
    fn l1_a_day_is_named_once_and_an_environment_where_both_are_asked_for() {
        let first = entry("malformed", |it| it.key = None);
        let mut page = Page::new(None);

        let lines = [page.lines(&first), page.lines(&first)].join("\n");

        insta::assert_snapshot!(lines, @r"
        2026-11-23 (UTC)
        14:03:07  production  refused   the token is malformed (malformed)  https://shop.example
                  fix: pass on exactly what your JWT library returned, as one string
        14:03:07  production  refused   the token is malformed (malformed)  https://shop.example
                  fix: pass on exactly what your JWT library returned, as one string
        ");
    }
}
