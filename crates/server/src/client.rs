//! Where a request comes from: the address that [limits](crate::limits) count by.
//!
//! The accept loop says who is at the other end of the connection. Behind a
//! proxy that is the proxy, which says in `X-Forwarded-For` whom it asks for; it
//! is believed if it is listed in `server.trusted_proxies`, and nobody else is:
//! anybody can write a header.
//!
//! An address is counted by and nothing else. It is never stored or logged.

use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::atomic::{AtomicBool, Ordering},
};

use axum::{
    extract::FromRequestParts,
    http::{Extensions, HeaderMap, request::Parts},
};
use ipnet::IpNet;

const FORWARDED_FOR: &str = "x-forwarded-for";

/// Who is at the other end of a connection. The accept loop puts it into each
/// request; one without it was made inside of this process.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub IpAddr);

/// An address as it is counted: of IPv6 the /64, since whoever has one has them all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Network(IpAddr);

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        const HOST: u128 = u64::MAX as u128;
        match address.to_canonical() {
            IpAddr::V6(address) => Self(Ipv6Addr::from_bits(address.to_bits() & !HOST).into()),
            address @ IpAddr::V4(_) => Self(address),
        }
    }
}

/// As a handler's argument: where the request comes from.
impl<S: Sync> FromRequestParts<S> for Network {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let known = parts.extensions.get().copied();
        Ok(known.unwrap_or(Self(Ipv4Addr::UNSPECIFIED.into())))
    }
}

/// The proxies that are believed.
#[derive(Debug)]
pub(crate) struct Proxies {
    trusted: Vec<IpNet>,
    has_warned: AtomicBool,
}

impl Proxies {
    pub(crate) fn new(trusted: Vec<IpNet>) -> Self {
        Self {
            trusted,
            has_warned: AtomicBool::new(false),
        }
    }

    /// Finds out where a request comes from.
    pub(crate) fn network(&self, extensions: &Extensions, headers: &HeaderMap) -> Network {
        let peer = extensions
            .get()
            .map_or(Ipv4Addr::UNSPECIFIED.into(), |Peer(address)| {
                address.to_canonical()
            });
        if !self.is_trusted(peer) {
            self.warn_of_an_unlisted_proxy(peer, headers);
            return peer.into();
        }
        self.client(peer, headers).into()
    }

    /// Goes back from proxy to proxy to the first address that is none: each
    /// appends whom it was asked by, so what stands further to the left is hearsay.
    fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer;
        for line in headers.get_all(FORWARDED_FOR).iter().rev() {
            let Ok(line) = line.to_str() else {
                return client;
            };
            for hop in line.rsplit(',') {
                let Some(hop) = address(hop.trim()) else {
                    return client;
                };
                client = hop;
                if !self.is_trusted(client) {
                    return client;
                }
            }
        }
        client
    }

    fn is_trusted(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|net| net.contains(&address))
    }

    /// Behind a proxy that is not listed all visitors share one address, and its limits.
    fn warn_of_an_unlisted_proxy(&self, peer: IpAddr, headers: &HeaderMap) {
        if is_close(peer)
            && headers.contains_key(FORWARDED_FOR)
            && !self.has_warned.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(
                "requests come through a proxy that is not in `server.trusted_proxies`: all visitors count as one address"
            );
        }
    }
}

/// Whether a proxy of ours could have this address.
fn is_close(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_loopback() || address.is_private(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unique_local(),
    }
}

/// Reads an address as proxies write it: some with a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'))
        .unwrap_or(text);
    let address: Option<IpAddr> = bare.parse().ok();
    address
        .or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip()))
        .map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    /// The address that is counted, behind `10.0.0.0/8` and `fd00::1`.
    fn counted(peer: &str, lines: &[&'static str]) -> String {
        let proxies = Proxies::new(vec![
            "10.0.0.0/8".parse().unwrap(),
            "fd00::1/128".parse().unwrap(),
        ]);
        let mut extensions = Extensions::new();
        extensions.insert(Peer(peer.parse().unwrap()));
        let headers = lines.iter().map(|line| {
            (
                FORWARDED_FOR.parse().unwrap(),
                HeaderValue::from_static(line),
            )
        });
        let Network(address) = proxies.network(&extensions, &headers.collect());
        address.to_string()
    }

    #[test]
    fn l3_who_is_no_listed_proxy_is_not_believed() {
        assert_eq!(counted("203.0.113.9", &["198.51.100.1"]), "203.0.113.9");
        assert_eq!(counted("127.0.0.1", &["198.51.100.1"]), "127.0.0.1");
    }

    #[test]
    fn l3_a_listed_proxy_says_whom_it_asks_for() {
        assert_eq!(counted("10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(
            counted("::ffff:10.0.0.1", &["198.51.100.1"]),
            "198.51.100.1"
        );
        assert_eq!(counted("fd00::1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(counted("10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn l3_what_the_client_wrote_itself_is_passed_over() {
        let spoofed = ["192.0.2.7, 10.9.9.9, 198.51.100.1"];
        assert_eq!(counted("10.0.0.1", &spoofed), "198.51.100.1");
        let in_a_line_of_its_own = ["192.0.2.7", "198.51.100.1"];
        assert_eq!(counted("10.0.0.1", &in_a_line_of_its_own), "198.51.100.1");
    }

    #[test]
    fn l3_proxies_behind_one_another_are_passed_through() {
        let chain = ["192.0.2.7, 198.51.100.1, 10.0.0.2", "10.0.0.3"];
        assert_eq!(counted("10.0.0.1", &chain), "198.51.100.1");
        assert_eq!(counted("10.0.0.1", &["10.0.0.7, 10.0.0.2"]), "10.0.0.7");
    }

    #[test]
    fn l3_what_is_no_address_ends_the_way_back() {
        assert_eq!(counted("10.0.0.1", &["192.0.2.7, unknown"]), "10.0.0.1");
        assert_eq!(
            counted("10.0.0.1", &["192.0.2.7, _hidden, 10.0.0.2"]),
            "10.0.0.2"
        );
        assert_eq!(counted("10.0.0.1", &[""]), "10.0.0.1");
    }

    #[test]
    fn l3_addresses_are_read_as_proxies_write_them() {
        for (written, read) in [
            ("198.51.100.1:4711", "198.51.100.1"),
            ("[2001:db8:1:2:3::4]", "2001:db8:1:2::"),
            ("[2001:db8:1:2:3::4]:4711", "2001:db8:1:2::"),
            ("2001:db8:1:2:3::4", "2001:db8:1:2::"),
            ("::ffff:198.51.100.1", "198.51.100.1"),
        ] {
            assert_eq!(counted("10.0.0.1", &[written]), read, "{written}");
        }
    }

    #[test]
    fn s7_a_whole_64_of_ipv6_is_one_address() {
        let network = |text: &str| Network::from(text.parse::<IpAddr>().unwrap());

        assert_eq!(
            network("2001:db8:1:2::1"),
            network("2001:db8:1:2:ffff:ffff:ffff:ffff")
        );
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_ne!(network("198.51.100.1"), network("198.51.100.2"));
    }
}
