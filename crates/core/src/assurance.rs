//! The ladder: how sure we are of who is asking.

use std::{fmt, str::FromStr};

/// How far an identity is proven. Later rungs include the earlier ones.
///
/// Only the server computes it, from the session (rule A1): no request field
/// and no model output can raise it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Assurance {
    /// Nothing is known.
    Anonymous,
    /// The visitor said so, or an unsigned source did.
    Claimed,
    /// A one-time code reached the address.
    Code,
    /// The site's backend signed for it.
    Verified,
    /// Verified, and logged in recently enough for what is asked.
    Fresh,
}

impl Assurance {
    const ALL: [Self; 5] = [
        Self::Anonymous,
        Self::Claimed,
        Self::Code,
        Self::Verified,
        Self::Fresh,
    ];

    /// The name in JSON, SQL and definitions of Actions.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::Claimed => "claimed",
            Self::Code => "code",
            Self::Verified => "verified",
            Self::Fresh => "fresh",
        }
    }
}

impl fmt::Display for Assurance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that names no rung of the ladder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not one of `anonymous`, `claimed`, `code`, `verified`, `fresh`")]
pub struct ParseAssuranceError;

impl FromStr for Assurance {
    type Err = ParseAssuranceError;

    fn from_str(text: &str) -> Result<Self, ParseAssuranceError> {
        Self::ALL
            .into_iter()
            .find(|rung| rung.as_str() == text)
            .ok_or(ParseAssuranceError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ladder_rises_from_anonymous_to_fresh() {
        assert!(Assurance::ALL.is_sorted());
        assert!(Assurance::Code < Assurance::Verified);
    }

    #[test]
    fn every_rung_is_parsed_from_its_name() {
        for rung in Assurance::ALL {
            assert_eq!(rung.as_str().parse(), Ok(rung));
        }
        assert_eq!("VERIFIED".parse::<Assurance>(), Err(ParseAssuranceError));
    }
}
