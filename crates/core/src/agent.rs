//! An agent, and what is set for each of its environments.

use std::{fmt, str::FromStr};

use jiff::Timestamp;

use crate::{claims::ClaimPolicy, id::AgentId, policy::TokenPolicy};

/// One configured AI agent.
#[derive(Clone, Debug, PartialEq)]
pub struct Agent {
    /// Its name in snippets, tokens and paths.
    pub id: AgentId,
    /// What visitors read above the chat.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What is set for one environment of an agent.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Settings {
    /// The sites that may embed the widget (rule W4).
    pub origins: Vec<Origin>,
    /// Where a visitor signs in, if the site said so.
    pub sign_in_url: Option<String>,
    /// Questions that are offered as chips when a chat opens.
    pub suggestions: Vec<String>,
    /// The colour of the site, as `#rrggbb`.
    pub accent: Option<String>,
    /// What tokens must be like.
    pub tokens: TokenPolicy,
    /// Which of their claims is for whom.
    pub claims: ClaimPolicy,
    /// Whether one may chat without a token.
    pub enforcement: Enforcement,
    /// Whether sessions are bound to a key of the browser.
    pub proof_of_possession: ProofOfPossession,
    /// Whether contacts are remembered between conversations.
    pub remembering: Remembering,
}

/// Whether an agent remembers contacts between conversations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Remembering {
    /// Yes: what they said of themselves, and what it was about.
    #[default]
    On,
    /// No; and what was noted before is not used.
    Off,
}

/// Whether a visitor may chat without a token (rule E1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Enforcement {
    /// Yes, anonymously.
    #[default]
    Optional,
    /// Yes, and what `Required` would have refused is counted.
    Report,
    /// No.
    Required,
}

impl Enforcement {
    const ALL: [Self; 3] = [Self::Optional, Self::Report, Self::Required];

    /// The name in JSON and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Optional => "optional",
            Self::Report => "report",
            Self::Required => "required",
        }
    }
}

impl fmt::Display for Enforcement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that names no enforcement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not one of `optional`, `report`, `required`")]
pub struct ParseEnforcementError;

impl FromStr for Enforcement {
    type Err = ParseEnforcementError;

    fn from_str(text: &str) -> Result<Self, ParseEnforcementError> {
        Self::ALL
            .into_iter()
            .find(|it| it.as_str() == text)
            .ok_or(ParseEnforcementError)
    }
}

/// Whether a session is bound to a key that only its browser can use, so that a
/// copied session string opens nothing (rule S4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ProofOfPossession {
    /// No, even if the browser could.
    Off,
    /// Yes, if the browser can: a page without a secure context has no key.
    #[default]
    WhenAvailable,
    /// Yes, and a browser that cannot has no chat.
    Required,
}

impl ProofOfPossession {
    const ALL: [Self; 3] = [Self::Off, Self::WhenAvailable, Self::Required];

    /// The name in JSON and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::WhenAvailable => "when_available",
            Self::Required => "required",
        }
    }
}

impl fmt::Display for ProofOfPossession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that names no policy for proof of possession.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not one of `off`, `when_available`, `required`")]
pub struct ParseProofOfPossessionError;

impl FromStr for ProofOfPossession {
    type Err = ParseProofOfPossessionError;

    fn from_str(text: &str) -> Result<Self, ParseProofOfPossessionError> {
        Self::ALL
            .into_iter()
            .find(|it| it.as_str() == text)
            .ok_or(ParseProofOfPossessionError)
    }
}

/// A site that may embed the widget: `https://shop.example`, or
/// `https://*.shop.example` for every host below it.
///
/// An embedding rule and no authentication: whoever holds a session can say
/// any origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(String);

/// Why a text is no origin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not an origin: write `https://shop.example`, `https://*.shop.example`, or `http://localhost:8080` for a page on this machine"
)]
pub struct OriginError(String);

impl Origin {
    /// Takes scheme, host and port as a browser writes them: no path, no trailing slash.
    pub fn parse(text: &str) -> Result<Self, OriginError> {
        let wrong = || OriginError(text.to_owned());
        let (scheme, host) = text.split_once("://").ok_or_else(wrong)?;
        let (name, port) = match host.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (host, None),
        };
        let labels = name.strip_prefix("*.").unwrap_or(name);
        let plain = labels.split('.').all(|label| {
            !label.is_empty()
                && label
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        });
        let wildcard_is_narrow = name == labels || labels.contains('.');
        let port_is_number = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|p| p > 0));
        let loopback = matches!(name, "localhost" | "127.0.0.1");
        let scheme_fits = scheme == "https" || (scheme == "http" && loopback);
        if plain && wildcard_is_narrow && port_is_number && scheme_fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(wrong())
        }
    }

    /// As it was written, which is also how a Content-Security-Policy writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a page of this origin may embed the widget.
    pub fn admits(&self, page: &str) -> bool {
        match self.0.split_once("*.") {
            None => self.0 == page,
            Some((scheme, suffix)) => page
                .strip_prefix(scheme)
                .and_then(|host| host.strip_suffix(suffix))
                .and_then(|rest| rest.strip_suffix('.'))
                .is_some_and(|label| {
                    !label.is_empty()
                        && label
                            .bytes()
                            .all(|b| b.is_ascii_alphanumeric() || b"-.".contains(&b))
                }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn w4_an_origin_admits_itself_and_nothing_else() {
        let origin = Origin::parse("https://shop.example").unwrap();

        assert!(origin.admits("https://shop.example"));
        for other in [
            "http://shop.example",
            "https://shop.example:8443",
            "https://shop.example.evil.example",
            "https://evilshop.example",
            "https://www.shop.example",
            "null",
            "",
        ] {
            assert!(!origin.admits(other), "{other}");
        }
    }

    #[test]
    fn w4_a_wildcard_admits_hosts_below_it_and_nothing_else() {
        let origin = Origin::parse("https://*.shop.example").unwrap();

        assert!(origin.admits("https://www.shop.example"));
        assert!(origin.admits("https://a.b.shop.example"));
        for other in [
            "https://shop.example",
            "https://evilshop.example",
            "https://.shop.example",
            "https://evil.example/.shop.example",
            "https://evil.example#.shop.example",
            "http://www.shop.example",
        ] {
            assert!(!origin.admits(other), "{other}");
        }
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        for wrong in [
            "shop.example",
            "https://shop.example/",
            "https://shop.example/chat",
            "http://shop.example",
            "https://*",
            "https://*.example",
            "https://Shop.example",
            "https://shop.example; script-src *",
            "https://shop.example:0",
            "*",
        ] {
            assert!(Origin::parse(wrong).is_err(), "{wrong}");
        }
        for right in [
            "https://shop.example:8443",
            "http://localhost:7071",
            "http://127.0.0.1:1",
        ] {
            assert!(Origin::parse(right).is_ok(), "{right}");
        }
    }
}
