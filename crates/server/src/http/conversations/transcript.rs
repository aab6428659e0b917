//! `GET /v1/conversations/{id}/transcript`: a conversation to be kept, whole.
//!
//! It is read from the store a part at a time, as fast as it is taken, so that a long
//! one does not fill the memory. Before each part it is asked anew whether the session
//! lives (rule S5).

use axum::{
    body::{Body, Bytes},
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use futures_util::stream;
use maitred_core::{
    conversation::{Author, Body as Said, Conversation, Entry, EntryNumber},
    id::ConversationId,
};
use maitred_store::{Found, StoreError};
use serde::{Deserialize, Serialize};

use super::super::{
    error::ApiError,
    sessions,
    visitor::{Id, Query, Visitor},
    wire,
};
use crate::app::App;

/// How many entries are in the memory at once.
const PART: i64 = 100;

/// As what it is wanted.
#[derive(Deserialize)]
pub(in crate::http) struct Wanted {
    #[serde(default)]
    format: Format,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// `GET /v1/conversations/{id}/transcript`
pub(in crate::http) async fn download(
    State(app): State<App>,
    visitor: Visitor,
    Id(id): Id<ConversationId>,
    Query(Wanted { format }): Query<Wanted>,
) -> Result<Response, ApiError> {
    let conversation = app
        .store
        .conversation(visitor.session.owner(), id)
        .await?
        .ok_or(ApiError::NotFound("conversation"))?;
    let site = sessions::site(&app, visitor.session.scope).await?;
    let day = conversation.opened_at.strftime("%Y-%m-%d");
    let (media_type, name) = match format {
        Format::Text => (
            "text/plain; charset=utf-8",
            format!("conversation-{day}.txt"),
        ),
        Format::Json => ("application/json", format!("conversation-{day}.json")),
    };
    let download = Download {
        app,
        visitor,
        agent: one_line(&site.agent.name),
        conversation,
        format,
        next: Next::Head,
    };
    let parts = stream::try_unfold(download, |mut download| async move {
        let part = download.part().await?;
        Ok::<_, StoreError>(part.map(|part| (Bytes::from(part), download)))
    });
    let mut response = Body::from_stream(parts).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    if let Ok(name) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, name);
    }
    Ok(response)
}

/// A download that is under way.
struct Download {
    app: App,
    visitor: Visitor,
    /// What the agent is called.
    agent: String,
    conversation: Conversation,
    format: Format,
    next: Next,
}

/// What is written next.
enum Next {
    Head,
    EntriesAfter(EntryNumber),
    Nothing,
}

impl Download {
    async fn part(&mut self) -> Result<Option<String>, StoreError> {
        match self.next {
            Next::Head => {
                self.next = Next::EntriesAfter(0);
                Ok(Some(self.head()))
            }
            Next::EntriesAfter(after) => self.entries(after).await.map(Some),
            Next::Nothing => Ok(None),
        }
    }

    async fn entries(&mut self, after: EntryNumber) -> Result<String, StoreError> {
        let store = &self.app.store;
        let found = store.session(&self.visitor.secret).await?;
        if !matches!(found, Some(Found::Live(_))) {
            // It breaks off: what is there is visibly not all.
            return Err(StoreError::Conflict);
        }
        let entries = store
            .entries_after(self.conversation.id, after, PART)
            .await?;
        let is_full = i64::try_from(entries.len()).is_ok_and(|found| found == PART);
        self.next = match entries.last() {
            Some(last) if is_full => Next::EntriesAfter(last.number),
            Some(_) | None => Next::Nothing,
        };
        let mut part = String::new();
        for entry in &entries {
            match self.format {
                Format::Text => part.push_str(&self.lines(entry)),
                Format::Json => {
                    let Some(entry) = wire::Entry::visible(entry) else {
                        continue;
                    };
                    // The first visible entry is always the first of all.
                    let comma = if after == 0 && part.is_empty() {
                        ""
                    } else {
                        ","
                    };
                    part.push_str(comma);
                    part.push_str(&json(&entry));
                }
            }
        }
        if let (Format::Json, Next::Nothing) = (self.format, &self.next) {
            part.push_str("]}");
        }
        Ok(part)
    }

    fn head(&self) -> String {
        match self.format {
            Format::Json => {
                let conversation = wire::Conversation::from(self.conversation.clone());
                format!("{{\"conversation\":{},\"entries\":[", json(&conversation))
            }
            Format::Text => {
                let title = self.conversation.title.as_deref().unwrap_or("Conversation");
                let began = self.conversation.opened_at.strftime("%Y-%m-%d %H:%M");
                format!(
                    "{}\nWith {}, since {began} UTC. All times are UTC.\n",
                    one_line(title),
                    self.agent
                )
            }
        }
    }

    /// What people read of an entry. What was said is indented, line by line, so that
    /// no text looks like somebody else's.
    fn lines(&self, entry: &Entry) -> String {
        let at = entry.added_at.strftime("%Y-%m-%d %H:%M");
        match &entry.body {
            Said::Message(message) => {
                let by = match message.by {
                    Author::Visitor => "You",
                    Author::Agent => &self.agent,
                    Author::Operator => "Support",
                };
                let mut lines = format!("\n[{at}] {by}:\n");
                for line in message.text.split(is_line_break) {
                    let line = format!("    {}", one_line(line));
                    lines.push_str(line.trim_end());
                    lines.push('\n');
                }
                for (number, citation) in (1..).zip(&message.citations) {
                    let (title, url) = (one_line(&citation.title), one_line(&citation.url));
                    lines.push_str(&format!("    [{number}] {title}: {url}\n"));
                }
                lines
            }
            Said::CallFinished { label, .. } => format!("\n[{at}] * {}\n", one_line(label)),
            Said::Status(status) if !status.words().is_empty() => {
                format!("\n[{at}] * {}\n", status.words())
            }
            Said::Status(_) | Said::CallAsked(_) | Said::CallStarted { .. } => String::new(),
        }
    }
}

fn is_line_break(c: char) -> bool {
    matches!(
        c,
        '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}'
    )
}

/// Without what moves the cursor of a terminal or turns the order of letters around.
fn one_line(text: &str) -> String {
    let turns_around = |c| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.trim_end()
        .chars()
        .filter(|c| !c.is_control() && !is_line_break(*c) && !turns_around(*c))
        .collect()
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("what goes over the wire is JSON")
}
