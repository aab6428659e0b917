//! From anonymous to verified (rules M1, S8).
//!
//! Not here: the way back (`undo`).

use jiff::SignedDuration;
use maitred_core::{
    conversation::{Body, Status},
    event::new_epoch,
    id::{ContactId, ConversationId, MergeId, VisitorId},
    scope::{Owner, Scope},
};

use crate::{
    Store, StoreError,
    audit::Audited,
    db::{Tx, execute, optional_in},
    notices::Notice,
    row::parsed,
};

/// A conversation comes along if its visitor spoke in it this recently.
const RECENT: SignedDuration = SignedDuration::from_mins(30);

/// Who somebody was before they signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Before {
    /// The anonymous visitor.
    pub visitor: VisitorId,
    /// The conversation that was open before them. Without it, the one that was
    /// last spoken in counts.
    pub conversation: Option<ConversationId>,
}

impl Store {
    /// Ends everything of an anonymous visitor who turned out to be a contact:
    /// the secret and all sessions (rule S8). Brings the conversation they were
    /// in along if it was spoken in lately and the visitor was never somebody
    /// else's (rule M1).
    pub(crate) async fn retire_visitor(
        &self,
        tx: &mut Tx,
        scope: Scope,
        before: Before,
        contact: ContactId,
    ) -> Result<(), StoreError> {
        const VISITOR: &str = "
            UPDATE visitors SET contact_id = $2, retired_at = $3
            WHERE id = $1 AND agent_id = $4 AND environment = $5
                AND retired_at IS NULL AND contact_id IS NULL";
        const SESSIONS: &str = "
            UPDATE sessions SET ended_at = $2
            WHERE visitor_id = $1 AND agent_id = $3 AND environment = $4 AND ended_at IS NULL";

        let now = self.clock.now().as_microsecond();
        let (agent, environment) = (scope.agent.to_string(), scope.environment.as_str());
        let visitor = before.visitor;
        let open = self.take_open(tx, scope, before).await?;
        let is_first = execute!(
            tx,
            VISITOR,
            visitor.to_string(),
            contact.to_string(),
            now,
            agent.as_str(),
            environment
        )? > 0;
        let ended = execute!(
            tx,
            SESSIONS,
            visitor.to_string(),
            now,
            agent.as_str(),
            environment
        )?;
        if let Some(conversation) = open.filter(|_| is_first) {
            self.bring_along(tx, scope, visitor, contact, conversation)
                .await?;
        }
        if ended > 0 {
            let owner = Owner::Visitor(visitor);
            self.notify(tx, Notice::SessionsEnded(Some(owner))).await?;
        }
        Ok(())
    }

    /// Locks the conversation that may come along: before its owner, as an
    /// append does.
    async fn take_open(
        &self,
        tx: &mut Tx,
        scope: Scope,
        before: Before,
    ) -> Result<Option<ConversationId>, StoreError> {
        const SQL: &str = "
            UPDATE conversations SET updated_at = updated_at
            WHERE owner = $1 AND id = (
                SELECT id FROM conversations
                WHERE owner = $1 AND agent_id = $2 AND environment = $3
                    AND closed_at IS NULL AND visitor_spoke_at > $4
                    AND id = coalesce($5, id)
                ORDER BY updated_at DESC, id DESC LIMIT 1)
            RETURNING id";
        let row = optional_in!(
            tx,
            (String,),
            SQL,
            before.visitor.to_string(),
            scope.agent.to_string(),
            scope.environment.as_str(),
            (self.clock.now() - RECENT).as_microsecond(),
            before.conversation.map(|id| id.to_string())
        )?;
        row.map(|(id,)| parsed(&id, "conversations", "id"))
            .transpose()
    }

    async fn bring_along(
        &self,
        tx: &mut Tx,
        scope: Scope,
        visitor: VisitorId,
        contact: ContactId,
        id: ConversationId,
    ) -> Result<(), StoreError> {
        const MOVE: &str = "
            UPDATE conversations SET owner = $2, moved_from = $3, moved_at_entry = last_entry
            WHERE id = $1";
        const MERGE: &str = "
            INSERT INTO merges (id, agent_id, environment, conversation_id, visitor_id,
                contact_id, merged_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7)";

        let merge = MergeId::new(&self.clock);
        execute!(
            tx,
            MERGE,
            merge.to_string(),
            scope.agent.to_string(),
            scope.environment.as_str(),
            id.to_string(),
            visitor.to_string(),
            contact.to_string(),
            self.clock.now().as_microsecond()
        )?;
        execute!(
            tx,
            MOVE,
            id.to_string(),
            contact.to_string(),
            visitor.to_string()
        )?;
        self.append_in(tx, id, Body::Status(Status::ContinuedFromBeforeSignIn))
            .await?;
        let told = serde_json::json!({
            "merge": merge.to_string(),
            "conversation": id.to_string(),
            "visitor": visitor.to_string(),
            "contact": contact.to_string(),
        });
        self.audit(tx, scope, Audited::ConversationMoved, told)
            .await?;
        self.renumber(tx, contact).await
    }

    /// Begins the numbering of a contact's events anew: whoever follows them, on
    /// any node, must read everything again (rule R4). The last thing to be done.
    pub(crate) async fn renumber(&self, tx: &mut Tx, contact: ContactId) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE contacts SET epoch = $2 WHERE id = $1";
        execute!(tx, SQL, contact.to_string(), new_epoch())?;
        self.notify(tx, Notice::Renumbered(Owner::Contact(contact)))
            .await
    }

    /// Whom the events of a conversation are announced to.
    pub async fn owner_of(&self, id: ConversationId) -> Result<Option<Owner>, StoreError> {
        const SQL: &str = "SELECT owner FROM conversations WHERE id = $1 AND owner IS NOT NULL";
        let row = crate::db::optional!(&self.db, (String,), SQL, id.to_string())?;
        row.map(|(owner,)| parsed(&owner, "conversations", "owner"))
            .transpose()
    }
}
