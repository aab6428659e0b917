//! Whether the page's Content-Security-Policy lets the chat in.
//!
//! What CSP Level 3 says of script and frame sources, as far as it can be told
//! without running anything.

use aws_lc_rs::digest::{self, SHA256, SHA384, SHA512};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::{Url, header};

use super::{
    client::{Answer, origin},
    markup::{Markup, Script},
    report::Report,
    snippet::Snippet,
};

const CHECK: &str = "policy";

/// One policy: its directives, in lower case, and their sources.
pub(super) struct Policy(Vec<(String, Vec<String>)>);

pub(super) fn look(page: &Answer, markup: &Markup, snippet: &Snippet, report: &mut Report) {
    let policies = policies(page, markup);
    if policies.is_empty() {
        report.ok(CHECK, "the page has no Content-Security-Policy");
        return;
    }
    let server = origin(&snippet.src);
    let any = |forbids: &dyn Fn(&Policy) -> bool| policies.iter().any(forbids);
    if any(&|policy| !policy.runs(&snippet.src, snippet.nonce.as_deref(), &page.url)) {
        report.fail(
            CHECK,
            "the page's Content-Security-Policy keeps `widget.js` from running",
            format!("add {server} to `script-src`, or the policy's nonce to the tag"),
        );
        return;
    }
    if any(&|policy| !policy.frames(&snippet.src, &page.url)) {
        report.fail(
            CHECK,
            "the page's Content-Security-Policy keeps the chat's frame out",
            format!("add `frame-src {server}`"),
        );
        return;
    }
    let calls = markup.scripts.iter().filter(|it| it.src().is_none());
    let mut calls = calls.filter(|it| it.text.contains("maitred("));
    if calls.any(|script| any(&|policy| !policy.runs_inline(script))) {
        report.fail(
            CHECK,
            "the page's Content-Security-Policy keeps the script that calls `maitred(…)` from running",
            "give it the policy's nonce, or put it into a file of your own",
        );
        return;
    }
    report.ok(CHECK, "the page's Content-Security-Policy lets the chat in");
}

/// Those of the header and those of the page: all of them hold.
fn policies(page: &Answer, markup: &Markup) -> Vec<Policy> {
    let header = page.header(header::CONTENT_SECURITY_POLICY);
    let written = header
        .split(',')
        .chain(markup.policies.iter().map(String::as_str));
    written
        .map(Policy::read)
        .filter(|policy| !policy.0.is_empty())
        .collect()
}

impl Policy {
    pub(super) fn read(text: &str) -> Self {
        let mut directives: Vec<(String, Vec<String>)> = Vec::new();
        for directive in text.split(';') {
            let mut words = directive.split_ascii_whitespace();
            let Some(name) = words.next().map(str::to_ascii_lowercase) else {
                continue;
            };
            // Of two with one name, the first holds.
            if directives.iter().all(|(known, _)| *known != name) {
                directives.push((name, words.map(str::to_owned).collect()));
            }
        }
        Self(directives)
    }

    /// The sources of the first of these directives that there is.
    fn sources(&self, names: [&str; 3]) -> Option<&[String]> {
        let directive = |name: &str| self.0.iter().find(|(known, _)| known == name);
        let found = names.into_iter().find_map(directive);
        found.map(|(_, sources)| sources.as_slice())
    }

    pub(super) fn frames(&self, url: &Url, page: &Url) -> bool {
        let sources = self.sources(["frame-src", "child-src", "default-src"]);
        sources.is_none_or(|sources| sources.iter().any(|source| matches(source, url, page)))
    }

    fn scripts(&self) -> Option<&[String]> {
        self.sources(["script-src-elem", "script-src", "default-src"])
    }

    pub(super) fn runs(&self, src: &Url, nonce: Option<&str>, page: &Url) -> bool {
        let Some(sources) = self.scripts() else {
            return true;
        };
        // Under `strict-dynamic`, hosts count for nothing.
        let strict = sources
            .iter()
            .any(|it| it.eq_ignore_ascii_case("'strict-dynamic'"));
        has_nonce(sources, nonce)
            || (!strict && sources.iter().any(|source| matches(source, src, page)))
    }

    pub(super) fn runs_inline(&self, script: &Script) -> bool {
        let Some(sources) = self.scripts() else {
            return true;
        };
        let precise = |it: &String| it.starts_with("'nonce-") || it.starts_with("'sha");
        let inline = |it: &String| it.eq_ignore_ascii_case("'unsafe-inline'");
        has_nonce(sources, script.attribute("nonce"))
            || sources.iter().any(|source| is_hash_of(source, &script.text))
            // Which counts only where nothing more precise is said.
            || (sources.iter().any(inline) && !sources.iter().any(precise))
    }
}

fn has_nonce(sources: &[String], nonce: Option<&str>) -> bool {
    let Some(nonce) = nonce.filter(|nonce| !nonce.is_empty()) else {
        return false;
    };
    sources
        .iter()
        .any(|source| *source == format!("'nonce-{nonce}'"))
}

fn is_hash_of(source: &str, text: &str) -> bool {
    [
        (&SHA256, "sha256"),
        (&SHA384, "sha384"),
        (&SHA512, "sha512"),
    ]
    .into_iter()
    .any(|(algorithm, name)| {
        let hash = digest::digest(algorithm, text.as_bytes());
        source == format!("'{name}-{}'", STANDARD.encode(hash.as_ref()))
    })
}

/// Whether a source expression means this address.
fn matches(source: &str, url: &Url, page: &Url) -> bool {
    if source.eq_ignore_ascii_case("'self'") {
        return origin(url) == origin(page);
    }
    if source == "*" {
        return matches!(url.scheme(), "http" | "https");
    }
    if let Some(scheme) = source.strip_suffix(':') {
        return scheme_fits(scheme, url);
    }
    if source.starts_with('\'') {
        return false;
    }
    let (scheme, rest) = match source.split_once("://") {
        Some((scheme, rest)) => (scheme, rest),
        None => (page.scheme(), source),
    };
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let port_fits = match port {
        Some("*") => true,
        Some(port) => url
            .port_or_known_default()
            .is_some_and(|it| it.to_string() == port),
        None => url.port().is_none(),
    };
    scheme_fits(scheme, url) && host_fits(host, url) && port_fits && path_fits(path, url)
}

/// `http` also means `https`, never the other way round.
fn scheme_fits(scheme: &str, url: &Url) -> bool {
    let scheme = scheme.to_ascii_lowercase();
    scheme == url.scheme() || (scheme == "http" && url.scheme() == "https")
}

fn host_fits(host: &str, url: &Url) -> bool {
    let Some(own) = url.host_str() else {
        return false;
    };
    let host = host.to_ascii_lowercase();
    match host.strip_prefix("*.") {
        Some(parent) => own
            .strip_suffix(parent)
            .is_some_and(|label| label.len() > 1 && label.ends_with('.')),
        None => host == own || host == "*",
    }
}

/// A folder means all in it, a file itself, nothing and `/` everything.
fn path_fits(path: &str, url: &Url) -> bool {
    match path {
        "" | "/" => true,
        folder if folder.ends_with('/') => url.path().starts_with(folder),
        file => url.path() == file,
    }
}
