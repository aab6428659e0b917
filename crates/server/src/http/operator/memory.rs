//! What the agent remembers of contacts.

use axum::{Json, http::StatusCode};
use maitred_core::{id::MemoryId, memory::MemoryText};

use super::{
    InPath, Named, OfAgent, OfEnvironment,
    contacts::Whose,
    wire::{MemoryPatch, MemoryView},
};
use crate::{
    http::{
        error::ApiError,
        visitor::{Body, Query},
        wire::List,
    },
    settings::BadSetting,
};

impl InPath for MemoryId {
    const PARAMETER: &'static str = "memory";
}

/// `GET /api/agents/{agent}/contacts/memory`: what is remembered of one person, the
/// oldest first.
pub(in crate::http) async fn list(
    of: OfAgent,
    Query(whose): Query<Whose>,
) -> Result<Json<List<MemoryView>>, ApiError> {
    let scope = of.scope(whose.environment());
    let store = &of.operator.store;
    let memories = match store.contact(scope, &whose.subject()?).await? {
        Some(contact) => store.memories(scope, contact.id).await?,
        None => Vec::new(),
    };
    Ok(Json(List {
        items: memories.into_iter().map(Into::into).collect(),
        next: None,
    }))
}

/// `PATCH /api/agents/{agent}/environments/{environment}/memories/{memory}`
pub(in crate::http) async fn change(
    of: OfEnvironment,
    Named(id): Named<MemoryId>,
    Body(patch): Body<MemoryPatch>,
) -> Result<StatusCode, ApiError> {
    let text = MemoryText::parse(&patch.text).map_err(|error| BadSetting::new("text", error))?;
    if !of.operator.store.change_memory(of.scope, id, &text).await? {
        return Err(ApiError::NotFound(MemoryId::WORD));
    }
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /api/agents/{agent}/environments/{environment}/memories/{memory}`
pub(in crate::http) async fn forget(
    of: OfEnvironment,
    Named(id): Named<MemoryId>,
) -> Result<StatusCode, ApiError> {
    if !of.operator.store.forget_memory(of.scope, id).await? {
        return Err(ApiError::NotFound(MemoryId::WORD));
    }
    Ok(StatusCode::NO_CONTENT)
}
