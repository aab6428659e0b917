//! What the server does when something goes wrong (rules R5, R8, R11, R12).

use std::time::Duration;

use axum::{
    body::Body,
    http::{Method, Request, StatusCode, header},
    routing::get,
};
use futures_util::FutureExt;
use http_body_util::BodyExt;
use serde_json::json;

use super::support::{HOST, TestApp};

#[tokio::test]
async fn r12_a_panic_is_a_500_with_an_id_and_the_next_request_is_served() {
    let mut app = TestApp::new().await;
    let fails = || async {
        let nobody: Vec<&str> = Vec::new();
        nobody[0]
    };
    app.serves(
        axum::Router::new()
            .route("/v1/fails", get(fails))
            .route("/v1/works", get(|| async { "it does" })),
    );

    let answer = app.send(Method::GET, "/v1/fails", None, None).await;

    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(
        answer.error(),
        json!({ "code": "internal", "message": "something went wrong on our side" })
    );
    let id = answer.headers["x-request-id"].to_str().unwrap();
    assert_eq!(answer.body["error"]["request_id"], id);
    let next = app.send(Method::GET, "/v1/works", None, None).await;
    assert_eq!((next.status, next.body), (StatusCode::OK, json!("it does")));
}

#[tokio::test]
async fn r11_a_stream_asks_not_to_be_buffered_and_beats_every_15_s() {
    let app = TestApp::new().await;
    let sarah = app.visitor("sarah").await;
    let request = Request::get("/v1/events")
        .header(header::HOST, HOST)
        .header(header::AUTHORIZATION, format!("Bearer {}", sarah.session));
    let response = app.response(request.body(Body::empty()).unwrap()).await;
    let (parts, mut body) = response.into_parts();
    for (name, value) in [
        ("content-type", "text/event-stream"),
        ("cache-control", "no-store"),
        ("x-accel-buffering", "no"),
    ] {
        assert_eq!(parts.headers[name], value, "{name}");
    }
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert!(first.starts_with(b"id: "), "a hello");

    for _ in 0..3 {
        passes(Duration::from_secs(14)).await;
        // By then it would have looked whether the session lives, and beaten.
        sarah.get("/v1/session").await;
        assert!(body.frame().now_or_never().is_none(), "not yet");

        passes(Duration::from_secs(1)).await;
        let beat = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(beat, ": \n\n");
    }
}

/// Moves tokio's time on, which otherwise goes by as it does.
async fn passes(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}
