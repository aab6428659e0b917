//! The people that a site vouched for.

use axum::{Json, extract::State};
use maitred_core::{contact::Subject, scope::Environment};
use maitred_store::Person;
use serde::Deserialize;

use super::{
    OfAgent, Part,
    wire::{ContactChangeView, ContactView, ErasedView, LogOut, LoggedOutView},
};
use crate::{
    app::App,
    http::{
        error::ApiError,
        visitor::{Body, Query},
        wire::List,
    },
    settings::BadSetting,
};

/// Whose contacts are asked for.
#[derive(Deserialize)]
pub(in crate::http) struct Which {
    #[serde(default)]
    environment: Environment,
    subject: Option<String>,
    limit: Option<i64>,
    cursor: Option<String>,
}

/// `GET /api/agents/{agent}/contacts`: the last seen first; with `subject`, the
/// one of that subject.
pub(in crate::http) async fn list(
    of: OfAgent,
    Query(which): Query<Which>,
) -> Result<Json<List<ContactView>>, ApiError> {
    let scope = of.scope(which.environment);
    let store = &of.operator.store;
    let settings = store.settings(scope).await?;
    let policy = settings.ok_or(ApiError::NotFound("environment"))?.claims;
    if let Some(text) = which.subject {
        let found = match text.parse::<Subject>() {
            Ok(subject) => store.contact(scope, &subject).await?,
            // What no token can carry was never anybody.
            Err(_) => None,
        };
        let items = found.into_iter().map(|it| ContactView::new(it, &policy));
        let items = items.collect();
        return Ok(Json(List { items, next: None }));
    }
    let part = Part {
        limit: which.limit,
        cursor: which.cursor,
    };
    let page = store.contacts(scope, part.cursor()?, part.limit()?).await?;
    Ok(Json(List {
        items: page
            .items
            .into_iter()
            .map(|it| ContactView::new(it, &policy))
            .collect(),
        next: page.next.map(|cursor| cursor.to_string()),
    }))
}

/// Of whom something is asked. In the query, since a subject may hold any character.
#[derive(Deserialize)]
pub(in crate::http) struct Whose {
    #[serde(default)]
    environment: Environment,
    subject: String,
}

impl Whose {
    pub(super) fn environment(&self) -> Environment {
        self.environment
    }

    pub(super) fn subject(&self) -> Result<Subject, BadSetting> {
        parsed(&self.subject)
    }
}

fn parsed(subject: &str) -> Result<Subject, BadSetting> {
    let parsed = subject.parse();
    parsed.map_err(|error| BadSetting::new("subject", error))
}

/// `GET /api/agents/{agent}/contacts/export`: everything that is kept of one person
/// (rule D7).
pub(in crate::http) async fn export(
    of: OfAgent,
    Query(whose): Query<Whose>,
) -> Result<Json<Person>, ApiError> {
    let scope = of.scope(whose.environment);
    let person = of
        .operator
        .store
        .export_person(scope, &parsed(&whose.subject)?)
        .await?;
    Ok(Json(person.ok_or(ApiError::NotFound("contact"))?))
}

/// `GET /api/agents/{agent}/contacts/changes`: what tokens changed about one person,
/// the latest first.
pub(in crate::http) async fn changes(
    of: OfAgent,
    Query(whose): Query<Whose>,
) -> Result<Json<List<ContactChangeView>>, ApiError> {
    let scope = of.scope(whose.environment);
    let store = &of.operator.store;
    let changes = match store.contact(scope, &parsed(&whose.subject)?).await? {
        Some(contact) => store.contact_changes(contact.id).await?,
        None => Vec::new(),
    };
    Ok(Json(List {
        items: changes.into_iter().map(Into::into).collect(),
        next: None,
    }))
}

/// `DELETE /api/agents/{agent}/contacts`: forgets one person (rule D7).
pub(in crate::http) async fn erase(
    State(app): State<App>,
    of: OfAgent,
    Query(whose): Query<Whose>,
) -> Result<Json<ErasedView>, ApiError> {
    let scope = of.scope(whose.environment);
    let erased = of
        .operator
        .store
        .erase_person(scope, &parsed(&whose.subject)?)
        .await?;
    let erased = erased.ok_or(ApiError::NotFound("agent"))?;
    app.changed();
    Ok(Json(erased.into()))
}

/// `POST /api/agents/{agent}/contacts/logout`: everywhere (rule S6).
pub(in crate::http) async fn log_out(
    State(app): State<App>,
    of: OfAgent,
    Body(body): Body<LogOut>,
) -> Result<Json<LoggedOutView>, ApiError> {
    let scope = of.scope(body.environment);
    let logged_out = of
        .operator
        .store
        .log_out_everywhere(scope, &parsed(&body.subject)?)
        .await?
        .ok_or(ApiError::NotFound("agent"))?;
    app.changed();
    Ok(Json(logged_out.into()))
}
