//! Signing keys.

use jiff::Timestamp;
use maitred_core::id::KeyId;
use maitred_store::{FetchedSet, KeyMaterial, KeyState, KeyTerms, KeyUsage, StoredKey};
use maitred_token::{Algorithm, PublicKey, SetTerms};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    http::error::ApiError,
    keys::{self, About, Encoding, KeyError},
    settings::BadSetting,
};

/// A key; never its secret.
#[derive(Serialize)]
pub(crate) struct KeyView {
    id: KeyId,
    kind: &'static str,
    algorithm: &'static str,
    /// What its tokens carry as `kid`; those of a set carry the set's.
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<String>,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted_until: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<Timestamp>,
    created_at: Timestamp,
    accepted_today: i64,
    last_used_at: Option<Timestamp>,
    issuer: Option<String>,
    audiences: Vec<String>,
    #[serde(flatten)]
    material: MaterialView,
}

/// By which an operator knows a key again.
#[derive(Serialize)]
#[serde(untagged)]
enum MaterialView {
    Secret {
        last_four: String,
        imported: bool,
    },
    Public {
        fingerprint: String,
    },
    Set {
        url: String,
        fetched_at: Option<Timestamp>,
        failure: Option<Failure>,
    },
}

/// How a set could not be fetched.
#[derive(Serialize)]
struct Failure {
    at: Timestamp,
    reason: String,
}

impl KeyView {
    pub(crate) fn new(key: &StoredKey, set: Option<&FetchedSet>, usage: Option<&KeyUsage>) -> Self {
        let (state, accepted_until, revoked_at) = match key.state {
            KeyState::Active => ("active", None, None),
            KeyState::Retiring(until) => ("retiring", Some(until), None),
            KeyState::Revoked(at) => ("revoked", None, Some(at)),
        };
        let material = &key.material;
        Self {
            id: key.id,
            kind: material.kind(),
            algorithm: material.algorithm().name(),
            kid: match material {
                KeyMaterial::Secret(_) => Some(key.id.to_string()),
                KeyMaterial::Public(public) => {
                    Some(public.kid.clone().unwrap_or_else(|| key.id.to_string()))
                }
                KeyMaterial::Set(_) => None,
            },
            state,
            accepted_until,
            revoked_at,
            created_at: key.created_at,
            accepted_today: usage.map_or(0, |usage| usage.accepted_today),
            last_used_at: usage.map(|usage| usage.last_used_at),
            issuer: material.issuer().map(str::to_owned),
            audiences: material.audiences().to_vec(),
            material: MaterialView::new(material, set),
        }
    }
}

impl MaterialView {
    fn new(material: &KeyMaterial, set: Option<&FetchedSet>) -> Self {
        match material {
            KeyMaterial::Secret(secret) => Self::Secret {
                last_four: secret.last_four.clone(),
                imported: secret.imported,
            },
            KeyMaterial::Public(public) => Self::Public {
                fingerprint: public.key.fingerprint().to_string(),
            },
            KeyMaterial::Set(remote) => Self::Set {
                url: remote.url.clone(),
                fetched_at: set
                    .and_then(|set| set.last_good.as_ref())
                    .map(|good| good.fetched_at),
                failure: set
                    .and_then(|set| set.failure.as_ref())
                    .map(|failure| Failure {
                        at: failure.at,
                        reason: failure.reason.clone(),
                    }),
            },
        }
    }
}

/// A new key, with its secret: this once.
#[derive(Serialize)]
pub(crate) struct CreatedKey {
    #[serde(flatten)]
    pub(crate) key: KeyView,
    pub(crate) secret: String,
}

/// `POST …/keys`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewKey {
    algorithm: Option<String>,
    issuer: Option<String>,
    #[serde(default)]
    audiences: Vec<String>,
}

impl NewKey {
    /// How its tokens are signed, and what they must say.
    pub(crate) fn parsed(self) -> Result<(Algorithm, KeyTerms), BadSetting> {
        let terms = KeyTerms {
            issuer: self.issuer,
            audiences: self.audiences,
        };
        Ok((
            algorithm(self.algorithm)?.unwrap_or(Algorithm::Hs256),
            terms,
        ))
    }
}

/// `POST …/keys/import`: one of `secret`, `pem`, `jwk` and `jwks_url`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ImportedKey {
    secret: Option<String>,
    /// How the secret is written.
    encoding: Option<String>,
    pem: Option<String>,
    jwk: Option<Value>,
    jwks_url: Option<String>,
    algorithm: Option<String>,
    kid: Option<String>,
    issuer: Option<String>,
    #[serde(default)]
    audiences: Vec<String>,
}

/// What was brought.
pub(crate) enum BroughtKey {
    One(KeyMaterial),
    Set { url: String, terms: SetTerms },
}

impl ImportedKey {
    /// Recognises it, or says why it is no key. What is no key is not kept.
    pub(crate) fn brought(self) -> Result<BroughtKey, ApiError> {
        let algorithm = algorithm(self.algorithm)?;
        let jwk = self.jwk.map(|jwk| jwk.to_string());
        let (text, is_secret) = match (self.secret, self.pem, jwk, self.jwks_url) {
            (Some(secret), None, None, None) => (secret, true),
            (None, Some(pem), None, None) => (pem, false),
            (None, None, Some(jwk), None) => (jwk, false),
            (None, None, None, Some(url)) => {
                let terms = SetTerms {
                    issuer: self.issuer.unwrap_or_default(),
                    audiences: self.audiences,
                    rsa: algorithm.unwrap_or(Algorithm::Rs256),
                };
                return Ok(BroughtKey::Set { url, terms });
            }
            _ => {
                let reason = "send one of `secret`, `pem`, `jwk` and `jwks_url`".to_owned();
                return Err(ApiError::BadRequest(reason));
            }
        };
        let about = About {
            encoding: encoding(self.encoding)?,
            algorithm,
            kid: self.kid,
            terms: KeyTerms {
                issuer: self.issuer,
                audiences: self.audiences,
            },
        };
        if !is_secret {
            // What is no public key is not taken for a secret.
            PublicKey::parse(&text).map_err(KeyError::from)?;
        }
        let material = keys::read(&text, about)?;
        if is_secret && matches!(material, KeyMaterial::Public(_)) {
            let reason = "this is a public key: send it as `pem` or `jwk`";
            return Err(BadSetting::new("secret", reason).into());
        }
        Ok(BroughtKey::One(material))
    }
}

/// `PATCH …/keys/{key}`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RetiredKey {
    pub(crate) accepted_until: Timestamp,
}

fn algorithm(name: Option<String>) -> Result<Option<Algorithm>, BadSetting> {
    name.map(|name| name.parse())
        .transpose()
        .map_err(|error| BadSetting::new("algorithm", error))
}

fn encoding(name: Option<String>) -> Result<Encoding, BadSetting> {
    match name.as_deref() {
        None | Some("utf8") => Ok(Encoding::Utf8),
        Some("base64") => Ok(Encoding::Base64),
        Some("base64url") => Ok(Encoding::Base64url),
        Some(_) => {
            let reason = "not one of `utf8`, `base64`, `base64url`";
            Err(BadSetting::new("encoding", reason))
        }
    }
}
