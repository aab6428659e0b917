//! `maitred doctor`: looks at a site from outside, as a browser would, and says
//! what keeps the chat from knowing who is logged in.
//!
//! It runs no script of the page, reads nothing of a server's data, and shows a
//! secret to nobody: neither one that it was given nor one that it finds.

mod client;
mod holder;
mod identity;
mod markup;
mod policy;
mod report;
mod secrets;
mod server;
mod snippet;

#[cfg(test)]
mod tests;

use std::{
    io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use maitred_core::clock::Clock;
use reqwest::Url;

use super::{Usage, data::read};
use client::{Answer, Client};
use identity::Source;
use markup::Markup;
use report::Report;

/// What is looked at.
#[derive(Debug, clap::Args)]
pub(crate) struct Doctor {
    /// The page that shows the chat
    url: String,
    /// Try this token of your server: a file, or `-` for standard input
    #[arg(long, value_name = "FILE", conflicts_with = "token_url")]
    token: Option<PathBuf>,
    /// Try the token that your route answers with, the one `getToken` calls
    #[arg(long, value_name = "URL")]
    token_url: Option<String>,
    /// Send this to your site, such as `Cookie: session=…` of a test user;
    /// `@FILE` reads one from each line
    #[arg(long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
    /// Print one JSON value
    #[arg(long)]
    json: bool,
}

impl Doctor {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let page = client::address(&self.url, None)?;
        let source = self.source(&page)?;
        let site = [Some(&page), source.url()].into_iter().flatten();
        let client = Client::new(Clock::system(), site, &self.headers()?)?;
        let report = examine(&client, page, source).await?;
        report.print(self.json)?;
        Ok(report.exit_code())
    }

    fn source(&self, page: &Url) -> anyhow::Result<Source> {
        if let Some(url) = &self.token_url {
            return Ok(Source::Route(client::address(url, Some(page))?));
        }
        let Some(file) = &self.token else {
            return Ok(Source::Page);
        };
        let text = if file == Path::new("-") {
            io::read_to_string(io::stdin()).context("cannot read standard input")?
        } else {
            read(file)?
        };
        // The line break is the editor's; everything else is the token's.
        Ok(Source::Given(
            text.trim_end_matches(['\r', '\n']).to_owned(),
        ))
    }

    fn headers(&self) -> anyhow::Result<Vec<(String, String)>> {
        let mut headers = Vec::new();
        for given in &self.headers {
            match given.strip_prefix('@') {
                None => headers.push(header(given)?),
                Some(file) => {
                    let text = read(Path::new(file))?;
                    let lines = text.lines().filter(|line| !line.trim().is_empty());
                    headers.extend(lines.map(header).collect::<Result<Vec<_>, _>>()?);
                }
            }
        }
        Ok(headers)
    }
}

/// What it may be is not said: it is most likely somebody's cookie.
fn header(line: &str) -> Result<(String, String), Usage> {
    let (name, value) = line.split_once(':').ok_or_else(|| {
        Usage("a `--header` has no colon\nhint: write `--header 'Cookie: session=…'`".to_owned())
    })?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

/// Everything that can be found out, in the order in which it matters.
async fn examine(client: &Client, url: Url, source: Source) -> anyhow::Result<Report> {
    let page = client.page(url).await?;
    let mut report = Report::new(&page.url);
    if !is_page(&page, &mut report) {
        return Ok(report);
    }
    let markup = Markup::read(&page.text());
    secrets::look(client, &page, &markup, &mut report).await;
    let Some(snippet) = snippet::find(&page, &markup, &mut report) else {
        return Ok(report);
    };
    policy::look(&page, &markup, &snippet, &mut report);
    let Some(server) = server::look(client, &page, &snippet, &mut report).await else {
        return Ok(report);
    };
    let token = identity::find(client, &page, &snippet, source, &mut report).await;
    let issued_at = match &token {
        Some(token) => identity::look(client, &page, &snippet, token, &mut report).await,
        None => None,
    };
    server::compare_clocks(&page, &server, token.zip(issued_at), &mut report);
    Ok(report)
}

fn is_page(page: &Answer, report: &mut Report) -> bool {
    const CHECK: &str = "page";
    if !page.status.is_success() {
        report.fail(
            CHECK,
            format!("it is answered with {}", page.status.as_u16()),
            "name a page that shows the chat; for one behind a login, add `--header 'Cookie: …'` of a test user",
        );
        return false;
    }
    if !page.is("text/html") {
        report.fail(CHECK, "it is no HTML", "name the page, not a file of it");
        return false;
    }
    report.ok(CHECK, "it is there");
    true
}
