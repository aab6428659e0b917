//! Conversations that came along when somebody signed in (rules M1, M2).

use axum::{Json, extract::State};
use maitred_agent::Announce;
use maitred_core::{
    event::Event,
    id::MergeId,
    scope::{Environment, Owner},
};
use maitred_store::{Merge, Undone};
use serde::Deserialize;

use super::{
    Named, OfAgent, Part,
    wire::{MergeView, UndoneView},
};
use crate::{
    app::App,
    http::{
        error::ApiError,
        visitor::{Body, Query},
        wire::{Empty, List},
    },
};

/// As many as can be undone are likely fewer.
const LATEST: i64 = 1_000;

/// Whose merges are asked for.
#[derive(Deserialize)]
pub(in crate::http) struct Which {
    #[serde(default)]
    environment: Environment,
    limit: Option<i64>,
    cursor: Option<String>,
}

/// `GET /api/agents/{agent}/merges`: the latest first.
pub(in crate::http) async fn list(
    of: OfAgent,
    Query(which): Query<Which>,
) -> Result<Json<List<MergeView>>, ApiError> {
    let scope = of.scope(which.environment);
    let merges = of.operator.store.merges(scope, None, LATEST).await?;
    let part = Part {
        limit: which.limit,
        cursor: which.cursor,
    };
    Ok(Json(part.of(
        merges,
        |merge: &Merge| merge.id,
        Into::into,
    )?))
}

/// `POST /api/agents/{agent}/merges/{merge}/undo`
pub(in crate::http) async fn undo(
    State(app): State<App>,
    of: OfAgent,
    Named(merge): Named<MergeId>,
    Body(Empty {}): Body<Empty>,
) -> Result<Json<UndoneView>, ApiError> {
    for environment in Environment::ALL {
        let scope = of.scope(environment);
        match of.operator.store.undo_merge(scope, merge).await? {
            Some(Undone::Split(split)) => {
                app.hub
                    .announce(Owner::Contact(split.contact), Event::Renumbered);
                return Ok(Json(split.into()));
            }
            Some(Undone::Already) => return Err(ApiError::AlreadyUndone),
            Some(Undone::TooLate) => return Err(ApiError::TooLateToUndo),
            None => (),
        }
    }
    Err(ApiError::NotFound("merge"))
}
