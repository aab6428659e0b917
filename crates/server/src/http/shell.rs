//! What every request passes through, on its way in and out.

use std::panic::AssertUnwindSafe;

use axum::{
    Json,
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;
use uuid::Uuid;

use super::{
    error::{ApiError, Told},
    wire,
};
use crate::app::App;

/// Gives the request an id, checks where it goes and where it is from, turns a
/// panic into a 500 (rule R12), writes the body of every error, and tells the nonce
/// of the next proof (rule S4).
pub(super) async fn shell(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let id = Uuid::new_v4().simple().to_string();
    let is_api = request.uri().path().starts_with("/v1/");
    let mut response = match admitted(&app, &mut request) {
        Ok(()) => AssertUnwindSafe(next.run(request))
            .catch_unwind()
            .await
            .unwrap_or_else(|_| {
                tracing::error!(request.id = id, "a handler panicked");
                ApiError::Panicked.into_response()
            }),
        Err(error) => error.into_response(),
    };
    if let Some(told) = response.extensions_mut().remove::<Told>() {
        let head = std::mem::take(response.headers_mut());
        response = (response.status(), Json(wire::Error::new(told, &id))).into_response();
        response.headers_mut().extend(head);
    }
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert("x-request-id", id);
    }
    if is_api && let Ok(nonce) = HeaderValue::from_str(&app.freshness.nonce()) {
        headers.insert("dpop-nonce", nonce);
    }
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

/// Notes where the request is from, or says why it is not taken.
fn admitted(app: &App, request: &mut Request) -> Result<(), ApiError> {
    // Probes ask by address, and often; what they get is the same for everybody.
    if matches!(request.uri().path(), "/healthz" | "/readyz") {
        return Ok(());
    }
    if !is_our_host(app, request) {
        let expected = app.config.public_url.clone();
        return Err(ApiError::OtherHost { expected });
    }
    let from = app.proxies.network(request.extensions(), request.headers());
    app.limits.request(from, app.store.clock.now())?;
    request.extensions_mut().insert(from);
    Ok(())
}

/// Whether the request was meant for us: a page whose name was pointed at our
/// address (DNS rebinding) names another host.
fn is_our_host(app: &App, request: &Request) -> bool {
    let ours = app
        .config
        .public_url
        .split_once("://")
        .map_or("", |(_, host)| host);
    let is_ours = |named: &str| named.eq_ignore_ascii_case(ours);
    // Said twice, it must be said alike: what is between us and the browser may have
    // gone by the other one.
    let hosts = request.headers().get_all(header::HOST).iter();
    let hosts = hosts.map(|host| host.to_str().unwrap_or_default());
    let authority = request.uri().authority().map(|it| it.as_str());
    let mut named = hosts.chain(authority).peekable();
    named.peek().is_some() && named.all(is_ours)
}

pub(super) async fn no_such_route() -> ApiError {
    ApiError::NotFound("route")
}

pub(super) async fn no_such_method() -> Response {
    (StatusCode::METHOD_NOT_ALLOWED, ApiError::NoSuchMethod).into_response()
}
