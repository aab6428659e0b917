//! API keys. Whoever has one for the whole installation may make others.

use axum::{Json, http::StatusCode, response::IntoResponse};
use maitred_core::{id::ApiKeyId, message::Name};
use maitred_store::ApiKey;

use super::{
    Named, Operator, Part,
    wire::{ApiKeyView, CreatedApiKey, NewApiKey},
};
use crate::{
    http::{
        error::ApiError,
        visitor::{Body, Query},
        wire::List,
    },
    settings::BadSetting,
};

/// `GET /api/api-keys`
pub(in crate::http) async fn list(
    operator: Operator,
    Query(part): Query<Part>,
) -> Result<Json<List<ApiKeyView>>, ApiError> {
    let keys = operator.of_installation()?.store.api_keys().await?;
    Ok(Json(part.of(keys, |key: &ApiKey| key.id, Into::into)?))
}

/// `POST /api/api-keys`
pub(in crate::http) async fn create(
    operator: Operator,
    Body(body): Body<NewApiKey>,
) -> Result<impl IntoResponse, ApiError> {
    let store = operator.of_installation()?.store;
    let name = Name::parse(&body.name).map_err(|error| BadSetting::new("name", error))?;
    if let Some(agent) = body.agent
        && store.agent(agent).await?.is_none()
    {
        return Err(BadSetting::new("agent", "there is no such agent").into());
    }
    let (key, secret) = store.create_api_key(&name, body.agent).await?;
    let created = CreatedApiKey {
        key: key.into(),
        secret: secret.expose().to_owned(),
    };
    Ok((StatusCode::CREATED, Json(created)))
}

/// `DELETE /api/api-keys/{api_key}`
pub(in crate::http) async fn revoke(
    operator: Operator,
    Named(id): Named<ApiKeyId>,
) -> Result<StatusCode, ApiError> {
    let store = operator.of_installation()?.store;
    if store.revoke_api_key(id).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(ApiError::NotFound("API key"))
    }
}
