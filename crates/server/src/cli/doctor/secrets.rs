//! Secrets of ours where everybody can read them (rule K1).

use maitred_token::Secret;
use reqwest::Url;

use super::{
    client::{Answer, Client, origin},
    markup::Markup,
    report::Report,
};

const CHECK: &str = "secrets";
const MAX_SCRIPTS: usize = 40;

/// What begins like this is somebody's access: 43 characters follow at least.
const BEARERS: [(&str, &str); 3] = [
    ("mtd_api_", "an API key"),
    ("mtd_session_", "a visitor's session"),
    ("mtd_visitor_", "a visitor's secret"),
];
const BEARER_CHARS: usize = 43;

/// A secret that was found: what it is, where, and its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Leak {
    what: &'static str,
    line: usize,
    last_four: String,
}

/// Looks through the page and those of its scripts that are on its own site.
pub(super) async fn look(client: &Client, page: &Answer, markup: &Markup, report: &mut Report) {
    let mut leaks = tell("the page", &page.text());
    let own = own_scripts(page, markup);
    let mut read = 0;
    for script in own.iter().take(MAX_SCRIPTS) {
        match client.page(script.clone()).await {
            Ok(answer) if answer.status.is_success() => {
                read += 1;
                leaks.extend(tell(&format!("`{}`", script.path()), &answer.text()));
            }
            Ok(_) | Err(_) => (),
        }
    }
    if !leaks.is_empty() {
        report.fail(
            CHECK,
            leaks.join("; "),
            "whoever has read it can be anybody: revoke it now (`maitred key revoke`), make another, and keep that one on your server",
        );
    } else if read < own.len() {
        report.warn(
            CHECK,
            format!("none of maitred's in the page, but only {read} of its {} scripts could be read", own.len()),
            "look into the others yourself: nothing in them may begin with `mtd_live_` or `mtd_test_`",
        );
    } else {
        let scripts = match read {
            0 => "no script of its own to read".to_owned(),
            1 => "nor in its one script".to_owned(),
            _ => format!("nor in its {read} scripts"),
        };
        report.ok(CHECK, format!("none of maitred's in the page, {scripts}"));
    }
}

/// The addresses of the page's scripts on its own site, each once.
fn own_scripts(page: &Answer, markup: &Markup) -> Vec<Url> {
    let base = base(page, markup);
    let sources = markup.scripts.iter().filter_map(|script| script.src());
    let mut urls: Vec<Url> = Vec::new();
    for url in sources.filter_map(|src| base.join(src).ok()) {
        if origin(&url) == origin(&page.url) && !urls.contains(&url) {
            urls.push(url);
        }
    }
    urls
}

/// What relative addresses in the page are relative to.
pub(super) fn base(page: &Answer, markup: &Markup) -> Url {
    let base = markup.base.as_ref();
    base.and_then(|base| page.url.join(base).ok())
        .unwrap_or_else(|| page.url.clone())
}

fn tell(place: &str, text: &str) -> Vec<String> {
    let leaks = leaks(text).into_iter();
    leaks
        .map(|leak| {
            let Leak {
                what,
                line,
                last_four,
            } = leak;
            format!("{place} shows {what} in line {line}, ending in `{last_four}`")
        })
        .collect()
}

/// Everything in a text that is a secret of ours, by its form.
pub(super) fn leaks(text: &str) -> Vec<Leak> {
    let mut leaks = Vec::new();
    for (at, _) in text.match_indices("mtd_") {
        let rest = &text[at..];
        let end = rest
            .bytes()
            .position(|b| !b.is_ascii_alphanumeric() && b != b'-' && b != b'_');
        let word = &rest[..end.unwrap_or(rest.len())];
        let Some((what, last_four)) = secret(word) else {
            continue;
        };
        leaks.push(Leak {
            what,
            line: text[..at].matches('\n').count() + 1,
            last_four,
        });
    }
    leaks
}

/// The secret that a word begins with: what it is, and its last four characters. A
/// signing secret's checksum must be right, so that an example in a text is not
/// taken for one.
fn secret(word: &str) -> Option<(&'static str, String)> {
    if let Some(secret) = Secret::at_start_of(word) {
        return Some(("a signing secret", secret.last_four().to_owned()));
    }
    let (prefix, what) = BEARERS
        .into_iter()
        .find(|(prefix, _)| word.starts_with(prefix))?;
    let is_whole = word.len() >= prefix.len() + BEARER_CHARS;
    is_whole.then(|| (what, word[word.len() - 4..].to_owned()))
}
