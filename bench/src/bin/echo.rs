//! The limit that `scripts/bench exchange` compares with: axum reads JSON and sends
//! it back, and nothing else. Its first argument is the address to listen on.

use axum::serve::ListenerExt;
use axum::{Json, Router, http::StatusCode, routing::post};
use serde_json::Value;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_default();
    let listener = TcpListener::bind(address).await?.tap_io(|stream| {
        _ = stream.set_nodelay(true);
    });
    let echo = |Json(body): Json<Value>| async { (StatusCode::CREATED, Json(body)) };
    axum::serve(listener, Router::new().route("/v1/sessions", post(echo))).await
}
