//! The built files of the widget, as they are in `web/dist`.

use std::sync::LazyLock;

use axum::{
    extract::Query,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use maitred_token::base64url;
use serde::Deserialize;

static LOADER: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new(
        include_bytes!("../../../../web/dist/widget.js"),
        "text/javascript; charset=utf-8",
    )
});
static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new(
        include_bytes!("../../../../web/dist/frame.js"),
        "text/javascript; charset=utf-8",
    )
});
static STYLE: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new(
        include_bytes!("../../../../web/dist/frame.css"),
        "text/css; charset=utf-8",
    )
});

/// A file, and the name of what is in it.
struct Asset {
    bytes: &'static [u8],
    content_type: &'static str,
    version: String,
}

/// `?v=`: the content that is meant.
#[derive(Deserialize)]
pub(super) struct Versioned {
    v: Option<String>,
}

impl Asset {
    fn new(bytes: &'static [u8], content_type: &'static str) -> Self {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
        let version = base64url(&digest.as_ref()[..9]);
        Self {
            bytes,
            content_type,
            version,
        }
    }

    /// Kept for ever under its version, revalidated under its stable name (rule W11).
    fn response(&self, asked: &Versioned, headers: &HeaderMap) -> Response {
        let etag = format!("\"{}\"", self.version);
        let is_pinned = asked.v.as_ref() == Some(&self.version);
        let caching = if is_pinned {
            "public, max-age=31536000, immutable"
        } else {
            "public, no-cache"
        };
        let known = headers
            .get(header::IF_NONE_MATCH)
            .is_some_and(|it| it == etag.as_str());
        let mut response = if known {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            ([(header::CONTENT_TYPE, self.content_type)], self.bytes).into_response()
        };
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
        if let Ok(etag) = HeaderValue::from_str(&etag) {
            headers.insert(header::ETAG, etag);
        }
        response
    }
}

/// `GET /widget.js`, the one script that runs in other people's pages.
pub(super) async fn loader(Query(asked): Query<Versioned>, headers: HeaderMap) -> Response {
    let mut response = LOADER.response(&asked, &headers);
    let headers = response.headers_mut();
    headers.insert(
        "cross-origin-resource-policy",
        HeaderValue::from_static("cross-origin"),
    );
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_ORIGIN,
        HeaderValue::from_static("*"),
    );
    response
}

/// `GET /frame.js`
pub(super) async fn frame_script(Query(asked): Query<Versioned>, headers: HeaderMap) -> Response {
    SCRIPT.response(&asked, &headers)
}

/// `GET /frame.css`
pub(super) async fn frame_style(Query(asked): Query<Versioned>, headers: HeaderMap) -> Response {
    STYLE.response(&asked, &headers)
}

pub(super) fn script_version() -> &'static str {
    &SCRIPT.version
}

pub(super) fn style_version() -> &'static str {
    &STYLE.version
}
