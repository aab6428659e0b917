//! What is set for one environment: who may embed the widget, and what is asked
//! of visitors and their tokens.

use axum::{Json, extract::State};
use maitred_core::agent::Settings;

use super::{
    OfEnvironment,
    wire::{Origins, Policy, PolicyPatch},
};
use crate::{
    app::App,
    http::{error::ApiError, visitor::Body},
    settings::Change,
};

/// `GET /api/agents/{agent}/environments/{environment}/origins`
pub(in crate::http) async fn origins(of: OfEnvironment) -> Json<Origins> {
    Json((&of.settings).into())
}

/// `PUT /api/agents/{agent}/environments/{environment}/origins`
pub(in crate::http) async fn replace_origins(
    State(app): State<App>,
    of: OfEnvironment,
    Body(body): Body<Origins>,
) -> Result<Json<Origins>, ApiError> {
    let settings = amend(&app, &of, body.try_into()?).await?;
    Ok(Json((&settings).into()))
}

/// `GET /api/agents/{agent}/environments/{environment}/policy`
pub(in crate::http) async fn show(of: OfEnvironment) -> Json<Policy> {
    Json((&of.settings).into())
}

/// `PATCH /api/agents/{agent}/environments/{environment}/policy`
pub(in crate::http) async fn change(
    State(app): State<App>,
    of: OfEnvironment,
    Body(body): Body<PolicyPatch>,
) -> Result<Json<Policy>, ApiError> {
    let settings = amend(&app, &of, body.try_into()?).await?;
    Ok(Json((&settings).into()))
}

async fn amend(app: &App, of: &OfEnvironment, change: Change) -> Result<Settings, ApiError> {
    let settings = of
        .operator
        .store
        .amend_settings(of.scope, |settings| {
            change.make(settings).map_err(ApiError::from)
        })
        .await?
        .ok_or(ApiError::NotFound("environment"))?;
    app.changed();
    Ok(settings)
}
