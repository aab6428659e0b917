//! The checker of tokens (rule L2).

use axum::{Json, extract::State};

use super::{
    OfAgent,
    wire::{CheckedToken, TokenToCheck},
};
use crate::{
    app::App,
    checker,
    http::{error::ApiError, visitor::Body},
    prove::Unproven,
};

/// `POST /api/agents/{agent}/tokens/check`
///
/// Always precise, in production too: whoever asks here could read it in the log.
pub(in crate::http) async fn check(
    State(app): State<App>,
    of: OfAgent,
    Body(body): Body<TokenToCheck>,
) -> Result<Json<CheckedToken>, ApiError> {
    let scope = of.scope(body.environment);
    if let Some(site) = app.sites.site(&app.store, scope).await?
        && let Err(Unproven::KeysUnavailable) = app.prove(&site, &body.token).await
    {
        // To call its key unknown would send the operator the wrong way.
        return Err(ApiError::KeysUnavailable);
    }
    let checked = checker::check(&app.sites, &app.store, scope, &body.token).await?;
    let checked = checked.ok_or(ApiError::NotFound("agent"))?;
    Ok(Json((&checked).into()))
}
