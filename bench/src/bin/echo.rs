//! The limits that `scripts/bench` compares with: what the same framework does
//! without any work. Its first argument is the address to listen on.

use std::convert::Infallible;
use std::future::pending;

use axum::body::{Body, Bytes};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use axum::{Json, Router};
use futures_util::{StreamExt, stream};
use serde_json::Value;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_default();
    let listener = TcpListener::bind(address).await?.tap_io(|stream| {
        _ = stream.set_nodelay(true);
    });
    let router = Router::new()
        .route("/v1/sessions", post(echo))
        .route("/turn", post(turn))
        .route("/v1/events", get(idle));
    axum::serve(listener, router).await
}

/// Reads JSON and sends it back.
async fn echo(Json(body): Json<Value>) -> impl IntoResponse {
    (StatusCode::CREATED, Json(body))
}

/// Answers with twenty frames, each written as it is made.
async fn turn(Json(_): Json<Value>) -> impl IntoResponse {
    let frame = "event: delta\ndata: {\"conversation\":\"cnv_1\",\"reply\":\"msg_1\",\"text\":\"word \"}\n\n";
    let frames = stream::iter(0..20).then(move |_| async move {
        tokio::task::yield_now().await;
        Ok::<_, Infallible>(Bytes::from_static(frame.as_bytes()))
    });
    events(Body::from_stream(frames))
}

/// Says one thing and then nothing more.
async fn idle() -> impl IntoResponse {
    let hello = "id: a:0\nevent: hello\ndata: {}\n\n";
    let frames = stream::iter([Ok::<_, Infallible>(Bytes::from_static(hello.as_bytes()))]);
    events(Body::from_stream(frames.chain(stream::once(pending()))))
}

fn events(body: Body) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/event-stream")], body)
}
