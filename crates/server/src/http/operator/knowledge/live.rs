//! Sources as a stream of what changes of them, for as long as the operator's key
//! counts: on whichever node they are worked on.

use std::{collections::HashMap, convert::Infallible, time::Duration};

use axum::{
    body::Bytes,
    response::{IntoResponse, Response},
};
use futures_util::stream;
use maitred_core::id::SourceId;
use maitred_store::StoreError;
use tokio::time::Interval;

use super::super::{OfAgent, wire::SourceView};
use crate::{
    app::App,
    causes::Causes,
    http::events::{HEARTBEAT, every, streamed},
};

/// How often is looked for what changed.
const LOOK: Duration = Duration::from_millis(500);
/// In every so many looks, whether the key still counts.
const LOOK_AT_KEY: u32 = 2;
/// So many are followed: the latest.
const FOLLOWED: i64 = 500;

/// What is sent last when the key does not count any more.
const ENDED: &str = "event: ended\ndata: {\"code\":\"unauthorized\"}\n\n";

/// An open stream.
pub(super) struct Live {
    app: App,
    of: OfAgent,
    look: Interval,
    heartbeat: Interval,
    looks: u32,
    /// The number of changes as of which what was told is so, if nobody works.
    quiet_at: Option<i64>,
    told: Option<HashMap<SourceId, SourceView>>,
    ended: bool,
}

impl Live {
    pub(super) fn open(app: App, of: OfAgent) -> Self {
        Self {
            app,
            of,
            look: every(LOOK),
            heartbeat: every(HEARTBEAT),
            looks: 0,
            quiet_at: None,
            told: None,
            ended: false,
        }
    }

    async fn next(&mut self) -> Option<String> {
        if self.ended {
            return None;
        }
        let stopping = self.app.tasks.stopping();
        loop {
            tokio::select! {
                biased;
                () = stopping.cancelled() => {
                    self.ended = true;
                    return Some("event: draining\ndata: {}\n\n".to_owned());
                }
                _ = self.look.tick() => {
                    self.looks += 1;
                    let looks_at_key = self.looks.is_multiple_of(LOOK_AT_KEY);
                    if looks_at_key && !self.of.operator.still_counts(&self.app).await {
                        self.ended = true;
                        return Some(ENDED.to_owned());
                    }
                    match self.changed().await {
                        Ok(frames) if frames.is_empty() => (),
                        Ok(frames) => return Some(frames),
                        Err(error) => {
                            tracing::warn!(error = %Causes(&error), "a stream is cut off");
                            return None;
                        }
                    }
                }
                _ = self.heartbeat.tick() => return Some(": \n\n".to_owned()),
            }
        }
    }

    /// What is otherwise than it was told.
    async fn changed(&mut self) -> Result<String, StoreError> {
        let store = &self.of.operator.store;
        let number = store.knowledge().await?;
        if self.quiet_at == Some(number) && !self.looks.is_multiple_of(4) {
            return Ok(String::new());
        }
        let sources = store.sources(self.of.agent.id, None, FOLLOWED).await?;
        let now = store.clock.now();
        self.quiet_at = Some(number).filter(|_| !sources.iter().any(|it| it.is_claimed));
        let mut views: HashMap<SourceId, SourceView> = HashMap::new();
        let mut frames = String::new();
        let told = self.told.take().unwrap_or_default();
        for source in sources.into_iter().rev() {
            let view = SourceView::new(source, now);
            if told.get(&view.id()) != Some(&view) {
                let data = serde_json::to_string(&view).expect("what goes over the wire is JSON");
                frames.push_str(&format!("event: source\ndata: {data}\n\n"));
            }
            views.insert(view.id(), view);
        }
        for gone in told.keys().filter(|id| !views.contains_key(id)) {
            frames.push_str(&format!("event: removed\ndata: {{\"id\":\"{gone}\"}}\n\n"));
        }
        self.told = Some(views);
        Ok(frames)
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
