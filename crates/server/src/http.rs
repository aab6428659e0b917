//! Every route on one screen.

mod assets;
mod code;
mod conversations;
mod error;
mod events;
mod forget;
mod frame;
mod operator;
mod proof;
mod public;
mod sessions;
mod shell;
mod visitor;
mod wire;

pub(crate) use error::{ApiError, NO_GOOD_TOKEN};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware,
    routing::{delete, get, patch, post},
};

use maitred_agent::knowledge::import::MAX_FILE;

use self::{
    conversations::{status, transcript},
    operator::{
        agents, api_keys, audit, contacts, keys, knowledge, memory, merges, policy,
        test_identities, tokens, verifications,
    },
};
use crate::app::App;

pub(crate) use self::operator::wire::{CheckedToken, KeyImpactView, VerificationView};

/// The most that a request may carry: a message, and much room.
const MAX_BODY: usize = 64 * 1024;

/// The whole server.
pub fn router(app: App) -> Router {
    in_the_shell(routes(), app)
}

/// Puts around routes what every request passes through.
pub fn in_the_shell(routes: Router<App>, app: App) -> Router {
    routes
        .fallback(shell::no_such_route)
        .method_not_allowed_fallback(shell::no_such_method)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn_with_state(app.clone(), shell::shell))
        .with_state(app)
}

fn routes() -> Router<App> {
    Router::new()
        // Visitors
        .route("/v1/agents/{agent}/{environment}", get(public::agent))
        .route("/v1/sessions", post(sessions::open))
        .route("/v1/session", get(sessions::show).delete(sessions::log_out))
        .route("/v1/session/identity", post(sessions::identify))
        .route(
            "/v1/conversations",
            get(conversations::list).post(conversations::open),
        )
        .route(
            "/v1/conversations/{id}",
            get(conversations::show).patch(status::change),
        )
        .route(
            "/v1/conversations/{id}/entries",
            get(conversations::entries),
        )
        .route(
            "/v1/conversations/{id}/messages",
            post(conversations::post_message),
        )
        .route(
            "/v1/conversations/{id}/not-mine",
            post(conversations::not_mine),
        )
        .route(
            "/v1/conversations/{id}/transcript",
            get(transcript::download),
        )
        .route("/v1/conversations/{id}/read", post(status::read))
        .route("/v1/conversations/{id}/rating", post(status::rate))
        .route("/v1/conversations/{id}/cancel", post(status::cancel))
        .route("/v1/conversations/{id}/typing", post(status::typing))
        .route("/v1/visitor", delete(forget::forget))
        .route("/v1/code", post(code::ask))
        .route("/v1/code/verification", post(code::verify))
        .route("/v1/events", get(events::follow))
        // Operators
        .route("/api/agents", get(agents::list).post(agents::create))
        .route("/api/agents/{agent}", get(agents::show))
        .route(
            "/api/agents/{agent}/environments/{environment}/origins",
            get(policy::origins).put(policy::replace_origins),
        )
        .route(
            "/api/agents/{agent}/environments/{environment}/policy",
            get(policy::show).patch(policy::change),
        )
        .route(
            "/api/agents/{agent}/environments/{environment}/keys",
            get(keys::list).post(keys::create),
        )
        .route(
            "/api/agents/{agent}/environments/{environment}/keys/import",
            post(keys::import),
        )
        .route(
            "/api/agents/{agent}/environments/{environment}/keys/{key}",
            patch(keys::retire).delete(keys::revoke),
        )
        .route(
            "/api/agents/{agent}/environments/{environment}/keys/{key}/impact",
            get(keys::impact),
        )
        .route(
            "/api/agents/{agent}/verifications",
            get(verifications::list),
        )
        .route(
            "/api/agents/{agent}/environments/{environment}/test-identities",
            get(test_identities::list).post(test_identities::add),
        )
        .route(
            "/api/agents/{agent}/environments/{environment}/test-identities/{test_identity}",
            delete(test_identities::remove),
        )
        .route(
            "/api/agents/{agent}/environments/{environment}/test-identities/{test_identity}/token",
            post(test_identities::token),
        )
        .route("/api/agents/{agent}/tokens/check", post(tokens::check))
        .route(
            "/api/agents/{agent}/contacts",
            get(contacts::list).delete(contacts::erase),
        )
        .route(
            "/api/agents/{agent}/contacts/changes",
            get(contacts::changes),
        )
        .route("/api/agents/{agent}/contacts/memory", get(memory::list))
        .route(
            "/api/agents/{agent}/environments/{environment}/memories/{memory}",
            patch(memory::change).delete(memory::forget),
        )
        .route("/api/agents/{agent}/contacts/export", get(contacts::export))
        .route(
            "/api/agents/{agent}/contacts/logout",
            post(contacts::log_out),
        )
        .route("/api/agents/{agent}/merges", get(merges::list))
        .route(
            "/api/agents/{agent}/merges/{merge}/undo",
            post(merges::undo),
        )
        .route(
            "/api/agents/{agent}/knowledge",
            get(knowledge::list)
                .post(knowledge::add)
                .layer(DefaultBodyLimit::max(MAX_FILE)),
        )
        .route(
            "/api/agents/{agent}/knowledge/try",
            post(knowledge::try_out),
        )
        .route(
            "/api/agents/{agent}/knowledge/{source}",
            get(knowledge::show)
                .patch(knowledge::change)
                .delete(knowledge::remove),
        )
        .route(
            "/api/agents/{agent}/knowledge/{source}/sync",
            post(knowledge::sync),
        )
        .route("/api/api-keys", get(api_keys::list).post(api_keys::create))
        .route("/api/api-keys/{api_key}", delete(api_keys::revoke))
        .route("/api/audit", get(audit::list))
        // Pages and what they load
        .route("/widget.js", get(assets::loader))
        .route("/frame/{agent}/{environment}", get(frame::page))
        .route("/frame.js", get(assets::frame_script))
        .route("/frame.css", get(assets::frame_style))
        // Anybody
        .route("/.well-known/jwks.json", get(public::jwks))
        .route("/staging/.well-known/jwks.json", get(public::staging_jwks))
        .route("/healthz", get(public::healthz))
        .route("/readyz", get(public::readyz))
}
