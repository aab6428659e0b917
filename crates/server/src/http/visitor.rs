//! Who is asking, and what they sent: parsed at the edge.

use std::{convert::Infallible, error::Error, iter::successors};

use axum::{
    Json,
    body::Bytes,
    extract::{
        self, FromRequest, FromRequestParts, Path, Request,
        rejection::{BytesRejection, JsonRejection},
    },
    http::{StatusCode, header, request::Parts},
};
use maitred_core::{
    scope::Scope,
    secret::{Secret, SecretFor},
    session::Session,
};
use maitred_store::Found;
use serde::de::DeserializeOwned;

use super::{error::ApiError, proof::Shown};
use crate::{accept::TooSlow, app::App};

/// A visitor with a session that lives, and with the key it is bound to if it is
/// bound to one (rule S4). A handler without this argument is public.
pub(super) struct Visitor {
    pub(super) session: Session,
    /// What they showed.
    pub(super) secret: Secret,
}

impl FromRequestParts<App> for Visitor {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let secret = parts
            .headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "))
            .and_then(|text| Secret::parse(SecretFor::Session, text))
            .ok_or(ApiError::Unauthorized)?;
        match app.store.session(&secret).await? {
            Some(Found::Live(session)) => {
                if let Some(key) = &session.proof_key {
                    Shown::of(parts).is_by(key, Some(&secret), app)?;
                }
                Ok(Self { session, secret })
            }
            Some(Found::Ended(why)) => Err(ApiError::SessionEnded(why)),
            None => Err(ApiError::Unauthorized),
        }
    }
}

impl Visitor {
    /// Whether a member of staff acts as the visitor (rule T10).
    pub(super) fn is_acted(&self) -> bool {
        let identity = self.session.identity();
        identity.is_some_and(|identity| identity.actor.is_some())
    }

    /// What only the visitor may do themselves, nobody does in their name.
    pub(super) fn refuse_actor(&self) -> Result<(), ApiError> {
        if self.is_acted() {
            return Err(ApiError::ActorMayNot);
        }
        Ok(())
    }
}

/// A JSON body. What it holds too much of is refused by name.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<App> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        let bytes = Bytes::from_request(request, app).await.map_err(|error| {
            if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
                ApiError::TooLarge
            } else if came_too_slowly(&error) {
                ApiError::TooSlow
            } else {
                ApiError::BadRequest(error.body_text())
            }
        })?;
        let Json(value) = Json::<T>::from_bytes(&bytes).map_err(refused_body)?;
        Ok(Self(value))
    }
}

fn came_too_slowly(error: &BytesRejection) -> bool {
    let causes = successors(error.source(), |&cause| cause.source());
    causes.into_iter().any(|cause| cause.is::<TooSlow>())
}

fn refused_body(rejection: JsonRejection) -> ApiError {
    refused(&rejection.body_text())
}

fn refused(text: &str) -> ApiError {
    match text.find("unknown field") {
        // axum puts a sentence of its own in front of serde's.
        Some(at) => ApiError::UnknownField(text[at..].to_owned()),
        None => ApiError::BadRequest(without_what_was_sent(text)),
    }
}

/// serde repeats a value that it cannot use. It may be a secret in a field where
/// it does not belong (rule D3).
fn without_what_was_sent(text: &str) -> String {
    const VARIANT: &str = "unknown variant `";
    let text_at = text.find('"').map(|at| (at + 1, "\""));
    let word_at = text
        .find(VARIANT)
        .map(|at| (at + VARIANT.len(), "`, expected"));
    let Some((from, closing)) = text_at.into_iter().chain(word_at).min() else {
        return text.to_owned();
    };
    let to = text.rfind(closing).filter(|to| from <= *to);
    format!("{}…{}", &text[..from], &text[to.unwrap_or(text.len())..])
}

/// The query. What it holds too much of is passed over, unless its type refuses it.
pub(super) struct Query<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequestParts<App> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        extract::Query::from_request_parts(parts, app)
            .await
            .map(|extract::Query(value)| Self(value))
            .map_err(|error| refused(&error.body_text()))
    }
}

/// The agent and environment in the path; none if it can name none.
pub(super) struct Place(pub(super) Option<Scope>);

impl FromRequestParts<App> for Place {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        let path = Path::<(String, String)>::from_request_parts(parts, app).await;
        Ok(Self(path.ok().and_then(|Path((agent, environment))| {
            Some(Scope {
                agent: agent.parse().ok()?,
                environment: environment.parse().ok()?,
            })
        })))
    }
}

/// An id in the path. What is no id names nothing.
pub(super) struct Id<T>(pub(super) T);

impl<T: std::str::FromStr> FromRequestParts<App> for Id<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let path = Path::<String>::from_request_parts(parts, app).await;
        path.ok()
            .and_then(|Path(text)| text.parse().ok())
            .map(Self)
            .ok_or(ApiError::NotFound("conversation"))
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Wanted {
        #[expect(dead_code, reason = "it is only read")]
        environment: Option<maitred_core::scope::Environment>,
        #[expect(dead_code, reason = "it is only read")]
        number: Option<u32>,
    }

    #[test]
    fn d3_a_value_that_cannot_be_used_is_not_repeated() {
        for body in [
            r#"{"environment":"hunter2"}"#,
            r#"{"environment":"hunter2\"hunter2\"`, expected hunter2"}"#,
            r#"{"number":"hunter2"}"#,
            r#"{"number":"hunter2 `hunter2`, expected \"hunter2"}"#,
        ] {
            let refused = Json::<Wanted>::from_bytes(body.as_bytes()).unwrap_err();
            let ApiError::BadRequest(told) = refused_body(refused) else {
                panic!("{body}");
            };

            assert!(told.contains('…') && !told.contains("hunter2"), "{told}");
        }
    }
}
