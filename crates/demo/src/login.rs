//! Logging in and out: plain forms, which the page's script may also post.
//!
//! A form is believed when it comes from one of our own pages: the session
//! cookie is `SameSite=Lax`, and the browser's `Origin` must be ours.

use std::{convert::Infallible, sync::Arc};

use axum::{
    Form, Json,
    extract::{FromRequestParts, Query, State},
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Redirect, Response},
};
use minijinja::context;
use serde::Deserialize;
use serde_json::json;

use crate::{
    App, now,
    pages::{PageError, Where},
    sessions::SESSION_FOR,
    users::{TestUser, by_login},
};

const COOKIE: &str = "alder_session";

/// Who sent this request, by the session cookie.
pub(crate) struct LoggedIn(pub(crate) Option<&'static TestUser>);

impl FromRequestParts<Arc<App>> for LoggedIn {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, shop: &Arc<App>) -> Result<Self, Infallible> {
        Ok(Self(
            session_id(&parts.headers).and_then(|id| shop.sessions.user(id, now().as_second())),
        ))
    }
}

#[derive(Deserialize)]
pub(crate) struct Next {
    #[serde(default)]
    next: String,
}

#[derive(Deserialize)]
pub(crate) struct LoginForm {
    email: String,
    password: String,
    #[serde(default)]
    next: String,
}

/// `GET /login`
pub(crate) async fn login_page(
    State(shop): State<Arc<App>>,
    LoggedIn(user): LoggedIn,
    Query(Next { next }): Query<Next>,
) -> Result<Response, PageError> {
    if user.is_some() {
        return Ok(Redirect::to(own_path(&next)).into_response());
    }
    shop.pages.show(
        "login.html",
        user,
        Where::Login,
        context! { next => own_path(&next) },
    )
}

/// `POST /login`: 303 to the page that asked, or JSON for the page's script.
pub(crate) async fn log_in(
    State(shop): State<Arc<App>>,
    headers: HeaderMap,
    Form(form): Form<LoginForm>,
) -> Result<Response, PageError> {
    if !is_our_page(&shop, &headers) {
        return Ok(foreign_form());
    }
    let Some(user) = by_login(&form.email, &form.password) else {
        return wrong_password(&shop, &headers, &form);
    };
    // Whoever was logged in here before is not any more.
    if let Some(old) = session_id(&headers) {
        shop.sessions.end(old)?;
    }
    let id = shop.sessions.begin(user, now().as_second())?;
    let answer = if wants_json(&headers) {
        Json(json!({ "name": user.shown_name() })).into_response()
    } else {
        Redirect::to(own_path(&form.next)).into_response()
    };
    with_cookie(&shop, answer, &id, SESSION_FOR)
}

/// `POST /logout`: 303 to the home page, or 204 for the page's script.
pub(crate) async fn log_out(
    State(shop): State<Arc<App>>,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    if !is_our_page(&shop, &headers) {
        return Ok(foreign_form());
    }
    if let Some(id) = session_id(&headers) {
        shop.sessions.end(id)?;
    }
    let answer = if wants_json(&headers) {
        StatusCode::NO_CONTENT.into_response()
    } else {
        Redirect::to("/").into_response()
    };
    with_cookie(&shop, answer, "", 0)
}

fn wrong_password(
    shop: &App,
    headers: &HeaderMap,
    form: &LoginForm,
) -> Result<Response, PageError> {
    const SORRY: &str = "That email and password do not belong together.";
    let mut response = if wants_json(headers) {
        Json(json!({ "error": SORRY })).into_response()
    } else {
        let values =
            context! { next => own_path(&form.next), email => &form.email, error => SORRY };
        shop.pages.show("login.html", None, Where::Login, values)?
    };
    *response.status_mut() = StatusCode::UNAUTHORIZED;
    Ok(response)
}

fn foreign_form() -> Response {
    (
        StatusCode::FORBIDDEN,
        "this form was not sent by one of our pages",
    )
        .into_response()
}

fn session_id(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))
}

fn with_cookie(
    shop: &App,
    mut response: Response,
    id: &str,
    for_seconds: i64,
) -> Result<Response, PageError> {
    let secure = if shop.origins.public_url.starts_with("https:") {
        "; Secure"
    } else {
        ""
    };
    let cookie =
        format!("{COOKIE}={id}; Path=/; Max-Age={for_seconds}; HttpOnly; SameSite=Lax{secure}");
    response
        .headers_mut()
        .insert(header::SET_COOKIE, HeaderValue::try_from(cookie)?);
    Ok(response)
}

/// Browsers name the page's origin on every POST, and no script can change it.
fn is_our_page(shop: &App, headers: &HeaderMap) -> bool {
    headers
        .get(header::ORIGIN)
        .is_some_and(|origin| origin == shop.origins.public_url.as_str())
}

fn wants_json(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .is_some_and(|accept| accept == "application/json")
}

/// Where to go after the login, if it is a path of ours. `//host` and `/\host` are not.
fn own_path(next: &str) -> &str {
    let rest = next
        .strip_prefix('/')
        .filter(|rest| !rest.starts_with(['/', '\\']));
    if rest.is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_graphic())) {
        next
    } else {
        "/"
    }
}

#[cfg(test)]
mod tests {
    use super::own_path;

    #[test]
    fn a_login_leads_to_our_own_pages_only() {
        let asked = [
            "/orders",
            "",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/a\r\nb",
        ];

        assert_eq!(asked.map(own_path), ["/orders", "/", "/", "/", "/", "/"]);
    }
}
