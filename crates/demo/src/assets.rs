//! The shop's static files, and the rule that it is visited by its own name.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};

use crate::App;

/// `GET /shop.css`
pub(crate) async fn style() -> Response {
    file(
        "text/css; charset=utf-8",
        include_str!("../assets/shop.css"),
    )
}

/// `GET /shop.js`
pub(crate) async fn script() -> Response {
    file(
        "text/javascript; charset=utf-8",
        include_str!("../assets/shop.js"),
    )
}

/// `GET /favicon.svg`
pub(crate) async fn icon() -> Response {
    file("image/svg+xml", include_str!("../assets/favicon.svg"))
}

fn file(kind: &'static str, text: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "no-cache"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, text).into_response()
}

/// Sends people who came by another name (`127.0.0.1`) to the right one.
///
/// Cookies, the form check and the chat's allowed origins all go by that name.
pub(crate) async fn on_our_own_host(
    State(shop): State<Arc<App>>,
    request: Request,
    next: Next,
) -> Response {
    let ours = shop.origins.public_url.split("://").nth(1);
    let theirs = request
        .headers()
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    if theirs == ours {
        return next.run(request).await;
    }
    if request.method() == Method::GET {
        let path = request
            .uri()
            .path_and_query()
            .map_or("/", |path| path.as_str());
        return Redirect::temporary(&format!("{}{path}", shop.origins.public_url)).into_response();
    }
    (
        StatusCode::MISDIRECTED_REQUEST,
        "this shop has another name",
    )
        .into_response()
}
