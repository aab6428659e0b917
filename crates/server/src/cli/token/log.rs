//! `maitred token log`: what came of the tokens that were shown.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use maitred_core::{id::AgentId, scope::Environment};
use maitred_store::{Verification, VerificationFilter};
use maitred_token::Span;
use serde_json::Value;

use crate::{
    cli::data::{Data, Fields, fields, object},
    verifications::Verifications,
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
            ..VerificationFilter::of(self.agent)
        };
        let limit = usize::from(self.limit);
        let mut latest = store.verifications(&filter, None, limit).await?;
        latest.reverse();
        let mut page = Page::new(self.environment);
        if !self.follow {
            if self.data.json {
                let list = latest.iter().map(entry_fields).collect();
                return self.data.print_list(list, "");
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
        let mut out = io::stdout().lock();
        if self.data.json {
            writeln!(out, "{}", object(entry_fields(entry)))?;
        } else {
            writeln!(out, "{}", page.lines(entry))?;
        }
        Ok(())
    }
}

/// The log on paper: a line for each entry, and one above the first of a day.
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
        let parts: Vec<String> = parts.into_iter().flatten().chain(words(entry)).collect();
        lines + parts.join("  ").trim_end()
    }
}

/// What happened, in a few words each.
fn words(entry: &Verification) -> impl Iterator<Item = String> {
    let attempt = &entry.attempt;
    let outcome = if attempt.is_accepted() {
        "accepted".to_owned()
    } else {
        format!("refused   {}", attempt.code)
    };
    let several = (attempt.attempts > 1).then(|| format!("{} attempts", attempt.attempts));
    let key = attempt.key.as_deref().map(|key| {
        let last_four = key.char_indices().rev().nth(3).map_or(0, |(at, _)| at);
        format!("key …{}", &key[last_four..])
    });
    let who = attempt
        .contact
        .map(|id| entry.contact_name.clone().unwrap_or_else(|| id.to_string()));
    let dropped = (!attempt.warnings.is_empty())
        .then(|| format!("claims were dropped: {}", attempt.warnings.join(", ")));
    let origin = attempt.page_origin.clone();
    let words = [
        Some(outcome),
        several,
        key,
        detail(entry),
        who,
        dropped,
        origin,
    ];
    words.into_iter().flatten()
}

/// What the times tell, and which key it was.
fn detail(entry: &Verification) -> Option<String> {
    let attempt = &entry.attempt;
    match attempt.code.as_str() {
        "token_expired" => {
            // Without `iat` the lifetime counts from when it was shown.
            let ago = attempt.age.unwrap_or(0) - attempt.lifetime?;
            Some(format!("expired {} ago", Span(ago)))
        }
        "issued_in_future" => Some(format!("issued {} in the future", Span(attempt.skew?))),
        "lifetime_too_long" => Some(format!("good for {}", Span(attempt.lifetime?))),
        "wrong_environment" => {
            let mut others = Environment::ALL.into_iter();
            let other = others.find(|it| *it != attempt.scope.environment)?;
            Some(format!("signed with the {other} key"))
        }
        _ => None,
    }
}

fn entry_fields(entry: &Verification) -> Fields {
    let attempt = &entry.attempt;
    let contact = attempt
        .contact
        .map(|id| object(fields! { id: id.to_string(), name: entry.contact_name }));
    fields! {
        number: entry.number,
        at: time(attempt.at),
        agent: attempt.scope.agent.to_string(),
        environment: attempt.scope.environment.as_str(),
        code: attempt.code,
        attempts: attempt.attempts,
        key: attempt.key,
        algorithm: attempt.algorithm,
        age_s: attempt.age,
        lifetime_s: attempt.lifetime,
        skew_s: attempt.skew,
        page_origin: attempt.page_origin,
        subject_hash: attempt.subject_hash,
        contact: contact,
        warnings: attempt.warnings,
    }
}

fn time(at: Timestamp) -> Value {
    format!("{at:.3}").into()
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
        14:03:07  refused   token_expired  key …ab12  expired 3 min ago  https://shop.example
        14:03:07  refused   issued_in_future  key …ab12  issued 5 min in the future  https://shop.example
        14:03:07  refused   wrong_environment  key …ab12  signed with the staging key  https://shop.example
        14:03:07  refused   rate_limited  12 attempts  https://shop.example
        14:03:07  accepted  key …ab12  Sarah Miller  claims were dropped: text_too_long  https://shop.example
        ");
    }

    #[test]
    fn l1_a_day_is_named_once_and_an_environment_where_both_are_asked_for() {
        let first = entry("malformed", |it| it.key = None);
        let mut page = Page::new(None);

        let lines = [page.lines(&first), page.lines(&first)].join("\n");

        insta::assert_snapshot!(lines, @r"
        2026-11-23 (UTC)
        14:03:07  production  refused   malformed  https://shop.example
        14:03:07  production  refused   malformed  https://shop.example
        ");
    }
}
