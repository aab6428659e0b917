//! The address of a key set.

use url::{Host, Url};

/// An address that a key set may be fetched from: `https`, or `http` on this machine.
/// Whether it may be called is the outbound guard's to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SetUrl(Url);

/// Why an address is none for a key set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadSetUrl {
    #[error("this is not the address of a key set")]
    NotAUrl,
    #[error("a key set is fetched by https")]
    PlainHttp,
    #[error("the address holds a user or a password")]
    Credentials,
}

impl SetUrl {
    const MAX_BYTES: usize = 2_048;

    pub(crate) fn parse(text: &str) -> Result<Self, BadSetUrl> {
        if text.len() > Self::MAX_BYTES {
            return Err(BadSetUrl::NotAUrl);
        }
        let mut url = Url::parse(text.trim()).map_err(|_| BadSetUrl::NotAUrl)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(BadSetUrl::Credentials);
        }
        match url.scheme() {
            "https" => (),
            "http" if is_loopback(&url) => (),
            "http" => return Err(BadSetUrl::PlainHttp),
            _ => return Err(BadSetUrl::NotAUrl),
        }
        url.set_fragment(None);
        Ok(Self(url))
    }

    pub(crate) fn as_url(&self) -> &Url {
        &self.0
    }

    pub(crate) fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl BadSetUrl {
    pub(super) fn hint(self) -> &'static str {
        match self {
            Self::NotAUrl => {
                "write it like `https://id.example/.well-known/jwks.json`; your provider calls it `jwks_uri`"
            }
            Self::PlainHttp => {
                "use https; http is for a server on this machine, listed under `outbound.allow`"
            }
            Self::Credentials => "a key set is public: leave them out",
        }
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn k4_a_set_is_fetched_by_https_or_from_this_machine() {
        for good in [
            "https://id.example/jwks",
            "http://localhost:8080/jwks",
            "http://127.0.0.1:8080/jwks",
            "http://[::1]:8080/jwks",
        ] {
            assert_eq!(SetUrl::parse(good).unwrap().as_str(), good);
        }
        for (bad, why) in [
            ("http://id.example/jwks", BadSetUrl::PlainHttp),
            ("http://10.0.0.1/jwks", BadSetUrl::PlainHttp),
            ("http://localhost.example/jwks", BadSetUrl::PlainHttp),
            ("https://me:pw@id.example/jwks", BadSetUrl::Credentials),
            ("https://me@id.example/jwks", BadSetUrl::Credentials),
            ("file:///etc/jwks", BadSetUrl::NotAUrl),
            ("id.example/jwks", BadSetUrl::NotAUrl),
            ("", BadSetUrl::NotAUrl),
        ] {
            assert_eq!(SetUrl::parse(bad), Err(why), "{bad}");
        }
    }

    #[test]
    fn k8_one_address_has_one_spelling() {
        let one = SetUrl::parse("https://ID.example:443/jwks#here").unwrap();

        assert_eq!(one, SetUrl::parse("https://id.example/jwks").unwrap());
    }
}
