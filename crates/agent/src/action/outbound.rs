//! The one door out: every request of the program that goes somewhere else.
//!
//! What always holds (rules I7, G8): a private, loopback, link-local or other
//! special address is called only if the operator listed its host and port; the
//! address that was checked is the one that is connected to; no redirect is
//! followed and no proxy of the environment is used; time and size are bounded.

mod fetch;
mod page;

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use futures_util::StreamExt;
use reqwest::{
    dns::{Addrs, Name, Resolve, Resolving},
    header::{ACCEPT, HeaderMap, HeaderName, HeaderValue},
    redirect::Policy,
};
use url::{Host, Url};

use super::{ActionError, http::Request};

pub use fetch::{Document, FetchError};
pub use page::{Answer, Known, ROBOT, ReadError, Served};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const MAX_ANSWER: usize = 256 * 1024;

/// An address that may not be called. Its reader is the operator, in the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAllowed {
    /// A special address that nobody listed.
    #[error("`{0}` is a private or special address; list it under `outbound.allow` if it is yours")]
    Private(String),
    /// Plain http to a host that nobody listed.
    #[error("`{0}` is plain http; use https, or list it under `outbound.allow`")]
    PlainHttp(String),
    /// No host, or another scheme.
    #[error("the address names no host that can be called")]
    NoHost,
}

/// Sends requests, if they may leave.
#[derive(Clone)]
pub struct Outbound {
    /// For what the operator listed: it takes every address its name leads to.
    to_listed: reqwest::Client,
    /// For everything else. A client of its own, since a resolver is told the
    /// host and not the port, and what was listed is one port.
    to_public: reqwest::Client,
    allowed: Arc<[String]>,
}

/// Through which client an address is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Door {
    Listed,
    Public,
}

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbound")
            .field("allowed", &self.allowed)
            .finish_non_exhaustive()
    }
}

impl Outbound {
    /// `allowed` lists hosts with their ports (`localhost:7071`) that may be
    /// called although they are private or speak plain http.
    pub fn new(allowed: Vec<String>) -> Result<Self, reqwest::Error> {
        Ok(Self {
            to_listed: bounded_client().build()?,
            to_public: bounded_client()
                .dns_resolver(Arc::new(PublicOnly))
                .build()?,
            allowed: allowed.into(),
        })
    }

    /// Sends one call, with its proof, and reads the JSON it answers with.
    pub(super) async fn send(
        &self,
        request: Request,
        assertion: &str,
        idempotency_key: &str,
        within: Duration,
    ) -> Result<serde_json::Value, ActionError> {
        let client = match self.door(&request.url)? {
            Door::Listed => &self.to_listed,
            Door::Public => &self.to_public,
        };
        let method = request
            .method
            .as_str()
            .parse()
            .map_err(|_| ActionError::NoAddress)?;
        let response = client
            .request(method, request.url)
            .headers(headers(assertion, idempotency_key)?)
            .timeout(within)
            .body(request.body)
            .send()
            .await
            .map_err(|error| cause(error, within))?;
        if !response.status().is_success() {
            return Err(ActionError::Status(response.status().as_u16()));
        }
        let body = bounded(response, within).await?;
        serde_json::from_slice(&body).map_err(|_| ActionError::Unreadable("no JSON"))
    }

    /// Whether this address may be called, and how. Names are checked again when
    /// they are resolved; addresses are never resolved, so here is all there is.
    fn door(&self, url: &Url) -> Result<Door, NotAllowed> {
        let host = url.host().ok_or(NotAllowed::NoHost)?;
        let port = url.port_or_known_default().ok_or(NotAllowed::NoHost)?;
        let listed = self
            .allowed
            .iter()
            .any(|it| *it == format!("{host}:{port}"));
        if listed {
            return Ok(Door::Listed);
        }
        if url.scheme() != "https" {
            return Err(NotAllowed::PlainHttp(host.to_string()));
        }
        let public = match host {
            Host::Domain(_) => true,
            Host::Ipv4(address) => is_public_v4(address),
            Host::Ipv6(address) => is_public_v6(address),
        };
        if public {
            Ok(Door::Public)
        } else {
            Err(NotAllowed::Private(host.to_string()))
        }
    }
}

fn bounded_client() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .redirect(Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT_TIMEOUT)
}

fn headers(assertion: &str, idempotency_key: &str) -> Result<HeaderMap, ActionError> {
    let value = |text: &str| {
        HeaderValue::from_str(text).map_err(|_| ActionError::Unfit("header".to_owned()))
    };
    Ok(HeaderMap::from_iter([
        (ACCEPT, HeaderValue::from_static("application/json")),
        (
            HeaderName::from_static("maitred-assertion"),
            value(assertion)?,
        ),
        (
            HeaderName::from_static("idempotency-key"),
            value(idempotency_key)?,
        ),
    ]))
}

async fn bounded(response: reqwest::Response, within: Duration) -> Result<Vec<u8>, ActionError> {
    let mut body = Vec::new();
    let mut pieces = response.bytes_stream();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|error| cause(error, within))?;
        body.extend_from_slice(&piece);
        if body.len() > MAX_ANSWER {
            return Err(ActionError::Unreadable("larger than 256 KiB"));
        }
    }
    Ok(body)
}

/// What went wrong, without the address: it may hold somebody's id.
fn cause(error: reqwest::Error, within: Duration) -> ActionError {
    if error.is_timeout() {
        return ActionError::TimedOut(within);
    }
    ActionError::Unreachable(causes(error))
}

fn causes(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}

/// Resolves names, and drops special addresses. The connection is made to what is
/// left, so the check cannot be outrun by a second answer of the name server.
struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(Box::new(usable(name.as_str(), found)?.into_iter()) as Addrs)
        })
    }
}

/// Of what a name leads to, what may be connected to.
fn usable(
    name: &str,
    found: impl Iterator<Item = SocketAddr>,
) -> Result<Vec<SocketAddr>, NotAllowed> {
    let usable: Vec<SocketAddr> = found.filter(|it| is_public(it.ip())).collect();
    if usable.is_empty() {
        return Err(NotAllowed::Private(name.to_owned()));
    }
    Ok(usable)
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// Not one of the special blocks of RFC 6890.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(a == 0
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && (c == 0 || c == 2))
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (b == 18 || b == 19))
        || (a == 198 && b == 51 && c == 100)
        || (a == 203 && b == 0 && c == 113)
        || a >= 224)
}

/// Global unicast that does not carry an IPv4 address inside.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    let global = a & 0xe000 == 0x2000;
    let teredo_or_special = a == 0x2001 && b < 0x0200;
    let documentation = (a == 0x2001 && b == 0x0db8) || (a == 0x3fff && b < 0x1000);
    let six_to_four = a == 0x2002;
    global && !teredo_or_special && !documentation && !six_to_four
}

#[cfg(test)]
mod tests;
