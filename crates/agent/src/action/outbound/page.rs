//! Reading pages of a site, to answer from them.
//!
//! One request reads one page: nothing that it names is loaded. Redirects are followed
//! on the same host only, and each step is checked as the first one was (rule G8).

use std::time::Duration;

use futures_util::StreamExt;
use reqwest::{
    Response,
    header::{
        ACCEPT, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, IF_MODIFIED_SINCE, IF_NONE_MATCH,
        LAST_MODIFIED, LOCATION, USER_AGENT,
    },
};
use url::Url;

use super::{Door, NotAllowed, Outbound, causes};

/// How long all of it may take, redirects included.
const READ_TIMEOUT: Duration = Duration::from_secs(15);
const MAX_REDIRECTS: usize = 5;
/// The longest `ETag` that is worth keeping.
const MAX_VALIDATOR: usize = 256;

/// As whom pages are read: `robots.txt` may name it.
pub const ROBOT: &str = "maitred";

/// What a server said of a page, to ask again only for what changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Its `ETag`.
    pub etag: Option<String>,
    /// Its `Last-Modified`.
    pub last_modified: Option<String>,
}

/// A page as it was served.
#[derive(Clone, Debug)]
pub struct Served {
    /// Where it was, after redirects.
    pub url: Url,
    /// What is in it.
    pub body: Vec<u8>,
    /// What its server says that it is: a media type in lower case.
    pub media_type: Option<String>,
    /// And how its text is encoded.
    pub charset: Option<String>,
    /// To ask again with.
    pub known: Known,
}

/// What came of asking for a page.
#[derive(Clone, Debug)]
pub enum Answer {
    /// It is as it was.
    NotModified,
    /// This.
    Served(Box<Served>),
}

/// Why a page could not be read. Its reader is the operator; nothing of what the
/// server sent is in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The address may not be called.
    #[error(transparent)]
    NotAllowed(#[from] NotAllowed),
    /// Not all of it came in time.
    #[error("there was no whole answer within {} s", READ_TIMEOUT.as_secs())]
    TimedOut,
    /// An answer other than 200.
    #[error("the server answered {0}")]
    Status(u16),
    /// More than is taken.
    #[error("the answer is larger than {} MiB", .0 / 1024 / 1024)]
    TooLarge(usize),
    /// Another site is asked for.
    #[error("it redirects to another site (`{0}`); add that address instead")]
    OtherSite(String),
    /// Round and round.
    #[error("it redirects too often")]
    Redirected,
    /// No connection, or it broke.
    #[error("the server could not be reached: {0}")]
    Unreachable(String),
}

impl ReadError {
    /// Whether the server says that there is no such page.
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Status(404 | 410))
    }
}

impl Outbound {
    /// Reads a page of at most so many bytes.
    pub async fn read(
        &self,
        url: &Url,
        known: &Known,
        at_most: usize,
    ) -> Result<Answer, ReadError> {
        tokio::time::timeout(READ_TIMEOUT, self.read_on(url.clone(), known, at_most))
            .await
            .unwrap_or(Err(ReadError::TimedOut))
    }

    async fn read_on(
        &self,
        mut url: Url,
        known: &Known,
        at_most: usize,
    ) -> Result<Answer, ReadError> {
        for _ in 0..=MAX_REDIRECTS {
            let client = match self.door(&url)? {
                Door::Listed => &self.to_listed,
                Door::Public => &self.to_public,
            };
            let mut asked = client
                .get(url.clone())
                .timeout(READ_TIMEOUT)
                .header(ACCEPT, "text/html, text/plain;q=0.9, */*;q=0.5")
                .header(USER_AGENT, concat!("maitred/", env!("CARGO_PKG_VERSION")));
            for (name, value) in [
                (IF_NONE_MATCH, &known.etag),
                (IF_MODIFIED_SINCE, &known.last_modified),
            ] {
                if let Some(value) = value {
                    asked = asked.header(name, value);
                }
            }
            let response = asked.send().await.map_err(unreachable)?;
            match response.status().as_u16() {
                200 => return served(url, response, at_most).await,
                304 if *known != Known::default() => return Ok(Answer::NotModified),
                301 | 302 | 303 | 307 | 308 => url = next(&url, response.headers())?,
                status => return Err(ReadError::Status(status)),
            }
        }
        Err(ReadError::Redirected)
    }
}

async fn served(url: Url, response: Response, at_most: usize) -> Result<Answer, ReadError> {
    let headers = response.headers();
    let content_type = text(headers, CONTENT_TYPE).map(str::to_ascii_lowercase);
    let mut parts = content_type.as_deref().unwrap_or_default().split(';');
    let media_type = parts.next().map(str::trim).filter(|it| !it.is_empty());
    let media_type = media_type.map(str::to_owned);
    let charset = parts.find_map(|it| it.trim().strip_prefix("charset="));
    let charset = charset.map(|it| it.trim_matches('"').to_owned());
    let kept = |name| {
        let value = text(headers, name).filter(|it| it.len() <= MAX_VALIDATOR);
        value.map(str::to_owned)
    };
    let known = Known {
        etag: kept(ETAG),
        last_modified: kept(LAST_MODIFIED),
    };
    let mut body = Vec::new();
    let mut pieces = response.bytes_stream();
    while let Some(piece) = pieces.next().await {
        body.extend_from_slice(&piece.map_err(unreachable)?);
        if body.len() > at_most {
            return Err(ReadError::TooLarge(at_most));
        }
    }
    Ok(Answer::Served(Box::new(Served {
        url,
        body,
        media_type,
        charset,
        known,
    })))
}

/// Where a redirect leads, if that is on the same host: by the same way, or by https
/// instead of http.
fn next(url: &Url, headers: &HeaderMap) -> Result<Url, ReadError> {
    let target = text(headers, LOCATION)
        .and_then(|target| url.join(target).ok())
        .ok_or(ReadError::Redirected)?;
    let is_upgrade =
        url.scheme() == "http" && target.scheme() == "https" && target.port().is_none();
    let is_same_site =
        target.origin() == url.origin() || (is_upgrade && target.host_str() == url.host_str());
    if !is_same_site {
        let origin = target.origin().ascii_serialization();
        return Err(ReadError::OtherSite(origin));
    }
    Ok(target)
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

fn unreachable(error: reqwest::Error) -> ReadError {
    if error.is_timeout() {
        return ReadError::TimedOut;
    }
    ReadError::Unreachable(causes(error))
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    #[test]
    fn g8_a_page_redirects_on_its_own_site_only() {
        for (from, target, followed) in [
            ("https://shop.example/a", "/b", true),
            ("https://shop.example/a", "https://shop.example/b", true),
            ("http://shop.example/a", "https://shop.example/a", true),
            ("https://shop.example/a", "http://shop.example/a", false),
            ("https://shop.example/a", "https://shop.example:444/", false),
            ("https://shop.example/a", "//169.254.169.254/", false),
            ("https://shop.example/a", "https://evil.example/", false),
            (
                "https://shop.example/a",
                "https://shop.example@evil.example/",
                false,
            ),
            ("https://shop.example/a", "file:///etc/passwd", false),
        ] {
            let location = HeaderValue::from_static(target);
            let headers = HeaderMap::from_iter([(LOCATION, location)]);
            let url = Url::parse(from).unwrap();

            assert_eq!(next(&url, &headers).is_ok(), followed, "{from} to {target}");
        }
    }
}
