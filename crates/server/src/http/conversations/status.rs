//! What a visitor does with a conversation besides talking in it.
//!
//! Everything but typing is kept, and told to all their devices (`store::status`).

use axum::{Json, extract::State, http::StatusCode};
use maitred_agent::Announce;
use maitred_core::{
    conversation::{Body as Said, Conversation, Rating},
    event::{Event, Numbered, Typist},
    id::ConversationId,
    message::Title,
    scope::Owner,
};
use maitred_store::{Changed, Changes, StoreError};

use super::super::{
    error::ApiError,
    visitor::{Body, Id, Visitor},
    wire,
};
use crate::app::App;

/// `PATCH /v1/conversations/{id}`: its title, and whether it is closed.
pub(in crate::http) async fn change(
    State(app): State<App>,
    visitor: Visitor,
    Id(id): Id<ConversationId>,
    Body(body): Body<wire::ChangeConversation>,
) -> Result<Json<wire::Conversation>, ApiError> {
    let title = match body.title {
        Some(Some(text)) => Some(Some(Title::parse(&text)?)),
        Some(None) => Some(None),
        None => None,
    };
    let closed = body.closed;
    let changes = Changes { title, closed };
    let owner = visitor.session.owner();
    let store = app.store.clone();
    let change = async move { store.change_conversation(owner, id, changes).await };
    let conversation = done(&app, owner, change).await?;
    if conversation.closed_at.is_some() {
        app.is_over();
    }
    Ok(Json(conversation.into()))
}

/// `POST /v1/conversations/{id}/read`
///
/// For a member of staff who acts as the visitor it changes nothing: the visitor has
/// not read it.
pub(in crate::http) async fn read(
    State(app): State<App>,
    visitor: Visitor,
    Id(id): Id<ConversationId>,
    Body(body): Body<wire::Read>,
) -> Result<StatusCode, ApiError> {
    let owner = visitor.session.owner();
    let reads_it = !visitor.is_acted() || visitor.session.is_test();
    let up_to = if reads_it { body.up_to } else { 0 };
    let store = app.store.clone();
    let change = async move { store.mark_read(owner, id, up_to).await };
    done(&app, owner, change).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /v1/conversations/{id}/rating`: in place of the one before.
pub(in crate::http) async fn rate(
    State(app): State<App>,
    visitor: Visitor,
    Id(id): Id<ConversationId>,
    Body(body): Body<wire::NewRating>,
) -> Result<StatusCode, ApiError> {
    let rating = Rating::parse(body.score, body.comment.as_deref())?;
    visitor.refuse_actor()?;
    let owner = visitor.session.owner();
    let store = app.store.clone();
    let change = async move { store.rate(owner, id, &rating).await };
    done(&app, owner, change).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /v1/conversations/{id}/cancel`: stops the turn that runs, if one does.
pub(in crate::http) async fn cancel(
    State(app): State<App>,
    visitor: Visitor,
    Id(id): Id<ConversationId>,
    Body(wire::Empty {}): Body<wire::Empty>,
) -> Result<StatusCode, ApiError> {
    let owner = visitor.session.owner();
    let store = app.store.clone();
    let change = async move { store.stop_turn(owner, id).await };
    done(&app, owner, change).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /v1/conversations/{id}/typing`: told to the visitor's other devices, and
/// forgotten.
pub(in crate::http) async fn typing(
    State(app): State<App>,
    visitor: Visitor,
    Id(id): Id<ConversationId>,
    Body(body): Body<wire::IsTyping>,
) -> Result<StatusCode, ApiError> {
    let owner = visitor.session.owner();
    app.store
        .conversation(owner, id)
        .await?
        .ok_or(ApiError::NotFound("conversation"))?;
    app.hub.announce(
        owner,
        Event::Typing {
            conversation: id,
            by: Typist::Visitor(visitor.session.id),
            typing: body.typing,
        },
    );
    Ok(StatusCode::NO_CONTENT)
}

/// Sees a change through, even if the client hangs up, and announces it. If it closed
/// a turn, that stops at once: one that runs elsewhere, and was not told, finds it when
/// it has something to add.
async fn done(
    app: &App,
    owner: Owner,
    change: impl Future<Output = Result<Option<Changed>, StoreError>> + Send + 'static,
) -> Result<Conversation, ApiError> {
    let telling = app.clone();
    let change = async move {
        let Some(changed) = change.await? else {
            return Ok(None);
        };
        let closes_a_turn = changed.events.iter().any(closes_a_turn);
        for event in changed.events {
            let event = Event::Numbered(Box::new(event));
            telling.hub.announce(owner, event);
        }
        if closes_a_turn {
            telling.turns.look_again(changed.conversation.id);
            telling.hub.look_at_turn(changed.conversation.id);
        }
        Ok::<_, StoreError>(Some(changed.conversation))
    };
    app.tasks
        .see_through(change)
        .await
        .ok_or(ApiError::Panicked)??
        .ok_or(ApiError::NotFound("conversation"))
}

fn closes_a_turn(event: &Numbered) -> bool {
    let body = event.entry().map(|entry| &entry.body);
    matches!(body, Some(Said::Status(status)) if status.closes_a_turn())
}
