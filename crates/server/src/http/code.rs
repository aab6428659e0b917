//! One-time codes: a visitor proves an address (rule A3).

use axum::{Json, extract::State, http::StatusCode, response::IntoResponse};
use jiff::Timestamp;
use maitred_core::code::{EmailAddress, OneTimeCode};
use maitred_store::{Asked, Tried};

use super::{
    error::ApiError,
    sessions,
    visitor::{Body, Visitor},
    wire,
};
use crate::{
    app::App,
    client::Network,
    limits::TooMany,
    mail::{Letter, site_of},
};

/// `POST /v1/code`
///
/// Sends a code to an address. The answer is the same and comes as fast whether
/// the address is known, is sent anything, or can be reached.
pub(super) async fn ask(
    State(app): State<App>,
    from: Network,
    visitor: Visitor,
    Body(body): Body<wire::NewCode>,
) -> Result<impl IntoResponse, ApiError> {
    let session = visitor.session;
    let mailer = app.mailer.clone().ok_or(ApiError::CodeUnavailable)?;
    let site = sessions::site(&app, session.scope).await?;
    if session.identity().is_none() {
        sessions::refuse_strangers(&site)?;
    }
    let to = EmailAddress::parse(&body.email)?;
    let now = app.store.clock.now();
    app.limits.code(from, session.scope, now)?;
    let asking = app.clone();
    let asked = app
        .tasks
        .see_through(async move {
            let asked = asking.store.ask_for_code(&session, &to).await?;
            match asked {
                Asked::TooMany { again_at } => Err(ApiError::TooManyCodes(until(
                    again_at,
                    asking.store.clock.now(),
                ))),
                Asked::Taken { expires_at, send } => {
                    if let Some(code) = send {
                        mailer.send(Letter {
                            to,
                            code,
                            agent: site.agent.name.clone(),
                            site: site_of(&site.settings.origins, &session.page_origin),
                            until: expires_at,
                        });
                    }
                    Ok(wire::CodeAsked { expires_at })
                }
            }
        })
        .await
        .ok_or(ApiError::Panicked)??;
    Ok((StatusCode::ACCEPTED, Json(asked)))
}

/// `POST /v1/code/verification`
///
/// Takes what the visitor typed. The guess counts even if they hang up.
pub(super) async fn verify(
    State(app): State<App>,
    visitor: Visitor,
    Body(body): Body<wire::TypedCode>,
) -> Result<Json<wire::SessionView>, ApiError> {
    let mut session = visitor.session;
    // What cannot be a code cannot be right, and costs no try.
    let code = OneTimeCode::parse(&body.code).ok_or(ApiError::WrongCode { left: None })?;
    let trying = app.clone();
    app.tasks
        .see_through(async move {
            match trying.store.try_code(&session, &code).await? {
                Tried::Right(proven) => session.proven = Some(proven),
                Tried::Wrong { left } => return Err(ApiError::WrongCode { left: Some(left) }),
                Tried::NoneOpen => return Err(ApiError::CodeExpired),
            }
            let now = trying.store.clock.now();
            Ok(Json(wire::SessionView::new(&session, now)))
        })
        .await
        .ok_or(ApiError::Panicked)?
}

/// Whole seconds until then, and one at least.
fn until(again_at: Timestamp, now: Timestamp) -> TooMany {
    let retry_after = again_at.duration_since(now).as_secs().saturating_add(1);
    TooMany { retry_after }
}
