//! The checker of tokens (rule L2).

use axum::{Json, extract::State};
use maitred_core::scope::Scope;

use super::{
    OfAgent,
    wire::{CheckedToken, TokenToCheck},
};
use crate::{
    app::App,
    checker,
    http::{error::ApiError, visitor::Body},
};

/// `POST /api/agents/{agent}/tokens/check`
///
/// Always precise, in production too: whoever asks here could read it in the log.
pub(in crate::http) async fn check(
    State(app): State<App>,
    OfAgent { agent, .. }: OfAgent,
    Body(body): Body<TokenToCheck>,
) -> Result<Json<CheckedToken>, ApiError> {
    let scope = Scope {
        agent: agent.id,
        environment: body.environment,
    };
    let explanation = checker::check(&app.sites, &app.store, scope, &body.token)
        .await?
        .ok_or(ApiError::NotFound("agent"))?;
    Ok(Json(explanation.into()))
}
