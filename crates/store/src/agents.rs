//! Agents and their environments.

use maitred_core::{
    agent::{Agent, Settings},
    id::AgentId,
    scope::{Environment, Scope},
};

use crate::{
    Store, StoreError,
    audit::Audited,
    db::{all, execute, optional},
    installation::bump_changes,
    row::{SettingsJson, json, parsed, time, to_json},
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
    pub async fn change_settings(
        &self,
        scope: Scope,
        settings: &Settings,
    ) -> Result<bool, StoreError> {
        const SQL: &str =
            "UPDATE environments SET settings = $3 WHERE agent_id = $1 AND environment = $2";
        let mut tx = self.begin().await?;
        let found = execute!(
            &mut tx,
            SQL,
            scope.agent.to_string(),
            scope.environment.as_str(),
            to_json(&SettingsJson::from(settings))
        )? > 0;
        if found {
            let told = serde_json::json!({ "settings": SettingsJson::from(settings) });
            self.audit(&mut tx, scope, Audited::SettingsChanged, told)
                .await?;
            bump_changes(&mut tx).await?;
        }
        tx.commit().await?;
        Ok(found)
    }
}

fn agent_from((id, name, created_at): AgentRow) -> Result<Agent, StoreError> {
    Ok(Agent {
        id: parsed(&id, "agents", "id")?,
        name,
        created_at: time(created_at, "agents", "created_at")?,
    })
}
