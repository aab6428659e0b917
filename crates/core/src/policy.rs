//! What an operator may ask of tokens, and within which limits.

use std::{fmt, str::FromStr};

/// What the operator asks of tokens (rules T5 to T10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenPolicy {
    /// By how much clocks may differ.
    pub leeway: Leeway,
    /// How long a token may be good.
    pub max_lifetime: MaxLifetime,
    /// Whether a token without `email` is refused.
    pub email_required: bool,
    /// Whether a token without `aud` is refused.
    pub audience_required: bool,
    /// Whether a token without `iss` is refused.
    pub issuer_required: bool,
    /// Whether a token is accepted once only (rule T9).
    pub one_time: bool,
    /// Whether a member of staff may act as a user (rule T10).
    pub actors_allowed: bool,
}

impl Default for TokenPolicy {
    fn default() -> Self {
        Self {
            leeway: Leeway(60),
            max_lifetime: MaxLifetime(3_600),
            email_required: true,
            audience_required: false,
            issuer_required: false,
            one_time: false,
            actors_allowed: true,
        }
    }
}

/// A number of seconds that may not be set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} must be a whole number of seconds from {least} to {most}")]
pub struct OutOfLimits {
    what: &'static str,
    least: u32,
    most: u32,
}

macro_rules! seconds {
    ($(#[$doc:meta])* $name:ident, $what:literal, $least:literal..=$most:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name(u32);

        impl $name {
            /// Takes that many seconds, if they are within the limits.
            pub fn new(seconds: u32) -> Result<Self, OutOfLimits> {
                if ($least..=$most).contains(&seconds) {
                    Ok(Self(seconds))
                } else {
                    Err(Self::out_of_limits())
                }
            }

            /// How many seconds.
            pub fn seconds(self) -> u32 {
                self.0
            }

            fn out_of_limits() -> OutOfLimits {
                OutOfLimits { what: $what, least: $least, most: $most }
            }
        }

        impl FromStr for $name {
            type Err = OutOfLimits;

            fn from_str(text: &str) -> Result<Self, OutOfLimits> {
                text.parse().map_or_else(|_| Err(Self::out_of_limits()), Self::new)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

seconds!(
    /// By how many seconds the site's clock may be off (rule T6).
    Leeway, "the leeway", 0..=120
);
seconds!(
    /// For how many seconds a token may be good (rule T7).
    MaxLifetime, "the longest lifetime of a token", 60..=86_400
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t6_t7_what_is_outside_the_limits_is_refused_with_the_limit() {
        assert_eq!("0".parse::<Leeway>().map(Leeway::seconds), Ok(0));
        assert_eq!("120".parse::<Leeway>().map(Leeway::seconds), Ok(120));
        assert_eq!(
            MaxLifetime::new(86_400).map(MaxLifetime::seconds),
            Ok(86_400)
        );

        for wrong in ["121", "-1", "1.5", "", "4294967296"] {
            assert_eq!(
                wrong.parse::<Leeway>().unwrap_err().to_string(),
                "the leeway must be a whole number of seconds from 0 to 120"
            );
        }
        for wrong in [0, 59, 86_401, u32::MAX] {
            assert_eq!(
                MaxLifetime::new(wrong).unwrap_err().to_string(),
                "the longest lifetime of a token must be a whole number of seconds from 60 to 86400"
            );
        }
    }
}
