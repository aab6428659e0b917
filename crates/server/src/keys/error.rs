//! Why something does not become a key.

use maitred_agent::action::FetchError;
use maitred_store::{KeyConflict, StoreError};
use maitred_token::{Algorithm, BadKeySet, UnusableKey};

use super::{Encoding, set_url::BadSetUrl};

/// Why something does not become a key. Its reader is the operator who brings it;
/// nothing of what was brought is in it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyError {
    /// It is unfit, weak, or private.
    #[error(transparent)]
    Unusable(#[from] UnusableKey),
    /// It is not even text.
    #[error("this is neither a secret in one line nor a public key in PEM or JSON")]
    NotText,
    /// The text does not decode.
    #[error("the secret is not {}", .0.as_str())]
    NotEncoded(Encoding),
    /// An RSA key that does not say.
    #[error("this is an RSA key, and nothing says which algorithm it signs with")]
    AlgorithmNeeded,
    /// A shared secret is asked for, and this is no algorithm for one.
    #[error("`{0}` does not sign with a shared secret")]
    NoSecretFor(Algorithm),
    /// Tokens of a secret name our id, or nothing.
    #[error("a shared secret has no `kid` but its id")]
    KidOfASecret,
    /// A term that says nothing.
    #[error("an issuer or audience is empty")]
    EmptyTerm,
    /// An address that no set is fetched from.
    #[error(transparent)]
    BadSetUrl(#[from] BadSetUrl),
    /// The set is not there.
    #[error("the key set could not be fetched: {0}")]
    Fetch(FetchError),
    /// The set is none, or holds a private key.
    #[error(transparent)]
    BadKeySet(#[from] BadKeySet),
    /// A set that is of no use.
    #[error("the key set holds no key that can be used")]
    EmptySet,
    /// There is no place for it.
    #[error(transparent)]
    Conflict(KeyConflict),
    /// It could not be kept, or not be found out.
    #[error(transparent)]
    Store(StoreError),
}

impl KeyError {
    /// The stable code that clients may rely on. `None`: it is our fault.
    pub(crate) fn code(&self) -> Option<&'static str> {
        Some(match self {
            Self::Unusable(unusable) => unusable.code(),
            Self::BadKeySet(bad) => bad.code(),
            Self::NotText | Self::NotEncoded(_) | Self::AlgorithmNeeded => "unusable_key",
            Self::NoSecretFor(_) | Self::KidOfASecret | Self::EmptyTerm => "unusable_key",
            Self::BadSetUrl(_) | Self::Fetch(_) | Self::EmptySet => "unusable_key",
            Self::Conflict(KeyConflict::TooMany) => "too_many_keys",
            Self::Conflict(KeyConflict::DuplicateKid(_)) => "duplicate_kid",
            Self::Conflict(
                KeyConflict::Here(_) | KeyConflict::RevokedHere(_) | KeyConflict::Elsewhere { .. },
            ) => "key_reused",
            Self::Store(_) => return None,
        })
    }

    /// Whether it has no place here, fit as it is.
    pub(crate) fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict(_))
    }

    /// What to do about it.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::Unusable(unusable) => unusable.hint(),
            Self::NotText => "write a secret as base64, and a key as PEM: `openssl pkey -pubout`",
            Self::NotEncoded(_) => {
                "say how it is written: `utf8` takes it as it stands, `base64` and `base64url` decode it"
            }
            Self::AlgorithmNeeded => {
                "name the one that your library signs with: RS256, most likely; or RS384, RS512, PS256, PS384, PS512"
            }
            Self::NoSecretFor(_) => {
                "choose HS256, HS384 or HS512; for the others, import a public key"
            }
            Self::KidOfASecret => "sign with the key's id as `kid`, or without one",
            Self::EmptyTerm => "write what stands in `iss` and `aud` of your tokens",
            Self::BadSetUrl(bad) => bad.hint(),
            Self::Fetch(FetchError::NotAllowed(_)) => {
                "a private address is called only if `outbound.allow` lists it: `host:port`"
            }
            Self::Fetch(_) => {
                "open the address in a browser: it must answer 200 with a JSON object"
            }
            Self::BadKeySet(BadKeySet::Private) => {
                "treat those keys as leaked: whoever publishes the set must make new ones"
            }
            Self::BadKeySet(BadKeySet::NotASet) => {
                "look for `jwks_uri` in the provider's `/.well-known/openid-configuration`"
            }
            Self::BadKeySet(BadKeySet::NoTerms) => {
                "give the `iss` of its tokens and your own client id: without them, a token for another app of the same provider would be an identity here"
            }
            Self::EmptySet => "it must hold an RSA key with 2048 bits, P-256, P-384 or Ed25519",
            Self::Conflict(KeyConflict::TooMany) => "retire or revoke one first",
            Self::Conflict(KeyConflict::DuplicateKid(_)) => {
                "give the new key a `kid` of its own, in the tokens too"
            }
            Self::Conflict(KeyConflict::Here(_)) => "nothing is left to do, unless it is to retire",
            Self::Conflict(KeyConflict::RevokedHere(_)) => "make a new key",
            Self::Conflict(KeyConflict::Elsewhere { .. }) => {
                "use a key of its own here; or give both an audience of their own, so that a token for one is none for the other"
            }
            Self::Store(_) => return None,
        })
    }
}

impl From<FetchError> for KeyError {
    fn from(error: FetchError) -> Self {
        Self::Fetch(error)
    }
}

impl From<StoreError> for KeyError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::KeyConflict(conflict) => Self::Conflict(conflict),
            error @ (StoreError::Db(_)
            | StoreError::Corrupt { .. }
            | StoreError::Conflict
            | StoreError::TurnTaken
            | StoreError::KeyRevoked
            | StoreError::TokenRevoked
            | StoreError::NoGoodToken
            | StoreError::TokenReplayed
            | StoreError::IdempotencyMismatch
            | StoreError::NotCommitted(_)
            | StoreError::Sealed(_)) => Self::Store(error),
        }
    }
}
