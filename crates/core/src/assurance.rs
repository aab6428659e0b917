//! The ladder: how sure we are of who is asking, and how sure an Action wants
//! one to be.
//!
//! A [`Standing`] comes from [`Session::standing`](crate::session::Session::standing)
//! and from nowhere else: no request field and no model output can raise it (rule A1).

use std::{fmt, str::FromStr};

use jiff::{SignedDuration, Timestamp};

/// How far an identity is proven. Later rungs include the earlier ones.
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

/// What an Action asks of whoever runs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requires {
    /// Anybody.
    Anonymous,
    /// Somebody who says who they are.
    Claimed,
    /// Somebody who reads the mail of an address.
    Code,
    /// Somebody the site vouches for.
    Verified,
    /// And who logged in there no longer ago than this.
    Fresh {
        /// The limit of this Action.
        within: SignedDuration,
    },
}

impl Requires {
    /// The rung that it asks for.
    pub fn rung(self) -> Assurance {
        match self {
            Self::Anonymous => Assurance::Anonymous,
            Self::Claimed => Assurance::Claimed,
            Self::Code => Assurance::Code,
            Self::Verified => Assurance::Verified,
            Self::Fresh { .. } => Assurance::Fresh,
        }
    }
}

/// How far the holder of a session is proven, at one moment.
///
/// Whether that is [`Fresh`](Assurance::Fresh) has no answer of its own: each
/// Action has its limit, so it is asked per Action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    rung: Assurance,
    /// How long ago the holder logged in, if the site said when.
    logged_in_for: Option<SignedDuration>,
    /// Whether a member of staff acts as the holder.
    has_actor: bool,
}

/// What somebody could do to be allowed what they are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// Prove an address by a one-time code, or sign in.
    Address,
    /// Sign in.
    SignIn,
    /// Sign in once more.
    RecentSignIn,
}

impl Standing {
    /// Of somebody of whom nothing is known.
    pub const ANONYMOUS: Self = Self {
        rung: Assurance::Anonymous,
        logged_in_for: None,
        has_actor: false,
    };

    /// Of somebody who proved an address by a one-time code.
    pub(crate) const CODE: Self = Self {
        rung: Assurance::Code,
        logged_in_for: None,
        has_actor: false,
    };

    /// Of somebody the site vouches for. An `auth_time` in the future counts for
    /// nothing; when the token was made does not matter.
    pub(crate) fn verified(auth_time: Option<Timestamp>, now: Timestamp) -> Self {
        Self {
            rung: Assurance::Verified,
            logged_in_for: auth_time
                .map(|at| now.duration_since(at))
                .filter(|ago| !ago.is_negative()),
            has_actor: false,
        }
    }

    /// The same, of a session in which a member of staff acts as the holder, or
    /// does not.
    pub(crate) fn acted_in(self, has_actor: bool) -> Self {
        Self { has_actor, ..self }
    }

    /// Whether a member of staff acts as the holder (rule T10): they may look,
    /// and change nothing.
    pub fn has_actor(self) -> bool {
        self.has_actor
    }

    /// The rung that is reached, whatever is asked for: at most `verified`.
    pub fn assurance(self) -> Assurance {
        self.rung
    }

    /// Whether this is enough.
    pub fn reaches(self, requires: Requires) -> bool {
        match requires {
            Requires::Fresh { within } => {
                self.rung >= Assurance::Verified
                    && self.logged_in_for.is_some_and(|ago| ago <= within)
            }
            Requires::Anonymous | Requires::Claimed | Requires::Code | Requires::Verified => {
                self.rung >= requires.rung()
            }
        }
    }

    /// What an Action that asks for this may be told: `fresh` if it asked for it
    /// and it is so, else the rung.
    pub fn assurance_for(self, requires: Requires) -> Assurance {
        match requires {
            Requires::Fresh { .. } if self.reaches(requires) => Assurance::Fresh,
            Requires::Anonymous
            | Requires::Claimed
            | Requires::Code
            | Requires::Verified
            | Requires::Fresh { .. } => self.rung,
        }
    }

    /// What would make it enough. `None` if it is.
    pub fn lacks(self, requires: Requires) -> Option<Lack> {
        if self.reaches(requires) {
            return None;
        }
        Some(match requires {
            Requires::Anonymous | Requires::Claimed | Requires::Code => Lack::Address,
            Requires::Verified => Lack::SignIn,
            Requires::Fresh { .. } if self.rung >= Assurance::Verified => Lack::RecentSignIn,
            Requires::Fresh { .. } => Lack::SignIn,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Requires = Requires::Fresh {
        within: SignedDuration::from_hours(1),
    };

    fn noon() -> Timestamp {
        "2026-03-01T12:00:00Z".parse().unwrap()
    }

    /// Of somebody who logged in that many seconds ago.
    fn logged_in(seconds_ago: i64) -> Standing {
        let at = noon() - SignedDuration::from_secs(seconds_ago);
        Standing::verified(Some(at), noon())
    }

    #[test]
    fn a1_each_rung_reaches_what_lies_at_or_below_it() {
        let rungs = [
            Requires::Anonymous,
            Requires::Claimed,
            Requires::Code,
            Requires::Verified,
            HOUR,
        ];
        for (standing, reached) in [
            (Standing::ANONYMOUS, 1),
            (Standing::CODE, 3),
            (Standing::verified(None, noon()), 4),
            (logged_in(60), 5),
        ] {
            for (at, requires) in rungs.into_iter().enumerate() {
                assert_eq!(
                    standing.reaches(requires),
                    at < reached,
                    "{standing:?} {requires:?}"
                );
                assert_eq!(standing.lacks(requires).is_none(), at < reached);
            }
        }
    }

    #[test]
    fn a1_fresh_is_within_the_limit_of_the_action_and_not_in_the_future() {
        for (seconds_ago, is_fresh) in [
            (0, true),
            (3_600, true),
            (3_601, false),
            (-1, false),
            (-3_600, false),
        ] {
            assert_eq!(
                logged_in(seconds_ago).reaches(HOUR),
                is_fresh,
                "{seconds_ago}"
            );
        }
        let minute = Requires::Fresh {
            within: SignedDuration::from_mins(1),
        };
        assert!(!logged_in(61).reaches(minute));
    }

    #[test]
    fn a1_who_did_not_say_when_they_logged_in_is_never_fresh() {
        let standing = Standing::verified(None, noon());

        assert!(!standing.reaches(HOUR));
        assert_eq!(standing.lacks(HOUR), Some(Lack::RecentSignIn));
    }

    #[test]
    fn a1_fresh_is_told_only_to_an_action_that_asks_for_it() {
        let standing = logged_in(60);

        assert_eq!(standing.assurance(), Assurance::Verified);
        assert_eq!(standing.assurance_for(HOUR), Assurance::Fresh);
        assert_eq!(
            standing.assurance_for(Requires::Verified),
            Assurance::Verified
        );
        assert_eq!(logged_in(7_200).assurance_for(HOUR), Assurance::Verified);
    }

    #[test]
    fn i3_what_would_make_it_enough_is_said() {
        for (standing, requires, lack) in [
            (Standing::ANONYMOUS, Requires::Code, Lack::Address),
            (Standing::ANONYMOUS, Requires::Verified, Lack::SignIn),
            (Standing::CODE, Requires::Verified, Lack::SignIn),
            (Standing::CODE, HOUR, Lack::SignIn),
            (logged_in(7_200), HOUR, Lack::RecentSignIn),
        ] {
            assert_eq!(standing.lacks(requires), Some(lack));
        }
    }

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
