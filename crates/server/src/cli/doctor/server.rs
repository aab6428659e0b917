//! The maitred that the page names: whether it is there, knows the agent, and
//! shows the chat on this page.

use jiff::SignedDuration;
use maitred_core::{agent::Origin, scope::Environment};
use reqwest::{StatusCode, header};

use super::{
    client::{Answer, Client, may_be_asked, origin},
    identity::Token,
    report::Report,
    snippet::Snippet,
};

/// Beyond this, tokens are refused by what a clock says.
const LEEWAY: SignedDuration = SignedDuration::from_secs(60);
/// A `Date` is to the second, and an answer takes its time.
const NOTABLE: SignedDuration = SignedDuration::from_secs(5);

/// How the agent answered, if the chat can be there at all.
pub(super) async fn look(
    client: &Client,
    page: &Answer,
    snippet: &Snippet,
    report: &mut Report,
) -> Option<Answer> {
    if !is_there(client, page, snippet, report).await {
        return None;
    }
    let agent = knows_agent(client, snippet, report).await?;
    shows_on(client, page, snippet, report).await;
    Some(agent)
}

async fn is_there(client: &Client, page: &Answer, snippet: &Snippet, report: &mut Report) -> bool {
    const CHECK: &str = "server";
    let server = origin(&snippet.src);
    if !may_be_asked(&snippet.src) {
        let fix = "serve maitred over https, and load `widget.js` from there";
        report.fail(CHECK, format!("{server} is not https"), fix);
        return false;
    }
    let loader = match client.get(&snippet.src).await {
        Ok(loader) => loader,
        Err(error) => {
            let fix = "start maitred there, or correct the address of `widget.js`";
            report.fail(CHECK, format!("{error:#}"), fix);
            return false;
        }
    };
    let alive = client.get(&snippet.server("/healthz")).await;
    let is_maitred = alive.is_ok_and(|alive| alive.status.is_success() && alive.body == b"ok\n");
    let is_script = loader.is("text/javascript") || loader.is("application/javascript");
    if !loader.status.is_success() || !is_script {
        let found = match loader.status.is_success() {
            true => format!("`{}` is no script", snippet.src),
            false => format!(
                "`{}` is answered with {}",
                snippet.src,
                loader.status.as_u16()
            ),
        };
        report.fail(CHECK, found, "load `/widget.js` from your maitred");
        return false;
    }
    if !is_maitred {
        let fix = match server == origin(&page.url) {
            true => "a copy of `widget.js` does not work: load it from your maitred",
            false => "load `/widget.js` from your maitred itself",
        };
        report.fail(CHECK, format!("{server} is no maitred"), fix);
        return false;
    }
    report.ok(CHECK, format!("a maitred answers at {server}"));
    true
}

async fn knows_agent(client: &Client, snippet: &Snippet, report: &mut Report) -> Option<Answer> {
    const CHECK: &str = "agent";
    let (id, environment) = (snippet.agent, snippet.environment);
    let answer = client
        .get(&snippet.server(&format!("/v1/agents/{id}/{environment}")))
        .await;
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => {
            report.unknown(CHECK, format!("{error:#}"), "try again");
            return None;
        }
    };
    let told = answer.json();
    if answer.status == StatusCode::NOT_FOUND {
        report.fail(
            CHECK,
            format!("it has no agent `{id}`"),
            "correct `data-agent` (`maitred agent list` names them), or load `widget.js` from the maitred that has it",
        );
    } else if told["id"] == id.to_string() {
        let name = told["name"].as_str().unwrap_or_default();
        let enforcement = told["enforcement"].as_str().unwrap_or("unknown");
        report.ok(
            CHECK,
            format!("“{name}”, whose enforcement is `{enforcement}`"),
        );
        return Some(answer);
    } else {
        let status = answer.status.as_u16();
        report.unknown(
            CHECK,
            format!("it answers with {status}"),
            "look at maitred's log",
        );
    }
    None
}

/// The frame says itself on which pages it may be shown (W4).
async fn shows_on(client: &Client, page: &Answer, snippet: &Snippet, report: &mut Report) {
    const CHECK: &str = "origin";
    let (id, environment) = (snippet.agent, snippet.environment);
    let own = origin(&page.url);
    let frame = snippet.server(&format!("/frame/{id}/{environment}"));
    let policy = match client.get(&frame).await {
        Ok(frame) => frame.header(header::CONTENT_SECURITY_POLICY),
        Err(error) => {
            report.unknown(CHECK, format!("{error:#}"), "try again");
            return;
        }
    };
    let directive = policy
        .split(';')
        .find_map(|it| it.trim().strip_prefix("frame-ancestors "));
    let mut listed = directive.unwrap_or_default().split(' ');
    if listed.any(|it| Origin::parse(it).is_ok_and(|origin| origin.admits(&own))) {
        report.ok(CHECK, format!("the chat may be shown on {own}"));
    } else {
        let which = match environment {
            Environment::Production => "--origin",
            Environment::Staging => "--environment staging --origin",
        };
        report.fail(
            CHECK,
            format!("the chat may not be shown on {own}"),
            format!("`maitred agent set --agent {id} {which} {own}`, with all others that it had"),
        );
    }
}

/// Tokens are judged by maitred's clock and made by the site's.
pub(super) fn compare_clocks(
    page: &Answer,
    server: &Answer,
    token: Option<(Token, i64)>,
    report: &mut Report,
) {
    const CHECK: &str = "clock";
    let Some(here) = server.ahead else {
        report.skipped(
            CHECK,
            "maitred's answers have no `Date`",
            "let your proxy pass it on",
        );
        return;
    };
    if let Some((token, issued_at)) = &token
        && let Some(made_at) = token.made_at
    {
        let age = (made_at + here).as_second() - issued_at;
        if age > LEEWAY.as_secs() {
            report.warn(
                CHECK,
                format!("a token that was just handed out says that it was made {age} s ago"),
                "make a fresh one each time; if you do, your server's clock is behind",
            );
            return;
        }
        if -age > NOTABLE.as_secs() {
            let found = format!("the site makes its tokens {} s in the future", -age);
            report.warn(
                CHECK,
                found,
                "set your server's clock: by a minute more, they are refused",
            );
            return;
        }
    }
    let Some(site) = page.ahead else {
        report.skipped(
            CHECK,
            "the site's answers have no `Date`",
            "compare the clocks yourself",
        );
        return;
    };
    let apart = (site - here).abs();
    let which = if site > here { "ahead of" } else { "behind" };
    let found = format!(
        "the site's clock is {} s {which} maitred's",
        apart.as_secs()
    );
    if apart > LEEWAY {
        report.fail(CHECK, found, "set both by NTP: tokens are refused by this");
    } else if apart > NOTABLE {
        report.warn(
            CHECK,
            found,
            "set both by NTP: from 60 s on, tokens are refused",
        );
    } else {
        report.ok(CHECK, "the site's and maitred's agree");
    }
}
