//! Conversations of one owner.

use maitred_core::{
    conversation::{Author, Body, Conversation, Entry, Transcript},
    id::ConversationId,
    scope::{Owner, Scope},
};

use crate::{
    Cursor, Page, Store, StoreError,
    db::{all, execute, optional},
    entries::EntryRow,
    marks::share_site,
    row::{LastMessageJson, RatingJson, json, parsed, time},
};

/// What a [`ConversationRow`] is read from.
macro_rules! columns {
    () => {
        "id, coalesce(given_title, title) AS title, opened_at, updated_at, closed_at,
            last_message, moved_from, read_to, unread, rating"
    };
}
pub(crate) use columns;

#[derive(sqlx::FromRow)]
pub(crate) struct ConversationRow {
    id: String,
    title: Option<String>,
    opened_at: i64,
    updated_at: i64,
    closed_at: Option<i64>,
    last_message: Option<String>,
    moved_from: Option<String>,
    read_to: i64,
    unread: i64,
    rating: Option<String>,
}

impl TryFrom<ConversationRow> for Conversation {
    type Error = StoreError;

    fn try_from(row: ConversationRow) -> Result<Self, StoreError> {
        const TABLE: &str = "conversations";
        let last_message: Option<LastMessageJson> = row
            .last_message
            .map(|text| json(&text, TABLE, "last_message"))
            .transpose()?;
        let rating: Option<RatingJson> = row
            .rating
            .map(|text| json(&text, TABLE, "rating"))
            .transpose()?;
        Ok(Self {
            id: parsed(&row.id, TABLE, "id")?,
            title: row.title,
            opened_at: time(row.opened_at, TABLE, "opened_at")?,
            updated_at: time(row.updated_at, TABLE, "updated_at")?,
            closed_at: row
                .closed_at
                .map(|at| time(at, TABLE, "closed_at"))
                .transpose()?,
            from_before_sign_in: row.moved_from.is_some(),
            last_message: last_message.map(TryInto::try_into).transpose()?,
            read_to: row.read_to,
            unread: row.unread,
            rating: rating.map(TryInto::try_into).transpose()?,
        })
    }
}

/// What an owner comes back to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Waiting {
    /// The open conversation that was last spoken in.
    pub open: Option<Conversation>,
    /// How many messages they have not read, in all their conversations.
    pub unread: i64,
}

#[derive(sqlx::FromRow)]
struct WaitingRow {
    #[sqlx(flatten)]
    conversation: ConversationRow,
    unread_in_all: i64,
}

impl Store {
    /// Begins a conversation. `None` if its owner is there no more.
    pub async fn open_conversation(
        &self,
        scope: Scope,
        owner: Owner,
    ) -> Result<Option<Conversation>, StoreError> {
        macro_rules! insert {
            ($owners:literal) => {
                concat!(
                    "INSERT INTO conversations
                        (id, agent_id, environment, owner, opened_at, updated_at, last_entry)
                    SELECT $1, agent_id, environment, id, $5, $5, 0
                    FROM ",
                    $owners,
                    " WHERE agent_id = $2 AND environment = $3 AND id = $4"
                )
            };
        }
        let sql = match owner {
            Owner::Contact(_) => insert!("contacts"),
            Owner::Visitor(_) => insert!("visitors"),
        };
        let id = ConversationId::new(&self.clock);
        let now = self.clock.now();
        let mut tx = self.begin().await?;
        // Whoever erases an owner erases all that is theirs (rule D7): nothing comes
        // after it.
        share_site(&mut tx, scope).await?;
        let opened = execute!(
            &mut tx,
            sql,
            id.to_string(),
            scope.agent.to_string(),
            scope.environment.as_str(),
            owner.to_string(),
            now.as_microsecond(),
        )?;
        if opened == 0 {
            return Ok(None);
        }
        tx.commit().await?;
        Ok(Some(Conversation {
            id,
            title: None,
            opened_at: now,
            updated_at: now,
            closed_at: None,
            from_before_sign_in: false,
            last_message: None,
            read_to: 0,
            unread: 0,
            rating: None,
        }))
    }

    /// The conversation, if there is one by that id and it is this owner's.
    pub async fn conversation(
        &self,
        owner: Owner,
        id: ConversationId,
    ) -> Result<Option<Conversation>, StoreError> {
        const SQL: &str = concat!(
            "SELECT ",
            columns!(),
            " FROM conversations WHERE id = $1 AND owner = $2"
        );
        let row = optional!(
            &self.db,
            ConversationRow,
            SQL,
            id.to_string(),
            owner.to_string()
        )?;
        row.map(TryInto::try_into).transpose()
    }

    /// The owner's conversations in which something was said, the latest first.
    pub async fn conversations(
        &self,
        owner: Owner,
        after: Option<Cursor<ConversationId>>,
        limit: i64,
    ) -> Result<Page<Conversation, ConversationId>, StoreError> {
        const SQL: &str = concat!(
            "SELECT ",
            columns!(),
            " FROM conversations
            WHERE owner = $1 AND last_entry > 0
                AND (updated_at < $2 OR (updated_at = $2 AND id < $3))
            ORDER BY updated_at DESC, id DESC LIMIT $4"
        );
        let (before, id) = Cursor::bounds(after);
        let rows = all!(
            &self.db,
            ConversationRow,
            SQL,
            owner.to_string(),
            before,
            id,
            limit + 1
        )?;
        let items: Vec<Conversation> = rows
            .into_iter()
            .map(TryInto::try_into)
            .collect::<Result<_, _>>()?;
        Ok(Page::of(items, limit, |it| {
            (it.updated_at.as_microsecond(), it.id)
        }))
    }

    /// What an owner comes back to, in one statement.
    pub async fn waiting_for(&self, owner: Owner) -> Result<Waiting, StoreError> {
        // What is open stands before what is closed.
        const SQL: &str = concat!(
            "SELECT ",
            columns!(),
            ", (
                SELECT CAST(sum(unread) AS BIGINT) FROM conversations WHERE owner = $1
            ) AS unread_in_all
            FROM conversations
            WHERE owner = $1 AND last_entry > 0
            ORDER BY CASE WHEN closed_at IS NULL THEN 0 ELSE 1 END, updated_at DESC, id DESC
            LIMIT 1"
        );
        let Some(row) = optional!(&self.db, WaitingRow, SQL, owner.to_string())? else {
            return Ok(Waiting::default());
        };
        let latest = Conversation::try_from(row.conversation)?;
        Ok(Waiting {
            open: Some(latest).filter(|latest| latest.closed_at.is_none()),
            unread: row.unread_in_all,
        })
    }

    /// A conversation as far back as the turn that runs in it needs it, so that a long
    /// one costs no more than a short one: to an answer of the agent at least, since
    /// no call was open then, and to something that the visitor said.
    pub async fn transcript(&self, id: ConversationId) -> Result<Transcript, StoreError> {
        const SQL: &str = "
            SELECT id, conversation_id, number, body, added_at FROM entries
            WHERE conversation_id = $1 ORDER BY number DESC LIMIT $2";
        let is_by = |entry: &Entry, by| matches!(&entry.body, Body::Message(it) if it.by == by);
        let mut limit = 64;
        loop {
            let rows = all!(&self.db, EntryRow, SQL, id.to_string(), limit)?;
            let is_whole = i64::try_from(rows.len()).is_ok_and(|found| found < limit);
            let entries = rows.into_iter().rev().map(Entry::try_from);
            let entries = entries.collect::<Result<Vec<_>, _>>()?;
            let has = |by| entries.iter().any(|entry| is_by(entry, by));
            if is_whole || (has(Author::Agent) && has(Author::Visitor)) {
                return Ok(Transcript::new(entries));
            }
            limit *= 8;
        }
    }

    /// Where a conversation belongs.
    pub async fn scope_of(&self, id: ConversationId) -> Result<Option<Scope>, StoreError> {
        const SQL: &str = "SELECT agent_id, environment FROM conversations WHERE id = $1";
        let row = optional!(&self.db, (String, String), SQL, id.to_string())?;
        row.map(|(agent, environment)| {
            Ok(Scope {
                agent: parsed(&agent, "conversations", "agent_id")?,
                environment: parsed(&environment, "conversations", "environment")?,
            })
        })
        .transpose()
    }

    /// The conversations whose turn was running when the process ended (rule R3).
    pub async fn conversations_with_a_turn(&self) -> Result<Vec<ConversationId>, StoreError> {
        const SQL: &str =
            "SELECT id FROM conversations WHERE turn_since IS NOT NULL ORDER BY turn_since";
        let rows = all!(&self.db, (String,), SQL)?;
        rows.iter()
            .map(|(id,)| parsed(id, "conversations", "id"))
            .collect()
    }
}
