//! What nodes tell each other at once, past the tables: what streams on another
//! node are to show. It may be lost, and then nothing is wrong: a stream trusts
//! positions, and finds by them what it was not told.
//!
//! It goes through PostgreSQL's NOTIFY, in a transaction of its own after the one
//! that it is about: a transaction that notifies holds up all others that do while
//! it commits. What must not be lost is a notice (`notices`).

use maitred_core::{event::Event, id::ConversationId, scope::Owner};
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use tokio::time::timeout;

use crate::{
    Store, StoreError,
    db::Db,
    open::BUSY,
    row::{MessageJson, ToldJson, to_json},
};

/// Of one database; others on the same server have theirs.
const CHANNEL: &str = "maitred";

/// PostgreSQL takes less than 8,000 bytes. The rest is for what stands around it.
const ROOM: usize = 7_800;

/// A piece of a reply that fits, however it is escaped.
const PIECE: usize = 1_000;

/// What one node tells all others.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// Something for the streams of an owner.
    Event(Owner, Event),
    /// Something was added to a conversation that its turn should not wait to see.
    LookAtTurn(ConversationId),
}

impl Told {
    /// What other nodes are to hear of an event, if it is by these means.
    pub fn about(owner: Owner, event: &Event) -> Option<Self> {
        let event = match event {
            // They read it where it is stored.
            Event::Numbered(numbered) => Event::Moved(numbered.position.clone()),
            Event::Moved(_) | Event::Delta { .. } | Event::Typing { .. } => event.clone(),
            // Notices, which must not be lost.
            Event::Renumbered | Event::SessionsEnded => return None,
        };
        Some(Self::Event(owner, event))
    }
}

/// What was heard.
#[derive(Debug, PartialEq)]
pub enum Heard {
    /// What another node said.
    Told(Vec<Told>),
    /// The connection was lost and is there again: something may have been missed.
    Again,
}

/// Hears what other nodes say.
#[derive(Debug)]
pub struct Listener {
    store: Store,
    options: PgConnectOptions,
    /// None while the connection is lost.
    listener: Option<PgListener>,
}

impl Store {
    /// Hears what other nodes say from here on. `None` where there can be none.
    pub async fn listen(&self) -> Result<Option<Listener>, StoreError> {
        let Db::Postgres(pool) = &self.db else {
            return Ok(None);
        };
        let options = (*pool.connect_options()).clone();
        let listener = Some(listen(&options).await?);
        Ok(Some(Listener {
            store: self.clone(),
            options,
            listener,
        }))
    }

    /// Tells all other nodes, in as few notifications as it takes.
    pub async fn tell_nodes(&self, told: &[Told]) -> Result<(), StoreError> {
        const SQL: &str = "SELECT pg_notify($1, message) FROM unnest($2) AS message";
        let (Db::Postgres(pool), Some(from)) = (&self.db, self.node()) else {
            return Ok(());
        };
        let told = told.iter().flat_map(pieces);
        let mut messages = Vec::new();
        let mut message = MessageJson {
            from,
            part: 0,
            told: Vec::new(),
        };
        let mut size = 0;
        for told in told.filter_map(|it| ToldJson::of(&it)) {
            let more = to_json(&told).len() + 1;
            if size + more > ROOM {
                messages.push(to_json(&message));
                message.told.clear();
                message.part += 1;
                size = 0;
            }
            size += more;
            message.told.push(told);
        }
        if message.told.is_empty() {
            return Ok(());
        }
        messages.push(to_json(&message));
        sqlx::query(SQL)
            .bind(CHANNEL)
            .bind(messages)
            .execute(pool)
            .await?;
        Ok(())
    }
}

/// A long piece of a reply in shorter ones, which come to the same.
fn pieces(told: &Told) -> Vec<Told> {
    let Told::Event(
        owner,
        Event::Delta {
            conversation,
            reply,
            text,
        },
    ) = told
    else {
        return vec![told.clone()];
    };
    let mut pieces = vec![String::new()];
    for character in text.chars() {
        if pieces.last().is_some_and(|it| it.len() >= PIECE) {
            pieces.push(String::new());
        }
        pieces.last_mut().expect("there is one").push(character);
    }
    let delta = |text| Event::Delta {
        conversation: *conversation,
        reply: *reply,
        text,
    };
    pieces
        .into_iter()
        .map(|text| Told::Event(*owner, delta(text)))
        .collect()
}

/// Over a connection that does nothing else, and is not one of those that serve. Of
/// a pool of its own each time: one that died without a word keeps its place for as
/// long as it is not known to be dead.
async fn listen(options: &PgConnectOptions) -> Result<PgListener, sqlx::Error> {
    let own = PgPoolOptions::new()
        .max_connections(1)
        .max_lifetime(None)
        .idle_timeout(None)
        .acquire_timeout(BUSY)
        .connect_lazy_with(options.clone());
    let mut listener = PgListener::connect_with(&own).await?;
    // A new one is made instead, whatever went wrong with this.
    listener.eager_reconnect(false);
    listener.listen(CHANNEL).await?;
    Ok(listener)
}

impl Listener {
    /// The next thing that another node says. After an error it may be asked again:
    /// it connects anew.
    pub async fn hear(&mut self) -> Result<Heard, StoreError> {
        loop {
            let Some(listener) = &mut self.listener else {
                self.listener = Some(listen(&self.options).await?);
                return Ok(Heard::Again);
            };
            match listener.try_recv().await {
                Ok(Some(notification)) => {
                    if let Some(told) = self.understood(notification.payload()) {
                        return Ok(Heard::Told(told));
                    }
                }
                Ok(None) | Err(_) => self.listener = None,
            }
        }
    }

    /// Gives the connection up if it no longer answers: one that died without a word
    /// (a machine that lost its power, a firewall that forgot it) looks like one on
    /// which nobody says anything.
    pub async fn check(&mut self) {
        if let Some(listener) = &mut self.listener
            && !matches!(
                timeout(BUSY, sqlx::query("SELECT 1").execute(listener)).await,
                Ok(Ok(_))
            )
        {
            self.listener = None;
        }
    }

    /// None if it is this node's own, or nothing that it knows.
    fn understood(&self, payload: &str) -> Option<Vec<Told>> {
        let message: MessageJson = serde_json::from_str(payload).ok()?;
        if Some(message.from) == self.store.node() {
            return None;
        }
        let told = message.told.into_iter().filter_map(ToldJson::told);
        Some(told.collect())
    }
}
