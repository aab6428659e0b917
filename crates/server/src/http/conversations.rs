//! The visitor's own conversations.

pub(super) mod status;
pub(super) mod transcript;

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use maitred_agent::Announce;
use maitred_core::{
    event::Event, id::ConversationId, message::MessageText, scope::Owner, search::Wanted,
    session::Ended,
};
use maitred_store::StoreError;
use serde::Deserialize;

use super::{
    error::ApiError,
    sessions,
    visitor::{Body, Id, Query, Visitor},
    wire,
};
use crate::app::App;

const DEFAULT_LIMIT: i64 = 20;
const MAX_LIMIT: i64 = 100;

/// Which part of a list, and of what.
#[derive(Deserialize)]
pub(super) struct Part {
    q: Option<String>,
    limit: Option<i64>,
    cursor: Option<String>,
}

/// Which entries.
#[derive(Deserialize)]
pub(super) struct After {
    after: Option<i64>,
    cursor: Option<String>,
    limit: Option<i64>,
}

/// `GET /v1/conversations`; with `q`, those in which that was said.
pub(super) async fn list(
    State(app): State<App>,
    visitor: Visitor,
    Query(part): Query<Part>,
) -> Result<Response, ApiError> {
    let limit = limit(part.limit)?;
    let after = part
        .cursor
        .map(|cursor| cursor.parse().map_err(|_| bad_cursor()))
        .transpose()?;
    let owner = visitor.session.owner();
    let Some(q) = part.q else {
        let page = app.store.conversations(owner, after, limit).await?;
        return Ok(Json(wire::List::<wire::Conversation>::of(page)).into_response());
    };
    let wanted = Wanted::parse(&q).map_err(|error| ApiError::BadRequest(error.to_string()))?;
    let page = app.store.search(owner, &wanted, after, limit).await?;
    Ok(Json(wire::List::<wire::FoundConversation>::of(page)).into_response())
}

/// `POST /v1/conversations`
pub(super) async fn open(
    State(app): State<App>,
    visitor: Visitor,
    Body(wire::Empty {}): Body<wire::Empty>,
) -> Result<impl IntoResponse, ApiError> {
    let session = &visitor.session;
    let conversation = app
        .store
        .open_conversation(session.scope, session.owner())
        .await?
        // They were erased since the session was found.
        .ok_or(ApiError::SessionEnded(Ended::Revoked))?;
    Ok((
        StatusCode::CREATED,
        Json(wire::Conversation::from(conversation)),
    ))
}

/// `GET /v1/conversations/{id}`
pub(super) async fn show(
    State(app): State<App>,
    visitor: Visitor,
    Id(id): Id<ConversationId>,
) -> Result<Json<wire::Conversation>, ApiError> {
    let conversation = app.store.conversation(visitor.session.owner(), id).await?;
    conversation
        .map(|it| Json(it.into()))
        .ok_or(ApiError::NotFound("conversation"))
}

/// `GET /v1/conversations/{id}/entries`
pub(super) async fn entries(
    State(app): State<App>,
    visitor: Visitor,
    Id(id): Id<ConversationId>,
    Query(after): Query<After>,
) -> Result<Json<wire::List<wire::Entry>>, ApiError> {
    let limit = limit(after.limit)?;
    let from = match &after.cursor {
        Some(cursor) => cursor.parse().map_err(|_| bad_cursor())?,
        None => after.after.unwrap_or(0),
    };
    app.store
        .conversation(visitor.session.owner(), id)
        .await?
        .ok_or(ApiError::NotFound("conversation"))?;
    let entries = app.store.entries_after(id, from, limit).await?;
    let is_full = i64::try_from(entries.len()).is_ok_and(|found| found == limit);
    let next = entries
        .last()
        .filter(|_| is_full)
        .map(|last| last.number.to_string());
    let items = entries.iter().filter_map(wire::Entry::visible).collect();
    Ok(Json(wire::List { items, next }))
}

/// `POST /v1/conversations/{id}/messages`
///
/// Keeps the visitor's message and starts a turn. What the agent says arrives on
/// the event stream.
pub(super) async fn post_message(
    State(app): State<App>,
    visitor: Visitor,
    Id(id): Id<ConversationId>,
    Body(body): Body<wire::NewMessage>,
) -> Result<impl IntoResponse, ApiError> {
    let text = MessageText::parse(&body.text)?;
    let session = &visitor.session;
    if session.identity().is_none() {
        // Enforcement may have been switched on since this session was opened.
        sessions::refuse_strangers(&*sessions::site(&app, session.scope).await?)?;
    }
    let session = visitor.session.clone();
    let posting = app.clone();
    let posted = app
        .tasks
        .see_through(async move { posting.post(&session, id, body.id, &text).await })
        .await
        .ok_or(ApiError::Panicked)??
        .ok_or(ApiError::NotFound("conversation"))?;
    Ok((
        StatusCode::ACCEPTED,
        Json(wire::PostedMessage::from(posted)),
    ))
}

/// `POST /v1/conversations/{id}/not-mine`
///
/// Takes away what came along when this visitor signed in (rule M1).
pub(super) async fn not_mine(
    State(app): State<App>,
    visitor: Visitor,
    Id(id): Id<ConversationId>,
    Body(wire::Empty {}): Body<wire::Empty>,
) -> Result<StatusCode, ApiError> {
    let session = &visitor.session;
    let owner = session.owner();
    let Owner::Contact(contact) = owner else {
        return Err(ApiError::NotFound("conversation"));
    };
    let scope = session.scope;
    let splitting = app.clone();
    let split = app
        .tasks
        .see_through(async move {
            let split = splitting.store.split(scope, contact, id).await?;
            splitting.hub.announce(owner, Event::Renumbered);
            Ok::<_, StoreError>(split)
        })
        .await
        .ok_or(ApiError::Panicked)??;
    if split {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(ApiError::NotFound("conversation"))
    }
}

fn limit(asked: Option<i64>) -> Result<i64, ApiError> {
    match asked.unwrap_or(DEFAULT_LIMIT) {
        limit @ 1..=MAX_LIMIT => Ok(limit),
        _ => Err(ApiError::BadRequest(format!(
            "`limit` must be 1 to {MAX_LIMIT}"
        ))),
    }
}

fn bad_cursor() -> ApiError {
    ApiError::BadRequest("`cursor` is not one that was given out".to_owned())
}
