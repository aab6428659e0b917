//! "Forget me": a visitor has everything erased that is kept of them (rule D7).

use axum::{extract::State, http::StatusCode};
use maitred_agent::Announce;
use maitred_core::{event::Event, session::Ended};
use maitred_store::StoreError;

use super::{error::ApiError, visitor::Visitor};
use crate::app::App;

/// `DELETE /v1/visitor`
///
/// The contact with all conversations and devices, or the anonymous visitor. All their
/// sessions end with it, on every node.
pub(super) async fn forget(
    State(app): State<App>,
    visitor: Visitor,
) -> Result<StatusCode, ApiError> {
    visitor.refuse_actor()?;
    let forgetting = app.clone();
    let is_forgotten = app
        .tasks
        .see_through(async move {
            let is_forgotten = forgetting.store.forget(&visitor.session).await?;
            let owner = visitor.session.owner();
            forgetting.hub.announce(owner, Event::SessionsEnded);
            forgetting.turns.interrupt(visitor.session.id);
            // What other sessions of theirs have running is found by the next look.
            forgetting.changed();
            Ok::<_, StoreError>(is_forgotten)
        })
        .await
        .ok_or(ApiError::Panicked)??;
    if is_forgotten {
        Ok(StatusCode::NO_CONTENT)
    } else {
        // They signed in meanwhile, or were forgotten before: it is not theirs to say.
        Err(ApiError::SessionEnded(Ended::Revoked))
    }
}
