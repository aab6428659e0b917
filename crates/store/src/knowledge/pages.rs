//! Pages: what a source says, whole, as Markdown.

use std::collections::HashSet;

use aws_lc_rs::digest::{Context, SHA256};
use jiff::Timestamp;
use maitred_core::{
    id::{AgentId, SourceId},
    knowledge::Audience,
};
use maitred_token::base64url;

use super::{Counts, audience, count, lock, next_number};
use crate::{
    Store, StoreError,
    db::{Tx, all, all_in, execute, optional_in},
    row::parsed,
};

const TABLE: &str = "pages";

/// A page as it was read now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPage {
    /// What names it within its source.
    pub place: String,
    /// Where visitors can read it; empty if nowhere.
    pub url: String,
    /// Its title.
    pub title: String,
    /// Markdown.
    pub body: String,
    /// What its server says to recognise it by.
    pub validators: Validators,
}

/// What a server says of a page, to be asked again only for what changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Validators {
    /// Its `ETag`.
    pub etag: Option<String>,
    /// Its `Last-Modified`.
    pub last_modified: Option<String>,
}

/// A page as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// What names it within its source.
    pub place: String,
    /// Where visitors can read it; empty if nowhere.
    pub url: String,
    /// Its title.
    pub title: String,
    /// Markdown.
    pub body: String,
    /// Of what is above; passages are kept only for what they were cut from.
    pub hash: String,
}

/// What a page brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageChange {
    /// There was none at that place.
    New,
    /// It says something else now.
    Changed,
    /// It is as it was.
    Same,
    /// Its source is gone.
    NoSource,
}

/// Which passages of which page there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageMark {
    /// Its source.
    pub source: SourceId,
    /// Its place there.
    pub place: String,
    /// When its passages last changed, as [`Store::knowledge`] counts.
    pub revision: i64,
    /// Who may be answered from it.
    pub audience: Audience,
}

impl NewPage {
    /// One of which no server says anything.
    pub fn of(place: String, url: String, title: &str, body: &str) -> Self {
        Self {
            place,
            url,
            title: title.to_owned(),
            body: body.to_owned(),
            validators: Validators::default(),
        }
    }

    fn hash(&self) -> String {
        let mut hash = Context::new(&SHA256);
        for part in [&self.url, &self.title, &self.body] {
            // The length in front: no two pages run together into the same bytes.
            hash.update(&(part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
        base64url(hash.finish().as_ref())
    }
}

impl Store {
    /// Keeps a page, or what became of the one at that place. Its passages stay those
    /// of the old text until those of the new one are there.
    pub async fn put_page(
        &self,
        source: SourceId,
        page: &NewPage,
    ) -> Result<PageChange, StoreError> {
        const OLD: &str = "SELECT hash FROM pages WHERE source_id = $1 AND place = $2";
        const SAME: &str = "
            UPDATE pages SET etag = $3, last_modified = $4, missed_at = NULL
            WHERE source_id = $1 AND place = $2";
        const UPSERT: &str = "
            INSERT INTO pages (source_id, place, url, title, body, hash, etag, last_modified,
                revision, updated_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, $9)
            ON CONFLICT (source_id, place) DO UPDATE SET url = excluded.url,
                title = excluded.title, body = excluded.body, hash = excluded.hash,
                etag = excluded.etag, last_modified = excluded.last_modified,
                cut_by = NULL, missed_at = NULL, updated_at = excluded.updated_at";
        let (id, hash) = (source.to_string(), page.hash());
        let mut tx = self.begin().await?;
        if !lock(&mut tx, source).await? {
            tx.roll_back().await?;
            return Ok(PageChange::NoSource);
        }
        let old = optional_in!(&mut tx, (String,), OLD, id.as_str(), page.place.as_str())?;
        let change = match old {
            Some((old,)) if old == hash => PageChange::Same,
            Some(_) => PageChange::Changed,
            None => PageChange::New,
        };
        let Validators {
            etag,
            last_modified,
        } = &page.validators;
        if change == PageChange::Same {
            execute!(
                &mut tx,
                SAME,
                id,
                page.place.as_str(),
                etag.as_deref(),
                last_modified.as_deref()
            )?;
        } else {
            execute!(
                &mut tx,
                UPSERT,
                id,
                page.place.as_str(),
                page.url.as_str(),
                page.title.as_str(),
                page.body.as_str(),
                hash,
                etag.as_deref(),
                last_modified.as_deref(),
                self.clock.now().as_microsecond(),
            )?;
            let more = Counts {
                pages: i64::from(change == PageChange::New),
                ..Counts::default()
            };
            count(&mut tx, source, more).await?;
            next_number(&mut tx).await?;
        }
        tx.commit().await?;
        Ok(change)
    }

    /// What servers said of the pages of a source when they were last read.
    pub async fn validators(
        &self,
        source: SourceId,
    ) -> Result<Vec<(String, Validators)>, StoreError> {
        const SQL: &str = "
            SELECT place, etag, last_modified FROM pages
            WHERE source_id = $1 AND missed_at IS NULL";
        type Row = (String, Option<String>, Option<String>);
        let rows = all!(&self.db, Row, SQL, source.to_string())?;
        let said = rows.into_iter().map(|(place, etag, last_modified)| {
            let validators = Validators {
                etag,
                last_modified,
            };
            (place, validators)
        });
        Ok(said.collect())
    }

    /// Notes which pages of a source are still there. One that is not is marked; if it
    /// is missing again at a later look, it goes. How many went.
    pub async fn keep_pages(
        &self,
        source: SourceId,
        found: &HashSet<String>,
    ) -> Result<usize, StoreError> {
        const ALL: &str = "SELECT place, missed_at FROM pages WHERE source_id = $1";
        const MARK: &str = "UPDATE pages SET missed_at = $3 WHERE source_id = $1 AND place = $2";
        let now = self.clock.now();
        let id = source.to_string();
        let mut tx = self.begin().await?;
        if !lock(&mut tx, source).await? {
            tx.roll_back().await?;
            return Ok(0);
        }
        let rows = all_in!(&mut tx, (String, Option<i64>), ALL, id.as_str())?;
        let mut gone = 0;
        for (place, missed_at) in rows {
            let (is_found, was_missed) = (found.contains(&place), missed_at.is_some());
            if !is_found && was_missed {
                drop_page(&mut tx, source, &place).await?;
                gone += 1;
            } else if is_found == was_missed {
                let missed_at = (!is_found).then_some(now).map(Timestamp::as_microsecond);
                execute!(&mut tx, MARK, id.as_str(), place, missed_at)?;
            }
        }
        if gone > 0 {
            next_number(&mut tx).await?;
        }
        tx.commit().await?;
        Ok(gone)
    }

    /// Removes the pages of a source that are not among these, at once: of what is
    /// handed over whole, there is no second look.
    pub async fn replace_pages(
        &self,
        source: SourceId,
        kept: &HashSet<String>,
    ) -> Result<usize, StoreError> {
        const ALL: &str = "SELECT place FROM pages WHERE source_id = $1";
        let mut tx = self.begin().await?;
        if !lock(&mut tx, source).await? {
            tx.roll_back().await?;
            return Ok(0);
        }
        let mut gone = 0;
        for (place,) in all_in!(&mut tx, (String,), ALL, source.to_string())? {
            if !kept.contains(&place) {
                drop_page(&mut tx, source, &place).await?;
                gone += 1;
            }
        }
        if gone > 0 {
            next_number(&mut tx).await?;
        }
        tx.commit().await?;
        Ok(gone)
    }

    /// Pages of a source that are yet to be cut.
    pub async fn uncut_pages(&self, source: SourceId, limit: i64) -> Result<Vec<Page>, StoreError> {
        const SQL: &str = "
            SELECT place, url, title, body, hash FROM pages
            WHERE source_id = $1 AND cut_by IS NULL ORDER BY place LIMIT $2";
        type Row = (String, String, String, String, String);
        let rows = all!(&self.db, Row, SQL, source.to_string(), limit)?;
        let pages = rows
            .into_iter()
            .map(|(place, url, title, body, hash)| Page {
                place,
                url,
                title,
                body,
                hash,
            });
        Ok(pages.collect())
    }

    /// Every page of an agent of which there are passages, without them.
    pub async fn page_marks(&self, agent: AgentId) -> Result<Vec<PageMark>, StoreError> {
        const SQL: &str = "
            SELECT p.source_id, p.place, p.revision, s.readers, s.environment
            FROM sources s JOIN pages p ON p.source_id = s.id
            WHERE s.agent_id = $1 AND p.revision > 0";
        type Row = (String, String, i64, Option<String>, Option<String>);
        let rows = all!(&self.db, Row, SQL, agent.to_string())?;
        let marks = rows
            .into_iter()
            .map(|(source, place, revision, readers, environment)| {
                Ok(PageMark {
                    source: parsed(&source, TABLE, "source_id")?,
                    place,
                    revision,
                    audience: audience(readers.as_deref(), environment.as_deref())?,
                })
            });
        marks.collect()
    }
}

async fn drop_page(tx: &mut Tx, source: SourceId, place: &str) -> Result<(), StoreError> {
    const COUNTED: &str = "
        SELECT count(*), count(vectors) FROM passages WHERE source_id = $1 AND place = $2";
    const PASSAGES: &str = "DELETE FROM passages WHERE source_id = $1 AND place = $2";
    const PAGE: &str = "DELETE FROM pages WHERE source_id = $1 AND place = $2";
    let id = source.to_string();
    let counted = optional_in!(tx, (i64, i64), COUNTED, id.as_str(), place)?;
    let (passages, embedded) = counted.unwrap_or_default();
    execute!(tx, PASSAGES, id.as_str(), place)?;
    execute!(tx, PAGE, id.as_str(), place)?;
    let less = Counts {
        pages: -1,
        passages: -passages,
        embedded: -embedded,
    };
    count(tx, source, less).await.map(|_| ())
}
