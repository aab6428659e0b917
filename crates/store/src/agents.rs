//! Agents and their environments.

use maitred_core::{
    agent::{Agent, Enforcement, Settings},
    id::AgentId,
    scope::{Environment, Scope},
};
use serde_json::{Map, Value};

use crate::{
    Store, StoreError,
    audit::Audited,
    db::{all, execute, optional, optional_in},
    installation::bump_changes,
    row::{SettingsJson, json, parsed, time, to_json},
    verifications::has_good_token,
};

type AgentRow = (String, String, i64);

impl Store {
    /// Makes an agent with both environments.
    pub async fn create_agent(
        &self,
        name: &str,
        production: &Settings,
        staging: &Settings,
    ) -> Result<Agent, StoreError> {
        const AGENT: &str = "INSERT INTO agents (id, name, created_at) VALUES ($1, $2, $3)";
        const ENVIRONMENT: &str =
            "INSERT INTO environments (agent_id, environment, settings) VALUES ($1, $2, $3)";

        let agent = Agent {
            id: AgentId::new(&self.clock),
            name: name.to_owned(),
            created_at: self.clock.now(),
        };
        let mut tx = self.begin().await?;
        execute!(
            &mut tx,
            AGENT,
            agent.id.to_string(),
            name,
            agent.created_at.as_microsecond()
        )?;
        for (environment, settings) in [
            (Environment::Production, production),
            (Environment::Staging, staging),
        ] {
            let settings = to_json(&SettingsJson::from(settings));
            execute!(
                &mut tx,
                ENVIRONMENT,
                agent.id.to_string(),
                environment.as_str(),
                settings
            )?;
        }
        let told = serde_json::json!({ "name": name });
        self.audit(&mut tx, Some(agent.id), Audited::AgentCreated, told)
            .await?;
        bump_changes(&mut tx).await?;
        tx.commit().await?;
        Ok(agent)
    }

    /// All agents, the oldest first.
    pub async fn agents(&self) -> Result<Vec<Agent>, StoreError> {
        const SQL: &str = "SELECT id, name, created_at FROM agents ORDER BY created_at, id";
        let rows = all!(&self.db, AgentRow, SQL)?;
        rows.into_iter().map(agent_from).collect()
    }

    /// The agent by that id.
    pub async fn agent(&self, id: AgentId) -> Result<Option<Agent>, StoreError> {
        const SQL: &str = "SELECT id, name, created_at FROM agents WHERE id = $1";
        let row = optional!(&self.db, AgentRow, SQL, id.to_string())?;
        row.map(agent_from).transpose()
    }

    /// What is set for one environment.
    pub async fn settings(&self, scope: Scope) -> Result<Option<Settings>, StoreError> {
        const SQL: &str =
            "SELECT settings FROM environments WHERE agent_id = $1 AND environment = $2";
        let row = optional!(
            &self.db,
            (String,),
            SQL,
            scope.agent.to_string(),
            scope.environment.as_str()
        )?;
        row.map(|(text,)| json::<SettingsJson>(&text, "environments", "settings")?.try_into())
            .transpose()
    }

    /// Replaces what is set for one environment. False if there is no such agent.
    ///
    /// [`StoreError::NoGoodToken`] if that would begin to require tokens where
    /// none was accepted yet (rule E1).
    pub async fn change_settings(
        &self,
        scope: Scope,
        settings: &Settings,
    ) -> Result<bool, StoreError> {
        let amended = self
            .amend_settings(scope, |it| {
                it.clone_from(settings);
                Ok::<_, StoreError>(())
            })
            .await?;
        Ok(amended.is_some())
    }

    /// Changes some of what is set for one environment, and nothing that somebody
    /// else changes meanwhile. What is set now, if there is such an environment.
    /// What `amend` refuses is not changed at all.
    ///
    /// [`StoreError::NoGoodToken`] if tokens are to be required from now on and none
    /// was accepted yet: nobody could chat (rule E1).
    pub async fn amend_settings<E: From<StoreError>>(
        &self,
        scope: Scope,
        amend: impl FnOnce(&mut Settings) -> Result<(), E>,
    ) -> Result<Option<Settings>, E> {
        // It takes the row, so that nobody else amends what was read.
        const READ: &str = "
            UPDATE environments SET settings = settings
            WHERE agent_id = $1 AND environment = $2 RETURNING settings";
        const WRITE: &str =
            "UPDATE environments SET settings = $3 WHERE agent_id = $1 AND environment = $2";

        let (agent, environment) = (scope.agent.to_string(), scope.environment.as_str());
        let mut tx = self.begin().await?;
        let row = optional_in!(&mut tx, (String,), READ, agent.clone(), environment);
        let Some((text,)) = row.map_err(StoreError::from)? else {
            return Ok(None);
        };
        let before = json::<SettingsJson>(&text, "environments", "settings")?;
        let before: Settings = before.try_into()?;
        let mut settings = before.clone();
        amend(&mut settings)?;
        if settings == before {
            return Ok(Some(settings));
        }
        let requires = |settings: &Settings| settings.enforcement == Enforcement::Required;
        if requires(&settings) && !requires(&before) && !has_good_token(&mut tx, scope).await? {
            return Err(StoreError::NoGoodToken.into());
        }
        let (before, after) = (SettingsJson::from(&before), SettingsJson::from(&settings));
        execute!(&mut tx, WRITE, agent, environment, to_json(&after)).map_err(StoreError::from)?;
        let told = differences(&before, &after);
        self.audit(&mut tx, scope, Audited::SettingsChanged, told)
            .await?;
        bump_changes(&mut tx).await?;
        tx.commit().await?;
        Ok(Some(settings))
    }
}

/// What was changed, from what to what.
fn differences(before: &SettingsJson, after: &SettingsJson) -> Value {
    let fields = |settings: &SettingsJson| match serde_json::to_value(settings) {
        Ok(Value::Object(fields)) => fields,
        Ok(_) | Err(_) => Map::new(),
    };
    let before = fields(before);
    fields(after)
        .into_iter()
        .filter(|(name, value)| before.get(name) != Some(value))
        .map(|(name, to)| {
            let from = before.get(&name).cloned();
            (name, serde_json::json!({ "from": from, "to": to }))
        })
        .collect()
}

fn agent_from((id, name, created_at): AgentRow) -> Result<Agent, StoreError> {
    Ok(Agent {
        id: parsed(&id, "agents", "id")?,
        name,
        created_at: time(created_at, "agents", "created_at")?,
    })
}
