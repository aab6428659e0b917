//! Keeping a new key, if its place is free (rules K6, K7, K8).

use maitred_core::{id::KeyId, scope::Scope};
use secrecy::ExposeSecret;
use serde_json::json;

use super::{KeyMaterial, row::sealed_in};
use crate::{
    KeyedFor, Store, StoreError,
    audit::Audited,
    db::{Tx, all, all_in, execute, optional_in},
    installation::bump_changes,
    row::{json as read_json, parsed, to_json},
};

/// How many keys of one agent and environment may be active at once.
const MAX_ACTIVE: i64 = 10;

/// Why a key is not kept. Its reader is the operator who brings it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyConflict {
    /// As many as there may be.
    #[error("there are {MAX_ACTIVE} active keys here already")]
    TooMany,
    /// Two keys with one `kid` would select neither.
    #[error("the `kid` is taken here by `{0}`")]
    DuplicateKid(KeyId),
    /// It is here, in whatever state.
    #[error("this key is here already, as `{0}`")]
    Here(KeyId),
    /// It was here, and who revoked it did not want it back.
    #[error("this key was here as `{0}`, and was revoked")]
    RevokedHere(KeyId),
    /// It is somewhere else, and a token for there would be a token for here.
    #[error("this key is in use in {}", place(*.other, *.wanted))]
    Elsewhere {
        /// Where it is.
        other: Scope,
        /// Where it was to be.
        wanted: Scope,
    },
}

/// Another agent's id is for nobody who has only this one.
fn place(other: Scope, wanted: Scope) -> String {
    if other.agent == wanted.agent {
        format!("{} of this agent", other.environment)
    } else {
        "another agent".to_owned()
    }
}

/// The same key, found a second time.
#[derive(sqlx::FromRow)]
struct Same {
    id: String,
    agent_id: String,
    environment: String,
    audiences: Option<String>,
    revoked_at: Option<i64>,
}

impl Store {
    /// Keeps a key; a secret is sealed.
    pub async fn insert_key(
        &self,
        scope: Scope,
        material: &KeyMaterial,
    ) -> Result<KeyId, StoreError> {
        let id = KeyId::new(&self.clock);
        let fingerprint = self.fingerprint(material);
        let mut tx = self.begin().await?;
        // First of all: it locks a row that every writer of keys needs, so that
        // what is read next stays true until the end.
        bump_changes(&mut tx).await?;
        self.refuse_other_master(&mut tx).await?;
        refuse_eleventh(&mut tx, scope).await?;
        if let KeyMaterial::Public(public) = material
            && let Some(kid) = &public.kid
        {
            refuse_taken_kid(&mut tx, scope, kid).await?;
        }
        refuse_second_place(&mut tx, scope, material, &fingerprint).await?;
        self.write_key(&mut tx, scope, id, material, &fingerprint)
            .await?;
        let imported = match material {
            KeyMaterial::Secret(secret) => secret.imported,
            KeyMaterial::Public(_) | KeyMaterial::Set(_) => true,
        };
        let told = json!({ "key": id.to_string(), "kind": material.kind(), "imported": imported });
        self.audit(&mut tx, scope, Audited::KeyCreated, told)
            .await?;
        tx.commit().await?;
        Ok(id)
    }

    async fn write_key(
        &self,
        tx: &mut Tx,
        scope: Scope,
        id: KeyId,
        material: &KeyMaterial,
        fingerprint: &str,
    ) -> Result<(), StoreError> {
        const SQL: &str = "
            INSERT INTO signing_keys
                (id, agent_id, environment, kind, algorithm, secret, last_four, public_key, kid,
                url, issuer, audiences, fingerprint, created_at, imported_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";
        let now = self.clock.now().as_microsecond();
        let (mut sealed, mut last_four, mut imported) = (String::new(), "", Some(now));
        let (mut public_key, mut kid, mut url) = (None, None, None);
        match material {
            KeyMaterial::Secret(secret) => {
                let bytes = secret.bytes.expose_secret();
                sealed = self.master.seal(&sealed_in(id, scope), bytes);
                last_four = &secret.last_four;
                imported = imported.filter(|_| secret.imported);
            }
            KeyMaterial::Public(public) => {
                public_key = Some(public.key.to_jwk().to_string());
                kid = public.kid.as_deref();
            }
            KeyMaterial::Set(set) => url = Some(set.url.as_str()),
        }
        execute!(
            tx,
            SQL,
            id.to_string(),
            scope.agent.to_string(),
            scope.environment.as_str(),
            material.kind(),
            material.algorithm().name(),
            sealed.as_str(),
            last_four,
            public_key.as_deref(),
            kid,
            url,
            material.issuer(),
            to_json(&material.audiences()),
            fingerprint,
            now,
            imported,
        )?;
        Ok(())
    }

    /// By which the same key is recognised in another place.
    fn fingerprint(&self, material: &KeyMaterial) -> String {
        match material {
            KeyMaterial::Secret(secret) => self.secret_fingerprint(secret.bytes.expose_secret()),
            KeyMaterial::Public(public) => public.key.fingerprint(),
            KeyMaterial::Set(set) => set.url.clone(),
        }
    }

    fn secret_fingerprint(&self, bytes: &[u8]) -> String {
        self.keyed_hash(KeyedFor::SharedSecret, bytes)
    }

    /// Gives the keys that were kept by an earlier release their fingerprints.
    pub(crate) async fn fingerprint_older_keys(&self) -> Result<(), StoreError> {
        const OLDER: &str = "
            SELECT id, agent_id, environment, secret FROM signing_keys
            WHERE fingerprint IS NULL AND kind IS NULL";
        const SET: &str = "UPDATE signing_keys SET fingerprint = $2 WHERE id = $1";
        let older = all!(&self.db, (String, String, String, String), OLDER)?;
        for (id, agent, environment, sealed) in older {
            let scope = Scope {
                agent: parsed(&agent, "signing_keys", "agent_id")?,
                environment: parsed(&environment, "signing_keys", "environment")?,
            };
            let key = parsed(&id, "signing_keys", "id")?;
            // One that does not open is told of when it is needed.
            if let Some(secret) = self.master.open(&sealed_in(key, scope), &sealed) {
                let fingerprint = self.secret_fingerprint(secret.expose_secret());
                let mut tx = self.begin().await?;
                execute!(&mut tx, SET, id, fingerprint)?;
                tx.commit().await?;
            }
        }
        Ok(())
    }
}

/// Rule K6.
async fn refuse_eleventh(tx: &mut Tx, scope: Scope) -> Result<(), StoreError> {
    const SQL: &str = "
        SELECT count(*) FROM signing_keys
        WHERE agent_id = $1 AND environment = $2
            AND revoked_at IS NULL AND accepted_until IS NULL";
    let row = optional_in!(
        tx,
        (i64,),
        SQL,
        scope.agent.to_string(),
        scope.environment.as_str()
    )?;
    match row {
        Some((active,)) if active >= MAX_ACTIVE => Err(KeyConflict::TooMany.into()),
        Some(_) | None => Ok(()),
    }
}

/// Rule K7. A revoked key keeps its `kid`, so that its tokens are told why they
/// are refused.
async fn refuse_taken_kid(tx: &mut Tx, scope: Scope, kid: &str) -> Result<(), StoreError> {
    const SQL: &str = "
        SELECT id FROM signing_keys
        WHERE agent_id = $1 AND environment = $2 AND (kid = $3 OR id = $3)";
    let row = optional_in!(
        tx,
        (String,),
        SQL,
        scope.agent.to_string(),
        scope.environment.as_str(),
        kid
    )?;
    match row {
        Some((id,)) => Err(KeyConflict::DuplicateKid(parsed(&id, "signing_keys", "id")?).into()),
        None => Ok(()),
    }
}

/// Rule K8.
async fn refuse_second_place(
    tx: &mut Tx,
    scope: Scope,
    material: &KeyMaterial,
    fingerprint: &str,
) -> Result<(), StoreError> {
    const SQL: &str = "
        SELECT id, agent_id, environment, audiences, revoked_at FROM signing_keys
        WHERE fingerprint = $1 ORDER BY created_at, id";
    for same in all_in!(tx, Same, SQL, fingerprint)? {
        let key = parsed(&same.id, "signing_keys", "id")?;
        let other = Scope {
            agent: parsed(&same.agent_id, "signing_keys", "agent_id")?,
            environment: parsed(&same.environment, "signing_keys", "environment")?,
        };
        let conflict = match (other == scope, same.revoked_at, material) {
            // An address is no key: it may come back, with other terms.
            (true, Some(_), KeyMaterial::Set(_)) | (false, Some(_), _) => continue,
            (true, Some(_), _) => KeyConflict::RevokedHere(key),
            (true, None, _) => KeyConflict::Here(key),
            (false, None, _) => {
                let theirs = match &same.audiences {
                    Some(text) => read_json(text, "signing_keys", "audiences")?,
                    None => Vec::new(),
                };
                if differ((scope, material.audiences()), (other, &theirs)) {
                    continue;
                }
                KeyConflict::Elsewhere {
                    other,
                    wanted: scope,
                }
            }
        };
        return Err(conflict.into());
    }
    Ok(())
}

/// Whether both places require audiences, of which none is good in both.
fn differ((here, ours): (Scope, &[String]), (there, theirs): (Scope, &[String])) -> bool {
    let required = !ours.is_empty() && !theirs.is_empty();
    let shared = ours
        .iter()
        .any(|one| theirs.contains(one) || *one == there.audience())
        || theirs.contains(&here.audience());
    required && !shared
}
