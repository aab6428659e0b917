//! Agents.

use axum::{Json, extract::State, http::StatusCode, response::IntoResponse};
use maitred_core::{
    agent::{Agent, Settings},
    message::Name,
    scope::Environment,
};
use maitred_store::EnforcementReport;

use super::{
    OfAgent, Operator, Part,
    wire::{AgentItem, AgentView, EnvironmentView, Environments, NewAgent, NewEnvironment},
};
use crate::{
    app::App,
    http::{
        error::ApiError,
        visitor::{Body, Query},
        wire::List,
    },
    settings::{BadSetting, Change},
};

/// `GET /api/agents`
pub(in crate::http) async fn list(
    operator: Operator,
    Query(part): Query<Part>,
) -> Result<Json<List<AgentItem>>, ApiError> {
    let agents = operator.store.agents().await?;
    let visible = agents
        .into_iter()
        .filter(|agent| operator.may_see(agent.id))
        .collect();
    Ok(Json(part.of(
        visible,
        |agent: &Agent| agent.id,
        Into::into,
    )?))
}

/// `POST /api/agents`
pub(in crate::http) async fn create(
    operator: Operator,
    Body(body): Body<NewAgent>,
) -> Result<impl IntoResponse, ApiError> {
    let operator = operator.of_installation()?;
    let name = Name::parse(&body.name).map_err(|error| BadSetting::new("name", error))?;
    let production = new_settings(body.environments.production)?;
    let staging = new_settings(body.environments.staging)?;
    let agent = operator
        .store
        .create_agent(name.as_str(), &production, &staging)
        .await?;
    let nothing_yet = EnforcementReport::default();
    let view = AgentView {
        agent: agent.into(),
        environments: Environments {
            production: EnvironmentView::new(&production, &nothing_yet),
            staging: EnvironmentView::new(&staging, &nothing_yet),
        },
    };
    Ok((StatusCode::CREATED, Json(view)))
}

/// `GET /api/agents/{agent}`
pub(in crate::http) async fn show(
    State(app): State<App>,
    of: OfAgent,
) -> Result<Json<AgentView>, ApiError> {
    let view = async |environment| -> Result<EnvironmentView, ApiError> {
        let scope = of.scope(environment);
        let settings = app.store.settings(scope).await?;
        let settings = settings.ok_or(ApiError::NotFound("environment"))?;
        let report = app.store.enforcement_report(scope).await?;
        Ok(EnvironmentView::new(&settings, &report))
    };
    Ok(Json(AgentView {
        environments: Environments {
            production: view(Environment::Production).await?,
            staging: view(Environment::Staging).await?,
        },
        agent: of.agent.into(),
    }))
}

fn new_settings(new: NewEnvironment) -> Result<Settings, BadSetting> {
    let mut settings = Settings::default();
    Change::try_from(new)?.make(&mut settings)?;
    Ok(settings)
}
