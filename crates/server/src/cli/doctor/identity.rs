//! Whether a token of the site identifies: it is exchanged for real, and the
//! session that comes of it is ended at once.

use std::fmt;

use jiff::Timestamp;
use reqwest::{StatusCode, Url, header};
use serde_json::{Value, json};

use super::{
    client::{Answer, Client, origin},
    holder::Holder,
    report::Report,
    snippet::Snippet,
};

/// Where a token is to be had.
#[derive(Debug)]
pub(super) enum Source {
    /// The operator gave one.
    Given(String),
    /// A route of the site's answers with one, as `getToken` would get it.
    Route(Url),
    /// If there is one, it stands in the page.
    Page,
}

impl Source {
    pub(super) fn url(&self) -> Option<&Url> {
        match self {
            Self::Route(url) => Some(url),
            Self::Given(_) | Self::Page => None,
        }
    }
}

/// A token, shown to maitred alone.
pub(super) struct Token {
    text: String,
    /// When the site handed it out, by our clock, if that was now.
    pub(super) made_at: Option<Timestamp>,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token([redacted])")
    }
}

/// The token to try, if there is one.
pub(super) async fn find(
    client: &Client,
    page: &Answer,
    snippet: &Snippet,
    source: Source,
    report: &mut Report,
) -> Option<Token> {
    const CHECK: &str = "token";
    if snippet.token.is_some() {
        cached(page, "the page, which holds a token,", report);
    }
    match source {
        Source::Given(text) => Some(Token {
            text,
            made_at: None,
        }),
        Source::Route(url) => called(client, url, report).await,
        Source::Page => {
            let Some(text) = snippet.token.clone() else {
                report.skipped(
                    CHECK,
                    "none stands in the page, and no script of it is run here",
                    "try the route that `getToken` calls: `--token-url /chat-token --header 'Cookie: …'` of a test user",
                );
                return None;
            };
            Some(Token {
                text,
                made_at: Some(page.at),
            })
        }
    }
}

/// Calls the route as the page would.
async fn called(client: &Client, url: Url, report: &mut Report) -> Option<Token> {
    const CHECK: &str = "token";
    let answer = match client.get(&url).await {
        Ok(answer) => answer,
        Err(error) => {
            report.fail(CHECK, format!("{error:#}"), "correct `--token-url`");
            return None;
        }
    };
    match answer.status {
        StatusCode::OK => {
            cached(&answer, &format!("`{}`", url.path()), report);
            // The line break is the template's; everything else is the token's.
            let text = answer.text().trim_end_matches(['\r', '\n']).to_owned();
            Some(Token {
                text,
                made_at: Some(answer.at),
            })
        }
        StatusCode::NO_CONTENT => {
            report.skipped(
                CHECK,
                format!("`{}` says that nobody is logged in", url.path()),
                "add `--header 'Cookie: …'` of a test user who is",
            );
            None
        }
        status => {
            report.fail(
                CHECK,
                format!("`{}` is answered with {}", url.path(), status.as_u16()),
                "answer 200 with the token and nothing else, or 204 when nobody is logged in",
            );
            None
        }
    }
}

/// T16: what holds a token is kept by nobody.
fn cached(answer: &Answer, what: &str, report: &mut Report) {
    const CHECK: &str = "caching";
    let given = answer.header(header::CACHE_CONTROL).to_ascii_lowercase();
    let mut rules = given.split(',').map(str::trim);
    if rules.clone().any(|rule| rule == "no-store") && rules.any(|rule| rule == "private") {
        report.ok(CHECK, format!("{what} is kept by nobody"));
        return;
    }
    let found = match given.as_str() {
        "" => format!("{what} has no `Cache-Control`"),
        given => format!("{what} has `Cache-Control: {given}`"),
    };
    let fix = "answer with `Cache-Control: private, no-store`, or a cache hands one user's token to the next";
    report.fail(CHECK, found, fix);
}

/// Exchanges the token as the widget would, bound to a key. Answers with its `iat`, once maitred
/// has found the signature good.
pub(super) async fn look(
    client: &Client,
    page: &Answer,
    snippet: &Snippet,
    token: &Token,
    report: &mut Report,
) -> Option<i64> {
    const CHECK: &str = "token";
    let mut holder = Holder::new(client);
    let body = json!({
        "key": holder.jwk(),
        "agent": snippet.agent.to_string(),
        "environment": snippet.environment.as_str(),
        "page_origin": origin(&page.url),
        "token": token.text,
    });
    let answer = match holder.post(&snippet.server("/v1/sessions"), &body).await {
        Ok(answer) => answer,
        Err(error) => {
            report.unknown(CHECK, format!("{error:#}"), "try again");
            return None;
        }
    };
    let told = answer.json();
    if answer.status != StatusCode::CREATED {
        refused(&answer, &told["error"], snippet, report);
        return None;
    }
    let assurance = told["assurance"].as_str().unwrap_or("unknown");
    let ended = match told["session"].as_str() {
        Some(session) => {
            let url = snippet.server("/v1/session");
            holder.delete(&url, session).await
        }
        None => Ok(answer),
    };
    match ended {
        Ok(ended) if ended.status == StatusCode::NO_CONTENT => report.ok(
            CHECK,
            format!("it identifies its user (`{assurance}`); the session was ended again"),
        ),
        Ok(_) | Err(_) => report.warn(
            CHECK,
            format!("it identifies its user (`{assurance}`), but the session could not be ended"),
            "it ends by itself soon after the token",
        ),
    }
    issued_at(&token.text)
}

fn refused(answer: &Answer, error: &Value, snippet: &Snippet, report: &mut Report) {
    const CHECK: &str = "token";
    let code = error["code"].as_str().unwrap_or("no code");
    let message = error["message"].as_str().unwrap_or("no reason was given");
    let found = format!("{message} ({code})");
    let checker = format!(
        "`maitred token check --agent {} --environment {}` says why, step by step",
        snippet.agent, snippet.environment
    );
    let fix = match error["hint"].as_str() {
        Some(hint) if code != "invalid_token" => format!("{hint}; {checker}"),
        _ => checker,
    };
    if code == "origin_not_allowed" {
        report.skipped(
            CHECK,
            "it was not looked at, because of the page's origin",
            "allow that first",
        );
    } else if answer.status.is_client_error() && answer.status != StatusCode::TOO_MANY_REQUESTS {
        report.fail(CHECK, found, fix);
    } else {
        report.unknown(CHECK, found, "try again in a minute");
    }
}

/// Read only after maitred has said that the token is good.
fn issued_at(token: &str) -> Option<i64> {
    let claims = token.split('.').nth(1)?;
    let claims = maitred_token::decode_base64url(claims).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    claims["iat"].as_i64()
}
