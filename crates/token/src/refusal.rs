//! Every way a token can be wrong.
//!
//! A [`Refusal`] has a stable code, a sentence and a hint. All three are ours:
//! nothing of what the token says is repeated but times, and a `kid` that looks
//! like one.

mod fault;

use std::fmt;

pub(crate) use fault::fit_to_repeat;
pub use fault::{ActorFault, AudienceFault, IssuerFault, KidFault, Malformed, Part};

use crate::algorithm::Algorithm;
use crate::key::Key;

/// Why a token is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is not a token, or not of the compact form.
    #[error("the token is malformed: {0}")]
    Malformed(Malformed),
    /// It has more than 8 KiB.
    #[error("the token is longer than 8 KiB")]
    TooLarge,
    /// The header asks for something that we do not do.
    #[error("the header has the member `{0}`, which is not supported")]
    HeaderNotSupported(&'static str),
    /// It is another kind of token.
    #[error("the header's `typ` is not `JWT`")]
    TypeNotAllowed,
    /// Its `alg` is not the key's.
    #[error("the token's `alg` is not {}", AlgorithmOf(*expected))]
    AlgorithmNotAllowed {
        /// What the key is for, if a key was found.
        expected: Option<Algorithm>,
    },
    /// No key could have signed it.
    #[error("{0}")]
    UnknownKey(KidFault),
    /// Its key no longer counts.
    #[error("the key `{key}` {}", Ended(*retired_for))]
    KeyRevoked {
        /// The key's id.
        key: String,
        /// For how many seconds it has been retired; without it, it was revoked.
        retired_for: Option<i64>,
    },
    /// No key made the signature.
    #[error("the signature does not match")]
    BadSignature,
    /// A key of another environment made the signature. Only a diagnosis says so.
    #[error("the token is signed with the {environment} key `{key}`")]
    WrongEnvironment {
        /// What the caller calls that environment.
        environment: String,
        /// That key's id.
        key: String,
    },
    /// Its time is over.
    #[error("the token expired {} ago", Span(*ago))]
    TokenExpired {
        /// For how many seconds.
        ago: i64,
    },
    /// Its `nbf` has not come.
    #[error("the token is not valid for another {}", Span(*wait))]
    NotYetValid {
        /// For how many seconds more.
        wait: i64,
    },
    /// Its `iat` has not come.
    #[error("the token was issued {} in the future", Span(*ahead))]
    IssuedInFuture {
        /// By how many seconds.
        ahead: i64,
    },
    /// It is good for too long.
    #[error("the token is good for {}, and at most {} is allowed", Span(*lifetime), Span(*limit))]
    LifetimeTooLong {
        /// For how many seconds.
        lifetime: i64,
        /// For how many it may be.
        limit: i64,
    },
    /// It is for someone else.
    #[error("{0}")]
    WrongAudience(AudienceFault),
    /// It is from someone else.
    #[error("{0}")]
    WrongIssuer(IssuerFault),
    /// It does not say who the user is.
    #[error("the token has no `sub`")]
    MissingSubject,
    /// What it says cannot be an id.
    #[error("`{0}` is not a string of 1 to 255 bytes or an integer")]
    InvalidSubject(&'static str),
    /// It names two users.
    #[error("`sub`, `user_id` and `external_id` differ")]
    ConflictingSubject,
    /// The agent requires an email.
    #[error("the token has no `email`")]
    MissingEmail,
    /// The email is none.
    #[error("`email` is not an address of at most 254 characters")]
    InvalidEmail,
    /// It would be good for ever.
    #[error("the token has no `exp`")]
    MissingExpiry,
    /// A time is none.
    #[error("`{0}` is not a number of seconds before the year 10000")]
    InvalidTime(&'static str),
    /// A member is there twice.
    #[error("{0} has a member twice")]
    DuplicateMember(Part),
    /// Someone acts as the user who may not.
    #[error("{0}")]
    ActorNotAllowed(ActorFault),
    /// The agent takes each token once, and this one cannot be told from others.
    #[error("the token has no `jti`")]
    MissingJti,
}

impl Refusal {
    /// The stable code that clients may rely on.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed",
            Self::TooLarge => "too_large",
            Self::HeaderNotSupported(_) => "header_not_supported",
            Self::TypeNotAllowed => "type_not_allowed",
            Self::AlgorithmNotAllowed { .. } => "algorithm_not_allowed",
            Self::UnknownKey(_) => "unknown_key",
            Self::KeyRevoked { .. } => "key_revoked",
            Self::BadSignature => "bad_signature",
            Self::WrongEnvironment { .. } => "wrong_environment",
            Self::TokenExpired { .. } => "token_expired",
            Self::NotYetValid { .. } => "not_yet_valid",
            Self::IssuedInFuture { .. } => "issued_in_future",
            Self::LifetimeTooLong { .. } => "lifetime_too_long",
            Self::WrongAudience(_) => "wrong_audience",
            Self::WrongIssuer(_) => "wrong_issuer",
            Self::MissingSubject => "missing_subject",
            Self::InvalidSubject(_) => "invalid_subject",
            Self::ConflictingSubject => "conflicting_subject",
            Self::MissingEmail => "missing_email",
            Self::InvalidEmail => "invalid_email",
            Self::MissingExpiry => "missing_expiry",
            Self::InvalidTime(_) => "invalid_time",
            Self::DuplicateMember(_) => "duplicate_member",
            Self::ActorNotAllowed(_) => "actor_not_allowed",
            Self::MissingJti => "missing_jti",
        }
    }

    /// What to do about it, for whoever writes the site's backend.
    pub fn hint(&self) -> String {
        let hint = match self {
            Self::Malformed(_) => "pass on exactly what your JWT library returned, as one string",
            Self::TooLarge => "leave out claims that the agent does not need",
            Self::HeaderNotSupported(_) => "sign a plain JWT, without encryption or extensions",
            Self::TypeNotAllowed => "set `typ` to `JWT`, or leave it out",
            Self::AlgorithmNotAllowed {
                expected: Some(algorithm),
            } => {
                return format!("tell your JWT library to sign with `{algorithm}`");
            }
            Self::AlgorithmNotAllowed { expected: None } => {
                "a token without a signature proves nothing: sign it"
            }
            Self::UnknownKey(KidFault::Unknown(_) | KidFault::Unfit) => {
                "use a key of this agent and environment, and its id as `kid`"
            }
            Self::UnknownKey(KidFault::Needed) => "set `kid` in the header to the id of the key",
            Self::UnknownKey(KidFault::Absent) => "make a key for this agent and environment",
            Self::KeyRevoked { .. } => "sign with a key that is active",
            Self::BadSignature => {
                "sign with the whole secret of this agent and environment, `mtd_` included, as text and not decoded"
            }
            Self::TokenExpired { .. } => {
                "make a fresh token for each page, and check that your server's clock is right"
            }
            Self::NotYetValid { .. } | Self::IssuedInFuture { .. } => {
                "check that your server's clock is right"
            }
            Self::LifetimeTooLong { limit, .. } => {
                return format!("set `exp` to at most {} after `iat`", Span(*limit));
            }
            Self::WrongEnvironment { .. }
            | Self::WrongAudience(AudienceFault::OtherEnvironment) => {
                "sign with the key of the environment that the page uses"
            }
            Self::WrongAudience(_) => {
                "set `aud` to the agent's id, with `/staging` after it in staging"
            }
            Self::WrongIssuer(_) => "set `iss` to the issuer that is configured for the key",
            Self::MissingSubject => "set `sub` to the id of the logged-in user",
            Self::InvalidSubject(_) => {
                "use the user's id as it is in your database, without spaces around it"
            }
            Self::ConflictingSubject => "keep `sub` and leave the others out",
            Self::MissingEmail => "add `email`, or turn off the agent's policy that requires it",
            Self::InvalidEmail => "set `email` to the user's address, or leave it out",
            Self::MissingExpiry => "set `exp` to a few minutes from now, in unix seconds",
            Self::InvalidTime(_) => "give times in unix seconds, as numbers and not as text",
            Self::DuplicateMember(_) => "write each claim once",
            Self::ActorNotAllowed(ActorFault::Policy) => {
                "leave `act` out, or allow it in the agent's policy"
            }
            Self::ActorNotAllowed(ActorFault::Unreadable) => {
                "set `act` to an object whose `sub` is the id of the acting person"
            }
            Self::MissingJti => {
                "set `jti` to a fresh random string in each token: here a token is good once only"
            }
        };
        hint.to_owned()
    }

    /// The hint, and what the times tell of the site's clock.
    pub fn fix(&self, trace: &Trace) -> String {
        match (self, trace.age) {
            (Self::TokenExpired { .. }, Some(age)) => format!(
                "if it was made just now, your server's clock is {} behind; else make a fresh token for each page",
                Span(age)
            ),
            (Self::IssuedInFuture { ahead }, _) => {
                format!(
                    "set your server's clock, which is {} ahead of ours",
                    Span(*ahead)
                )
            }
            _ => self.hint(),
        }
    }
}

/// A refused token: why, when, and what is known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{refusal}")]
pub struct Refused {
    /// Why.
    pub refusal: Refusal,
    /// Whether the token had proven by then that it is the site's.
    pub stage: Stage,
    /// What the verification log keeps.
    pub trace: Box<Trace>,
    pub(crate) subject: Option<SignedSubject>,
}

impl Refused {
    /// Whom the token is about, if its signature was good and it says so. To be
    /// hashed for the log, and for nothing else: they are not vouched for.
    pub fn signed_subject(&self) -> Option<&str> {
        self.subject.as_ref().map(|SignedSubject(text)| &**text)
    }
}

/// Whom a token is about that is refused all the same.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SignedSubject(pub(crate) Box<str>);

impl fmt::Debug for SignedSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignedSubject([hidden])")
    }
}

/// When a token was refused. Before the signature is known to be good,
/// production tells nobody why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It could be from anyone.
    BeforeSignature,
    /// It is from the site.
    AfterSignature,
}

/// What may be known of a token afterwards: no claim but times, and those only
/// after the signature.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// The id of our key that the token names, or that made its signature.
    pub key: Option<String>,
    /// Where that key is from ([`Key::source`]).
    pub source: Option<String>,
    /// That key's algorithm.
    pub algorithm: Option<Algorithm>,
    /// Seconds since `iat`; negative when it is in the future.
    pub age: Option<i64>,
    /// Seconds from `iat`, or else from now, to `exp`.
    pub lifetime: Option<i64>,
    /// Seconds by which the site's clock is ahead of ours, where `iat` shows it.
    pub skew: Option<i64>,
}

impl Trace {
    pub(crate) fn uses(&mut self, key: &Key) {
        self.key = Some(key.id().to_owned());
        self.source = Some(key.source().to_owned());
        self.algorithm = Some(key.algorithm());
    }
}

/// Seconds, in words: in the largest unit that leaves at least two of it.
#[derive(Clone, Copy, Debug)]
pub struct Span(pub i64);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            ..120 => write!(f, "{} s", self.0),
            120..7_200 => write!(f, "{} min", self.0 / 60),
            7_200..172_800 => write!(f, "{} h", self.0 / 3_600),
            172_800.. => write!(f, "{} d", self.0 / 86_400),
        }
    }
}

struct AlgorithmOf(Option<Algorithm>);

impl fmt::Display for AlgorithmOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(algorithm) => write!(f, "`{algorithm}`, the key's"),
            None => f.write_str("one that signs"),
        }
    }
}

struct Ended(Option<i64>);

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(retired_for) => write!(f, "was retired {} ago", Span(retired_for)),
            None => f.write_str("was revoked"),
        }
    }
}
