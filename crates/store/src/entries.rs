//! Entries: the lines of a conversation, numbered without holes.
//!
//! An entry, its number, and its event are one transaction. The conversation's
//! row is updated first, which on PostgreSQL makes others wait for their number.
//!
//! What always holds: a transaction takes a conversation before the visitor or
//! contact that owns it. Two orders would be a deadlock. A sign-in takes its
//! contact first, but then only a conversation that is not yet the contact's.

use maitred_core::{
    conversation::{Author, Body, Entry, EntryNumber, Message, NewEntry, Status},
    event::{Numbered, Stored},
    id::{ConversationId, EntryId, SessionId},
    message::MessageText,
    scope::Owner,
    search::fold,
};
use uuid::Uuid;

use crate::{
    Store, StoreError,
    append::If,
    db::{Tx, all, execute, optional_in},
    events::{Of, number_event},
    memory::QUIET_FOR,
    nodes::TurnRow,
    row::{BodyJson, LastMessageJson, author, json, kind, parsed, time, to_json},
    status::conversation_in,
};

/// What a visitor's message became.
#[derive(Debug)]
pub enum Posted {
    /// A new entry, and what is to be announced of it.
    New(Appended),
    /// It was there before, word for word (rule R1).
    Duplicate(Box<Entry>),
}

/// What was appended, and to whom it is to be announced.
#[derive(Debug)]
pub struct Appended {
    /// Whose events these are; nobody's if only operators see the conversation.
    pub owner: Option<Owner>,
    /// The entries, each with its place.
    pub events: Vec<Numbered>,
}

impl From<(Owner, Numbered)> for Appended {
    fn from((owner, event): (Owner, Numbered)) -> Self {
        Self {
            owner: Some(owner),
            events: vec![event],
        }
    }
}

/// Whether the conversation waits for its agent after this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TurnMark {
    /// A turn is running: it is taken up again after a crash.
    Running,
    /// It has ended.
    Ended,
}

#[derive(sqlx::FromRow)]
pub(crate) struct EntryRow {
    pub(crate) id: String,
    pub(crate) conversation_id: String,
    pub(crate) number: i64,
    pub(crate) body: String,
    pub(crate) added_at: i64,
}

impl TryFrom<EntryRow> for Entry {
    type Error = StoreError;

    fn try_from(row: EntryRow) -> Result<Self, StoreError> {
        const TABLE: &str = "entries";
        Ok(Self {
            id: parsed(&row.id, TABLE, "id")?,
            conversation: parsed(&row.conversation_id, TABLE, "conversation_id")?,
            number: row.number,
            added_at: time(row.added_at, TABLE, "added_at")?,
            body: json::<BodyJson>(&row.body, TABLE, "body")?.into(),
        })
    }
}

impl Store {
    /// Appends what a visitor said. `None` if the conversation is not theirs.
    ///
    /// A retry under the same `client_id` finds the first one; with other words
    /// it is [`StoreError::IdempotencyMismatch`].
    pub async fn post(
        &self,
        owner: Owner,
        conversation: ConversationId,
        session: SessionId,
        client_id: Uuid,
        text: &MessageText,
    ) -> Result<Option<Posted>, StoreError> {
        let (store, text) = (self.clone(), text.clone());
        let posted = async move {
            store
                .post_here(owner, conversation, session, client_id, &text)
                .await
        };
        self.writer.beside(posted).await
    }

    async fn post_here(
        &self,
        owner: Owner,
        conversation: ConversationId,
        session: SessionId,
        client_id: Uuid,
        text: &MessageText,
    ) -> Result<Option<Posted>, StoreError> {
        let entry = NewEntry {
            id: EntryId::new(&self.clock),
            body: Body::Message(Message {
                by: Author::Visitor,
                text: text.as_str().to_owned(),
                citations: Vec::new(),
                client_id: Some(client_id),
                session: Some(session),
            }),
        };
        let mut tx = self.begin().await?;
        let condition = If::TheirsAndNew(owner);
        let running = TurnMark::Running;
        match self
            .append_if(&mut tx, conversation, condition, &entry, running)
            .await
        {
            Ok(Some(appended)) => {
                tx.commit().await?;
                return Ok(Some(Posted::New(appended.into())));
            }
            Ok(None) => (),
            // Said twice at once: on PostgreSQL the later one finds that out here.
            Err(StoreError::Db(sqlx::Error::Database(error))) if error.is_unique_violation() => {
                tx.roll_back().await?;
                tx = self.begin().await?;
            }
            Err(error) => return Err(error),
        }
        let Some(mut place) = self.next_place(&mut tx, conversation).await? else {
            return Ok(None);
        };
        if place.owner != Some(owner) {
            return Ok(None);
        }
        if let Some(entry) = self
            .entry_by_client_id(&mut tx, conversation, client_id)
            .await?
        {
            let same = matches!(&entry.body, Body::Message(it) if it.text == text.as_str());
            return if same {
                Ok(Some(Posted::Duplicate(Box::new(entry))))
            } else {
                Err(StoreError::IdempotencyMismatch)
            };
        }
        let mut events = Vec::new();
        if place.closed_at.take().is_some() {
            let reopened = NewEntry {
                id: EntryId::new(&self.clock),
                body: Body::Status(Status::Reopened),
            };
            events.extend(
                self.insert(&mut tx, &mut place, conversation, reopened)
                    .await?,
            );
        }
        let was_closed = !events.is_empty();
        events.extend(
            self.insert(&mut tx, &mut place, conversation, entry)
                .await?,
        );
        place.turn.claim(self.node_text());
        self.mark(&mut tx, conversation, &place, TurnMark::Running)
            .await?;
        if was_closed {
            let now = conversation_in(&mut tx, owner, conversation).await?;
            events.push(self.number_status(&mut tx, owner, now).await?);
        }
        tx.commit().await?;
        Ok(Some(Posted::New(Appended {
            owner: place.owner,
            events,
        })))
    }

    /// Appends what a turn has brought about.
    ///
    /// With `after`, only if that is still the last entry: else
    /// [`StoreError::Conflict`], and the turn must be decided anew. If another node
    /// runs the turn it is [`StoreError::TurnTaken`].
    pub async fn append(
        &self,
        conversation: ConversationId,
        after: Option<EntryNumber>,
        entries: Vec<NewEntry>,
        turn: TurnMark,
    ) -> Result<Appended, StoreError> {
        let store = self.clone();
        let appended = async move { store.append_here(conversation, after, entries, turn).await };
        self.writer.beside(appended).await
    }

    async fn append_here(
        &self,
        conversation: ConversationId,
        after: Option<EntryNumber>,
        entries: Vec<NewEntry>,
        turn: TurnMark,
    ) -> Result<Appended, StoreError> {
        let mut tx = self.begin().await?;
        if let (Some(after), [entry]) = (after, &entries[..]) {
            let condition = If::NothingCameSince(after);
            let appended = self.append_if(&mut tx, conversation, condition, entry, turn);
            if let Some(appended) = appended.await? {
                tx.commit().await?;
                return Ok(appended.into());
            }
        }
        let mut place = self
            .next_place(&mut tx, conversation)
            .await?
            .ok_or(StoreError::Conflict)?;
        if !place.turn.is_run_by(&self.node_text()) {
            return Err(StoreError::TurnTaken);
        }
        if after.is_some_and(|after| after != place.last_entry) {
            return Err(StoreError::Conflict);
        }
        let mut events = Vec::with_capacity(entries.len());
        for entry in entries {
            events.extend(
                self.insert(&mut tx, &mut place, conversation, entry)
                    .await?,
            );
        }
        self.mark(&mut tx, conversation, &place, turn).await?;
        tx.commit().await?;
        Ok(Appended {
            owner: place.owner,
            events,
        })
    }

    /// Says that no turn is running any more. False if something was added since:
    /// the turn must be decided anew.
    pub async fn end_turn(
        &self,
        conversation: ConversationId,
        after: EntryNumber,
    ) -> Result<bool, StoreError> {
        const SQL: &str = "
            UPDATE conversations SET
                turn_since = CASE WHEN last_entry = $2 THEN NULL ELSE turn_since END,
                turn_node = CASE WHEN last_entry = $2 THEN NULL ELSE turn_node END
            WHERE id = $1 AND coalesce(turn_node, '') = $3
            RETURNING last_entry";
        let mut tx = self.begin().await?;
        let node = self.node_text();
        let row = optional_in!(&mut tx, (i64,), SQL, conversation.to_string(), after, node)?;
        tx.commit().await?;
        // Without a row it is somebody else's turn.
        Ok(row.is_none_or(|(last,)| last == after))
    }

    /// Entries of a conversation after a number, in order.
    ///
    /// The caller has made sure that the conversation is the reader's.
    pub async fn entries_after(
        &self,
        conversation: ConversationId,
        after: EntryNumber,
        limit: i64,
    ) -> Result<Vec<Entry>, StoreError> {
        const SQL: &str = "
            SELECT id, conversation_id, number, body, added_at
            FROM entries WHERE conversation_id = $1 AND number > $2
            ORDER BY number LIMIT $3";
        let rows = all!(
            &self.db,
            EntryRow,
            SQL,
            conversation.to_string(),
            after,
            limit
        )?;
        rows.into_iter().map(TryInto::try_into).collect()
    }

    async fn entry_by_client_id(
        &self,
        tx: &mut Tx,
        conversation: ConversationId,
        client_id: Uuid,
    ) -> Result<Option<Entry>, StoreError> {
        const SQL: &str = "
            SELECT id, conversation_id, number, body, added_at
            FROM entries WHERE conversation_id = $1 AND client_id = $2";
        let row = optional_in!(
            tx,
            EntryRow,
            SQL,
            conversation.to_string(),
            client_id.to_string()
        )?;
        row.map(TryInto::try_into).transpose()
    }

    /// Locks the conversation and reads where its next entry goes.
    pub(crate) async fn next_place(
        &self,
        tx: &mut Tx,
        conversation: ConversationId,
    ) -> Result<Option<Place>, StoreError> {
        const SQL: &str = "
            UPDATE conversations SET updated_at = $2 WHERE id = $1
            RETURNING owner, last_entry, closed_at, turn_since, turn_node,
                (SELECT count(*) FROM nodes WHERE nodes.id = conversations.turn_node),
                (SELECT count(*) FROM nodes)";
        type Row = (
            Option<String>,
            i64,
            Option<i64>,
            Option<i64>,
            Option<String>,
            i64,
            i64,
        );
        let now = self.clock.now().as_microsecond();
        let row = optional_in!(tx, Row, SQL, conversation.to_string(), now)?;
        row.map(
            |(owner, last_entry, closed_at, since, node, node_lives, nodes)| {
                self.saw_nodes(nodes);
                let owner = owner
                    .map(|owner| parsed(&owner, "conversations", "owner"))
                    .transpose()?;
                Ok(Place {
                    owner,
                    last_entry,
                    closed_at,
                    turn: TurnRow {
                        since,
                        node,
                        node_lives: node_lives > 0,
                    },
                    last_message: None,
                    title: None,
                    visitor_spoke: false,
                    said_to_visitor: 0,
                })
            },
        )
        .transpose()
    }

    pub(crate) async fn insert(
        &self,
        tx: &mut Tx,
        place: &mut Place,
        conversation: ConversationId,
        new: NewEntry,
    ) -> Result<Option<Numbered>, StoreError> {
        const SQL: &str = "
            INSERT INTO entries (conversation_id, number, id, kind, body, client_id, added_at,
                author, search)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
        place.last_entry += 1;
        let entry = Entry {
            id: new.id,
            conversation,
            number: place.last_entry,
            added_at: self.clock.now(),
            body: new.body,
        };
        let message = if let Body::Message(message) = &entry.body {
            Some(message)
        } else {
            None
        };
        execute!(
            tx,
            SQL,
            conversation.to_string(),
            entry.number,
            entry.id.to_string(),
            kind(&entry.body),
            to_json(&BodyJson::from(&entry.body)),
            message.and_then(|it| it.client_id).map(|id| id.to_string()),
            entry.added_at.as_microsecond(),
            message.map(|it| author(it.by)),
            message.map(|it| fold(&it.text)),
        )?;
        if let Some(message) = message {
            place.last_message = Some(to_json(&LastMessageJson::of(message, entry.added_at)));
            if message.by == Author::Visitor {
                place.title = Some(title_of(&message.text));
                place.visitor_spoke = true;
            } else {
                place.said_to_visitor += 1;
            }
        }
        let Some(owner) = place.owner else {
            return Ok(None);
        };
        let position = number_event(tx, owner, Of::Entry(entry.id)).await?;
        let what = Stored::Entry(entry);
        Ok(Some(Numbered { position, what }))
    }

    /// Writes to the conversation's row what its new entries mean for it.
    pub(crate) async fn mark(
        &self,
        tx: &mut Tx,
        conversation: ConversationId,
        place: &Place,
        turn: TurnMark,
    ) -> Result<(), StoreError> {
        const SQL: &str = "
            UPDATE conversations SET last_entry = $2, title = coalesce(title, $3),
                last_message = coalesce($4, last_message),
                visitor_spoke_at = coalesce($5, visitor_spoke_at), turn_since = $6,
                unread = unread + $7, closed_at = $8, turn_node = $9,
                memory_due_at = coalesce(memory_due_at, $10)
            WHERE id = $1";
        let quiet_at = (self.clock.now() + QUIET_FOR).as_microsecond();
        let now = self.clock.now().as_microsecond();
        let running = turn == TurnMark::Running;
        execute!(
            tx,
            SQL,
            conversation.to_string(),
            place.last_entry,
            place.title.as_deref(),
            place.last_message.as_deref(),
            place.visitor_spoke.then_some(now),
            running.then_some(now),
            place.said_to_visitor,
            place.closed_at,
            place
                .turn
                .node
                .as_deref()
                .filter(|it| running && !it.is_empty()),
            place.visitor_spoke.then_some(quiet_at),
        )?;
        Ok(())
    }

    /// Appends a line in a transaction that does more than that.
    pub(crate) async fn append_in(
        &self,
        tx: &mut Tx,
        conversation: ConversationId,
        body: Body,
    ) -> Result<Option<Numbered>, StoreError> {
        const SQL: &str = "UPDATE conversations SET last_entry = $2 WHERE id = $1";
        let mut place = self
            .next_place(tx, conversation)
            .await?
            .ok_or(StoreError::Conflict)?;
        let entry = NewEntry {
            id: EntryId::new(&self.clock),
            body,
        };
        let event = self.insert(tx, &mut place, conversation, entry).await?;
        execute!(tx, SQL, conversation.to_string(), place.last_entry)?;
        Ok(event)
    }
}

/// What a conversation is called after the first thing that its visitor said.
pub(crate) fn title_of(text: &str) -> String {
    text.lines().next().unwrap_or("").chars().take(80).collect()
}

/// Where the next entry of a locked conversation goes, and what the ones so far
/// mean for its row.
pub(crate) struct Place {
    pub(crate) owner: Option<Owner>,
    last_entry: EntryNumber,
    closed_at: Option<i64>,
    pub(crate) turn: TurnRow,
    last_message: Option<String>,
    title: Option<String>,
    visitor_spoke: bool,
    /// Messages that the visitor has not read yet.
    said_to_visitor: i64,
}
