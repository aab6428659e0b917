//! The proof of possession that comes with a request (rule S4).

use std::convert::Infallible;

use axum::{
    extract::FromRequestParts,
    http::{HeaderValue, Method, request::Parts},
};
use maitred_core::{agent::ProofOfPossession, secret::Secret, session::ProofKey};
use maitred_token::{Asked, BadProof, Proof};

use super::{error::ApiError, wire};
use crate::{app::App, possession::NotFresh, sites::Site};

const PROOF: &str = "dpop";

/// A request, and what it shows to prove who sends it.
///
/// Routes are not nested, so the path is the one that the client has sent.
pub(super) struct Shown {
    method: Method,
    path: String,
    proofs: Vec<HeaderValue>,
}

impl Shown {
    pub(super) fn of(parts: &Parts) -> Self {
        Self {
            method: parts.method.clone(),
            path: parts.uri.path().to_owned(),
            proofs: parts.headers.get_all(PROOF).iter().cloned().collect(),
        }
    }

    /// Makes sure that whoever sends the request holds this key.
    pub(super) fn is_by(
        &self,
        key: &ProofKey,
        session: Option<&Secret>,
        app: &App,
    ) -> Result<(), ApiError> {
        let proof = self.proof(key, session, app).inspect_err(|fault| {
            tracing::info!(reason = %fault, "a proof of possession was refused");
        })?;
        app.freshness.accept(&proof).map_err(|why| match why {
            NotFresh::Stale => ApiError::UseNonce,
            NotFresh::Replayed => ProofFault::Replayed.into(),
            NotFresh::Full(too_many) => ApiError::TooManyProofs(too_many),
        })
    }

    fn proof(
        &self,
        key: &ProofKey,
        session: Option<&Secret>,
        app: &App,
    ) -> Result<Proof, ProofFault> {
        let text = match self.proofs.as_slice() {
            [] => return Err(ProofFault::Missing),
            // What is not ASCII is malformed, as nothing is.
            [one] => one.to_str().unwrap_or_default(),
            [_, _, ..] => return Err(ProofFault::Several),
        };
        let asked = Asked {
            method: self.method.as_str(),
            origin: &app.config.public_url,
            path: &self.path,
            session: session.map(Secret::expose),
        };
        let proof = Proof::check(text, &asked)?;
        if proof.key() == key {
            Ok(proof)
        } else {
            Err(ProofFault::OtherKey)
        }
    }
}

/// Why a request does not prove what it has to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ProofFault {
    #[error("there is no proof of possession")]
    Missing,
    #[error("there is more than one proof of possession")]
    Several,
    #[error(transparent)]
    Bad(#[from] BadProof),
    #[error("the proof is by another key")]
    OtherKey,
    #[error("the proof was used before")]
    Replayed,
}

impl ProofFault {
    /// What to do about it.
    pub(super) fn hint(&self) -> &'static str {
        match self {
            Self::Missing => {
                "this session is bound to a key: send a `DPoP` header with each request"
            }
            Self::Several => "send one `DPoP` header",
            Self::Bad(BadProof::OtherAddress) => {
                "`htu` is the public URL and the path without a query; is `server.public_url` the address that browsers use?"
            }
            Self::Bad(BadProof::OtherSession) => "`ath` is the SHA-256 of the session in base64url",
            Self::Bad(_) => "make it as RFC 9449 says",
            Self::OtherKey => "sign it with the key that the session was opened with",
            Self::Replayed => "make a proof for each request, with a `jti` of its own",
        }
    }
}

impl FromRequestParts<App> for Shown {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Infallible> {
        Ok(Self::of(parts))
    }
}

/// The keys of a request that opens a session.
pub(super) struct Keys {
    /// What the session will be bound to.
    pub(super) binding: Option<ProofKey>,
    /// What was proven, which a visitor who was made with a key has to (rule S7).
    pub(super) proven: Option<ProofKey>,
}

impl Keys {
    /// What a request that offers this key comes to under the policy of the site.
    pub(super) fn of(
        shown: &Shown,
        offered: Option<wire::Jwk>,
        site: &Site,
        app: &App,
    ) -> Result<Self, ApiError> {
        let policy = site.settings.proof_of_possession;
        let Some(offered) = offered else {
            refuse_unbound(site)?;
            return Ok(Self {
                binding: None,
                proven: None,
            });
        };
        let key = thumbprint(&offered).and_then(|key| {
            shown.is_by(&key, None, app)?;
            Ok(key)
        });
        if policy == ProofOfPossession::Off {
            // It binds nothing any more, but a visitor from before is still known by it.
            return Ok(Self {
                binding: None,
                proven: key.ok(),
            });
        }
        let key = key?;
        Ok(Self {
            binding: Some(key.clone()),
            proven: Some(key),
        })
    }
}

/// Under `required`, no session goes on or begins that is not bound to a key.
pub(super) fn refuse_unbound(site: &Site) -> Result<(), ApiError> {
    match site.settings.proof_of_possession {
        ProofOfPossession::Off | ProofOfPossession::WhenAvailable => Ok(()),
        ProofOfPossession::Required => Err(ApiError::SecureContextNeeded),
    }
}

fn thumbprint(key: &wire::Jwk) -> Result<ProofKey, ApiError> {
    if key.kty == "EC" && key.crv == "P-256" {
        Ok(ProofKey::of_coordinates(&key.x, &key.y))
    } else {
        Err(ApiError::BadRequest("`key` is no P-256 key".to_owned()))
    }
}
