//! Tokens that are good once (rule T9).

use jiff::{SignedDuration, Timestamp};
use maitred_core::{id::KeyId, scope::Scope};

use crate::{
    KeyedFor, Store, StoreError,
    db::{Tx, execute},
};

/// For how long a used token is remembered after it expired: leeways, and clocks
/// of nodes that differ.
const REMEMBERED: SignedDuration = SignedDuration::from_mins(10);

/// The id of a token that is good once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Once {
    /// Its `jti`.
    pub jti: String,
    /// Its `exp`.
    pub expires_at: Timestamp,
}

impl Store {
    /// Uses a token up, over all nodes: of two at once one is too late.
    ///
    /// A `jti` is unique among the tokens of one issuer, so it counts together
    /// with the key.
    pub(crate) async fn spend(
        &self,
        tx: &mut Tx,
        scope: Scope,
        key: KeyId,
        once: &Once,
    ) -> Result<(), StoreError> {
        const SQL: &str = "
            INSERT INTO spent_tokens (agent_id, environment, token_hash, expires_at)
            VALUES ($1, $2, $3, $4)
            ON CONFLICT (agent_id, environment, token_hash) DO NOTHING";
        let token = format!("{key}/{}", once.jti);
        let spent = execute!(
            tx,
            SQL,
            scope.agent.to_string(),
            scope.environment.as_str(),
            self.keyed_hash(KeyedFor::TokenId(scope), token.as_bytes()),
            once.expires_at.as_microsecond()
        )?;
        if spent == 0 {
            return Err(StoreError::TokenReplayed);
        }
        Ok(())
    }

    /// Forgets used tokens that have expired: they are refused for that.
    pub(crate) async fn sweep_spent(&self, tx: &mut Tx) -> Result<u64, StoreError> {
        const SQL: &str = "DELETE FROM spent_tokens WHERE expires_at < $1";
        let before = self.clock.now() - REMEMBERED;
        Ok(execute!(tx, SQL, before.as_microsecond())?)
    }
}
