//! A conversation as a whole: its title, closed or open, read how far, rated how.
//!
//! Every change is an event of its owner, numbered and replayed like an entry (rule
//! R4), and reaches all their devices. What changes nothing is no event.
//!
//! What always holds: the conversation's row is taken before anything is read of it,
//! so that what is counted here and what is appended beside it do not miss each other.

use maitred_core::{
    conversation::{Body, Conversation, EntryNumber, Rating, Status},
    event::Numbered,
    id::ConversationId,
    message::Title,
    scope::Owner,
    search::fold,
};

use crate::{
    Store, StoreError,
    conversations::{ConversationRow, columns},
    db::{Tx, all_in, execute, optional_in},
    row::{BodyJson, RatingJson, json, to_json},
};

/// What a visitor changes of a conversation. What is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// Another title; without one, back to the beginning of what was said first.
    pub title: Option<Option<Title>>,
    /// Closes it, and the turn that runs in it, or opens it again.
    pub closed: Option<bool>,
}

/// What came of a change.
#[derive(Debug)]
pub struct Changed {
    /// How the conversation is now.
    pub conversation: Conversation,
    /// What is to be announced to its owner.
    pub events: Vec<Numbered>,
}

impl Changed {
    fn nothing(conversation: Conversation) -> Self {
        let events = Vec::new();
        Self {
            conversation,
            events,
        }
    }
}

impl Store {
    /// Changes a conversation. `None` if it is not theirs.
    pub async fn change_conversation(
        &self,
        owner: Owner,
        id: ConversationId,
        changes: Changes,
    ) -> Result<Option<Changed>, StoreError> {
        const TITLE: &str = "
            UPDATE conversations SET given_title = $2, given_title_search = $3 WHERE id = $1";
        // Over: what is to be remembered of it need not wait until it has been quiet.
        const CLOSED: &str = "
            UPDATE conversations SET closed_at = $2,
                memory_due_at = CASE WHEN memory_due_at > $2 THEN $2 ELSE memory_due_at END
            WHERE id = $1";
        let mut tx = self.begin().await?;
        let Some(before) = taken(&mut tx, owner, id).await? else {
            return Ok(None);
        };
        let mut events = Vec::new();
        if let Some(title) = changes.title {
            let title = title.as_ref().map(Title::as_str);
            execute!(&mut tx, TITLE, id.to_string(), title, title.map(fold))?;
        }
        if let Some(close) = changes.closed
            && close != before.closed_at.is_some()
        {
            let (status, closed_at) = match close {
                true => (Status::Closed, Some(self.clock.now().as_microsecond())),
                false => (Status::Reopened, None),
            };
            let entry = self.append_in(&mut tx, id, Body::Status(status)).await?;
            events.extend(entry);
            execute!(&mut tx, CLOSED, id.to_string(), closed_at)?;
        }
        let now = conversation_in(&mut tx, owner, id).await?;
        self.tell(tx, owner, &before, now, events).await
    }

    /// Says up to which entry the visitor has read: never less than before, and at
    /// most all there are. `None` if the conversation is not theirs.
    pub async fn mark_read(
        &self,
        owner: Owner,
        id: ConversationId,
        up_to: EntryNumber,
    ) -> Result<Option<Changed>, StoreError> {
        // Its own statement: one that waits for a row sees the others as they were
        // before it waited.
        const COUNT: &str = "
            SELECT last_entry, (
                SELECT count(*) FROM entries
                WHERE conversation_id = $1 AND number > $2 AND author IN ('agent', 'operator'))
            FROM conversations WHERE id = $1";
        const MARK: &str = concat!(
            "UPDATE conversations SET read_to = $2, unread = $3 WHERE id = $1 RETURNING ",
            columns!()
        );
        let mut tx = self.begin().await?;
        let Some(before) = taken(&mut tx, owner, id).await? else {
            return Ok(None);
        };
        if up_to <= before.read_to {
            return Ok(Some(Changed::nothing(before)));
        }
        let counted = optional_in!(&mut tx, (i64, i64), COUNT, id.to_string(), up_to)?;
        let (last, unread) = counted.ok_or(StoreError::Conflict)?;
        let up_to = up_to.min(last);
        let now = optional_in!(
            &mut tx,
            ConversationRow,
            MARK,
            id.to_string(),
            up_to,
            unread
        )?;
        let now = now.ok_or(StoreError::Conflict)?.try_into()?;
        self.tell(tx, owner, &before, now, Vec::new()).await
    }

    /// Keeps what the visitor thinks of a conversation, in place of what they thought
    /// before. `None` if it is not theirs.
    pub async fn rate(
        &self,
        owner: Owner,
        id: ConversationId,
        rating: &Rating,
    ) -> Result<Option<Changed>, StoreError> {
        const SQL: &str = concat!(
            "UPDATE conversations SET rating = $2 WHERE id = $1 RETURNING ",
            columns!()
        );
        let mut tx = self.begin().await?;
        let Some(before) = taken(&mut tx, owner, id).await? else {
            return Ok(None);
        };
        let rating = to_json(&RatingJson::from(rating));
        let now = optional_in!(&mut tx, ConversationRow, SQL, id.to_string(), rating)?;
        let now = now.ok_or(StoreError::Conflict)?.try_into()?;
        self.tell(tx, owner, &before, now, Vec::new()).await
    }

    /// Closes the turn that runs, on whichever node: its driver finds that it is not
    /// the last to have added something, and decides anew. Nothing happens if none
    /// runs, or it was closed before. `None` if the conversation is not theirs.
    pub async fn stop_turn(
        &self,
        owner: Owner,
        id: ConversationId,
    ) -> Result<Option<Changed>, StoreError> {
        let mut tx = self.begin().await?;
        let Some(conversation) = taken(&mut tx, owner, id).await? else {
            return Ok(None);
        };
        let mut events = Vec::new();
        if has_open_turn(&mut tx, id).await? {
            let stopped = Body::Status(Status::Stopped);
            events.extend(self.append_in(&mut tx, id, stopped).await?);
            tx.commit().await?;
        }
        Ok(Some(Changed {
            conversation,
            events,
        }))
    }

    /// Numbers what changed, if something did, and commits.
    async fn tell(
        &self,
        mut tx: Tx,
        owner: Owner,
        before: &Conversation,
        now: Conversation,
        mut events: Vec<Numbered>,
    ) -> Result<Option<Changed>, StoreError> {
        if now == *before {
            return Ok(Some(Changed::nothing(now)));
        }
        events.push(self.number_status(&mut tx, owner, now.clone()).await?);
        tx.commit().await?;
        Ok(Some(Changed {
            conversation: now,
            events,
        }))
    }
}

/// Takes the conversation, as appends do, and says how it is.
async fn taken(
    tx: &mut Tx,
    owner: Owner,
    id: ConversationId,
) -> Result<Option<Conversation>, StoreError> {
    const SQL: &str = concat!(
        "UPDATE conversations SET updated_at = updated_at WHERE id = $1 AND owner = $2
        RETURNING ",
        columns!()
    );
    let row = optional_in!(tx, ConversationRow, SQL, id.to_string(), owner.to_string())?;
    row.map(TryInto::try_into).transpose()
}

/// How a conversation is that this transaction has taken.
pub(crate) async fn conversation_in(
    tx: &mut Tx,
    owner: Owner,
    id: ConversationId,
) -> Result<Conversation, StoreError> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM conversations WHERE id = $1 AND owner = $2"
    );
    let row = optional_in!(tx, ConversationRow, SQL, id.to_string(), owner.to_string())?;
    row.ok_or(StoreError::Conflict)?.try_into()
}

/// Whether a turn runs that nothing has closed yet: what closed it may have been
/// added and not been seen by its driver.
async fn has_open_turn(tx: &mut Tx, id: ConversationId) -> Result<bool, StoreError> {
    const RUNS: &str = "SELECT id FROM conversations WHERE id = $1 AND turn_since IS NOT NULL";
    const STATUSES: &str = "
        SELECT body FROM entries
        WHERE conversation_id = $1 AND kind = 'status' AND number > (
            SELECT number FROM entries
            WHERE conversation_id = $1 AND author = 'visitor' ORDER BY number DESC LIMIT 1)";
    if optional_in!(tx, (String,), RUNS, id.to_string())?.is_none() {
        return Ok(false);
    }
    for (body,) in all_in!(tx, (String,), STATUSES, id.to_string())? {
        let body = json::<BodyJson>(&body, "entries", "body")?.into();
        if matches!(body, Body::Status(status) if status.closes_a_turn()) {
            return Ok(false);
        }
    }
    Ok(true)
}
