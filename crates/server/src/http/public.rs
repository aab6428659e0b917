//! What anybody may know.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::IntoResponse,
};
use maitred_core::{identity::greeting, scope::Environment};
use serde_json::Value;

use super::{error::ApiError, visitor::Place, wire};
use crate::app::App;

/// `GET /v1/agents/{agent}/{environment}`
pub(super) async fn agent(
    State(app): State<App>,
    Place(scope): Place,
) -> Result<impl IntoResponse, ApiError> {
    let scope = scope.ok_or(ApiError::NotFound("agent"))?;
    let site = app
        .sites
        .site(&app.store, scope)
        .await?
        .ok_or(ApiError::NotFound("agent"))?;
    let agent = wire::PublicAgent {
        agent: wire::AgentView::new(&app, &site),
        greeting: greeting(None),
        enforcement: site.settings.enforcement.as_str(),
        proof_of_possession: site.settings.proof_of_possession.as_str(),
        one_time_tokens: site.settings.tokens.one_time,
    };
    Ok((cached_for("public, max-age=60"), Json(agent)))
}

/// `GET /.well-known/jwks.json`: what checks our assertions in production.
pub(super) async fn jwks(State(app): State<App>) -> (HeaderMap, Json<Value>) {
    (
        cached_for("public, max-age=300"),
        Json(app.assertions.jwks(Environment::Production)),
    )
}

/// `GET /staging/.well-known/jwks.json`: and in staging, by other keys.
pub(super) async fn staging_jwks(State(app): State<App>) -> (HeaderMap, Json<Value>) {
    (
        cached_for("public, max-age=300"),
        Json(app.assertions.jwks(Environment::Staging)),
    )
}

/// `GET /healthz`: the process lives.
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: it can serve.
pub(super) async fn readyz(State(app): State<App>) -> Result<&'static str, StatusCode> {
    if app.tasks.stopping().is_cancelled() {
        return Err(StatusCode::SERVICE_UNAVAILABLE);
    }
    app.store
        .changes()
        .await
        .map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    Ok("ready\n")
}

fn cached_for(policy: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(header::CACHE_CONTROL, HeaderValue::from_static(policy))])
}
