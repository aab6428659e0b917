//! Test identities: whom operators act as in staging (rule A4).

use std::{convert::Infallible, str::FromStr};

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
};
use maitred_core::id::AgentId;
use maitred_store::TestIdentity;

use super::{
    InPath, Named, OfEnvironment, Operator, Part,
    wire::{NewTestIdentity, TestIdentityView, TestTokenView},
};
use crate::{
    app::App,
    http::{
        error::ApiError,
        visitor::{Body, Query},
        wire::{Empty, List},
    },
    test_identities::{self, TestIdentityError, only_in_staging},
};

/// Which one: by its id, or by its subject.
pub(in crate::http) struct IdOrSubject(String);

impl FromStr for IdOrSubject {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl InPath for IdOrSubject {
    const PARAMETER: &'static str = "test_identity";
    const WORD: &'static str = "test identity";
}

/// `GET …/staging/test-identities`
pub(in crate::http) async fn list(
    of: OfEnvironment,
    Query(part): Query<Part>,
) -> Result<Json<List<TestIdentityView>>, ApiError> {
    let (operator, agent) = in_staging(of)?;
    let all = operator.store.test_identities(agent).await?;
    Ok(Json(part.of(all, |it: &TestIdentity| it.id, Into::into)?))
}

/// `POST …/staging/test-identities`
pub(in crate::http) async fn add(
    State(app): State<App>,
    of: OfEnvironment,
    Body(body): Body<NewTestIdentity>,
) -> Result<impl IntoResponse, ApiError> {
    let (operator, agent) = in_staging(of)?;
    let new = body.parsed()?;
    let added = operator.store.add_test_identity(agent, &new).await?;
    let added = added.ok_or(TestIdentityError::Listed)?;
    app.changed();
    Ok((StatusCode::CREATED, Json(TestIdentityView::from(added))))
}

/// `DELETE …/staging/test-identities/{test_identity}`
pub(in crate::http) async fn remove(
    State(app): State<App>,
    of: OfEnvironment,
    Named(which): Named<IdOrSubject>,
) -> Result<StatusCode, ApiError> {
    let (operator, agent) = in_staging(of)?;
    let identity = found(&operator, agent, &which).await?;
    if !operator
        .store
        .remove_test_identity(agent, identity.id)
        .await?
    {
        return Err(ApiError::NotFound(IdOrSubject::WORD));
    }
    app.changed();
    Ok(StatusCode::NO_CONTENT)
}

/// `POST …/staging/test-identities/{test_identity}/token`
pub(in crate::http) async fn token(
    State(app): State<App>,
    of: OfEnvironment,
    Named(which): Named<IdOrSubject>,
    Body(Empty {}): Body<Empty>,
) -> Result<impl IntoResponse, ApiError> {
    let (operator, agent) = in_staging(of)?;
    let identity = found(&operator, agent, &which).await?;
    let store = &operator.store;
    let token = test_identities::token(&app.sites, store, agent, &identity).await?;
    // As every response that holds a token (rule T16).
    let uncached = [(header::CACHE_CONTROL, "private, no-store")];
    let view = TestTokenView::new(token, &identity);
    Ok((StatusCode::CREATED, uncached, Json(view)))
}

fn in_staging(of: OfEnvironment) -> Result<(Operator, AgentId), ApiError> {
    only_in_staging(of.scope.environment)?;
    Ok((of.operator, of.scope.agent))
}

async fn found(
    operator: &Operator,
    agent: AgentId,
    IdOrSubject(which): &IdOrSubject,
) -> Result<TestIdentity, ApiError> {
    // What no database can hold was never anybody.
    let found = match which.contains('\0') {
        true => None,
        false => operator.store.test_identity(agent, which).await?,
    };
    found.ok_or(ApiError::NotFound(IdOrSubject::WORD))
}
