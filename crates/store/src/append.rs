//! The usual append: one line, in one text.
//!
//! A message and its answer are what the store is asked for most. Each statement of a
//! transaction is handed over to the database and back, and others wait for their turn
//! meanwhile; so what is nearly always true is asked and done at once. Where it is not
//! true, nothing happens here, and `entries` does it a step at a time.

use maitred_core::{
    conversation::{Author, Body, Entry, EntryNumber, NewEntry},
    event::{Numbered, Position, Stored},
    id::ConversationId,
    scope::Owner,
    search::fold,
};

use crate::{
    Store, StoreError,
    db::Tx,
    entries::{TurnMark, title_of},
    memory::QUIET_FOR,
    row::{BodyJson, LastMessageJson, author, kind, parsed, to_json},
};

/// What must be so.
pub(crate) enum If {
    /// The conversation is this owner's and open, and nothing was said in it under the
    /// message's own id.
    TheirsAndNew(Owner),
    /// This is its last entry, and this node runs its turn.
    NothingCameSince(EntryNumber),
}

/// Takes the conversation, if it is as it must be, and writes what its next entry
/// means for it.
macro_rules! update {
    ($node:literal, $condition:literal) => {
        concat!(
            "UPDATE conversations SET updated_at = $2, last_entry = last_entry + 1,
                title = coalesce(title, $3), last_message = coalesce($4, last_message),
                visitor_spoke_at = coalesce($5, visitor_spoke_at), unread = unread + $6,
                memory_due_at = coalesce(memory_due_at, $16), turn_since = $7, turn_node = ",
            $node,
            " WHERE id = $1 AND owner IS NOT NULL AND ",
            $condition
        )
    };
}

/// A text for each database: on PostgreSQL one statement, on SQLite several that share
/// their numbered parameters and answer with the rows of the last. SQLite cannot change
/// one thing inside of changing another, and PostgreSQL runs one statement at a time.
///
/// On both, the conversation is taken before its owner.
macro_rules! append {
    ($node:literal, $condition:literal) => {
        (
            concat!(
                update!($node, $condition),
                ";
                INSERT INTO entries (conversation_id, number, id, kind, body, client_id,
                    added_at, author, search)
                SELECT $1, last_entry, $9, $10, $11, $12, $2, $13, $14
                FROM conversations WHERE id = $1 AND changes() > 0;
                UPDATE contacts SET last_event = last_event + 1
                WHERE id = (SELECT owner FROM conversations WHERE id = $1)
                    AND EXISTS (SELECT 1 FROM entries WHERE id = $9);
                UPDATE visitors SET last_event = last_event + 1
                WHERE id = (SELECT owner FROM conversations WHERE id = $1)
                    AND EXISTS (SELECT 1 FROM entries WHERE id = $9);
                INSERT INTO events (owner, number, entry_id)
                SELECT owner, coalesce(
                        (SELECT last_event FROM contacts WHERE id = owner),
                        (SELECT last_event FROM visitors WHERE id = owner)), $9
                FROM conversations
                WHERE id = $1 AND EXISTS (SELECT 1 FROM entries WHERE id = $9);
                SELECT entries.number AS entry, owner,
                    coalesce(contacts.last_event, visitors.last_event) AS event,
                    coalesce(contacts.epoch, visitors.epoch) AS epoch,
                    (SELECT count(*) FROM nodes) AS nodes
                FROM entries
                    JOIN conversations ON conversations.id = entries.conversation_id
                    LEFT JOIN contacts ON contacts.id = conversations.owner
                    LEFT JOIN visitors ON visitors.id = conversations.owner
                WHERE entries.id = $9"
            ),
            concat!(
                "WITH conversation AS (",
                update!($node, $condition),
                " RETURNING last_entry, owner),
                entry AS (
                    INSERT INTO entries (conversation_id, number, id, kind, body, client_id,
                        added_at, author, search)
                    SELECT $1, last_entry, $9, $10, $11, $12, $2, $13, $14 FROM conversation),
                contact AS (
                    UPDATE contacts SET last_event = last_event + 1
                    FROM conversation WHERE contacts.id = conversation.owner
                    RETURNING contacts.id, epoch, last_event),
                visitor AS (
                    UPDATE visitors SET last_event = last_event + 1
                    FROM conversation WHERE visitors.id = conversation.owner
                    RETURNING visitors.id, epoch, last_event),
                owner AS (SELECT * FROM contact UNION ALL SELECT * FROM visitor),
                event AS (
                    INSERT INTO events (owner, number, entry_id)
                    SELECT id, last_event, $9 FROM owner)
                SELECT conversation.last_entry AS entry, owner.id AS owner,
                    owner.last_event AS event, owner.epoch,
                    (SELECT count(*) FROM nodes) AS nodes
                FROM conversation LEFT JOIN owner ON true"
            ),
        )
    };
}

#[derive(sqlx::FromRow)]
struct AppendedRow {
    entry: i64,
    owner: String,
    event: i64,
    epoch: String,
    nodes: i64,
}

impl Store {
    /// Appends a line, if that is so: none if it is not, and nothing has happened then.
    pub(crate) async fn append_if(
        &self,
        tx: &mut Tx,
        conversation: ConversationId,
        condition: If,
        new: &NewEntry,
        turn: TurnMark,
    ) -> Result<Option<(Owner, Numbered)>, StoreError> {
        // A turn is claimed by who posts, unless a node that lives has it (R3).
        const OF_VISITOR: (&str, &str) = append!(
            "CASE WHEN turn_since IS NULL
                OR NOT EXISTS (SELECT 1 FROM nodes WHERE nodes.id = turn_node)
                THEN CAST($8 AS TEXT) ELSE turn_node END",
            "owner = $15 AND closed_at IS NULL AND NOT EXISTS (
                SELECT 1 FROM entries WHERE conversation_id = $1 AND client_id = $12)"
        );
        const OF_TURN: (&str, &str) = append!(
            "CASE WHEN CAST($7 AS BIGINT) IS NULL THEN NULL ELSE turn_node END",
            "last_entry = $15 AND coalesce(turn_node, '') = coalesce(CAST($8 AS TEXT), '')"
        );
        let now = self.clock.now();
        let node = Some(self.node_text()).filter(|it| !it.is_empty());
        let message = match &new.body {
            Body::Message(message) => Some(message),
            Body::CallAsked(_)
            | Body::CallStarted { .. }
            | Body::CallFinished { .. }
            | Body::Status(_) => None,
        };
        let by_visitor = message.filter(|it| it.by == Author::Visitor);
        let said_to_visitor = i64::from(message.is_some() && by_visitor.is_none());
        let micros = now.as_microsecond();
        macro_rules! bound {
            ($sql:expr, $last:expr) => {
                sqlx::query_as::<_, AppendedRow>($sql)
                    .bind(conversation.to_string())
                    .bind(micros)
                    .bind(by_visitor.map(|it| title_of(&it.text)))
                    .bind(message.map(|it| to_json(&LastMessageJson::of(it, now))))
                    .bind(by_visitor.map(|_| micros))
                    .bind(said_to_visitor)
                    .bind((turn == TurnMark::Running).then_some(micros))
                    .bind(node)
                    .bind(new.id.to_string())
                    .bind(kind(&new.body))
                    .bind(to_json(&BodyJson::from(&new.body)))
                    .bind(message.and_then(|it| it.client_id).map(|id| id.to_string()))
                    .bind(message.map(|it| author(it.by)))
                    .bind(message.map(|it| fold(&it.text)))
                    .bind($last)
                    .bind(by_visitor.map(|_| (now + QUIET_FOR).as_microsecond()))
            };
        }
        // All rows: the text runs to its end only if it is read to its end.
        let rows = match (tx, condition) {
            (Tx::Sqlite(tx), If::TheirsAndNew(owner)) => {
                let bound = bound!(OF_VISITOR.0, owner.to_string());
                bound.fetch_all(&mut **tx).await?
            }
            (Tx::Sqlite(tx), If::NothingCameSince(last)) => {
                bound!(OF_TURN.0, last).fetch_all(&mut **tx).await?
            }
            (Tx::Postgres(tx), If::TheirsAndNew(owner)) => {
                let bound = bound!(OF_VISITOR.1, owner.to_string());
                bound.fetch_all(&mut **tx).await?
            }
            (Tx::Postgres(tx), If::NothingCameSince(last)) => {
                bound!(OF_TURN.1, last).fetch_all(&mut **tx).await?
            }
        };
        let Some(row) = rows.into_iter().next() else {
            return Ok(None);
        };
        self.saw_nodes(row.nodes);
        let owner = parsed(&row.owner, "conversations", "owner")?;
        let position = Position {
            epoch: row.epoch,
            number: row.event,
        };
        let entry = Entry {
            id: new.id,
            conversation,
            number: row.entry,
            added_at: now,
            body: new.body.clone(),
        };
        let what = Stored::Entry(entry);
        Ok(Some((owner, Numbered { position, what })))
    }
}
