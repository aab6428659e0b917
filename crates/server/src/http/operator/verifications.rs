//! The verification log (rule L1), as it is and as it grows.

mod live;

use axum::{
    Json,
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use maitred_core::{
    id::{AgentId, KeyId},
    scope::Environment,
};
use maitred_store::{ACCEPTED, VerificationFilter};
use serde::Deserialize;

use self::live::Live;
use super::{OfAgent, Part, wire::VerificationView};
use crate::{
    app::App,
    http::{error::ApiError, visitor::Query, wire::List},
};

/// Which entries are asked for. A filter that is mistyped is refused, so that
/// nobody takes everything for what they asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Which {
    environment: Option<Environment>,
    outcome: Option<Came>,
    code: Option<String>,
    key: Option<KeyId>,
    since: Option<Timestamp>,
    /// There, but for `false`: as a stream.
    live: Option<String>,
    limit: Option<i64>,
    cursor: Option<String>,
}

/// What came of an attempt.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Came {
    Accepted,
    Refused,
}

impl Which {
    fn filter(&self, agent: AgentId) -> Result<VerificationFilter, ApiError> {
        let code = match (self.outcome, &self.code) {
            (Some(_), Some(_)) => {
                let reason = "send `outcome` or `code`: a code says the outcome, too";
                return Err(ApiError::BadRequest(reason.to_owned()));
            }
            (Some(Came::Accepted), None) => Some(ACCEPTED.to_owned()),
            (Some(Came::Refused) | None, code) => code.clone(),
        };
        Ok(VerificationFilter {
            environment: self.environment,
            code,
            refused: self.outcome == Some(Came::Refused),
            key: self.key.map(|key| key.to_string()),
            since: self.since,
            ..VerificationFilter::of(agent)
        })
    }

    fn is_live(&self) -> bool {
        self.live.as_deref().is_some_and(|live| live != "false")
    }
}

/// `GET /api/agents/{agent}/verifications`: the newest first, or with `?live` as a
/// stream of what comes.
pub(in crate::http) async fn list(
    State(app): State<App>,
    OfAgent { operator, agent }: OfAgent,
    Query(which): Query<Which>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let filter = which.filter(agent.id)?;
    if which.is_live() {
        let live = Live::open(app, operator, filter, &headers).await?;
        return Ok(live.into_response());
    }
    let part = Part {
        limit: which.limit,
        cursor: which.cursor,
    };
    let limit = usize::try_from(part.limit()?).unwrap_or(usize::MAX);
    let below = part.cursor()?;
    // One more than asked for says whether there are more.
    let mut entries = app.store.verifications(&filter, below, limit + 1).await?;
    let more = entries.len() > limit;
    entries.truncate(limit);
    let last = entries.last().filter(|_| more);
    let list = List {
        next: last.map(|entry| entry.number.to_string()),
        items: entries.iter().map(VerificationView::from).collect(),
    };
    Ok(Json(list).into_response())
}
