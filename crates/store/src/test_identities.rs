//! Test identities: whom operators act as when they try something (rule A4).
//!
//! They are of staging: there is no column that could say otherwise, and nobody is
//! looked for in production. What makes a session a test is that its subject is
//! listed here when its token is accepted, whatever the token says. So a subject's
//! sessions end when it is listed and when it is not any more: none is in doubt.

use std::collections::BTreeMap;

use jiff::Timestamp;
use maitred_core::{
    contact::Subject,
    id::{AgentId, TestIdentityId},
    scope::{Environment, Scope},
};
use serde_json::Value;

use crate::{
    Store, StoreError,
    audit::Audited,
    db::{Tx, all, execute, optional, optional_in},
    marks::take_site,
    row::{json, parsed, time, to_json},
};

const TABLE: &str = "test_identities";

/// Somebody whom operators act as, and who is nobody.
#[derive(Clone, Debug, PartialEq)]
pub struct TestIdentity {
    /// Its name.
    pub id: TestIdentityId,
    /// What its tokens say.
    pub claims: NewTestIdentity,
    /// When it was listed.
    pub created_at: Timestamp,
}

/// What the tokens of a test identity say.
#[derive(Clone, Debug, PartialEq)]
pub struct NewTestIdentity {
    /// The id that no user of the site has.
    pub subject: Subject,
    /// The address.
    pub email: Option<String>,
    /// The whole name.
    pub name: Option<String>,
    /// Every other claim.
    pub attributes: BTreeMap<String, Value>,
}

type TestIdentityRow = (String, String, Option<String>, Option<String>, String, i64);

impl Store {
    /// Lists a test identity, and ends what sessions its subject has. None if it
    /// is listed already.
    pub async fn add_test_identity(
        &self,
        agent: AgentId,
        new: &NewTestIdentity,
    ) -> Result<Option<TestIdentity>, StoreError> {
        const SQL: &str = "
            INSERT INTO test_identities (id, agent_id, subject, email, name, attributes, created_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7)
            ON CONFLICT (agent_id, subject) DO NOTHING";
        let identity = TestIdentity {
            id: TestIdentityId::new(&self.clock),
            claims: new.clone(),
            created_at: self.clock.now(),
        };
        let mut tx = self.begin().await?;
        take_site(&mut tx, staging(agent)).await?;
        let added = execute!(
            &mut tx,
            SQL,
            identity.id.to_string(),
            agent.to_string(),
            new.subject.as_str(),
            new.email.as_deref(),
            new.name.as_deref(),
            to_json(&new.attributes),
            identity.created_at.as_microsecond(),
        )?;
        if added == 0 {
            return Ok(None);
        }
        let (id, subject) = (identity.id, &new.subject);
        self.changed_test_identity(tx, agent, id, subject, Audited::TestIdentityAdded)
            .await?;
        Ok(Some(identity))
    }

    /// Those of an agent, the oldest first.
    pub async fn test_identities(&self, agent: AgentId) -> Result<Vec<TestIdentity>, StoreError> {
        const SQL: &str = "
            SELECT id, subject, email, name, attributes, created_at FROM test_identities
            WHERE agent_id = $1 ORDER BY created_at, id";
        let rows = all!(&self.db, TestIdentityRow, SQL, agent.to_string())?;
        rows.into_iter().map(identity_from).collect()
    }

    /// One of them, by its id or its subject.
    pub async fn test_identity(
        &self,
        agent: AgentId,
        id_or_subject: &str,
    ) -> Result<Option<TestIdentity>, StoreError> {
        // A subject may look like the id of another.
        const SQL: &str = "
            SELECT id, subject, email, name, attributes, created_at FROM test_identities
            WHERE agent_id = $1 AND (id = $2 OR subject = $2)
            ORDER BY CASE WHEN id = $2 THEN 0 ELSE 1 END LIMIT 1";
        let row = optional!(
            &self.db,
            TestIdentityRow,
            SQL,
            agent.to_string(),
            id_or_subject
        )?;
        row.map(identity_from).transpose()
    }

    /// Does not list it any more, and ends its sessions. False if it is not listed.
    pub async fn remove_test_identity(
        &self,
        agent: AgentId,
        id: TestIdentityId,
    ) -> Result<bool, StoreError> {
        const SQL: &str = "
            DELETE FROM test_identities WHERE id = $1 AND agent_id = $2 RETURNING subject";
        let mut tx = self.begin().await?;
        take_site(&mut tx, staging(agent)).await?;
        let row = optional_in!(&mut tx, (String,), SQL, id.to_string(), agent.to_string())?;
        let Some((subject,)) = row else {
            return Ok(false);
        };
        let subject = parsed(&subject, TABLE, "subject")?;
        self.changed_test_identity(tx, agent, id, &subject, Audited::TestIdentityRemoved)
            .await?;
        Ok(true)
    }

    /// Notes that somebody made a token to act as it.
    pub async fn note_test_token(
        &self,
        agent: AgentId,
        id: TestIdentityId,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let told = serde_json::json!({ "test_identity": id.to_string() });
        self.audit(&mut tx, staging(agent), Audited::TestTokenMade, told)
            .await?;
        tx.commit().await
    }

    async fn changed_test_identity(
        &self,
        mut tx: Tx,
        agent: AgentId,
        id: TestIdentityId,
        subject: &Subject,
        what: Audited,
    ) -> Result<(), StoreError> {
        let scope = staging(agent);
        let ended = self.end_sessions_of(&mut tx, scope, subject).await?;
        let told = serde_json::json!({
            "test_identity": id.to_string(),
            "sessions": ended.sessions.len(),
        });
        self.audit(&mut tx, scope, what, told).await?;
        self.notify_logged_out(&mut tx, &ended).await?;
        tx.commit().await
    }
}

/// Whether a subject is listed, and stays so until the transaction ends: it holds
/// the environment, which whoever changes the list takes.
pub(crate) async fn is_test(tx: &mut Tx, scope: Scope, subject: &str) -> Result<bool, StoreError> {
    const SQL: &str = "SELECT id FROM test_identities WHERE agent_id = $1 AND subject = $2";
    match scope.environment {
        Environment::Production => Ok(false),
        Environment::Staging => {
            let row = optional_in!(tx, (String,), SQL, scope.agent.to_string(), subject)?;
            Ok(row.is_some())
        }
    }
}

fn staging(agent: AgentId) -> Scope {
    Scope {
        agent,
        environment: Environment::Staging,
    }
}

fn identity_from(row: TestIdentityRow) -> Result<TestIdentity, StoreError> {
    let (id, subject, email, name, attributes, created_at) = row;
    Ok(TestIdentity {
        id: parsed(&id, TABLE, "id")?,
        claims: NewTestIdentity {
            subject: parsed(&subject, TABLE, "subject")?,
            email,
            name,
            attributes: json(&attributes, TABLE, "attributes")?,
        },
        created_at: time(created_at, TABLE, "created_at")?,
    })
}
