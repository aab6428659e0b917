//! From a row to a key, with its secret opened.

use maitred_core::{id::KeyId, scope::Scope};
use maitred_token::{Algorithm, PublicKey, SetTerms};

use super::{BroughtKey, KeyMaterial, KeyState, KeyTerms, RemoteSet, SharedSecret, StoredKey};
use crate::{
    Store, StoreError,
    row::{json, parsed, time},
};

const TABLE: &str = "signing_keys";

#[derive(sqlx::FromRow)]
pub(super) struct KeyRow {
    id: String,
    agent_id: String,
    environment: String,
    kind: Option<String>,
    algorithm: String,
    secret: String,
    last_four: String,
    public_key: Option<String>,
    kid: Option<String>,
    url: Option<String>,
    issuer: Option<String>,
    audiences: Option<String>,
    created_at: i64,
    imported_at: Option<i64>,
    accepted_until: Option<i64>,
    revoked_at: Option<i64>,
}

impl Store {
    pub(super) fn key_from(&self, row: KeyRow) -> Result<StoredKey, StoreError> {
        let id: KeyId = parsed(&row.id, TABLE, "id")?;
        let scope = Scope {
            agent: parsed(&row.agent_id, TABLE, "agent_id")?,
            environment: parsed(&row.environment, TABLE, "environment")?,
        };
        let state = match (row.revoked_at, row.accepted_until) {
            (Some(at), _) => KeyState::Revoked(time(at, TABLE, "revoked_at")?),
            (None, Some(at)) => KeyState::Retiring(time(at, TABLE, "accepted_until")?),
            (None, None) => KeyState::Active,
        };
        Ok(StoredKey {
            id,
            scope,
            created_at: time(row.created_at, TABLE, "created_at")?,
            material: self.material_from(id, scope, row)?,
            state,
        })
    }

    fn material_from(
        &self,
        id: KeyId,
        scope: Scope,
        row: KeyRow,
    ) -> Result<KeyMaterial, StoreError> {
        let algorithm: Algorithm = parsed(&row.algorithm, TABLE, "algorithm")?;
        let audiences = match &row.audiences {
            Some(text) => json(text, TABLE, "audiences")?,
            None => Vec::new(),
        };
        // Keys from before there were others have no kind.
        match row.kind.as_deref() {
            None | Some("secret") => {
                let bytes = self
                    .master
                    .open(&sealed_in(id, scope), &row.secret)
                    .ok_or_else(|| StoreError::Sealed(id.to_string()))?;
                Ok(KeyMaterial::Secret(SharedSecret {
                    algorithm,
                    bytes,
                    last_four: row.last_four,
                    imported: row.imported_at.is_some(),
                    terms: KeyTerms {
                        issuer: row.issuer,
                        audiences,
                    },
                }))
            }
            Some("public") => {
                let jwk = row.public_key.as_deref().unwrap_or_default();
                let key = PublicKey::parse(jwk).map_err(|_| corrupt("public_key"))?;
                Ok(KeyMaterial::Public(BroughtKey {
                    key,
                    kid: row.kid,
                    algorithm,
                    terms: KeyTerms {
                        issuer: row.issuer,
                        audiences,
                    },
                }))
            }
            Some("set") => Ok(KeyMaterial::Set(RemoteSet {
                url: row.url.ok_or_else(|| corrupt("url"))?,
                terms: SetTerms {
                    issuer: row.issuer.ok_or_else(|| corrupt("issuer"))?,
                    audiences,
                    rsa: algorithm,
                },
            })),
            Some(_) => Err(corrupt("kind")),
        }
    }
}

/// What a sealed secret is bound to: its row, its agent and its environment.
pub(crate) fn sealed_in(id: KeyId, scope: Scope) -> String {
    format!("signing_keys/{id}/{scope}")
}

fn corrupt(column: &'static str) -> StoreError {
    StoreError::Corrupt {
        table: TABLE,
        column,
    }
}
