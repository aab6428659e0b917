//! How the doctor asks: bounded in time and size, over https, or plain http on
//! this machine.

use std::{error::Error, time::Duration};

use anyhow::{Context, anyhow, bail};
use jiff::{SignedDuration, Timestamp, fmt::rfc2822};
use maitred_core::clock::Clock;
use reqwest::{
    Method, RequestBuilder, StatusCode, Url,
    header::{self, HeaderMap, HeaderName, HeaderValue},
    redirect,
};
use serde_json::Value;

use crate::cli::Usage;

const PATIENCE: Duration = Duration::from_secs(10);
const MAX_BODY: usize = 4 * 1024 * 1024;
const MAX_REDIRECTS: usize = 5;

/// Sends what the operator gave for the site to the site, and to nobody else.
pub(super) struct Client {
    http: reqwest::Client,
    clock: Clock,
    site: Vec<String>,
    headers: HeaderMap,
}

/// What was answered.
pub(super) struct Answer {
    /// From where, after all redirects.
    pub(super) url: Url,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    /// By how much the other's clock is ahead of ours, to the second.
    pub(super) ahead: Option<SignedDuration>,
    /// When it was, by our clock.
    pub(super) at: Timestamp,
}

/// Scheme, host and port, as a browser writes them.
pub(super) fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// An address that was typed; a relative one is on the page's site.
pub(super) fn address(text: &str, page: Option<&Url>) -> anyhow::Result<Url> {
    let url = match page {
        Some(page) => page.join(text),
        None => Url::parse(text),
    };
    let url = url.map_err(|_| {
        Usage(format!(
            "`{text}` is no URL\nhint: write it whole, such as `https://shop.example/`"
        ))
    })?;
    if !may_be_asked(&url) {
        return Err(Usage(format!(
            "`{text}` is not https\nhint: who is logged in is shown over https only; plain http is for this machine, `http://localhost:8080`"
        ))
        .into());
    }
    Ok(url)
}

/// https, or http on this machine.
pub(super) fn may_be_asked(url: &Url) -> bool {
    match (url.scheme(), url.host_str()) {
        ("https", Some(_)) => true,
        ("http", Some(host)) => is_loopback(host),
        _ => false,
    }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || host.ends_with(".localhost")
        || bare
            .parse()
            .is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
}

impl Client {
    pub(super) fn new<'u>(
        clock: Clock,
        site: impl Iterator<Item = &'u Url>,
        headers: &[(String, String)],
    ) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .timeout(PATIENCE)
            .user_agent(concat!("maitred-doctor/", env!("CARGO_PKG_VERSION")))
            .build()?;
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let unfit = || Usage("a `--header` has characters that no header can have".to_owned());
            let name = HeaderName::try_from(name.as_str()).map_err(|_| unfit())?;
            let mut value = HeaderValue::try_from(value.as_str()).map_err(|_| unfit())?;
            value.set_sensitive(true);
            map.append(name, value);
        }
        Ok(Self {
            http,
            clock,
            site: site.map(origin).collect(),
            headers: map,
        })
    }

    /// A page or a file, wherever its redirects lead.
    pub(super) async fn page(&self, mut url: Url) -> anyhow::Result<Answer> {
        for _ in 0..=MAX_REDIRECTS {
            let answer = self.get(&url).await?;
            let to = answer.headers.get(header::LOCATION);
            let Some(to) = to.filter(|_| answer.status.is_redirection()) else {
                return Ok(answer);
            };
            let next = to.to_str().ok().and_then(|to| url.join(to).ok());
            url = next.with_context(|| format!("`{url}` leads to an address that is none"))?;
            if !may_be_asked(&url) {
                bail!("the page leads to `{url}`, which is not https");
            }
        }
        bail!("the page leads from one address to another, without end");
    }

    /// One address, without its redirects.
    pub(super) async fn get(&self, url: &Url) -> anyhow::Result<Answer> {
        let mut request = self.http.request(Method::GET, url.clone());
        if self.site.contains(&origin(url)) {
            request = request.headers(self.headers.clone());
        }
        self.send(url, request).await
    }

    /// A request to maitred, with a proof that its sender holds a key.
    pub(super) async fn send_proven(
        &self,
        method: &Method,
        url: &Url,
        session: Option<&str>,
        body: Option<&Value>,
        proof: &str,
    ) -> anyhow::Result<Answer> {
        let request = self.http.request(method.clone(), url.clone());
        let mut request = request.header("dpop", proof);
        if let Some(session) = session {
            request = request.bearer_auth(session);
        }
        if let Some(body) = body {
            request = request
                .header(header::CONTENT_TYPE, "application/json")
                .body(body.to_string());
        }
        self.send(url, request).await
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn send(&self, url: &Url, request: RequestBuilder) -> anyhow::Result<Answer> {
        let asked_at = self.clock.now();
        let sent = request.send().await;
        let mut response =
            sent.map_err(|error| anyhow!("cannot reach `{url}`: {}", root(&error)))?;
        let at = self.clock.now();
        let mut body = Vec::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| anyhow!("`{url}` broke off: {}", root(&error)))?
        {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_BODY {
                bail!("`{url}` has more than {} MiB", MAX_BODY / 1024 / 1024);
            }
        }
        let headers = response.headers().clone();
        Ok(Answer {
            url: url.clone(),
            status: response.status(),
            ahead: ahead(&headers, asked_at, at),
            headers,
            body,
            at,
        })
    }
}

impl Answer {
    /// Bytes that are no UTF-8 are replaced: what we look for is ASCII.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// Whether it is of this media type.
    pub(super) fn is(&self, media: &str) -> bool {
        let given = self.header(header::CONTENT_TYPE).to_ascii_lowercase();
        given.split(';').next().map(str::trim) == Some(media)
    }

    /// A header, all of its lines as one.
    pub(super) fn header(&self, name: HeaderName) -> String {
        let lines = self.headers.get_all(name).iter();
        let lines: Vec<&str> = lines.filter_map(|line| line.to_str().ok()).collect();
        lines.join(", ")
    }
}

/// What it comes down to: of five causes, the last says something.
fn root(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("no answer within {} s", PATIENCE.as_secs());
    }
    let mut root: &dyn Error = error;
    while let Some(cause) = root.source() {
        root = cause;
    }
    root.to_string()
}

/// A `Date` is cut to the second, so it stands for the middle of that second; the
/// answer was made somewhere between the question and its arrival.
fn ahead(headers: &HeaderMap, asked_at: Timestamp, at: Timestamp) -> Option<SignedDuration> {
    let date = headers.get(header::DATE)?.to_str().ok()?;
    let date = rfc2822::DateTimeParser::new().parse_timestamp(date).ok()?;
    let middle = asked_at + (at.duration_since(asked_at) / 2);
    Some((date + SignedDuration::from_millis(500)).duration_since(middle))
}
