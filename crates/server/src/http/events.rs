//! `GET /v1/events`: what happens to a visitor, as it happens.
//!
//! Server-sent events. What is stored carries an id, and a client that comes
//! back with its last one gets everything after it, once and in order (rule R4).
//! The stream follows the hub, but trusts only positions: where one is missing
//! it reads the store.

use std::{collections::VecDeque, convert::Infallible, fmt::Write, sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use futures_util::stream;
use jiff::{SignedDuration, Timestamp};
use maitred_core::{
    event::{Event, Numbered, Position, Stored, Typist},
    id::SessionId,
    scope::Owner,
    session::Ended,
};
use maitred_store::{Found, Replay, StoreError};
use serde::Serialize;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until};

use super::{error::ApiError, visitor::Visitor, wire};
use crate::{app::App, causes::Causes, hub::Subscription};

/// How often a silent stream says that it lives (rule R11).
pub(super) const HEARTBEAT: Duration = Duration::from_secs(15);

/// How long a stream takes a session to live, once the store has said so, before it
/// sends the next thing: a reader that is behind is not told of an end in between
/// (rules K6, S5).
const LIVES_UNSEEN: SignedDuration = SignedDuration::from_secs(1);

/// How much of what was missed is held at once for a reader to take, in bytes (rule R5).
const AT_ONCE: usize = 256 * 1024;

/// `GET /v1/events`
pub(super) async fn follow(
    State(app): State<App>,
    visitor: Visitor,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let stream = Stream::open(app, visitor, last_position(&headers)).await?;
    let frames = stream::unfold(stream, |mut stream| async move {
        let frame = stream.next().await?;
        Some((Ok::<_, Infallible>(Bytes::from(frame)), stream))
    });
    Ok(streamed(frames))
}

/// The answer that such a stream is.
pub(super) fn streamed(
    frames: impl futures_util::Stream<Item = Result<Bytes, Infallible>> + Send + 'static,
) -> Response {
    let mut response = Body::from_stream(frames).into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/event-stream"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// Ticks from the end of the first period on, and not sooner for having been late.
pub(super) fn every(period: Duration) -> Interval {
    let mut interval = interval_at(Instant::now() + period, period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

/// Where the client was. One that says it was somewhere, but not where, is taken
/// to have been in another numbering: it must read everything again.
fn last_position(headers: &HeaderMap) -> Option<Position> {
    let id = headers.get("last-event-id")?;
    let position = id.to_str().ok().and_then(|id| id.parse().ok());
    Some(position.unwrap_or_else(|| Position {
        epoch: String::new(),
        number: 0,
    }))
}

/// One open stream. Most of them wait most of the time, and there are many: what is
/// kept here is what that takes.
struct Stream {
    app: App,
    session: SessionId,
    /// As far as is known here: it may have been renewed.
    expires_at: Timestamp,
    owner: Owner,
    events: Subscription,
    /// The last event that was sent, or that there was when the stream began.
    position: Position,
    waiting: VecDeque<String>,
    /// There is more in the store than was read so far. Read when `waiting` is
    /// sent, so that a long absence does not fill the memory.
    is_behind: bool,
    /// And is read up to here for now: what another node said after it had stored
    /// that, pieces of a reply above all, comes before what it stored next.
    up_to: i64,
    heartbeat_at: Instant,
    /// When the session was last found to live, since this stream follows its owner.
    seen_alive: Option<Timestamp>,
    ended: bool,
}

/// What a stream that waited was woken by.
enum Woken {
    Event(Arc<Event>),
    /// It was too slow.
    CutOff,
    Time,
    Stopping,
}

impl Stream {
    async fn open(app: App, visitor: Visitor, last: Option<Position>) -> Result<Self, ApiError> {
        let owner = visitor.session.owner();
        // Followed before it is read where things stand, so that nothing falls between.
        let events = app.hub.subscribe(owner);
        let now = app
            .store
            .position(owner)
            .await?
            .ok_or(ApiError::NotFound("visitor"))?;
        let comes_back = last.is_some();
        let mut stream = Self {
            owner,
            events,
            position: last.unwrap_or(now),
            waiting: VecDeque::new(),
            is_behind: comes_back,
            up_to: i64::MAX,
            heartbeat_at: Instant::now() + HEARTBEAT,
            seen_alive: None,
            ended: false,
            session: visitor.session.id,
            expires_at: visitor.session.expires_at,
            app,
        };
        // It may have ended before it was followed.
        stream.look_whether_the_session_lives().await?;
        if !comes_back && !stream.ended {
            stream.send("hello", Some(&stream.position.clone()), &Nothing {});
        }
        Ok(stream)
    }

    /// The next frame; none when the stream is at its end.
    async fn next(&mut self) -> Option<String> {
        loop {
            // What asks the store is large while it runs, and most streams only wait:
            // so it has a place of its own, which goes with it.
            let taken = if !self.ended && self.is_to_look() {
                Box::pin(self.look_whether_the_session_lives()).await
            } else if let Some(frame) = self.waiting.pop_front() {
                return Some(frame);
            } else if self.ended {
                return None;
            } else if self.is_behind {
                Box::pin(self.catch_up()).await
            } else {
                // Nothing waits, so that no room need be kept for it.
                self.waiting = VecDeque::new();
                match self.wait().await {
                    Woken::Event(event) => Box::pin(self.take(&event)).await,
                    Woken::CutOff => return None,
                    Woken::Time if self.is_to_beat() => return Some(": \n\n".to_owned()),
                    Woken::Time => Ok(()),
                    Woken::Stopping => {
                        self.send("draining", None, &Nothing {});
                        self.ended = true;
                        Ok(())
                    }
                }
            };
            if let Err(error) = taken {
                tracing::warn!(error = %Causes(&error), "a stream is cut off");
                return None;
            }
        }
    }

    /// Waits for the next thing.
    async fn wait(&mut self) -> Woken {
        let expires_at = Instant::now() + self.expires_in();
        let stopping = self.app.tasks.stopping();
        tokio::select! {
            event = self.events.recv() => event.map_or(Woken::CutOff, Woken::Event),
            () = sleep_until(expires_at.min(self.heartbeat_at)) => Woken::Time,
            () = stopping.cancelled() => Woken::Stopping,
        }
    }

    /// Whether it is time to say that the stream lives, and its session does. That
    /// takes no look at the store: an end is announced, and an expiry is known.
    fn is_to_beat(&mut self) -> bool {
        let now = Instant::now();
        if now < self.heartbeat_at || self.expires_in().is_zero() {
            return false;
        }
        self.heartbeat_at = now + HEARTBEAT;
        true
    }

    /// How long the session lives, as far as is known here.
    fn expires_in(&self) -> Duration {
        let now = self.app.store.clock.now();
        // Negative is past.
        Duration::try_from(self.expires_at.duration_since(now)).unwrap_or_default()
    }

    /// Whether it must be asked anew if the session lives, since it may have been
    /// renewed, or since something is to be sent and it may have been revoked.
    fn is_to_look(&self) -> bool {
        let now = self.app.store.clock.now();
        let is_recent = |at| now.duration_since(at).abs() < LIVES_UNSEEN;
        let is_sure = self.seen_alive.is_some_and(is_recent);
        self.expires_in().is_zero() || (!self.waiting.is_empty() && !is_sure)
    }

    async fn take(&mut self, event: &Event) -> Result<(), StoreError> {
        match event {
            Event::Numbered(numbered) => {
                let Position { epoch, number } = &numbered.position;
                if *epoch == self.position.epoch && *number == self.position.number + 1 {
                    self.send_stored(numbered);
                } else if *epoch != self.position.epoch || *number > self.position.number {
                    self.is_behind = true;
                }
            }
            Event::Moved(Position { epoch, number }) => {
                if *epoch != self.position.epoch {
                    self.is_behind = true;
                } else if *number > self.position.number {
                    self.is_behind = true;
                    self.up_to = *number;
                }
            }
            Event::Renumbered => self.is_behind = true,
            Event::Delta {
                conversation,
                reply,
                text,
            } => {
                let delta = wire::Delta {
                    conversation: *conversation,
                    reply: *reply,
                    text,
                };
                self.send("delta", None, &delta);
            }
            Event::Typing {
                conversation,
                by,
                typing,
            } => {
                let by = match by {
                    Typist::Agent => "agent",
                    Typist::Visitor(session) if *session == self.session => return Ok(()),
                    Typist::Visitor(_) => "visitor",
                };
                let typing = wire::Typing {
                    conversation: *conversation,
                    by,
                    typing: *typing,
                };
                self.send("typing", None, &typing);
            }
            Event::SessionsEnded => self.look_whether_the_session_lives().await?,
        }
        Ok(())
    }

    /// Sends what comes after the position, from the store: a part at a time.
    async fn catch_up(&mut self) -> Result<(), StoreError> {
        match self.app.store.replay(self.owner, &self.position).await? {
            Replay::Events { events, more } => {
                self.is_behind = more;
                let mut written = 0;
                for (at, event) in events.iter().enumerate() {
                    if event.position.number > self.up_to {
                        self.is_behind = false;
                        break;
                    }
                    if is_told_later(event, &events[at + 1..]) {
                        self.position = event.position.clone();
                        continue;
                    }
                    self.send_stored(event);
                    written += self.waiting.back().map_or(0, String::len);
                    if written > AT_ONCE {
                        self.is_behind = true;
                        break;
                    }
                }
            }
            Replay::Resync(position) => {
                self.send("resync", Some(&position), &Nothing {});
                self.position = position;
                self.is_behind = false;
            }
        }
        if !self.is_behind {
            self.up_to = i64::MAX;
        }
        Ok(())
    }

    async fn look_whether_the_session_lives(&mut self) -> Result<(), StoreError> {
        let why = match self.app.store.session_by_id(self.session).await? {
            Some(Found::Live(session)) => {
                self.expires_at = session.expires_at;
                self.seen_alive = Some(self.app.store.clock.now());
                return Ok(());
            }
            Some(Found::Ended(why)) => why,
            None => Ended::Revoked,
        };
        let code = match why {
            Ended::Expired => "session_expired",
            Ended::Revoked => "session_revoked",
        };
        // What it has not been sent yet is not for it any more.
        self.waiting.clear();
        self.send(
            "session",
            None,
            &wire::SessionEnded {
                state: "ended",
                code,
            },
        );
        self.ended = true;
        Ok(())
    }

    fn send_stored(&mut self, numbered: &Numbered) {
        let position = numbered.position.clone();
        match &numbered.what {
            Stored::Entry(entry) => {
                if let Some(entry) = wire::Entry::visible(entry) {
                    self.send("entry", Some(&position), &entry);
                }
            }
            Stored::Status(conversation) => {
                let conversation = wire::Conversation::from(conversation.clone());
                self.send("status", Some(&position), &conversation);
            }
        }
        self.position = position;
    }

    fn send(&mut self, event: &str, id: Option<&Position>, data: &impl Serialize) {
        let data = serde_json::to_string(data).expect("what goes over the wire is JSON");
        let mut frame = String::with_capacity(data.len() + 64);
        if let Some(id) = id {
            _ = writeln!(frame, "id: {id}");
        }
        _ = write!(frame, "event: {event}\ndata: {data}\n\n");
        self.waiting.push_back(frame);
    }
}

/// A replay tells how a conversation is, not how it was: once is enough.
fn is_told_later(event: &Numbered, later: &[Numbered]) -> bool {
    let Stored::Status(now) = &event.what else {
        return false;
    };
    later
        .iter()
        .any(|event| matches!(&event.what, Stored::Status(it) if it.id == now.id))
}

/// Data of an event that has none.
#[derive(Serialize)]
struct Nothing {}

#[cfg(test)]
mod tests {
    use super::*;

    fn size_of_future<'a, F: Future>(_: impl Fn(&'a mut Stream) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn a_stream_that_waits_holds_little() {
        let waits = size_of_future(Stream::next);
        let asks = size_of_future(Stream::catch_up);

        assert!(size_of::<Stream>() <= 224, "{}", size_of::<Stream>());
        assert!(
            waits <= 512,
            "{waits} bytes, of which asking would be {asks}"
        );
    }
}
