//! What an agent may answer from, and whom it may answer with it.
//!
//! A source is what an operator added. What came of it are pages, and passages of
//! them. Who may read a source is said once, for all of it.

use std::{fmt, str::FromStr};

use jiff::SignedDuration;

use crate::{
    assurance::{Assurance, Standing},
    scope::Environment,
};

/// What an operator added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SourceKind {
    /// A file that was handed over.
    File,
    /// One page of a site.
    Page,
    /// The pages that a sitemap lists.
    Sitemap,
    /// Questions with their answers.
    Questions,
}

impl SourceKind {
    const ALL: [Self; 4] = [Self::File, Self::Page, Self::Sitemap, Self::Questions];

    /// The name in JSON and SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Page => "page",
            Self::Sitemap => "sitemap",
            Self::Questions => "qa",
        }
    }

    /// Whether it is fetched from somewhere, and may be fetched again.
    pub fn is_fetched(self) -> bool {
        matches!(self, Self::Page | Self::Sitemap)
    }
}

impl fmt::Display for SourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that names nothing of its kind. Its reader is a caller that branches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not one of {0}")]
pub struct NotOneOf(&'static str);

impl FromStr for SourceKind {
    type Err = NotOneOf;

    fn from_str(text: &str) -> Result<Self, NotOneOf> {
        let mut all = Self::ALL.into_iter();
        all.find(|kind| kind.as_str() == text)
            .ok_or(NotOneOf("`file`, `page`, `sitemap`, `qa`"))
    }
}

/// How often a source is fetched again by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Every {
    /// Once a day.
    Day,
    /// Once a week.
    Week,
    /// Only when somebody asks for it.
    #[default]
    Never,
}

impl Every {
    /// The name in JSON and SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Never => "never",
        }
    }

    /// How long that is, if it is ever.
    pub fn period(self) -> Option<SignedDuration> {
        match self {
            Self::Day => Some(SignedDuration::from_hours(24)),
            Self::Week => Some(SignedDuration::from_hours(7 * 24)),
            Self::Never => None,
        }
    }
}

impl fmt::Display for Every {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Every {
    type Err = NotOneOf;

    fn from_str(text: &str) -> Result<Self, NotOneOf> {
        let mut all = [Self::Day, Self::Week, Self::Never].into_iter();
        all.find(|every| every.as_str() == text)
            .ok_or(NotOneOf("`day`, `week`, `never`"))
    }
}

/// How far one must be proven to be answered from a source (rule A2). `fresh` asks
/// for a time that only an Action has, so no source can.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Readers(Assurance);

impl Readers {
    /// Everybody.
    pub const EVERYBODY: Self = Self(Assurance::Anonymous);
    /// Whom the site vouches for.
    pub const VERIFIED: Self = Self(Assurance::Verified);

    /// The rung in JSON and SQL.
    pub fn as_str(self) -> &'static str {
        self.0.as_str()
    }
}

impl From<Standing> for Readers {
    /// What somebody may read, however long ago they logged in.
    fn from(standing: Standing) -> Self {
        Self(standing.assurance())
    }
}

impl Default for Readers {
    fn default() -> Self {
        Self::EVERYBODY
    }
}

impl fmt::Display for Readers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Readers {
    type Err = NotOneOf;

    fn from_str(text: &str) -> Result<Self, NotOneOf> {
        match text.parse() {
            Ok(Assurance::Fresh) | Err(_) => {
                Err(NotOneOf("`anonymous`, `claimed`, `code`, `verified`"))
            }
            Ok(rung) => Ok(Self(rung)),
        }
    }
}

/// Who may be answered from a source, and where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Audience {
    /// How far they must be proven.
    pub readers: Readers,
    /// In this environment only, if one is named.
    pub environment: Option<Environment>,
}

impl Audience {
    /// Whether somebody who is proven so far belongs to it, there.
    pub fn admits(self, reader: Readers, environment: Environment) -> bool {
        reader >= self.readers && self.environment.is_none_or(|only| only == environment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a2_a_source_for_verified_visitors_is_for_nobody_less_proven() {
        let verified = Standing::verified(None, jiff::Timestamp::UNIX_EPOCH);
        for (readers, admitted) in [
            ("anonymous", [true, true, true]),
            ("claimed", [false, true, true]),
            ("code", [false, true, true]),
            ("verified", [false, false, true]),
        ] {
            let audience = Audience {
                readers: readers.parse().unwrap(),
                environment: None,
            };

            let found = [Standing::ANONYMOUS, Standing::CODE, verified]
                .map(|standing| audience.admits(standing.into(), Environment::Production));

            assert_eq!(found, admitted, "{readers}");
        }
        assert!("fresh".parse::<Readers>().is_err());
    }

    #[test]
    fn a_source_of_one_environment_is_not_read_in_the_other() {
        let staging = Audience {
            environment: Some(Environment::Staging),
            ..Audience::default()
        };

        assert!(staging.admits(Readers::EVERYBODY, Environment::Staging));
        assert!(!staging.admits(Readers::EVERYBODY, Environment::Production));
    }
}
