//! From anonymous to verified, and back (rules M1, S8).

use jiff::SignedDuration;
use maitred_core::{
    conversation::{Body, Status},
    id::{ContactId, ConversationId, VisitorId},
    scope::{Owner, Scope},
    session::new_epoch,
};

use crate::{
    Store, StoreError,
    audit::Audited,
    db::{Tx, execute, optional_in},
    row::parsed,
};

/// A conversation comes along if its visitor spoke in it this recently.
const RECENT: SignedDuration = SignedDuration::from_mins(30);

impl Store {
    /// Ends everything of an anonymous visitor who turned out to be a contact:
    /// the secret and all sessions (rule S8). Brings the conversation they were
    /// in along if it was spoken in lately and the visitor was never somebody
    /// else's (rule M1).
    pub(crate) async fn retire_visitor(
        &self,
        tx: &mut Tx,
        scope: Scope,
        visitor: VisitorId,
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
        let open = self.take_open(tx, scope, visitor).await?;
        let is_first = execute!(
            tx,
            VISITOR,
            visitor.to_string(),
            contact.to_string(),
            now,
            agent.as_str(),
            environment
        )? > 0;
        execute!(
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
        Ok(())
    }

    /// Locks the conversation that may come along: before its owner, as an
    /// append does.
    async fn take_open(
        &self,
        tx: &mut Tx,
        scope: Scope,
        visitor: VisitorId,
    ) -> Result<Option<ConversationId>, StoreError> {
        const SQL: &str = "
            UPDATE conversations SET updated_at = updated_at
            WHERE owner = $1 AND id = (
                SELECT id FROM conversations
                WHERE owner = $1 AND agent_id = $2 AND environment = $3
                    AND closed_at IS NULL AND visitor_spoke_at > $4
                ORDER BY updated_at DESC, id DESC LIMIT 1)
            RETURNING id";
        let row = optional_in!(
            tx,
            (String,),
            SQL,
            visitor.to_string(),
            scope.agent.to_string(),
            scope.environment.as_str(),
            (self.clock.now() - RECENT).as_microsecond()
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

        execute!(
            tx,
            MOVE,
            id.to_string(),
            contact.to_string(),
            visitor.to_string()
        )?;
        self.append_in(tx, id, Body::Status(Status::ContinuedFromBeforeSignIn))
            .await?;
        renumber(tx, contact).await?;
        let told = serde_json::json!({
            "conversation": id.to_string(),
            "visitor": visitor.to_string(),
            "contact": contact.to_string(),
        });
        self.audit(tx, scope, Audited::ConversationMoved, told)
            .await
    }

    /// Takes back what came along when a visitor signed in: what was said before
    /// goes to a conversation that only operators see, what was said since stays.
    /// False if the conversation is not this contact's, or nothing came along.
    pub async fn split(
        &self,
        scope: Scope,
        contact: ContactId,
        id: ConversationId,
    ) -> Result<bool, StoreError> {
        // An update and no select: of two at once the second finds nothing.
        const TAKE: &str = "
            UPDATE conversations SET updated_at = updated_at
            WHERE id = $1 AND owner = $2 AND agent_id = $3 AND environment = $4
                AND moved_from IS NOT NULL
            RETURNING moved_at_entry";
        const COPY: &str = "
            INSERT INTO conversations (id, agent_id, environment, owner, title, opened_at,
                updated_at, closed_at, visitor_spoke_at, last_message, last_entry,
                moved_from, moved_at_entry)
            SELECT $2, agent_id, environment, NULL, title, opened_at,
                $3, $3, NULL, NULL, moved_at_entry, moved_from, moved_at_entry
            FROM conversations WHERE id = $1";
        const ENTRIES: &str = "
            UPDATE entries SET conversation_id = $2 WHERE conversation_id = $1 AND number <= $3";
        // The list of the contact must not show what was taken away.
        const REST: &str = "
            UPDATE conversations SET moved_from = NULL, moved_at_entry = NULL, title = NULL,
                last_message = CASE WHEN EXISTS (
                    SELECT 1 FROM entries WHERE conversation_id = $1 AND kind = 'message'
                ) THEN last_message END
            WHERE id = $1";

        let mut tx = self.begin().await?;
        let found = optional_in!(
            &mut tx,
            (Option<i64>,),
            TAKE,
            id.to_string(),
            contact.to_string(),
            scope.agent.to_string(),
            scope.environment.as_str()
        )?;
        let Some((Some(moved_at),)) = found else {
            return Ok(false);
        };
        let apart = ConversationId::new(&self.clock);
        let now = self.clock.now().as_microsecond();
        execute!(&mut tx, COPY, id.to_string(), apart.to_string(), now)?;
        execute!(
            &mut tx,
            ENTRIES,
            id.to_string(),
            apart.to_string(),
            moved_at
        )?;
        execute!(&mut tx, REST, id.to_string())?;
        renumber(&mut tx, contact).await?;
        let told = serde_json::json!({
            "conversation": id.to_string(),
            "apart": apart.to_string(),
            "contact": contact.to_string(),
        });
        self.audit(&mut tx, scope, Audited::ConversationSplit, told)
            .await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Whom the events of a conversation are announced to.
    pub async fn owner_of(&self, id: ConversationId) -> Result<Option<Owner>, StoreError> {
        const SQL: &str = "SELECT owner FROM conversations WHERE id = $1 AND owner IS NOT NULL";
        let row = crate::db::optional!(&self.db, (String,), SQL, id.to_string())?;
        row.map(|(owner,)| parsed(&owner, "conversations", "owner"))
            .transpose()
    }
}

/// Begins the numbering of a contact's events anew: whoever follows them must
/// read everything again (rule R4).
async fn renumber(tx: &mut Tx, contact: ContactId) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE contacts SET epoch = $2 WHERE id = $1";
    execute!(tx, SQL, contact.to_string(), new_epoch())?;
    Ok(())
}
