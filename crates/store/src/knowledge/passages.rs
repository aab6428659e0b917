//! Passages: what is found and quoted.

use std::collections::HashMap;

use maitred_core::id::{AgentId, SourceId};

use super::{Counts, count, lock, next_number};
use crate::{
    Store, StoreError,
    db::{Tx, all, all_in, execute, optional_in},
    row::parsed,
};

/// A passage that was cut now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPassage {
    /// What it is about: the title and the headings above it.
    pub heading: String,
    /// Where on its page it stands.
    pub anchor: Option<String>,
    /// Markdown.
    pub text: String,
    /// Of heading and text: what is alike need not be embedded twice.
    pub hash: String,
    /// What it means, if that is known.
    pub vectors: Option<Vec<u8>>,
}

/// A passage with what it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passage {
    /// The address of its page; empty if there is none.
    pub url: String,
    /// What it is about: the title and the headings above it.
    pub heading: String,
    /// Where on its page it stands.
    pub anchor: Option<String>,
    /// Markdown.
    pub text: String,
    /// What it means.
    pub vectors: Vec<u8>,
}

/// A passage that is yet to be embedded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unembedded {
    /// Which one.
    pub key: PassageKey,
    /// What it is about.
    pub heading: String,
    /// Markdown.
    pub text: String,
}

/// What names a passage, as long as it says the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassageKey {
    /// Its page's place.
    pub place: String,
    /// Its number there.
    pub number: i64,
    /// Of what it says.
    pub hash: String,
}

impl Store {
    /// The vectors that the passages of a page have, by their hashes.
    pub async fn vectors(
        &self,
        source: SourceId,
        place: &str,
    ) -> Result<HashMap<String, Vec<u8>>, StoreError> {
        const SQL: &str = "
            SELECT hash, vectors FROM passages
            WHERE source_id = $1 AND place = $2 AND vectors IS NOT NULL";
        let rows = all!(&self.db, (String, Vec<u8>), SQL, source.to_string(), place)?;
        Ok(rows.into_iter().collect())
    }

    /// Puts the passages of a page in place of those it had. False if the page says
    /// something else by now: `page_hash` is of what they were cut from.
    pub async fn put_passages(
        &self,
        source: SourceId,
        place: &str,
        page_hash: &str,
        cutter: i64,
        passages: &[NewPassage],
    ) -> Result<bool, StoreError> {
        const PAGE: &str = "SELECT hash FROM pages WHERE source_id = $1 AND place = $2";
        const OLD: &str = "
            SELECT hash, vectors FROM passages WHERE source_id = $1 AND place = $2";
        const DELETE: &str = "DELETE FROM passages WHERE source_id = $1 AND place = $2";
        const INSERT: &str = "
            INSERT INTO passages (source_id, place, number, heading, anchor, text, hash, vectors)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        const CUT: &str = "UPDATE pages SET cut_by = $3 WHERE source_id = $1 AND place = $2";
        let id = source.to_string();
        let mut tx = self.begin().await?;
        let page = if lock(&mut tx, source).await? {
            optional_in!(&mut tx, (String,), PAGE, id.as_str(), place)?
        } else {
            None
        };
        if page.is_none_or(|(hash,)| hash != page_hash) {
            tx.roll_back().await?;
            return Ok(false);
        }
        let old = all_in!(&mut tx, (String, Option<Vec<u8>>), OLD, id.as_str(), place)?;
        let mut more = Counts {
            pages: 0,
            passages: -(old.len() as i64),
            embedded: -(old.iter().filter(|(_, vectors)| vectors.is_some()).count() as i64),
        };
        execute!(&mut tx, DELETE, id.as_str(), place)?;
        for (number, passage) in (0_i64..).zip(passages) {
            more.passages += 1;
            more.embedded += i64::from(passage.vectors.is_some());
            execute!(
                &mut tx,
                INSERT,
                id.as_str(),
                place,
                number,
                passage.heading.as_str(),
                passage.anchor.as_deref(),
                passage.text.as_str(),
                passage.hash.as_str(),
                passage.vectors.as_deref(),
            )?;
        }
        execute!(&mut tx, CUT, id.as_str(), place, cutter)?;
        count(&mut tx, source, more).await?;
        publish(&mut tx, source, place).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Passages of a source that are yet to be embedded, in reading order.
    pub async fn unembedded(
        &self,
        source: SourceId,
        limit: i64,
    ) -> Result<Vec<Unembedded>, StoreError> {
        const SQL: &str = "
            SELECT place, number, hash, heading, text FROM passages
            WHERE source_id = $1 AND vectors IS NULL ORDER BY place, number LIMIT $2";
        type Row = (String, i64, String, String, String);
        let rows = all!(&self.db, Row, SQL, source.to_string(), limit)?;
        let passages = rows
            .into_iter()
            .map(|(place, number, hash, heading, text)| Unembedded {
                key: PassageKey {
                    place,
                    number,
                    hash,
                },
                heading,
                text,
            });
        Ok(passages.collect())
    }

    /// Keeps what passages mean, as far as they still say that. They are found from
    /// here on if their page is named among `whole`.
    pub async fn put_vectors(
        &self,
        source: SourceId,
        vectors: &[(PassageKey, Vec<u8>)],
        whole: &[&str],
    ) -> Result<(), StoreError> {
        const SQL: &str = "
            UPDATE passages SET vectors = $5
            WHERE source_id = $1 AND place = $2 AND number = $3 AND hash = $4
                AND vectors IS NULL";
        let id = source.to_string();
        let mut tx = self.begin().await?;
        if !lock(&mut tx, source).await? {
            tx.roll_back().await?;
            return Ok(());
        }
        let mut embedded = 0;
        for (key, vectors) in vectors {
            let kept = execute!(
                &mut tx,
                SQL,
                id.as_str(),
                key.place.as_str(),
                key.number,
                key.hash.as_str(),
                vectors.as_slice(),
            )?;
            embedded += i64::from(kept > 0);
        }
        let more = Counts {
            embedded,
            ..Counts::default()
        };
        count(&mut tx, source, more).await?;
        for place in whole {
            publish(&mut tx, source, place).await?;
        }
        tx.commit().await
    }

    /// The passages of one page that were embedded, in reading order.
    pub async fn passages(
        &self,
        source: SourceId,
        place: &str,
    ) -> Result<Vec<Passage>, StoreError> {
        const SQL: &str = "
            SELECT p.url, a.heading, a.anchor, a.text, a.vectors
            FROM passages a JOIN pages p ON p.source_id = a.source_id AND p.place = a.place
            WHERE a.source_id = $1 AND a.place = $2 AND a.vectors IS NOT NULL
            ORDER BY a.number";
        type Row = (String, String, Option<String>, String, Vec<u8>);
        let rows = all!(&self.db, Row, SQL, source.to_string(), place)?;
        let passages = rows
            .into_iter()
            .map(|(url, heading, anchor, text, vectors)| Passage {
                url,
                heading,
                anchor,
                text,
                vectors,
            });
        Ok(passages.collect())
    }

    /// Of which sources of an agent how much is yet to be done, in passages (of a page
    /// that is yet to be cut: about); not much more than `at_most` of each is counted.
    pub async fn to_index(
        &self,
        agent: AgentId,
        at_most: i64,
    ) -> Result<Vec<(SourceId, i64)>, StoreError> {
        const SQL: &str = "
            SELECT s.id, (SELECT count(*) FROM (
                    SELECT 1 FROM passages WHERE source_id = s.id AND vectors IS NULL LIMIT $2
                ) AS a) + (SELECT CAST(coalesce(sum(n), 0) AS BIGINT) FROM (
                    SELECT 1 + length(body) / 600 AS n FROM pages
                    WHERE source_id = s.id AND cut_by IS NULL LIMIT $2
                ) AS p) AS n
            FROM sources s WHERE s.agent_id = $1";
        let rows = all!(&self.db, (String, i64), SQL, agent.to_string(), at_most)?;
        let left = rows.into_iter().filter(|(_, left)| *left > 0);
        left.map(|(id, left)| Ok((parsed(&id, "sources", "id")?, left)))
            .collect()
    }
}

/// Lets what is searched read the passages of a page again.
async fn publish(tx: &mut Tx, source: SourceId, place: &str) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE pages SET revision = $3 WHERE source_id = $1 AND place = $2";
    let number = next_number(tx).await?;
    execute!(tx, SQL, source.to_string(), place, number)?;
    Ok(())
}
