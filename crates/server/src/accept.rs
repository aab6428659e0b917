//! The accept loop: axum's own has no timer for heads, and no limit on
//! connections (rule R6).
//!
//! Who connects gets a [place](places), or is [turned away](turned_away) at once.
//! Who has one keeps the [pace](pace), or is cut off: a socket that says nothing
//! costs somebody else theirs.

mod pace;
mod places;
mod turned_away;

use std::{convert::Infallible, future::Future, net::IpAddr, pin::Pin, time::Duration};

use axum::{Router, body::Body, extract::Request};
use hyper::{
    Response,
    body::{Body as _, Incoming},
    server::conn::http1,
    service::Service,
};
use hyper_util::{rt::TokioIo, server::graceful::GracefulShutdown};
use ipnet::IpNet;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
};
use tokio_util::sync::CancellationToken;
use tower::Service as _;

pub(crate) use self::pace::TooSlow;
use self::{
    pace::{Pace, Paced, Received, Sent},
    places::Places,
    turned_away::Doorman,
};
use crate::{client::Peer, tasks::Tasks};

/// How long requests that are under way may take once the program is to end.
const DRAIN: Duration = Duration::from_secs(5);
/// The longest head of a request, and what is held back of an answer to a slow
/// reader. Each idle stream keeps some of it.
const BUFFER: usize = 16 * 1024;

/// Who may connect, and how long they may take.
#[derive(Clone, Debug)]
pub(crate) struct Connections {
    /// The most at once.
    pub(crate) at_most: usize,
    /// The most at once from one address. 0: no limit.
    pub(crate) from_one_address: usize,
    /// Proxies, of whom each stands for many.
    pub(crate) not_counted: Vec<IpNet>,
    pub(crate) patience: Patience,
}

/// How long each part of a request may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// For the first byte, and from that for the whole head.
    pub(crate) head: Duration,
    /// For the whole body.
    pub(crate) body: Duration,
    /// Between an answer and the next request.
    pub(crate) idle: Duration,
    /// For any of an answer to be taken.
    pub(crate) stalled: Duration,
}

/// Serves until it is told to stop, then lets what is under way come to its end.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    connections: Connections,
    tasks: &Tasks,
    stopping: CancellationToken,
) {
    let patience = connections.patience;
    let places = Places::new(connections);
    let doorman = Doorman::new(tasks.clone());
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stopping.cancelled() => break,
        };
        let (stream, from) = match accepted {
            Ok((stream, address)) => (stream, address.ip()),
            Err(error) => {
                // Out of file descriptors, most likely: others must close first.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let place = match places.take(from) {
            Ok(place) => place,
            Err(full) => {
                doorman.turn_away(stream, full);
                continue;
            }
        };
        _ = stream.set_nodelay(true);
        let connection = connection(stream, from, router.clone(), patience, &graceful);
        tasks.spawn(async move {
            connection.await;
            drop(place);
        });
    }
    drop(listener);
    _ = tokio::time::timeout(DRAIN, graceful.shutdown()).await;
}

/// One connection, from its first byte to its end.
fn connection<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    from: IpAddr,
    router: Router,
    patience: Patience,
    graceful: &GracefulShutdown,
) -> impl Future<Output = ()> + Send + use<S> {
    let pace = Pace::new(patience);
    let requests = Requests {
        router,
        peer: Peer(from),
        pace: pace.clone(),
    };
    let stream = TokioIo::new(Paced::new(stream, pace.clone()));
    let connection = http1::Builder::new()
        .max_buf_size(BUFFER)
        .serve_connection(stream, requests);
    // A client that goes away in the middle is no news.
    pace.kept_by(graceful.watch(connection))
}

/// What answers the requests of one connection.
struct Requests {
    router: Router,
    peer: Peer,
    pace: Pace,
}

impl Service<Request<Incoming>> for Requests {
    type Response = Response<Sent>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        self.pace.begins();
        request.extensions_mut().insert(self.peer);
        let request = request.map(|body| {
            if body.is_end_stream() {
                Body::empty()
            } else {
                Body::new(Received::new(body, &self.pace))
            }
        });
        // A router is always ready.
        let answering = self.router.clone().call(request);
        let pace = self.pace.clone();
        Box::pin(async move {
            let answer = answering.await?;
            Ok(answer.map(|body| Sent::new(body, pace)))
        })
    }
}

#[cfg(test)]
mod tests;
