//! The signing keys of the sites.

mod insert;
mod row;

use jiff::Timestamp;
use maitred_core::{id::KeyId, scope::Scope};
use maitred_token::{Algorithm, PublicKey, SetTerms};
use secrecy::SecretSlice;

use crate::{
    Store, StoreError,
    audit::Audited,
    db::{all, execute},
    installation::bump_changes,
    marks::take_site,
    notices::Notice,
};

pub use insert::KeyConflict;
use row::KeyRow;
pub(crate) use row::sealed_in;

/// A key that verifies tokens, as it is kept.
#[derive(Debug)]
pub struct StoredKey {
    /// Its name. It is the `kid` of its tokens, unless a public key has its own,
    /// or the key is a set.
    pub id: KeyId,
    /// The agent and environment it belongs to.
    pub scope: Scope,
    /// What it is.
    pub material: KeyMaterial,
    /// When it was made or imported.
    pub created_at: Timestamp,
    /// Whether it is still accepted.
    pub state: KeyState,
}

/// What a signing key is.
#[derive(Debug)]
pub enum KeyMaterial {
    /// A secret that the site has too (rule K1).
    Secret(SharedSecret),
    /// A public key that an operator brought (rule K3).
    Public(BroughtKey),
    /// The address of a set that an identity provider publishes (rule K4).
    Set(RemoteSet),
}

/// A secret that the site has too.
#[derive(Debug)]
pub struct SharedSecret {
    /// HS256, HS384 or HS512.
    pub algorithm: Algorithm,
    /// The bytes of the HMAC key.
    pub bytes: SecretSlice<u8>,
    /// What is shown of it.
    pub last_four: String,
    /// True if it was made elsewhere: its tokens must carry `aud`.
    pub imported: bool,
    /// What its tokens must say.
    pub terms: KeyTerms,
}

/// A public key that an operator brought.
#[derive(Debug)]
pub struct BroughtKey {
    /// Its numbers.
    pub key: PublicKey,
    /// The `kid` that its tokens carry, if that is not our id.
    pub kid: Option<String>,
    /// The one algorithm of its tokens.
    pub algorithm: Algorithm,
    /// What its tokens must say.
    pub terms: KeyTerms,
}

/// The address of a set that an identity provider publishes.
#[derive(Debug)]
pub struct RemoteSet {
    /// Where it is.
    pub url: String,
    /// What tokens of its keys must say.
    pub terms: SetTerms,
}

/// What the tokens of a key must say of where they are from and for whom (rule T8).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyTerms {
    /// What `iss` must be.
    pub issuer: Option<String>,
    /// What `aud` may contain besides the agent. With any, `aud` is required.
    pub audiences: Vec<String>,
}

/// Whether a key is accepted (rule K6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// Yes.
    Active,
    /// Until then.
    Retiring(Timestamp),
    /// Never again.
    Revoked(Timestamp),
}

impl KeyMaterial {
    /// The word for what it is, as it is stored and told.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Secret(_) => "secret",
            Self::Public(_) => "public",
            Self::Set(_) => "set",
        }
    }

    /// The one algorithm of its tokens; of a set, that of RSA keys that state none.
    pub fn algorithm(&self) -> Algorithm {
        match self {
            Self::Secret(secret) => secret.algorithm,
            Self::Public(public) => public.algorithm,
            Self::Set(set) => set.terms.rsa,
        }
    }

    /// What `iss` of its tokens must be.
    pub fn issuer(&self) -> Option<&str> {
        match self {
            Self::Secret(secret) => secret.terms.issuer.as_deref(),
            Self::Public(public) => public.terms.issuer.as_deref(),
            Self::Set(set) => Some(&set.terms.issuer),
        }
    }

    /// What `aud` of its tokens may contain besides the agent.
    pub fn audiences(&self) -> &[String] {
        match self {
            Self::Secret(secret) => &secret.terms.audiences,
            Self::Public(public) => &public.terms.audiences,
            Self::Set(set) => &set.terms.audiences,
        }
    }
}

impl Store {
    /// The keys of one agent and environment, opened, the oldest first.
    pub async fn keys(&self, scope: Scope) -> Result<Vec<StoredKey>, StoreError> {
        const SQL: &str = "
            SELECT id, agent_id, environment, kind, algorithm, secret, last_four, public_key,
                kid, url, issuer, audiences, created_at, imported_at, accepted_until, revoked_at
            FROM signing_keys WHERE agent_id = $1 AND environment = $2
            ORDER BY created_at, id";
        let rows = all!(
            &self.db,
            KeyRow,
            SQL,
            scope.agent.to_string(),
            scope.environment.as_str()
        )?;
        rows.into_iter().map(|row| self.key_from(row)).collect()
    }

    /// Accepts the key until then and no longer. False if there is no such
    /// active key.
    pub async fn retire_key(
        &self,
        scope: Scope,
        id: KeyId,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        const SQL: &str = "
            UPDATE signing_keys SET accepted_until = $4
            WHERE id = $1 AND agent_id = $2 AND environment = $3 AND revoked_at IS NULL";
        let mut tx = self.begin().await?;
        let found = execute!(
            &mut tx,
            SQL,
            id.to_string(),
            scope.agent.to_string(),
            scope.environment.as_str(),
            until.as_microsecond()
        )? > 0;
        if found {
            let told = serde_json::json!({ "key": id.to_string(), "until": until.to_string() });
            self.audit(&mut tx, scope, Audited::KeyRetired, told)
                .await?;
            bump_changes(&mut tx).await?;
        }
        tx.commit().await?;
        Ok(found)
    }

    /// Never accepts the key again, and ends the sessions made with it. False if
    /// there is no such key, or it was revoked before.
    pub async fn revoke_key(&self, scope: Scope, id: KeyId) -> Result<bool, StoreError> {
        const KEY: &str = "
            UPDATE signing_keys SET revoked_at = $4
            WHERE id = $1 AND agent_id = $2 AND environment = $3 AND revoked_at IS NULL";
        const SESSIONS: &str =
            "UPDATE sessions SET ended_at = $2 WHERE key_id = $1 AND ended_at IS NULL";

        let now = self.clock.now().as_microsecond();
        let mut tx = self.begin().await?;
        // Whoever ends many sessions does it alone: two could wait for each other.
        take_site(&mut tx, scope).await?;
        let found = execute!(
            &mut tx,
            KEY,
            id.to_string(),
            scope.agent.to_string(),
            scope.environment.as_str(),
            now
        )? > 0;
        if found {
            execute!(&mut tx, SESSIONS, id.to_string(), now)?;
            let told = serde_json::json!({ "key": id.to_string() });
            self.audit(&mut tx, scope, Audited::KeyRevoked, told)
                .await?;
            bump_changes(&mut tx).await?;
            self.notify(&mut tx, Notice::SessionsEnded(None)).await?;
        }
        tx.commit().await?;
        Ok(found)
    }
}
