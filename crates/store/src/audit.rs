//! The audit log: who did what to whom, without anybody's words.

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use maitred_core::{
    id::{AgentId, ApiKeyId, AuditId, ParseIdError},
    scope::{Environment, Scope},
};
use serde_json::Value;

use crate::{
    Cursor, Page, Store, StoreError,
    db::{Tx, all, execute},
    row::{json, parsed, time},
};

/// Whoever has something done. The program itself is nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// A person who can read the data, with a command.
    CommandLine,
    /// A program with a key of the operator's.
    ApiKey(ApiKeyId),
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CommandLine => f.write_str("command_line"),
            Self::ApiKey(id) => id.fmt(f),
        }
    }
}

impl FromStr for Actor {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        match text {
            "command_line" => Ok(Self::CommandLine),
            id => id.parse().map(Self::ApiKey),
        }
    }
}

/// One line of the audit log.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditLine {
    /// Its name.
    pub id: AuditId,
    /// When it was.
    pub at: Timestamp,
    /// Who did it, if it was not the program itself.
    pub actor: Option<Actor>,
    /// What was done: `key_created`, …
    pub kind: String,
    /// The agent it was done to, if it was one.
    pub agent: Option<AgentId>,
    /// And the environment.
    pub environment: Option<Environment>,
    /// To what, and how.
    pub body: Value,
}

/// What an audit line is about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    Installation,
    Agent(AgentId),
    Environment(Scope),
}

impl From<Scope> for Place {
    fn from(scope: Scope) -> Self {
        Self::Environment(scope)
    }
}

impl From<Option<AgentId>> for Place {
    fn from(agent: Option<AgentId>) -> Self {
        agent.map_or(Self::Installation, Self::Agent)
    }
}

impl Place {
    fn agent(self) -> Option<AgentId> {
        match self {
            Self::Installation => None,
            Self::Agent(agent) => Some(agent),
            Self::Environment(scope) => Some(scope.agent),
        }
    }

    fn environment(self) -> Option<Environment> {
        match self {
            Self::Installation | Self::Agent(_) => None,
            Self::Environment(scope) => Some(scope.environment),
        }
    }
}

/// Something that is worth remembering.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Audited {
    AgentCreated,
    SettingsChanged,
    ApiKeyCreated,
    ApiKeyRevoked,
    MasterRotated,
    Restored,
    KeyCreated,
    KeyRetired,
    KeyRevoked,
    LoggedOutEverywhere,
    ConversationMoved,
    ConversationSplit,
    AddressProven,
    PersonExported,
    PersonErased,
    MemoryChanged,
    MemoryForgotten,
    TestIdentityAdded,
    TestIdentityRemoved,
    TestTokenMade,
    SourceAdded,
    SourceChanged,
    SourceRemoved,
}

impl Audited {
    fn as_str(self) -> &'static str {
        match self {
            Self::AgentCreated => "agent_created",
            Self::SettingsChanged => "settings_changed",
            Self::ApiKeyCreated => "api_key_created",
            Self::ApiKeyRevoked => "api_key_revoked",
            Self::MasterRotated => "master_rotated",
            Self::Restored => "restored",
            Self::KeyCreated => "key_created",
            Self::KeyRetired => "key_retired",
            Self::KeyRevoked => "key_revoked",
            Self::LoggedOutEverywhere => "logged_out_everywhere",
            Self::ConversationMoved => "conversation_moved",
            Self::ConversationSplit => "conversation_split",
            Self::AddressProven => "address_proven",
            Self::PersonExported => "person_exported",
            Self::PersonErased => "person_erased",
            Self::MemoryChanged => "memory_changed",
            Self::MemoryForgotten => "memory_forgotten",
            Self::TestIdentityAdded => "test_identity_added",
            Self::TestIdentityRemoved => "test_identity_removed",
            Self::TestTokenMade => "test_token_made",
            Self::SourceAdded => "source_added",
            Self::SourceChanged => "source_changed",
            Self::SourceRemoved => "source_removed",
        }
    }
}

type AuditRow = (
    String,
    i64,
    Option<String>,
    String,
    Option<String>,
    Option<String>,
    String,
);

impl Store {
    /// The same store, whose lines in the audit log say who has it done.
    pub fn acting_as(&self, actor: Actor) -> Self {
        let mut store = self.clone();
        store.actor = Some(actor);
        store
    }

    /// Who has things done with this store, if it was said.
    pub fn actor(&self) -> Option<Actor> {
        self.actor
    }

    /// The audit log, the newest first; of one agent, if one is given.
    pub async fn audit_log(
        &self,
        agent: Option<AgentId>,
        after: Option<Cursor<AuditId>>,
        limit: i64,
    ) -> Result<Page<AuditLine, AuditId>, StoreError> {
        const SQL: &str = "
            SELECT id, at, actor, kind, agent_id, environment, body FROM audit
            WHERE (at < $1 OR (at = $1 AND id < $2)) AND (agent_id = $3 OR $4 = 1)
            ORDER BY at DESC, id DESC LIMIT $5";
        let (before, id) = Cursor::bounds(after);
        let rows = all!(
            &self.db,
            AuditRow,
            SQL,
            before,
            id,
            agent.map(|it| it.to_string()),
            i64::from(agent.is_none()),
            limit + 1
        )?;
        let items: Result<Vec<_>, _> = rows.into_iter().map(line_from).collect();
        Ok(Page::of(items?, limit, |it| {
            (it.at.as_microsecond(), it.id)
        }))
    }

    /// Adds a line in the transaction of what it tells of.
    pub(crate) async fn audit(
        &self,
        tx: &mut Tx,
        place: impl Into<Place>,
        what: Audited,
        body: Value,
    ) -> Result<(), StoreError> {
        const SQL: &str = "
            INSERT INTO audit (id, agent_id, environment, at, kind, body, actor)
            VALUES ($1, $2, $3, $4, $5, $6, $7)";
        let place = place.into();
        execute!(
            tx,
            SQL,
            AuditId::new(&self.clock).to_string(),
            place.agent().map(|it| it.to_string()),
            place.environment().map(Environment::as_str),
            self.clock.now().as_microsecond(),
            what.as_str(),
            body.to_string(),
            self.actor.map(|it| it.to_string()),
        )?;
        Ok(())
    }
}

fn line_from(row: AuditRow) -> Result<AuditLine, StoreError> {
    const TABLE: &str = "audit";
    let (id, at, actor, kind, agent, environment, body) = row;
    Ok(AuditLine {
        id: parsed(&id, TABLE, "id")?,
        at: time(at, TABLE, "at")?,
        actor: actor
            .map(|text| parsed(&text, TABLE, "actor"))
            .transpose()?,
        kind,
        agent: agent
            .map(|text| parsed(&text, TABLE, "agent_id"))
            .transpose()?,
        environment: environment
            .map(|text| parsed(&text, TABLE, "environment"))
            .transpose()?,
        body: json(&body, TABLE, "body")?,
    })
}
