//! How long the other end of a connection may take (rule R6).
//!
//! hyper has one timer for heads, which counts an idle connection, a first byte
//! and a head alike. A proxy keeps idle connections longer than a head may take,
//! so here each has its own: [`Pace`] knows what is waited for, since the bytes
//! pass through [`Paced`], the service says when a request begins, and [`Sent`]
//! when its answer was taken. All of it happens in the connection's own task, and
//! so does looking at the clock.

use std::{
    future::{Future, poll_fn},
    io,
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use axum::body::{Body, Bytes};
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep, sleep_until},
};

use super::Patience;

/// What one connection is waited for. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    patience: Patience,
    waiting: Arc<Mutex<Waiting>>,
}

#[derive(Debug)]
struct Waiting {
    /// When the next head must be there; none while a request is served.
    head_by: Option<Instant>,
    /// Something of that head was read.
    has_begun: bool,
    /// When something that is written must have been taken.
    taken_by: Option<Instant>,
}

/// The body of a request did not come in time. Its reader is whoever reads it.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the body of the request came too slowly")]
pub(crate) struct TooSlow;

impl Pace {
    pub(super) fn new(patience: Patience) -> Self {
        let waiting = Waiting {
            head_by: Some(Instant::now() + patience.head),
            has_begun: false,
            taken_by: None,
        };
        Self {
            patience,
            waiting: Arc::new(Mutex::new(waiting)),
        }
    }

    /// A whole head is there.
    pub(super) fn begins(&self) {
        let mut waiting = self.waiting();
        waiting.head_by = None;
        waiting.has_begun = false;
    }

    /// Runs a connection for as long as it keeps the pace.
    pub(super) async fn kept_by<C: Future>(self, connection: C) {
        let mut connection = pin!(connection);
        let mut alarm = pin!(sleep_until(Instant::now() + self.patience.head));
        poll_fn(|cx| {
            if connection.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            // An alarm that was set for an earlier time rings once for nothing: much
            // cheaper than to set it anew with each request.
            while let Some(due) = self.due() {
                if due < alarm.deadline() || alarm.is_elapsed() {
                    alarm.as_mut().reset(due);
                }
                ready!(alarm.as_mut().poll(cx));
                if due <= Instant::now() {
                    return Poll::Ready(());
                }
            }
            Poll::Pending
        })
        .await;
    }

    /// When patience ends, with whatever is waited for. Nobody sends a next request
    /// who has not read the answer.
    fn due(&self) -> Option<Instant> {
        let waiting = self.waiting();
        waiting.taken_by.or(waiting.head_by)
    }

    /// An answer was sent, or its connection is gone.
    fn ends(&self) {
        self.waiting().head_by = Some(Instant::now() + self.patience.idle);
    }

    fn was_read(&self) {
        let mut waiting = self.waiting();
        if waiting.head_by.is_some() && !waiting.has_begun {
            waiting.has_begun = true;
            waiting.head_by = Some(Instant::now() + self.patience.head);
        }
    }

    fn was_written(&self, is_taken: bool) {
        let mut waiting = self.waiting();
        if is_taken {
            // What was handed over whole was not read whole: a slow reader has the
            // pause before the next request after that.
            if waiting.taken_by.take().is_some() && waiting.head_by.is_some() && !waiting.has_begun
            {
                waiting.head_by = Some(Instant::now() + self.patience.idle);
            }
        } else if waiting.taken_by.is_none() {
            waiting.taken_by = Some(Instant::now() + self.patience.stalled);
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A stream that tells the pace what passes through it.
#[derive(Debug)]
pub(super) struct Paced<S> {
    stream: S,
    pace: Pace,
}

impl<S> Paced<S> {
    pub(super) fn new(stream: S, pace: Pace) -> Self {
        Self { stream, pace }
    }

    fn written(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        self.pace.was_written(written.is_ready());
        written
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.pace.was_read();
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.written(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.written(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// The body of a request, as it comes.
#[derive(Debug)]
pub(super) struct Received {
    body: Incoming,
    patience: Patience,
    /// There from when it was first waited for: most bodies come with their head.
    late: Option<Pin<Box<Sleep>>>,
}

impl Received {
    pub(super) fn new(body: Incoming, pace: &Pace) -> Self {
        Self {
            body,
            patience: pace.patience,
            late: None,
        }
    }
}

impl HttpBody for Received {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            return Poll::Ready(frame.map(|it| it.map_err(Into::into)));
        }
        let within = self.patience.body;
        let late = self.late.get_or_insert_with(|| Box::pin(sleep(within)));
        ready!(late.as_mut().poll(cx));
        Poll::Ready(Some(Err(TooSlow.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of an answer. Until it is dropped a request is under way.
#[derive(Debug)]
pub(super) struct Sent {
    body: Body,
    pace: Pace,
}

impl Sent {
    pub(super) fn new(body: Body, pace: Pace) -> Self {
        Self { body, pace }
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        self.pace.ends();
    }
}

impl HttpBody for Sent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
