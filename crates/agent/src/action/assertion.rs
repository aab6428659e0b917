//! Proof of who is asking, on every call (rules I4, I6).
//!
//! A short-lived JWT in `Maitred-Assertion`, bound to this one request: its
//! address, its body, its Action. The API behind it checks it against our JWKS.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use maitred_core::{action::Call, id::CallId, scope::Environment};
use maitred_token::{AssertionKey, base64url};
use serde_json::{Map, Value, json};

use super::{Action, Context, http::Request};

/// How long an assertion is good for, in seconds.
const LIFETIME: i64 = 60;

/// Our signing keys, one for each environment.
#[derive(Clone, Debug)]
pub struct Assertions(Arc<Keys>);

#[derive(Debug)]
struct Keys {
    public_url: String,
    production: AssertionKey,
    staging: AssertionKey,
}

impl Assertions {
    /// Signs as `public_url`, and in staging as `<public_url>/staging`, with
    /// keys that a verifier of the other environment does not have.
    pub fn new(public_url: &str, production: AssertionKey, staging: AssertionKey) -> Self {
        let public_url = public_url.trim_end_matches('/').to_owned();
        Self(Arc::new(Keys {
            public_url,
            production,
            staging,
        }))
    }

    /// The public keys of one environment, as a JWK Set (RFC 7517 §5).
    pub fn jwks(&self, environment: Environment) -> Value {
        json!({ "keys": [self.key(environment).public_jwk()] })
    }

    /// Signs for one request.
    pub(super) fn sign(
        &self,
        action: &Action,
        call: &Call,
        context: Context<'_>,
        request: &Request,
    ) -> String {
        let claims = self.claims(action, call.id, context, request);
        self.key(context.scope.environment)
            .sign("maitred-action+jwt", &claims)
    }

    fn claims(
        &self,
        action: &Action,
        call: CallId,
        context: Context<'_>,
        request: &Request,
    ) -> Value {
        let (session, now) = (context.session, context.now);
        let mut claims = Map::new();
        let mut put = |name: &str, value: Value| _ = claims.insert(name.to_owned(), value);
        put("iss", self.issuer(context.scope.environment).into());
        put("aud", request.url.origin().ascii_serialization().into());
        put("agent", context.scope.agent.to_string().into());
        put("environment", context.scope.environment.as_str().into());
        put("action", action.name.as_str().into());
        put("conversation", context.conversation.to_string().into());
        put("call", call.to_string().into());
        let assurance = session.standing(now).assurance_for(action.requires);
        put("assurance", assurance.as_str().into());
        let vouched = session.email(now);
        // At `code` there is an address and no subject.
        let told = session
            .identity()
            .and_then(|identity| identity.email.as_ref())
            .map(|email| email.address.as_str());
        if let Some(email) = vouched.or(told) {
            put("email", email.into());
            put("email_verified", vouched.is_some().into());
        }
        if let Some(identity) = session.identity() {
            put("sub", identity.subject.as_str().into());
            if let Some(at) = identity.auth_time {
                put("auth_time", at.as_second().into());
            }
            if let Some(actor) = &identity.actor {
                put("act", json!({ "sub": actor }));
            }
            if identity.is_test {
                put("test", true.into());
            }
        }
        put("htm", request.method.as_str().into());
        put("htu", request.url.as_str().into());
        put(
            "body_sha256",
            base64url(digest(&SHA256, &request.body).as_ref()).into(),
        );
        put("iat", now.as_second().into());
        put("exp", (now.as_second() + LIFETIME).into());
        // Random, and known to nobody before the request is sent.
        put("jti", uuid::Uuid::new_v4().to_string().into());
        Value::Object(claims)
    }

    fn issuer(&self, environment: Environment) -> String {
        match environment {
            Environment::Production => self.0.public_url.clone(),
            Environment::Staging => format!("{}/staging", self.0.public_url),
        }
    }

    fn key(&self, environment: Environment) -> &AssertionKey {
        match environment {
            Environment::Production => &self.0.production,
            Environment::Staging => &self.0.staging,
        }
    }
}
