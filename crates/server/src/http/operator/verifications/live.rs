//! The log as a stream of what comes, for as long as the operator's key counts.
//!
//! An entry's number is its event id. Whoever comes back with the last one gets
//! everything after it; where that is from another time (a backup was restored),
//! a `resync` says so.

use std::{convert::Infallible, time::Duration};

use axum::{
    body::Bytes,
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use futures_util::stream;
use maitred_store::{Verification, VerificationFilter};
use tokio::time::Interval;
use tokio_util::sync::CancellationToken;

use super::super::{Operator, wire::VerificationView};
use crate::{
    app::App,
    causes::Causes,
    http::{
        error::ApiError,
        events::{HEARTBEAT, every, streamed},
    },
    verifications::Follower,
};

/// How often is looked whether the operator's key still counts.
const LOOK: Duration = Duration::from_secs(1);

/// What is sent last when the key does not count any more.
const ENDED: &str = "event: ended\ndata: {\"code\":\"unauthorized\"}\n\n";

/// An open stream.
pub(super) struct Live {
    app: App,
    operator: Operator,
    follower: Follower,
    /// What is sent before anything else.
    first: Option<&'static str>,
    heartbeat: Interval,
    look: Interval,
    stopping: CancellationToken,
    ended: bool,
}

impl Live {
    pub(super) async fn open(
        app: App,
        operator: Operator,
        filter: VerificationFilter,
        headers: &HeaderMap,
    ) -> Result<Self, ApiError> {
        let last = last_number(headers)?;
        let newest = app.store.last_verification().await?;
        let known = last.filter(|last| *last <= newest);
        // A comment, so that the client sees at once that it is connected.
        let first = if known == last {
            ": \n\n"
        } else {
            "event: resync\ndata: {}\n\n"
        };
        Ok(Self {
            follower: app.verifications.follow(filter, known).await?,
            stopping: app.tasks.stopping(),
            app,
            operator,
            first: Some(first),
            heartbeat: every(HEARTBEAT),
            look: every(LOOK),
            ended: false,
        })
    }

    /// The next frame; none when the stream is at its end.
    async fn next(&mut self) -> Option<String> {
        if let Some(first) = self.first.take() {
            return Some(first.to_owned());
        }
        if self.ended {
            return None;
        }
        loop {
            tokio::select! {
                // The key is looked at first: entries may come without end.
                biased;
                _ = self.look.tick() => {
                    if !self.operator.still_counts(&self.app).await {
                        self.ended = true;
                        return Some(ENDED.to_owned());
                    }
                }
                () = self.stopping.cancelled() => {
                    self.ended = true;
                    return Some("event: draining\ndata: {}\n\n".to_owned());
                }
                entry = self.follower.next() => return match entry {
                    Ok(entry) => Some(frame(&entry)),
                    Err(error) => {
                        tracing::warn!(error = %Causes(&error), "a stream is cut off");
                        None
                    }
                },
                _ = self.heartbeat.tick() => return Some(": \n\n".to_owned()),
            }
        }
    }
}

impl IntoResponse for Live {
    fn into_response(self) -> Response {
        streamed(stream::unfold(self, |mut live| async move {
            let frame = live.next().await?;
            Some((Ok::<_, Infallible>(Bytes::from(frame)), live))
        }))
    }
}

/// The number after which the client goes on; none if it begins.
fn last_number(headers: &HeaderMap) -> Result<Option<i64>, ApiError> {
    let Some(id) = headers.get("last-event-id") else {
        return Ok(None);
    };
    let number = id.to_str().ok().and_then(|id| id.parse().ok());
    number
        .map(Some)
        .ok_or_else(|| ApiError::BadRequest("`Last-Event-ID` is not one of this stream".to_owned()))
}

fn frame(entry: &Verification) -> String {
    let data = serde_json::to_string(&VerificationView::from(entry))
        .expect("what goes over the wire is JSON");
    format!(
        "id: {}\nevent: verification\ndata: {data}\n\n",
        entry.number
    )
}

#[cfg(test)]
mod tests {
    use axum::{
        body::{self, Body},
        http::{Request, header},
    };
    use maitred_core::{agent::Settings, message::Name};
    use tower::ServiceExt;

    use super::*;
    use crate::{Config, Overrides, router, serve};

    #[tokio::test]
    async fn r7_the_log_as_a_stream_ends_with_the_server() {
        let dir = tempfile::tempdir().unwrap();
        let overrides = Overrides {
            data: Some(dir.path().to_owned()),
            ..Overrides::default()
        };
        let config = Config::load(&overrides, None, None, std::iter::empty()).unwrap();
        let store = serve::open(&config).await.unwrap();
        let settings = Settings::default();
        let agent = store.create_agent("Ada", &settings, &settings).await;
        let name = Name::parse("test").unwrap();
        let (_, key) = store.create_api_key(&name, None).await.unwrap();
        let host = config.public_url.replace("http://", "");
        let app = App::new(config, store).await.unwrap();
        let request = Request::builder()
            .uri(format!(
                "/api/agents/{}/verifications?live",
                agent.unwrap().id
            ))
            .header(header::HOST, host)
            .header(header::AUTHORIZATION, format!("Bearer {}", key.expose()))
            .body(Body::empty())
            .unwrap();
        let response = router(app.clone()).oneshot(request).await.unwrap();

        app.tasks.stop(Duration::from_secs(5)).await;

        let all = body::to_bytes(response.into_body(), 1_000);
        let all = tokio::time::timeout(Duration::from_secs(20), all).await;
        let all = all.expect("it ends").unwrap();
        assert_eq!(all, ": \n\nevent: draining\ndata: {}\n\n");
    }
}
