//! What exactly is wrong, where one code covers several mistakes.

use std::fmt;

/// A part of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The first.
    Header,
    /// The second.
    Claims,
    /// The third.
    Signature,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header => "the header",
            Self::Claims => "the part with the claims",
            Self::Signature => "the signature",
        })
    }
}

/// What is wrong with the form of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Not three parts with something in each.
    #[error("it does not have three parts with dots between them")]
    Parts,
    /// Not canonical base64url without padding.
    #[error("{0} is not base64url without padding")]
    Encoding(Part),
    /// Not JSON in UTF-8.
    #[error("{0} is not JSON")]
    NotJson(Part),
    /// JSON, but not an object.
    #[error("{0} is not a JSON object")]
    NotAnObject(Part),
    /// More than 8 levels.
    #[error("{0} is nested more than 8 deep")]
    TooDeep(Part),
    /// A NUL in a text.
    #[error("{0} contains a NUL character")]
    Nul(Part),
    /// `alg` is absent or not a string.
    #[error("the header has no `alg`")]
    Algorithm,
    /// `kid` is not a string, or too long.
    #[error("the header's `kid` is not a string of at most 256 characters")]
    KeyId,
}

/// What is wrong with `aud`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AudienceFault {
    /// It is required and absent.
    #[error("the token has no `aud`")]
    Missing,
    /// It is neither a string nor a list of strings.
    #[error("`aud` is not a string or a list of strings")]
    Unreadable,
    /// It is this agent in its other environment.
    #[error("`aud` names this agent's other environment")]
    OtherEnvironment,
    /// It is something else.
    #[error("`aud` does not name this agent")]
    SomeoneElse,
}

/// What is wrong with `iss`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IssuerFault {
    /// It is required and absent.
    #[error("the token has no `iss`")]
    Missing,
    /// It is not the key's, or not a string.
    #[error("`iss` is not the issuer of the key")]
    SomeoneElse,
}

/// What is wrong with `act`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ActorFault {
    /// The agent lets nobody act as a user.
    #[error("nobody may act as a user of this agent")]
    Policy,
    /// It does not say who.
    #[error("`act` does not say who is acting")]
    Unreadable,
}

/// What is wrong with `kid`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KidFault {
    /// There is none, and no key that could be tried without.
    #[error("there is no active key here, and the token names none")]
    Absent,
    /// There is none, and more than one public key.
    #[error("the token names no key, and there are several it could be checked with")]
    Needed,
    /// No key has this id.
    #[error("there is no key `{0}` here")]
    Unknown(String),
    /// No key has this id, which does not look like one and is not repeated.
    #[error("the token's `kid` names no key here")]
    Unfit,
}

impl KidFault {
    /// Repeats a `kid` only if it looks like one, since it may be anything.
    pub(crate) fn unknown(kid: &str) -> Self {
        if fit_to_repeat(kid) {
            Self::Unknown(kid.to_owned())
        } else {
            Self::Unfit
        }
    }
}

/// Whether a `kid` of someone else's looks like one and may be shown.
pub(crate) fn fit_to_repeat(kid: &str) -> bool {
    (1..=64).contains(&kid.len())
        && kid
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-.:".contains(&byte))
}
