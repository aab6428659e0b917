//! Everything an HTTP client can be told went wrong.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use maitred_core::{
    code::EmailAddressError,
    conversation::RatingError,
    message::{MessageTextError, TitleError},
    scope::Environment,
    session::Ended,
};
use maitred_store::StoreError;
use maitred_token::{Refused, Stage};

use super::{MAX_BODY, proof::ProofFault};
use crate::{
    keys::KeyError, knowledge::KnowledgeError, limits::TooMany, settings::BadSetting,
    test_identities::TestIdentityError,
};

/// In seconds: a set that is fetched now is there by then.
const KEYS_RETRY_AFTER: &str = "5";
/// In seconds. What was busy has been waited for already.
const STORAGE_RETRY_AFTER: &str = "2";

/// An error of the API. Codes are part of the contract, sentences are not.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    #[error("{}", .0.refusal)]
    RefusedToken(Box<Refused>, Environment),
    #[error("the key that signed the token was revoked")]
    KeyRevoked,
    #[error("the token was made before its user was logged out everywhere")]
    TokenRevoked,
    #[error("the token was used before, and is good once only")]
    TokenReplayed,
    #[error("the keys of the identity provider cannot be fetched now")]
    KeysUnavailable,
    #[error(transparent)]
    Key(KeyError),
    #[error(transparent)]
    TestIdentity(TestIdentityError),
    #[error("who is not signed in cannot chat here")]
    TokenRequired { sign_in_url: Option<String> },
    #[error("the token is for another user than this session")]
    IdentityMismatch,
    #[error("pages of `{0}` may not show this chat")]
    OriginNotAllowed(String),
    #[error("too many requests from this address")]
    RateLimited(TooMany),
    #[error("too many codes were asked for")]
    TooManyCodes(TooMany),
    #[error("one-time codes cannot be sent here")]
    CodeUnavailable,
    #[error(transparent)]
    BadAddress(#[from] EmailAddressError),
    #[error("that is not the code")]
    WrongCode { left: Option<i64> },
    #[error("there is no code to type in")]
    CodeExpired,
    #[error("no session was given")]
    Unauthorized,
    #[error("{0}")]
    NoApiKey(&'static str),
    #[error("this API key is for one agent only")]
    ForOneAgent,
    #[error(transparent)]
    BadSetting(#[from] BadSetting),
    #[error("the session has ended")]
    SessionEnded(Ended),
    #[error(transparent)]
    InvalidProof(#[from] ProofFault),
    #[error("the proof of possession has no fresh nonce")]
    UseNonce,
    #[error("more proofs of possession than can be remembered")]
    TooManyProofs(TooMany),
    #[error("this page cannot prove that its session is its own")]
    SecureContextNeeded,
    #[error("no such {0}")]
    NotFound(&'static str),
    #[error(transparent)]
    BadMessage(#[from] MessageTextError),
    #[error(transparent)]
    BadTitle(#[from] TitleError),
    #[error(transparent)]
    BadRating(#[from] RatingError),
    #[error("who acts as somebody else may not do this")]
    ActorMayNot,
    #[error("a message with this id says something else")]
    IdempotencyMismatch,
    #[error("{0}")]
    UnknownField(String),
    #[error("{0}")]
    BadRequest(String),
    #[error("the body is too large")]
    TooLarge,
    #[error(transparent)]
    Knowledge(KnowledgeError),
    #[error("the request came too slowly")]
    TooSlow,
    #[error("this route does not take that method")]
    NoSuchMethod,
    #[error("this server is known as `{expected}`")]
    OtherHost { expected: String },
    #[error("this was undone before")]
    AlreadyUndone,
    #[error("this was too long ago to be undone")]
    TooLateToUndo,
    #[error("no good token was seen in this environment yet, so nobody could chat")]
    NoGoodToken,
    #[error("someone else changed this first")]
    Conflict,
    #[error("the disk is full")]
    StorageFull,
    #[error("the database is not available")]
    StorageAway,
    #[error("something went wrong on our side")]
    Panicked,
    #[error("something went wrong on our side")]
    Internal(#[source] anyhow::Error),
}

/// How one gets to where tokens can be required (rule E1).
pub(crate) const NO_GOOD_TOKEN: &str = "set `report`, open your site as a logged-in user until the chat greets them by name, then try again";

/// What is written into the body of an error, once the request's id is known.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

impl ApiError {
    /// The status, and the code that clients may rely on.
    fn class(&self) -> (StatusCode, &'static str) {
        match self {
            Self::RefusedToken(refused, environment) => {
                (StatusCode::UNAUTHORIZED, told_code(refused, *environment))
            }
            Self::KeyRevoked => (StatusCode::UNAUTHORIZED, "key_revoked"),
            Self::TokenRevoked => (StatusCode::UNAUTHORIZED, "token_revoked"),
            Self::TokenReplayed => (StatusCode::UNAUTHORIZED, "token_replayed"),
            Self::KeysUnavailable => (StatusCode::SERVICE_UNAVAILABLE, "keys_unavailable"),
            Self::Key(error) => match error.code() {
                Some(code) if error.is_conflict() => (StatusCode::CONFLICT, code),
                Some(code) => (StatusCode::UNPROCESSABLE_ENTITY, code),
                None => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
            },
            Self::TestIdentity(error) => match error.code() {
                Some(code @ "staging_only") => (StatusCode::UNPROCESSABLE_ENTITY, code),
                Some(code) => (StatusCode::CONFLICT, code),
                None => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
            },
            Self::TokenRequired { .. } => (StatusCode::UNAUTHORIZED, "token_required"),
            Self::IdentityMismatch => (StatusCode::CONFLICT, "identity_mismatch"),
            Self::OriginNotAllowed(_) => (StatusCode::FORBIDDEN, "origin_not_allowed"),
            Self::CodeUnavailable => (StatusCode::CONFLICT, "code_unavailable"),
            Self::BadAddress(_) => (StatusCode::UNPROCESSABLE_ENTITY, "invalid_email"),
            Self::WrongCode { .. } => (StatusCode::UNAUTHORIZED, "wrong_code"),
            Self::CodeExpired => (StatusCode::UNAUTHORIZED, "code_expired"),
            Self::RateLimited(_) | Self::TooManyCodes(_) | Self::TooManyProofs(_) => {
                (StatusCode::TOO_MANY_REQUESTS, "rate_limited")
            }
            Self::Unauthorized | Self::NoApiKey(_) => (StatusCode::UNAUTHORIZED, "unauthorized"),
            Self::ForOneAgent => (StatusCode::FORBIDDEN, "forbidden"),
            Self::BadSetting(_) => (StatusCode::UNPROCESSABLE_ENTITY, "invalid_value"),
            Self::SessionEnded(Ended::Expired) => (StatusCode::UNAUTHORIZED, "session_expired"),
            Self::SessionEnded(Ended::Revoked) => (StatusCode::UNAUTHORIZED, "session_revoked"),
            Self::InvalidProof(_) => (StatusCode::UNAUTHORIZED, "invalid_proof"),
            Self::UseNonce => (StatusCode::UNAUTHORIZED, "use_dpop_nonce"),
            Self::SecureContextNeeded => (StatusCode::BAD_REQUEST, "secure_context_needed"),
            Self::NotFound(_) => (StatusCode::NOT_FOUND, "not_found"),
            Self::BadMessage(_) => (StatusCode::UNPROCESSABLE_ENTITY, "bad_message"),
            Self::BadTitle(_) => (StatusCode::UNPROCESSABLE_ENTITY, "bad_title"),
            Self::BadRating(_) => (StatusCode::UNPROCESSABLE_ENTITY, "bad_rating"),
            Self::ActorMayNot => (StatusCode::FORBIDDEN, "actor_may_not"),
            Self::IdempotencyMismatch => (StatusCode::UNPROCESSABLE_ENTITY, "idempotency_mismatch"),
            Self::UnknownField(_) => (StatusCode::UNPROCESSABLE_ENTITY, "unknown_field"),
            Self::BadRequest(_) => (StatusCode::BAD_REQUEST, "bad_request"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
            Self::Knowledge(error) => match error.code() {
                Some(code @ "too_large") => (StatusCode::PAYLOAD_TOO_LARGE, code),
                Some(code) => (StatusCode::UNPROCESSABLE_ENTITY, code),
                None => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
            },
            Self::TooSlow => (StatusCode::REQUEST_TIMEOUT, "too_slow"),
            Self::NoSuchMethod => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
            Self::OtherHost { .. } => (StatusCode::MISDIRECTED_REQUEST, "other_host"),
            Self::AlreadyUndone => (StatusCode::CONFLICT, "already_undone"),
            Self::TooLateToUndo => (StatusCode::CONFLICT, "too_late_to_undo"),
            Self::NoGoodToken => (StatusCode::CONFLICT, "no_good_token"),
            Self::Conflict => (StatusCode::CONFLICT, "conflict"),
            Self::StorageFull => (StatusCode::INSUFFICIENT_STORAGE, "storage_full"),
            Self::StorageAway => (StatusCode::SERVICE_UNAVAILABLE, "storage_unavailable"),
            Self::Panicked | Self::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        }
    }

    /// The precise code, for the verification log: what the client is told may be less.
    pub(crate) fn code(&self) -> &'static str {
        let refused = self.refused_token();
        refused.map_or_else(|| self.class().1, |refused| refused.refusal.code())
    }

    /// What is wrong with the token, if it is that.
    pub(crate) fn refused_token(&self) -> Option<&Refused> {
        if let Self::RefusedToken(refused, _) = self {
            Some(refused)
        } else {
            None
        }
    }

    /// Whether it says that a token is no good here, or not as it was shown. What is
    /// our own fault, or nobody's, is counted for nobody (rule L3).
    pub(crate) fn is_the_senders_fault(&self) -> bool {
        matches!(
            self,
            Self::RefusedToken(..)
                | Self::KeyRevoked
                | Self::TokenRevoked
                | Self::TokenReplayed
                | Self::OriginNotAllowed(_)
                | Self::InvalidProof(_)
                | Self::SecureContextNeeded
        )
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::RefusedToken(refused, environment) if may_be_precise(refused, *environment) => {
                Some(refused.refusal.hint())
            }
            Self::RefusedToken(..) => Some(
                "production does not say why until the signature is good; `maitred token log` does, and so does staging"
                    .to_owned(),
            ),
            Self::OriginNotAllowed(origin) => {
                Some(format!("if they are yours, add `{origin}` to the origins of this agent and environment"))
            }
            Self::OtherHost { .. } => {
                Some("set `server.public_url` to the address that browsers use".to_owned())
            }
            Self::IdentityMismatch => {
                Some("log the first user out, then open a session for the second".to_owned())
            }
            Self::TokenRequired { sign_in_url } => Some(match sign_in_url {
                Some(url) => format!("sign in at {url}"),
                None => "hand over a token with `identify`".to_owned(),
            }),
            Self::CodeUnavailable => {
                Some("set `mail.url` and `mail.from` in the settings of the server".to_owned())
            }
            Self::BadAddress(_) => Some("write it like `sarah@shop.example`, in ASCII".to_owned()),
            Self::WrongCode { left: None } => Some("a code has six digits".to_owned()),
            Self::WrongCode { left: Some(0) } => Some("no try is left: ask for a new code".to_owned()),
            Self::WrongCode { left: Some(1) } => Some("one try is left".to_owned()),
            Self::WrongCode { left: Some(left) } => Some(format!("{left} tries are left")),
            Self::CodeExpired => Some("ask for a new code".to_owned()),
            Self::RateLimited(TooMany { retry_after })
            | Self::TooManyCodes(TooMany { retry_after })
            | Self::TooManyProofs(TooMany { retry_after }) => {
                Some(format!("try again in {retry_after} s"))
            }
            Self::NoApiKey(_) => Some(
                "send `Authorization: Bearer mtd_api_…`; `maitred api-key create` makes a key"
                    .to_owned(),
            ),
            Self::ForOneAgent => {
                Some("use a key that was made without `--agent`, for the whole installation".to_owned())
            }
            Self::InvalidProof(fault) => Some(fault.hint().to_owned()),
            Self::UseNonce => Some("send it again with the `DPoP-Nonce` of this answer".to_owned()),
            Self::SecureContextNeeded => Some(
                "serve the page over https, and send a `key` and a `DPoP` proof".to_owned(),
            ),
            Self::KeysUnavailable => {
                Some("try again in a moment; `maitred key list` says what is wrong".to_owned())
            }
            Self::Key(error) => error.hint().map(str::to_owned),
            Self::TestIdentity(error) => error.hint(),
            Self::NoGoodToken => Some(NO_GOOD_TOKEN.to_owned()),
            Self::TooLarge => Some(format!("send at most {MAX_BODY} bytes")),
            Self::TokenRevoked => Some(
                "sign in again and make a new token, with `iat`; for as long as clocks may differ after the logout, new ones are refused too"
                    .to_owned(),
            ),
            Self::TokenReplayed => Some(
                "make a fresh token, with a `jti` of its own, each time the widget asks for one"
                    .to_owned(),
            ),
            Self::ActorMayNot => {
                Some("the token says that a member of staff acts as this user; ask the user".to_owned())
            }
            Self::KeyRevoked => Some("sign with a key that is active".to_owned()),
            Self::Unauthorized
            | Self::SessionEnded(_)
            | Self::NotFound(_)
            | Self::BadMessage(_)
            | Self::BadTitle(_)
            | Self::BadRating(_)
            | Self::BadSetting(_)
            | Self::IdempotencyMismatch
            | Self::UnknownField(_)
            | Self::BadRequest(_)
            | Self::Knowledge(_)
            | Self::TooSlow
            | Self::NoSuchMethod
            | Self::AlreadyUndone
            | Self::TooLateToUndo
            | Self::Conflict
            | Self::StorageFull
            | Self::StorageAway
            | Self::Panicked
            | Self::Internal(_) => None,
        }
    }

    /// What its reader is told.
    pub(crate) fn told(&self) -> Told {
        Told {
            code: self.class().1,
            message: self.sentence(),
            hint: self.hint(),
        }
    }

    fn sentence(&self) -> String {
        if let Self::RefusedToken(refused, environment) = self
            && !may_be_precise(refused, *environment)
        {
            return "the token was refused".to_owned();
        }
        self.to_string()
    }
}

/// Until a signature is good, production tells whoever made the token nothing
/// that would help to make a better one. Staging is always precise.
fn may_be_precise(refused: &Refused, environment: Environment) -> bool {
    environment == Environment::Staging || refused.stage == Stage::AfterSignature
}

fn told_code(refused: &Refused, environment: Environment) -> &'static str {
    if may_be_precise(refused, environment) {
        refused.refusal.code()
    } else {
        "invalid_token"
    }
}

impl From<TooMany> for ApiError {
    fn from(too_many: TooMany) -> Self {
        Self::RateLimited(too_many)
    }
}

impl From<KnowledgeError> for ApiError {
    fn from(error: KnowledgeError) -> Self {
        match error {
            KnowledgeError::Store(error) => error.into(),
            KnowledgeError::Setting(bad) => bad.into(),
            error @ (KnowledgeError::Document(_) | KnowledgeError::Engine(_)) => {
                Self::Knowledge(error)
            }
        }
    }
}

impl From<KeyError> for ApiError {
    fn from(error: KeyError) -> Self {
        if let KeyError::Store(error) = error {
            return error.into();
        }
        Self::Key(error)
    }
}

impl From<TestIdentityError> for ApiError {
    fn from(error: TestIdentityError) -> Self {
        if let TestIdentityError::Store(error) = error {
            return error.into();
        }
        Self::TestIdentity(error)
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        if error.is_storage_full() {
            return Self::StorageFull;
        }
        if error.is_away() {
            return Self::StorageAway;
        }
        match error {
            StoreError::Conflict => Self::Conflict,
            StoreError::NoGoodToken => Self::NoGoodToken,
            StoreError::KeyRevoked => Self::KeyRevoked,
            StoreError::TokenRevoked => Self::TokenRevoked,
            StoreError::TokenReplayed => Self::TokenReplayed,
            StoreError::IdempotencyMismatch => Self::IdempotencyMismatch,
            StoreError::KeyConflict(conflict) => Self::Key(KeyError::Conflict(conflict)),
            error @ (StoreError::Db(_)
            | StoreError::TurnTaken
            | StoreError::NotCommitted(_)
            | StoreError::Corrupt { .. }
            | StoreError::Sealed(_)) => Self::Internal(error.into()),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        // Logged here and nowhere else: this is where an error stops being passed up.
        if let Self::Internal(cause) = &self {
            tracing::error!(error = format!("{cause:#}"), "a request failed");
        }
        let (status, told) = (self.class().0, self.told());
        let mut response = status.into_response();
        if let Self::RateLimited(TooMany { retry_after })
        | Self::TooManyCodes(TooMany { retry_after })
        | Self::TooManyProofs(TooMany { retry_after }) = self
        {
            let headers = response.headers_mut();
            headers.insert(header::RETRY_AFTER, retry_after.into());
        } else if let Self::KeysUnavailable = self {
            let after = HeaderValue::from_static(KEYS_RETRY_AFTER);
            response.headers_mut().insert(header::RETRY_AFTER, after);
        } else if let Self::StorageAway = self {
            let after = HeaderValue::from_static(STORAGE_RETRY_AFTER);
            response.headers_mut().insert(header::RETRY_AFTER, after);
        } else if let Self::TooSlow = self {
            // The rest of the request is not waited for.
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
        }
        response.extensions_mut().insert(told);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r8_a_database_that_is_away_is_a_503_that_says_when_to_come_back() {
        let away = StoreError::from(sqlx::Error::PoolTimedOut);

        let response = ApiError::from(away).into_response();

        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[header::RETRY_AFTER], STORAGE_RETRY_AFTER);
        let told: &Told = response.extensions().get().unwrap();
        assert_eq!(told.code, "storage_unavailable");
    }

    #[test]
    fn r6_a_body_that_came_too_slowly_is_a_408_and_the_end_of_its_connection() {
        let response = ApiError::TooSlow.into_response();

        assert_eq!(response.status(), StatusCode::REQUEST_TIMEOUT);
        assert_eq!(response.headers()[header::CONNECTION], "close");
    }
}
