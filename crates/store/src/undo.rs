//! Taking away again what came along at a sign-in (rules M1, M2).
//!
//! It is done in one way, whoever asks for it: the visitor with "Not mine", or an
//! operator. The secret of the visitor who signed in stays retired.

use jiff::{SignedDuration, Timestamp};
use maitred_core::{
    id::{ContactId, ConversationId, MergeId},
    scope::Scope,
};

use crate::{
    Store, StoreError,
    audit::Audited,
    db::{Tx, all, execute, optional_in},
    memory::forget_conversation,
    row::{parsed, time},
};

/// For how long an operator can undo it.
const UNDOABLE: SignedDuration = SignedDuration::from_hours(30 * 24);

/// A conversation's coming along at a sign-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merge {
    /// Its name.
    pub id: MergeId,
    /// What came along.
    pub conversation: ConversationId,
    /// To whom.
    pub contact: ContactId,
    /// When.
    pub merged_at: Timestamp,
    /// Until when an operator can undo it.
    pub undoable_until: Timestamp,
    /// Whether it was undone.
    pub undone: Option<(Timestamp, By)>,
}

/// Who took away what came along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The visitor, with "Not mine".
    Visitor,
    /// An operator.
    Operator,
}

impl By {
    /// The name in SQL and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Visitor => "visitor",
            Self::Operator => "operator",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Visitor, Self::Operator]
            .into_iter()
            .find(|by| by.as_str() == text)
    }
}

/// Where things are after a merge was undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Split {
    /// What stays with the contact.
    pub conversation: ConversationId,
    /// What was said before: only operators see it.
    pub apart: ConversationId,
    /// Whose list of conversations has changed.
    pub contact: ContactId,
}

/// What came of an operator's undoing a merge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undone {
    /// It is undone.
    Split(Split),
    /// It was, before.
    Already,
    /// It was too long ago.
    TooLate,
}

type MergeRow = (String, String, String, i64, Option<i64>, Option<String>);

impl Store {
    /// "Not mine": takes back what came along when this visitor signed in. False
    /// if the conversation is not theirs, or nothing came along.
    pub async fn split(
        &self,
        scope: Scope,
        contact: ContactId,
        id: ConversationId,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let apart = self
            .take_apart(&mut tx, scope, contact, id, By::Visitor)
            .await?;
        if apart.is_some() {
            tx.commit().await?;
        }
        Ok(apart.is_some())
    }

    /// Undoes a merge for an operator (rule M2). `None` if there is no such one.
    pub async fn undo_merge(
        &self,
        scope: Scope,
        id: MergeId,
    ) -> Result<Option<Undone>, StoreError> {
        const SQL: &str = "
            SELECT id, conversation_id, contact_id, merged_at, undone_at, undone_by
            FROM merges WHERE id = $1 AND agent_id = $2 AND environment = $3";
        let mut tx = self.begin().await?;
        let row = optional_in!(
            &mut tx,
            MergeRow,
            SQL,
            id.to_string(),
            scope.agent.to_string(),
            scope.environment.as_str()
        )?;
        let Some(merge) = row.map(merge_from).transpose()? else {
            return Ok(None);
        };
        if merge.undone.is_some() {
            return Ok(Some(Undone::Already));
        }
        if merge.undoable_until <= self.clock.now() {
            return Ok(Some(Undone::TooLate));
        }
        let (contact, conversation) = (merge.contact, merge.conversation);
        let apart = self
            .take_apart(&mut tx, scope, contact, conversation, By::Operator)
            .await?;
        let Some(apart) = apart else {
            // Somebody was faster.
            return Ok(Some(Undone::Already));
        };
        tx.commit().await?;
        Ok(Some(Undone::Split(Split {
            conversation,
            apart,
            contact,
        })))
    }

    /// The merges of one agent and environment, or of one contact, the latest first.
    pub async fn merges(
        &self,
        scope: Scope,
        of: Option<ContactId>,
        limit: i64,
    ) -> Result<Vec<Merge>, StoreError> {
        const SQL: &str = "
            SELECT id, conversation_id, contact_id, merged_at, undone_at, undone_by
            FROM merges
            WHERE agent_id = $1 AND environment = $2 AND contact_id = coalesce($3, contact_id)
            ORDER BY merged_at DESC, id DESC LIMIT $4";
        let rows = all!(
            &self.db,
            MergeRow,
            SQL,
            scope.agent.to_string(),
            scope.environment.as_str(),
            of.map(|contact| contact.to_string()),
            limit
        )?;
        rows.into_iter().map(merge_from).collect()
    }

    /// Splits a conversation where it came along: what was said before goes to a
    /// conversation that only operators see, what was said since stays. `None` if
    /// it is not this contact's, or nothing came along that is still there.
    async fn take_apart(
        &self,
        tx: &mut Tx,
        scope: Scope,
        contact: ContactId,
        id: ConversationId,
        by: By,
    ) -> Result<Option<ConversationId>, StoreError> {
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
        // The list of the contact must not show what was taken away. A title that was
        // given, and a rating, may be either's: they go.
        const REST: &str = "
            UPDATE conversations SET moved_from = NULL, moved_at_entry = NULL, title = NULL,
                given_title = NULL, given_title_search = NULL, rating = NULL,
                unread = (
                    SELECT count(*) FROM entries
                    WHERE conversation_id = $1 AND number > read_to
                        AND author IN ('agent', 'operator')
                ),
                last_message = CASE WHEN EXISTS (
                    SELECT 1 FROM entries WHERE conversation_id = $1 AND kind = 'message'
                ) THEN last_message END
            WHERE id = $1";
        const MERGE: &str = "
            UPDATE merges SET undone_at = $2, undone_by = $3, apart = $4
            WHERE conversation_id = $1";

        let found = optional_in!(
            tx,
            (Option<i64>,),
            TAKE,
            id.to_string(),
            contact.to_string(),
            scope.agent.to_string(),
            scope.environment.as_str()
        )?;
        let Some((Some(moved_at),)) = found else {
            return Ok(None);
        };
        let apart = ConversationId::new(&self.clock);
        let (whole, apart_text) = (id.to_string(), apart.to_string());
        let now = self.clock.now().as_microsecond();
        execute!(tx, COPY, whole.as_str(), apart_text.as_str(), now)?;
        execute!(tx, ENTRIES, whole.as_str(), apart_text.as_str(), moved_at)?;
        execute!(tx, REST, whole.as_str())?;
        forget_conversation(tx, id).await?;
        execute!(
            tx,
            MERGE,
            whole.as_str(),
            now,
            by.as_str(),
            apart_text.as_str()
        )?;
        let told = serde_json::json!({
            "conversation": whole,
            "apart": apart_text,
            "contact": contact.to_string(),
            "by": by.as_str(),
        });
        self.audit(tx, scope, Audited::ConversationSplit, told)
            .await?;
        self.renumber(tx, contact).await?;
        Ok(Some(apart))
    }
}

fn merge_from(
    (id, conversation, contact, merged_at, undone_at, undone_by): MergeRow,
) -> Result<Merge, StoreError> {
    const TABLE: &str = "merges";
    let merged_at = time(merged_at, TABLE, "merged_at")?;
    let undone = match (undone_at, undone_by) {
        (Some(at), Some(by)) => {
            let by = By::parse(&by).ok_or(StoreError::Corrupt {
                table: TABLE,
                column: "undone_by",
            })?;
            Some((time(at, TABLE, "undone_at")?, by))
        }
        (None, _) | (_, None) => None,
    };
    Ok(Merge {
        id: parsed(&id, TABLE, "id")?,
        conversation: parsed(&conversation, TABLE, "conversation_id")?,
        contact: parsed(&contact, TABLE, "contact_id")?,
        merged_at,
        undoable_until: merged_at + UNDOABLE,
        undone,
    })
}
