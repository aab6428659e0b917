//! What an agent may answer from: sources, their pages, and passages of these.
//!
//! A source is added, fetched or handed over, cut and embedded step by step, by
//! whoever has claimed it. What always holds:
//!
//! - What is not whole yet hides nothing that is: a page keeps its passages until
//!   those of its new text are there.
//! - Whatever changes what is found moves the number of [`Store::knowledge`] in the
//!   same transaction, and is marked with it.
//! - What a source brought goes with it.

mod claims;
mod pages;
mod passages;

use jiff::Timestamp;
use maitred_core::{
    id::{AgentId, SourceId},
    knowledge::{Audience, Every, SourceKind},
};
use serde_json::json;

pub use self::{
    claims::{Outcome, Work},
    pages::{NewPage, Page as SourcePage, PageChange, PageMark, Validators},
    passages::{NewPassage, Passage, PassageKey, Unembedded},
};
use crate::{
    Store, StoreError,
    audit::{Audited, Place},
    db::{Tx, all, execute, optional, optional_in},
    row::{json as from_json, parsed, time},
};

const TABLE: &str = "sources";

/// What an operator adds.
#[derive(Clone, Debug)]
pub struct NewSource {
    /// What it is.
    pub kind: SourceKind,
    /// Where it is fetched from, or what names it among those of its agent.
    pub address: String,
    /// What it is called.
    pub title: String,
    /// Who may be answered from it.
    pub audience: Audience,
    /// How often it is fetched again.
    pub every: Every,
}

/// What was added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its id.
    pub id: SourceId,
    /// What it is.
    pub kind: SourceKind,
    /// Where it is fetched from, or what names it among those of its agent.
    pub address: String,
    /// What it is called.
    pub title: String,
    /// Who may be answered from it.
    pub audience: Audience,
    /// How often it is fetched again.
    pub every: Every,
    /// When it is to be fetched next.
    pub due_at: Option<Timestamp>,
    /// When it was last fetched, or handed over.
    pub synced_at: Option<Timestamp>,
    /// When the last try failed, and why.
    pub failure: Option<(Timestamp, String)>,
    /// What could not be read of it, and why.
    pub skipped: Vec<(String, String)>,
    /// Whether somebody works on it.
    pub is_claimed: bool,
    /// How much came of it.
    pub counts: Counts,
}

/// How much came of a source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Pages.
    pub pages: i64,
    /// Pieces of them that can be found and quoted.
    pub passages: i64,
    /// Those that are found by meaning, so far.
    pub embedded: i64,
}

/// What is changed of a source. What is not there stays.
#[derive(Clone, Debug, Default)]
pub struct SourceChange {
    /// What it is called.
    pub title: Option<String>,
    /// Who may be answered from it.
    pub audience: Option<Audience>,
    /// How often it is fetched again.
    pub every: Option<Every>,
}

#[derive(sqlx::FromRow)]
struct SourceRow {
    id: String,
    kind: Option<String>,
    url: String,
    title: String,
    readers: Option<String>,
    environment: Option<String>,
    every: Option<String>,
    due_at: Option<i64>,
    synced_at: Option<i64>,
    failed_at: Option<i64>,
    failure: Option<String>,
    skipped: Option<String>,
    claimed_until: Option<i64>,
    n_pages: Option<i64>,
    n_passages: Option<i64>,
    n_embedded: Option<i64>,
}

macro_rules! columns {
    () => {
        "id, kind, url, title, readers, environment, every, due_at, synced_at, failed_at,
            failure, skipped, claimed_until, n_pages, n_passages, n_embedded"
    };
}

impl Store {
    /// How often what agents know has changed.
    pub async fn knowledge(&self) -> Result<i64, StoreError> {
        const SQL: &str = "SELECT number FROM counters WHERE name = 'knowledge'";
        let row = optional!(&self.db, (i64,), SQL)?;
        row.map(|(number,)| number).ok_or(NO_COUNTER)
    }

    /// That, and [`Store::changes`], asked for at once.
    pub async fn changes_and_knowledge(&self) -> Result<(i64, i64), StoreError> {
        const SQL: &str = "
            SELECT c.number, k.number FROM changes c, counters k
            WHERE c.id = 1 AND k.name = 'knowledge'";
        optional!(&self.db, (i64, i64), SQL)?.ok_or(NO_COUNTER)
    }

    /// Adds a source, or takes up the one of that agent with that address. What is
    /// fetched is due at once.
    pub async fn add_source(
        &self,
        agent: AgentId,
        new: &NewSource,
    ) -> Result<SourceId, StoreError> {
        const SQL: &str = "
            INSERT INTO sources (id, agent_id, url, title, body, updated_at, kind, readers,
                environment, every, due_at, n_pages, n_passages, n_embedded)
            VALUES ($1, $2, $3, $4, '', $5, $6, $7, $8, $9, $10, 0, 0, 0)
            ON CONFLICT (agent_id, url) DO UPDATE SET title = excluded.title,
                updated_at = excluded.updated_at, kind = excluded.kind,
                readers = excluded.readers, environment = excluded.environment,
                every = excluded.every, due_at = excluded.due_at
            RETURNING id";
        let now = self.clock.now().as_microsecond();
        let mut tx = self.begin().await?;
        let (id,) = optional_in!(
            &mut tx,
            (String,),
            SQL,
            SourceId::new(&self.clock).to_string(),
            agent.to_string(),
            new.address.as_str(),
            new.title.as_str(),
            now,
            new.kind.as_str(),
            new.audience.readers.as_str(),
            new.audience.environment.map(|it| it.as_str()),
            new.every.as_str(),
            new.kind.is_fetched().then_some(now),
        )?
        .ok_or(StoreError::Conflict)?;
        let body = json!({ "source": id, "kind": new.kind.as_str() });
        self.audit(&mut tx, Place::Agent(agent), Audited::SourceAdded, body)
            .await?;
        // Of one that was there before, who may read it may have changed.
        next_number(&mut tx).await?;
        tx.commit().await?;
        parsed(&id, TABLE, "id")
    }

    /// A file in Markdown that is for everybody: added, or replaced.
    pub async fn put_source(
        &self,
        agent: AgentId,
        url: &str,
        title: &str,
        body: &str,
    ) -> Result<SourceId, StoreError> {
        let new = NewSource {
            kind: SourceKind::File,
            address: url.to_owned(),
            title: title.to_owned(),
            audience: Audience::default(),
            every: Every::Never,
        };
        let source = self.add_source(agent, &new).await?;
        let page = NewPage::of(String::new(), url.to_owned(), title, body);
        self.put_page(source, &page).await?;
        Ok(source)
    }

    /// The sources of an agent, the latest first, after the one given.
    pub async fn sources(
        &self,
        agent: AgentId,
        after: Option<SourceId>,
        limit: i64,
    ) -> Result<Vec<Source>, StoreError> {
        const SQL: &str = concat!(
            "SELECT ",
            columns!(),
            " FROM sources WHERE agent_id = $1 AND ($2 = '' OR id < $2)
            ORDER BY id DESC LIMIT $3"
        );
        let after = after.map_or(String::new(), |id| id.to_string());
        let rows = all!(&self.db, SourceRow, SQL, agent.to_string(), after, limit)?;
        let sources = rows.into_iter().map(|row| self.read_source(row));
        sources.collect()
    }

    /// One source of an agent.
    pub async fn source(&self, agent: AgentId, id: SourceId) -> Result<Option<Source>, StoreError> {
        const SQL: &str = concat!(
            "SELECT ",
            columns!(),
            " FROM sources WHERE agent_id = $1 AND id = $2"
        );
        let row = optional!(&self.db, SourceRow, SQL, agent.to_string(), id.to_string())?;
        row.map(|row| self.read_source(row)).transpose()
    }

    /// Changes a source. False if the agent has none by that id.
    pub async fn change_source(
        &self,
        agent: AgentId,
        id: SourceId,
        change: &SourceChange,
    ) -> Result<bool, StoreError> {
        const SQL: &str = "
            UPDATE sources SET title = coalesce($3, title), readers = coalesce($4, readers),
                environment = CASE WHEN $4 IS NULL THEN environment ELSE $5 END,
                every = coalesce($6, every),
                due_at = CASE WHEN $6 IS NULL THEN due_at ELSE $7 END
            WHERE agent_id = $1 AND id = $2";
        let now = self.clock.now();
        let due_at = change.every.and_then(Every::period).map(|it| now + it);
        let mut tx = self.begin().await?;
        let changed = execute!(
            &mut tx,
            SQL,
            agent.to_string(),
            id.to_string(),
            change.title.as_deref(),
            change.audience.map(|it| it.readers.as_str()),
            change
                .audience
                .and_then(|it| it.environment)
                .map(|it| it.as_str()),
            change.every.map(Every::as_str),
            due_at.map(Timestamp::as_microsecond),
        )? > 0;
        if changed {
            let body = json!({ "source": id.to_string() });
            self.audit(&mut tx, Place::Agent(agent), Audited::SourceChanged, body)
                .await?;
            next_number(&mut tx).await?;
        }
        tx.commit().await?;
        Ok(changed)
    }

    /// Removes a source, its pages, their passages and vectors. False if the agent
    /// has none by that id.
    pub async fn remove_source(&self, agent: AgentId, id: SourceId) -> Result<bool, StoreError> {
        const LOCK: &str = "UPDATE sources SET due_at = NULL WHERE agent_id = $1 AND id = $2";
        const PASSAGES: &str = "DELETE FROM passages WHERE source_id = $1";
        const PAGES: &str = "DELETE FROM pages WHERE source_id = $1";
        const SOURCE: &str = "DELETE FROM sources WHERE agent_id = $1 AND id = $2";
        let (agent_text, text) = (agent.to_string(), id.to_string());
        let mut tx = self.begin().await?;
        // Whoever works on it waits here, and then finds nothing to work on.
        if execute!(&mut tx, LOCK, agent_text.as_str(), text.as_str())? == 0 {
            tx.roll_back().await?;
            return Ok(false);
        }
        execute!(&mut tx, PASSAGES, text.as_str())?;
        execute!(&mut tx, PAGES, text.as_str())?;
        execute!(&mut tx, SOURCE, agent_text.as_str(), text.as_str())?;
        let body = json!({ "source": text });
        self.audit(&mut tx, Place::Agent(agent), Audited::SourceRemoved, body)
            .await?;
        next_number(&mut tx).await?;
        tx.commit().await?;
        Ok(true)
    }

    fn read_source(&self, row: SourceRow) -> Result<Source, StoreError> {
        let moment = |at: Option<i64>, column| at.map(|at| time(at, TABLE, column)).transpose();
        let failed_at = moment(row.failed_at, "failed_at")?;
        let claimed_until = moment(row.claimed_until, "claimed_until")?;
        let every = row.every.as_deref().unwrap_or(Every::Never.as_str());
        let skipped = row.skipped.as_deref().unwrap_or("[]");
        Ok(Source {
            id: parsed(&row.id, TABLE, "id")?,
            kind: parsed(row.kind.as_deref().unwrap_or("file"), TABLE, "kind")?,
            address: row.url,
            title: row.title,
            audience: audience(row.readers.as_deref(), row.environment.as_deref())?,
            every: parsed(every, TABLE, "every")?,
            due_at: moment(row.due_at, "due_at")?,
            synced_at: moment(row.synced_at, "synced_at")?,
            failure: failed_at.zip(row.failure),
            skipped: from_json(skipped, TABLE, "skipped")?,
            is_claimed: claimed_until.is_some_and(|until| until > self.clock.now()),
            counts: Counts {
                pages: row.n_pages.unwrap_or(0),
                passages: row.n_passages.unwrap_or(0),
                embedded: row.n_embedded.unwrap_or(0),
            },
        })
    }
}

fn audience(readers: Option<&str>, environment: Option<&str>) -> Result<Audience, StoreError> {
    let environment = environment.map(|it| parsed(it, TABLE, "environment"));
    Ok(Audience {
        readers: parsed(readers.unwrap_or("anonymous"), TABLE, "readers")?,
        environment: environment.transpose()?,
    })
}

/// Counts a change of what is known. The last thing that a transaction does: all that
/// change something wait for each other here.
async fn next_number(tx: &mut Tx) -> Result<i64, StoreError> {
    const SQL: &str =
        "UPDATE counters SET number = number + 1 WHERE name = 'knowledge' RETURNING number";
    let row = optional_in!(tx, (i64,), SQL)?;
    row.map(|(number,)| number).ok_or(NO_COUNTER)
}

/// Lets nobody else change what came of a source until this transaction ends. False
/// if the source is gone.
async fn lock(tx: &mut Tx, source: SourceId) -> Result<bool, StoreError> {
    count(tx, source, Counts::default()).await
}

/// Adds to what is counted of a source. False if it is gone.
async fn count(tx: &mut Tx, source: SourceId, more: Counts) -> Result<bool, StoreError> {
    const SQL: &str = "
        UPDATE sources SET n_pages = coalesce(n_pages, 0) + $2,
            n_passages = coalesce(n_passages, 0) + $3,
            n_embedded = coalesce(n_embedded, 0) + $4
        WHERE id = $1";
    let id = source.to_string();
    Ok(execute!(tx, SQL, id, more.pages, more.passages, more.embedded)? > 0)
}

const NO_COUNTER: StoreError = StoreError::Corrupt {
    table: "counters",
    column: "number",
};

impl Store {
    /// Every vector that was kept, by the hash of what it stands for.
    pub async fn embeddings(&self) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        const SQL: &str = "SELECT hash, vector FROM embeddings";
        Ok(all!(&self.db, (String, Vec<u8>), SQL)?)
    }

    /// Keeps vectors of what is no passage, so that it is not embedded again.
    pub async fn put_embeddings(&self, vectors: &[(String, Vec<u8>)]) -> Result<(), StoreError> {
        const SQL: &str = "
            INSERT INTO embeddings (hash, vector) VALUES ($1, $2) ON CONFLICT (hash) DO NOTHING";
        if vectors.is_empty() {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        for (hash, vector) in vectors {
            execute!(&mut tx, SQL, hash.as_str(), vector.as_slice())?;
        }
        tx.commit().await
    }
}
