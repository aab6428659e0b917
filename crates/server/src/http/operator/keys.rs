//! Signing keys of one environment. A secret is in the answer that makes it, and
//! in no other.

use axum::{Json, extract::State, http::StatusCode, response::IntoResponse};
use maitred_core::id::KeyId;
use maitred_store::StoredKey;

use super::{
    Named, OfEnvironment, Part,
    wire::{BroughtKey, CreatedKey, ImportedKey, KeyImpactView, KeyView, NewKey, RetiredKey},
};
use crate::{
    app::App,
    http::{
        error::ApiError,
        visitor::{Body, Query},
        wire::List,
    },
    keys::{self, KeyError, SetUrl},
    settings::BadSetting,
};

/// The longest that a key may be retiring, in hours: ten years.
const RETIRING_FOR: i64 = 87_600;

/// `GET …/keys`
pub(in crate::http) async fn list(
    of: OfEnvironment,
    Query(part): Query<Part>,
) -> Result<Json<List<KeyView>>, ApiError> {
    let store = &of.operator.store;
    let keys = store.keys(of.scope).await?;
    let sets = store.fetched_sets(of.scope).await?;
    let usage = store.key_usage(of.scope).await?;
    let list = part.of(
        keys,
        |key: &StoredKey| key.id,
        |key| {
            let set = sets.iter().find(|set| set.key == key.id);
            let usage = usage.iter().find(|usage| usage.key == key.id.to_string());
            KeyView::new(&key, set, usage)
        },
    )?;
    Ok(Json(list))
}

/// `POST …/keys`
pub(in crate::http) async fn create(
    State(app): State<App>,
    of: OfEnvironment,
    Body(body): Body<NewKey>,
) -> Result<impl IntoResponse, ApiError> {
    let (algorithm, terms) = body.parsed()?;
    let made = keys::make(&of.operator.store, of.scope, algorithm, terms).await?;
    app.changed();
    let created = CreatedKey {
        key: view(&of, made.key).await?,
        secret: made.secret.expose().to_owned(),
    };
    Ok((StatusCode::CREATED, Json(created)))
}

/// `POST …/keys/import`
pub(in crate::http) async fn import(
    State(app): State<App>,
    of: OfEnvironment,
    Body(body): Body<ImportedKey>,
) -> Result<impl IntoResponse, ApiError> {
    let store = &of.operator.store;
    let key = match body.brought()? {
        BroughtKey::One(material) => store
            .insert_key(of.scope, &material)
            .await
            .map_err(KeyError::from)?,
        BroughtKey::Set { url, terms } => {
            let url = SetUrl::parse(&url).map_err(KeyError::from)?;
            let set = keys::bring_set(store, &app.outbound, of.scope, &url, terms).await?;
            set.key
        }
    };
    app.changed();
    Ok((StatusCode::CREATED, Json(view(&of, key).await?)))
}

/// `PATCH …/keys/{key}`: accepts it until then, and no longer.
pub(in crate::http) async fn retire(
    State(app): State<App>,
    of: OfEnvironment,
    Named(key): Named<KeyId>,
    Body(body): Body<RetiredKey>,
) -> Result<Json<KeyView>, ApiError> {
    let more = body.accepted_until.duration_since(app.store.clock.now());
    if more.is_negative() || more.as_hours() > RETIRING_FOR {
        let reason = "must be within the next ten years; `DELETE` revokes a key at once";
        return Err(BadSetting::new("accepted_until", reason).into());
    }
    let store = &of.operator.store;
    if !store.retire_key(of.scope, key, body.accepted_until).await? {
        return Err(ApiError::NotFound("key"));
    }
    app.changed();
    Ok(Json(view(&of, key).await?))
}

/// `DELETE …/keys/{key}`: never accepts it again, and ends its sessions (rule K6).
pub(in crate::http) async fn revoke(
    State(app): State<App>,
    of: OfEnvironment,
    Named(key): Named<KeyId>,
) -> Result<StatusCode, ApiError> {
    if !of.operator.store.revoke_key(of.scope, key).await? {
        return Err(ApiError::NotFound("key"));
    }
    app.changed();
    Ok(StatusCode::NO_CONTENT)
}

/// `GET …/keys/{key}/impact`: what would break if it were revoked now (rule K6).
pub(in crate::http) async fn impact(
    of: OfEnvironment,
    Named(key): Named<KeyId>,
) -> Result<Json<KeyImpactView>, ApiError> {
    // It must be a key of this environment: the counts know no others' either way.
    view(&of, key).await?;
    let impact = of.operator.store.key_impact(of.scope, key).await?;
    Ok(Json(impact.into()))
}

async fn view(of: &OfEnvironment, id: KeyId) -> Result<KeyView, ApiError> {
    let store = &of.operator.store;
    let keys = store.keys(of.scope).await?;
    let sets = store.fetched_sets(of.scope).await?;
    let key = keys.iter().find(|key| key.id == id);
    let set = sets.iter().find(|set| set.key == id);
    let usage = store.key_usage(of.scope).await?;
    let usage = usage.iter().find(|usage| usage.key == id.to_string());
    key.map(|key| KeyView::new(key, set, usage))
        .ok_or(ApiError::NotFound("key"))
}
