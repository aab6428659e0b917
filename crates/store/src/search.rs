//! Looking for words in one's own conversations.
//!
//! Only what belongs to the owner is looked at, so the cost grows with what they said
//! and heard, and with nobody else's. What is looked for and what is looked in were
//! folded in Rust (`core::search`): the databases compare bytes.

use maitred_core::{
    conversation::{Body, Conversation, EntryNumber, Message},
    id::ConversationId,
    scope::Owner,
    search::{Wanted, fold},
};

use crate::{
    Cursor, Page, Store, StoreError,
    conversations::{ConversationRow, columns},
    db::{all, all_in, execute},
    row::{BodyJson, author, json},
};

/// A conversation in which something was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Match {
    /// The conversation.
    pub conversation: Conversation,
    /// The first message that says it, and a piece of that; none if only the title does.
    pub message: Option<(EntryNumber, String)>,
}

#[derive(sqlx::FromRow)]
struct MatchRow {
    #[sqlx(flatten)]
    conversation: ConversationRow,
    hit: Option<i64>,
    body: Option<String>,
}

impl Store {
    /// The owner's conversations in which a message or the title says it, the latest
    /// first.
    pub async fn search(
        &self,
        owner: Owner,
        wanted: &Wanted,
        after: Option<Cursor<ConversationId>>,
        limit: i64,
    ) -> Result<Page<Match, ConversationId>, StoreError> {
        // A title that was not given is the beginning of a message.
        const SQL: &str = concat!(
            "SELECT found.*, (
                SELECT body FROM entries WHERE conversation_id = found.id AND number = found.hit
            ) AS body
            FROM (
                SELECT ",
            columns!(),
            ", given_title_search, (
                    SELECT number FROM entries
                    WHERE conversation_id = conversations.id AND search LIKE $4 ESCAPE '\\'
                    ORDER BY number LIMIT 1
                ) AS hit
                FROM conversations
                WHERE owner = $1 AND last_entry > 0
                    AND (updated_at < $2 OR (updated_at = $2 AND id < $3))
            ) AS found
            WHERE hit IS NOT NULL OR given_title_search LIKE $4 ESCAPE '\\'
            ORDER BY updated_at DESC, id DESC LIMIT $5"
        );
        let (before, id) = Cursor::bounds(after);
        let rows = all!(
            &self.db,
            MatchRow,
            SQL,
            owner.to_string(),
            before,
            id,
            wanted.pattern(),
            limit + 1
        )?;
        let matches: Vec<Match> = rows
            .into_iter()
            .map(|row| matched(row, wanted))
            .collect::<Result<_, _>>()?;
        Ok(Page::of(matches, limit, |it| {
            let conversation = &it.conversation;
            (conversation.updated_at.as_microsecond(), conversation.id)
        }))
    }

    /// Folds the messages from before they were folded when they were written: one
    /// conversation after another, so that nobody waits for it.
    pub async fn fold_older_messages(&self) -> Result<(), StoreError> {
        const NEXT: &str = "
            SELECT DISTINCT conversation_id FROM entries
            WHERE kind = 'message' AND search IS NULL LIMIT 100";
        loop {
            let conversations = all!(&self.db, (String,), NEXT)?;
            if conversations.is_empty() {
                return Ok(());
            }
            for (id,) in conversations {
                self.fold_messages_of(&id).await?;
            }
        }
    }

    async fn fold_messages_of(&self, conversation: &str) -> Result<(), StoreError> {
        // Taken first, as by everybody who changes its entries.
        const TAKE: &str = "UPDATE conversations SET updated_at = updated_at WHERE id = $1";
        const MESSAGES: &str = "
            SELECT id, body FROM entries
            WHERE conversation_id = $1 AND kind = 'message' AND search IS NULL";
        // Who said it is not there either if the release before wrote it meanwhile.
        const FOLD: &str = "UPDATE entries SET search = $2, author = $3 WHERE id = $1";
        let mut tx = self.begin().await?;
        execute!(&mut tx, TAKE, conversation)?;
        for (id, body) in all_in!(&mut tx, (String, String), MESSAGES, conversation)? {
            let message = message(&body)?;
            let text = message.as_ref().map_or("", |it| it.text.as_str());
            let by = message.as_ref().map(|it| author(it.by));
            execute!(&mut tx, FOLD, id, fold(text), by)?;
        }
        tx.commit().await
    }
}

fn matched(row: MatchRow, wanted: &Wanted) -> Result<Match, StoreError> {
    let message = row.body.as_deref().map(message).transpose()?.flatten();
    let piece = message.and_then(|message| wanted.excerpt(&message.text));
    Ok(Match {
        conversation: row.conversation.try_into()?,
        message: row.hit.zip(piece),
    })
}

/// A message, as it is stored.
fn message(body: &str) -> Result<Option<Message>, StoreError> {
    let body = json::<BodyJson>(body, "entries", "body")?.into();
    if let Body::Message(message) = body {
        return Ok(Some(message));
    }
    Ok(None)
}
