//! The audit log: who did what to whom, without anybody's words.

use maitred_core::scope::Scope;
use serde_json::Value;

use crate::{
    Store, StoreError,
    db::{Tx, execute},
};

/// Something that is worth remembering.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Audited {
    SettingsChanged,
    KeyCreated,
    KeyRetired,
    KeyRevoked,
    ConversationMoved,
    ConversationSplit,
    AddressProven,
}

impl Audited {
    fn as_str(self) -> &'static str {
        match self {
            Self::SettingsChanged => "settings_changed",
            Self::KeyCreated => "key_created",
            Self::KeyRetired => "key_retired",
            Self::KeyRevoked => "key_revoked",
            Self::ConversationMoved => "conversation_moved",
            Self::ConversationSplit => "conversation_split",
            Self::AddressProven => "address_proven",
        }
    }
}

impl Store {
    /// Adds a line in the transaction of what it tells of.
    pub(crate) async fn audit(
        &self,
        tx: &mut Tx,
        scope: Scope,
        what: Audited,
        body: Value,
    ) -> Result<(), StoreError> {
        const SQL: &str = "
            INSERT INTO audit (id, agent_id, environment, at, kind, body)
            VALUES ($1, $2, $3, $4, $5, $6)";
        execute!(
            tx,
            SQL,
            maitred_core::id::AuditId::new(&self.clock).to_string(),
            scope.agent.to_string(),
            scope.environment.as_str(),
            self.clock.now().as_microsecond(),
            what.as_str(),
            body.to_string(),
        )?;
        Ok(())
    }
}
