//! The accept loop: axum's own has no timer for headers and no limit on
//! connections (rule R6).

use std::{sync::Arc, time::Duration};

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use tokio::{io::AsyncWriteExt, net::TcpListener, sync::Semaphore};
use tokio_util::sync::CancellationToken;
use tower::Layer;

use crate::{client::Peer, tasks::Tasks};

/// How long a client may take for the head of a request.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long requests that are under way may take once the program is to end.
const DRAIN: Duration = Duration::from_secs(5);

const FULL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/// Serves until it is told to stop, then lets what is under way come to its end.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    max_connections: usize,
    tasks: &Tasks,
    stopping: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(max_connections));
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stopping.cancelled() => break,
        };
        let (mut stream, peer) = match accepted {
            Ok((stream, address)) => (stream, Peer(address.ip())),
            Err(error) => {
                // Out of file descriptors, most likely: others must close first.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Ok(place) = places.clone().try_acquire_owned() else {
            tasks.spawn(async move {
                _ = stream.write_all(FULL).await;
            });
            continue;
        };
        _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(Extension(peer).layer(router.clone()));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIMEOUT)
            .serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection);
        tasks.spawn(async move {
            // A client that goes away in the middle is no news.
            _ = connection.await;
            drop(place);
        });
    }
    drop(listener);
    _ = tokio::time::timeout(DRAIN, graceful.shutdown()).await;
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::{io::AsyncReadExt, net::TcpStream};

    use super::*;

    #[tokio::test]
    async fn l3_each_request_knows_who_is_at_the_other_end() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let who = get(|Extension(Peer(address))| async move { address.to_string() });
        let router = Router::new().route("/", who);
        let (tasks, stop) = (Tasks::default(), CancellationToken::new());
        let asking = async {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let request = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
            stream.write_all(request).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            stop.cancel();
            answer
        };

        let serving = serve(listener, router, 10, &tasks, stop.clone());
        let (answer, ()) = tokio::join!(asking, serving);

        assert!(answer.ends_with("\r\n\r\n127.0.0.1"), "{answer}");
    }
}
