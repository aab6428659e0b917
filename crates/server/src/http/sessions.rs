//! From a token to a session, and out of it again.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode, response::IntoResponse};
use maitred_agent::Announce;
use maitred_core::{
    agent::Enforcement,
    event::Event,
    identity::greeting,
    scope::{Owner, Scope},
    secret::{Secret, SecretFor},
    session::{Holder, Session},
};
use maitred_store::{Before, Opened, Opening, Proven, Returning};

use super::{
    error::ApiError,
    proof::{Keys, Shown, refuse_unbound},
    visitor::{Body, Visitor},
    wire,
};
use crate::{app::App, attempt::Attempt, client::Network, prove::Unproven, sites::Site};

/// `POST /v1/sessions`
///
/// With a token, a session of whom it vouches for; without one, an anonymous
/// one. A token that is refused is a refusal, never an anonymous visitor (E2).
pub(super) async fn open(
    State(app): State<App>,
    from: Network,
    shown: Shown,
    Body(body): Body<wire::NewSession>,
) -> Result<impl IntoResponse, ApiError> {
    let site = site(
        &app,
        Scope {
            agent: body.agent,
            environment: body.environment,
        },
    )
    .await?;
    if !site
        .settings
        .origins
        .iter()
        .any(|origin| origin.admits(&body.page_origin))
    {
        let error = ApiError::OriginNotAllowed(body.page_origin.clone());
        let token = body.token.as_deref();
        return Err(unread(&app, &site, from, &body.page_origin, token, error));
    }
    let keys = Keys::of(&shown, body.key, &site, &app).map_err(|error| {
        let token = body.token.as_deref();
        unread(&app, &site, from, &body.page_origin, token, error)
    })?;
    let visitor = body
        .visitor
        .and_then(|text| Secret::parse(SecretFor::Visitor, &text))
        .map(|secret| Returning {
            secret,
            proof_key: keys.proven,
        });
    let opening = Opening {
        scope: site.scope,
        page_origin: body.page_origin,
        proof_key: keys.binding,
    };
    let opened = match body.token {
        None => {
            refuse_strangers(&site)?;
            let now = app.store.clock.now();
            app.limits.anonymous_session(from, site.scope, now)?;
            let until = now + app.config.anonymous_for;
            let opened = app.store.open_anonymous(opening, visitor, until).await?;
            if site.settings.enforcement == Enforcement::Report {
                app.verifications.count_stranger(site.scope);
            }
            opened
        }
        Some(token) => {
            let before = match visitor {
                Some(visitor) => app.store.visitor(site.scope, &visitor).await?,
                None => None,
            };
            let conversation = body.conversation;
            let before = before.map(|visitor| Before {
                visitor,
                conversation,
            });
            let toward = Toward::Contact(opening, before);
            exchange(&app, &site, from, token, toward).await?
        }
    };
    app.prepare(site.scope.agent);
    Ok((
        StatusCode::CREATED,
        Json(answer(&app, &site, opened).await?),
    ))
}

/// `POST /v1/session/identity`
///
/// An anonymous session rises to a verified one under a new secret (rule S8), bound
/// to the same key; a verified one goes on with a fresh token of the same subject
/// (rule S3).
pub(super) async fn identify(
    State(app): State<App>,
    from: Network,
    visitor: Visitor,
    Body(body): Body<wire::NewIdentity>,
) -> Result<Json<wire::OpenedSession>, ApiError> {
    let session = &visitor.session;
    let site = site(&app, session.scope).await?;
    if session.proof_key.is_none() {
        refuse_unbound(&site).map_err(|error| {
            let token = Some(body.token.as_str());
            unread(&app, &site, from, &session.page_origin, token, error)
        })?;
    }
    let toward = match session.holder {
        Holder::Anonymous(visitor) => {
            let opening = Opening {
                scope: session.scope,
                page_origin: session.page_origin.clone(),
                proof_key: session.proof_key.clone(),
            };
            let conversation = body.conversation;
            let before = Before {
                visitor,
                conversation,
            };
            Toward::Contact(opening, Some(before))
        }
        Holder::Verified { .. } => Toward::Renewal(Box::new(visitor)),
    };
    let opened = exchange(&app, &site, from, body.token, toward).await?;
    Ok(Json(answer(&app, &site, opened).await?))
}

/// `GET /v1/session`
pub(super) async fn show(State(app): State<App>, visitor: Visitor) -> Json<wire::SessionView> {
    Json(wire::SessionView::new(
        &visitor.session,
        app.store.clock.now(),
    ))
}

/// `DELETE /v1/session`
pub(super) async fn log_out(
    State(app): State<App>,
    visitor: Visitor,
) -> Result<StatusCode, ApiError> {
    let ending = app.clone();
    app.tasks
        .see_through(async move { ending.end_session(&visitor.session).await })
        .await
        .ok_or(ApiError::Panicked)??;
    Ok(StatusCode::NO_CONTENT)
}

/// Under `required`, who is not vouched for has no chat (rule E1).
pub(super) fn refuse_strangers(site: &Site) -> Result<(), ApiError> {
    match site.settings.enforcement {
        Enforcement::Optional | Enforcement::Report => Ok(()),
        Enforcement::Required => {
            let sign_in_url = site.settings.sign_in_url.clone();
            Err(ApiError::TokenRequired { sign_in_url })
        }
    }
}

pub(super) async fn site(app: &App, scope: Scope) -> Result<Arc<Site>, ApiError> {
    app.sites
        .site(&app.store, scope)
        .await?
        .ok_or(ApiError::NotFound("agent"))
}

/// A token that came with this was not looked at; that it came is in the log all
/// the same. Not if a nonce is asked for: the frame then shows it once more.
fn unread(
    app: &App,
    site: &Site,
    from: Network,
    page_origin: &str,
    token: Option<&str>,
    error: ApiError,
) -> ApiError {
    match (token, error) {
        (None, error) | (_, error @ ApiError::UseNonce) => error,
        (Some(token), error) => Attempt::new(app, site, from, page_origin, token).refused(error),
    }
}

/// What a token is shown for.
enum Toward {
    /// A session of its subject, who may have been that anonymous visitor before.
    Contact(Opening, Option<Before>),
    /// Going on with a session of the same subject.
    Renewal(Box<Visitor>),
}

impl Toward {
    fn page_origin(&self) -> &str {
        match self {
            Self::Contact(opening, _) => &opening.page_origin,
            Self::Renewal(visitor) => &visitor.session.page_origin,
        }
    }
}

/// Judges a token and opens what it is good for: to the end, even if the client
/// hangs up, so that what was stored is announced and every attempt is counted.
async fn exchange(
    app: &App,
    site: &Arc<Site>,
    from: Network,
    token: String,
    toward: Toward,
) -> Result<Opened, ApiError> {
    let (app, site) = (app.clone(), site.clone());
    let tasks = app.tasks.clone();
    let exchanging = async move {
        let page_origin = toward.page_origin().to_owned();
        let mut attempt = Attempt::new(&app, &site, from, &page_origin, &token);
        let result = match toward {
            Toward::Contact(opening, before) => {
                open_verified(&app, &mut attempt, &site, &token, opening, before).await
            }
            Toward::Renewal(visitor) => renew(&app, &mut attempt, &site, &token, *visitor).await,
        };
        attempt.ended(result)
    };
    tasks
        .see_through(exchanging)
        .await
        .ok_or(ApiError::Panicked)?
}

async fn open_verified(
    app: &App,
    attempt: &mut Attempt<'_>,
    site: &Site,
    token: &str,
    opening: Opening,
    before: Option<Before>,
) -> Result<Opened, ApiError> {
    let proven = proven(app, attempt, site, token).await?;
    let opened = app.store.open_verified(opening, proven, before).await?;
    if let Some(Before { visitor, .. }) = before {
        app.hub
            .announce(Owner::Visitor(visitor), Event::SessionsEnded);
        // Something may have come along from before: other devices look.
        app.hub.announce(opened.session.owner(), Event::Renumbered);
    }
    Ok(opened)
}

async fn renew(
    app: &App,
    attempt: &mut Attempt<'_>,
    site: &Site,
    token: &str,
    visitor: Visitor,
) -> Result<Opened, ApiError> {
    let proven = proven(app, attempt, site, token).await?;
    let identity = visitor.session.identity();
    if identity.is_none_or(|identity| identity.subject != proven.identity.subject) {
        return Err(ApiError::IdentityMismatch);
    }
    let session = app.store.renew(&visitor.session, proven).await?;
    Ok(Opened {
        session,
        secret: visitor.secret,
        visitor: None,
    })
}

/// What a token proves.
async fn proven(
    app: &App,
    attempt: &mut Attempt<'_>,
    site: &Site,
    token: &str,
) -> Result<Proven, ApiError> {
    let verified = app.prove(site, token).await.map_err(|why| match why {
        Unproven::Refused(refused) => ApiError::RefusedToken(refused, site.scope.environment),
        Unproven::KeysUnavailable => ApiError::KeysUnavailable,
    })?;
    attempt.proved(&verified);
    Ok(site.proven(&verified, app.config.session_grace)?)
}

async fn answer(app: &App, site: &Site, opened: Opened) -> Result<wire::OpenedSession, ApiError> {
    let session: &Session = &opened.session;
    let now = app.store.clock.now();
    let waiting = app.store.waiting_for(session.owner()).await?;
    Ok(wire::OpenedSession {
        expires_at: session.expires_at,
        renew_at: session.renew_at(now, app.config.session_grace),
        assurance: session.standing(now).assurance().as_str(),
        contact: wire::Contact::of(session),
        actor: wire::Actor::of(session),
        test: session.is_test(),
        claimed_email: session.claimed_email().map(str::to_owned),
        visitor: opened.visitor.map(|secret| secret.expose().to_owned()),
        greeting: greeting(session.identity()),
        conversation: waiting.open.map(Into::into),
        unread: waiting.unread,
        agent: wire::AgentView::new(app, site),
        session: opened.secret.expose().to_owned(),
    })
}
