//! The page of the chat, shown in a frame on the operator's site.

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Response},
};

use super::{assets, error::ApiError, visitor::Place};
use crate::app::App;

/// `GET /frame/{agent}/{environment}`
///
/// The page is the same for every agent; what differs is who may show it (W3, W4).
/// The nonce saves the first proof a second try (S1); nobody keeps the page, and one
/// from the back/forward cache is told the next nonce as soon as it asks anything.
pub(super) async fn page(
    State(app): State<App>,
    Place(scope): Place,
) -> Result<Response, ApiError> {
    let site = match scope {
        Some(scope) => app.sites.site(&app.store, scope).await?,
        None => None,
    };
    let (status, ancestors) = match &site {
        Some(site) if !site.settings.origins.is_empty() => {
            let origins: Vec<&str> = site
                .settings
                .origins
                .iter()
                .map(|origin| origin.as_str())
                .collect();
            (StatusCode::OK, origins.join(" "))
        }
        Some(_) => (StatusCode::OK, "'none'".to_owned()),
        None => (StatusCode::NOT_FOUND, "'none'".to_owned()),
    };
    Ok((
        status,
        headers(&ancestors),
        Html(html(&app.freshness.nonce())),
    )
        .into_response())
}

fn headers(ancestors: &str) -> HeaderMap {
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
         img-src 'self' data:; font-src 'self'; base-uri 'none'; form-action 'none'; \
         object-src 'none'; frame-ancestors {ancestors}; \
         require-trusted-types-for 'script'; trusted-types 'none'"
    );
    let mut headers = HeaderMap::new();
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
    headers.insert(
        "permissions-policy",
        HeaderValue::from_static("camera=(), microphone=(), geolocation=(), payment=(), usb=()"),
    );
    headers
}

/// Nothing of the request is in it, and the nonce is hexadecimal, so nothing of it can become markup (rule W8).
fn html(nonce: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1, viewport-fit=cover, interactive-widget=resizes-content\">\n\
         <meta name=\"dpop-nonce\" content=\"{nonce}\">\n\
         <title>Chat</title>\n<link rel=\"stylesheet\" href=\"/frame.css?v={}\">\n</head>\n\
         <body>\n<div id=\"chat\"></div>\n<script type=\"module\" src=\"/frame.js?v={}\"></script>\n</body>\n</html>\n",
        assets::style_version(),
        assets::script_version(),
    )
}
