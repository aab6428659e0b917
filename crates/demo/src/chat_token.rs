//! `GET /chat-token`: tells the chat who is logged in.
//!
//! The whole backend side of recognising a customer: ask the shop's own session
//! who it is, and sign that for ten minutes.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde::Serialize;

use crate::{App, login::LoggedIn, now, pages::PageError, users::TestUser};

/// How long a token is good for, in seconds. The widget asks for a new one in time.
const TOKEN_FOR: i64 = 10 * 60;

/// The claims, by the names of OpenID Connect; the last two are attributes of our own.
#[derive(Serialize)]
struct Claims<'a> {
    sub: &'a str,
    email: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    given_name: Option<&'a str>,
    /// For whom the token is: our agent and nobody else.
    aud: &'a str,
    iat: i64,
    exp: i64,
    plan: &'a str,
    customer_since: &'a str,
}

/// Signs tokens with the key made in maitred for this site.
pub(crate) struct TokenSigner {
    key: EncodingKey,
    header: Header,
    audience: String,
}

impl TokenSigner {
    pub(crate) fn new(key_id: &str, secret: &str, agent: &str, environment: &str) -> Self {
        let header = Header {
            kid: Some(key_id.to_owned()),
            ..Header::new(Algorithm::HS256)
        };
        let audience = match environment {
            "production" => agent.to_owned(),
            other => format!("{agent}/{other}"),
        };
        // The whole string is the key, prefix and all, as for any other secret.
        Self {
            key: EncodingKey::from_secret(secret.as_bytes()),
            header,
            audience,
        }
    }

    fn sign(&self, user: &TestUser, now: i64) -> jsonwebtoken::errors::Result<String> {
        let claims = Claims {
            sub: user.id,
            email: user.email,
            name: user.name,
            given_name: user.given_name,
            aud: &self.audience,
            iat: now,
            exp: now + TOKEN_FOR,
            plan: user.plan,
            customer_since: user.customer_since,
        };
        encode(&self.header, &claims, &self.key)
    }
}

/// 200 with a token, or 204: nobody is logged in.
pub(crate) async fn chat_token(
    State(shop): State<Arc<App>>,
    LoggedIn(user): LoggedIn,
) -> Result<Response, PageError> {
    let mut response = match user {
        None => StatusCode::NO_CONTENT.into_response(),
        Some(user) => shop.signer.sign(user, now().as_second())?.into_response(),
    };
    // A token that a cache keeps would be handed to the next person (T16).
    let never_kept = HeaderValue::from_static("private, no-store");
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, never_kept);
    Ok(response)
}
