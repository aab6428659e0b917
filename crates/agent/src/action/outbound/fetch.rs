//! Reading a document of somebody else's: the set of keys of an identity provider.

use std::time::Duration;

use futures_util::StreamExt;
use reqwest::{
    Response,
    header::{ACCEPT, AGE, CACHE_CONTROL, HeaderMap, HeaderName, LOCATION},
};
use url::Url;

use super::{Door, NotAllowed, Outbound, causes};

/// How long all of it may take, redirects included.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
const MAX_DOCUMENT: usize = 256 * 1024;
const MAX_REDIRECTS: usize = 3;

/// A document that was fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// What is in it.
    pub body: Vec<u8>,
    /// For how long its server lets it be kept, if it says so.
    pub max_age: Option<Duration>,
}

/// Why a document could not be fetched. Its reader is the operator; nothing of what
/// the server sent is in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The address may not be called.
    #[error(transparent)]
    NotAllowed(#[from] NotAllowed),
    /// Not all of it came in time.
    #[error("there was no whole answer within {} s", FETCH_TIMEOUT.as_secs())]
    TimedOut,
    /// An answer other than 200.
    #[error("the server answered {0}")]
    Status(u16),
    /// More than a set of keys can need.
    #[error("the answer is larger than 256 KiB")]
    TooLarge,
    /// Somewhere else is asked for, or nowhere.
    #[error("the server redirects to another host, or too often")]
    Redirected,
    /// No connection, or it broke.
    #[error("the server could not be reached: {0}")]
    Unreachable(String),
}

impl Outbound {
    /// Fetches a document. Redirects are followed on the same host only (rule K4).
    pub async fn fetch(&self, url: &Url) -> Result<Document, FetchError> {
        tokio::time::timeout(FETCH_TIMEOUT, self.follow(url.clone()))
            .await
            .unwrap_or(Err(FetchError::TimedOut))
    }

    async fn follow(&self, mut url: Url) -> Result<Document, FetchError> {
        for _ in 0..=MAX_REDIRECTS {
            let client = match self.door(&url)? {
                Door::Listed => &self.to_listed,
                Door::Public => &self.to_public,
            };
            let asked = client.get(url.clone()).header(ACCEPT, "application/json");
            let response = asked.send().await.map_err(unreachable)?;
            match response.status().as_u16() {
                200 => {
                    let max_age = max_age(response.headers());
                    let body = bounded(response).await?;
                    return Ok(Document { body, max_age });
                }
                301 | 302 | 303 | 307 | 308 => url = next(&url, response.headers())?,
                status => return Err(FetchError::Status(status)),
            }
        }
        Err(FetchError::Redirected)
    }
}

/// Where a redirect leads, if that is the same host by the same way.
fn next(url: &Url, headers: &HeaderMap) -> Result<Url, FetchError> {
    let target = text(headers, LOCATION).and_then(|target| url.join(target).ok());
    target
        .filter(|target| target.origin() == url.origin())
        .ok_or(FetchError::Redirected)
}

async fn bounded(response: Response) -> Result<Vec<u8>, FetchError> {
    let mut body = Vec::new();
    let mut pieces = response.bytes_stream();
    while let Some(piece) = pieces.next().await {
        body.extend_from_slice(&piece.map_err(unreachable)?);
        if body.len() > MAX_DOCUMENT {
            return Err(FetchError::TooLarge);
        }
    }
    Ok(body)
}

fn unreachable(error: reqwest::Error) -> FetchError {
    if error.is_timeout() {
        return FetchError::TimedOut;
    }
    FetchError::Unreachable(causes(error))
}

/// For how long an answer may be kept, without what it spent in other caches
/// (RFC 9111 §4.2).
fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let directives = || {
        let all = headers.get_all(CACHE_CONTROL).into_iter();
        all.filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(|directive| directive.trim().to_ascii_lowercase())
    };
    if directives().any(|it| it == "no-store" || it == "no-cache") {
        return Some(Duration::ZERO);
    }
    let seconds = directives().find_map(|it| {
        let value = it.strip_prefix("max-age=")?;
        value.trim_matches('"').parse::<u64>().ok()
    })?;
    let age = text(headers, AGE).and_then(|age| age.trim().parse::<u64>().ok());
    Some(Duration::from_secs(
        seconds.saturating_sub(age.unwrap_or(0)),
    ))
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn said(cache_control: &'static str, age: Option<&'static str>) -> Option<u64> {
        let mut headers = HeaderMap::new();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache_control));
        if let Some(age) = age {
            headers.insert(AGE, HeaderValue::from_static(age));
        }
        max_age(&headers).map(|it| it.as_secs())
    }

    #[test]
    fn k4_how_long_a_set_may_be_kept_is_what_its_server_says() {
        for (cache_control, age, expected) in [
            ("max-age=3600", None, Some(3600)),
            ("public, Max-Age=\"600\", must-revalidate", None, Some(600)),
            ("public, max-age=22000", Some("2000"), Some(20_000)),
            ("max-age=60", Some("90"), Some(0)),
            ("no-store, max-age=600", None, Some(0)),
            ("public", None, None),
            ("max-age=soon", None, None),
        ] {
            assert_eq!(said(cache_control, age), expected, "{cache_control}");
        }
        assert_eq!(max_age(&HeaderMap::new()), None);
    }

    #[test]
    fn k4_a_redirect_is_followed_on_the_same_host_only() {
        let url = Url::parse("https://id.example/jwks").unwrap();
        for (target, followed) in [
            ("/keys", true),
            ("https://id.example/keys", true),
            ("https://id.example:444/keys", false),
            ("http://id.example/keys", false),
            ("//evil.example/keys", false),
            ("https://evil.example/", false),
            ("file:///etc/passwd", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(LOCATION, HeaderValue::from_static(target));

            assert_eq!(next(&url, &headers).is_ok(), followed, "{target}");
        }
        let nowhere = next(&url, &HeaderMap::new());
        assert_eq!(nowhere, Err(FetchError::Redirected));
    }
}
