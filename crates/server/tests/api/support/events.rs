//! Event streams, read one event at a time.

use std::time::Duration;

use axum::body::Body;
use http_body_util::BodyExt;
use serde_json::Value;

/// An event stream that is read one event at a time.
pub(crate) struct Events {
    body: Body,
    buffer: String,
}

/// One event.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) id: Option<String>,
    pub(crate) name: String,
    pub(crate) data: Value,
}

impl Events {
    /// Those of a body.
    pub(crate) fn of(body: Body) -> Self {
        Self {
            body,
            buffer: String::new(),
        }
    }

    /// The next event; `None` at the end of the stream.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        // Of the event and not of the next bytes: heartbeats go on for ever.
        tokio::time::timeout(Duration::from_secs(30), self.read())
            .await
            .expect("an event within 30 s")
    }

    async fn read(&mut self) -> Option<Event> {
        loop {
            if let Some((frame, rest)) = self.buffer.split_once("\n\n") {
                let event = parse(frame);
                self.buffer = rest.to_owned();
                match event {
                    Some(event) => return Some(event),
                    None => continue,
                }
            }
            let bytes = self.body.frame().await?.unwrap().into_data().unwrap();
            self.buffer.push_str(std::str::from_utf8(&bytes).unwrap());
        }
    }

    /// Waits until the stream has said that often that it lives.
    pub(crate) async fn beats(&mut self, times: usize) {
        for _ in 0..times {
            let bytes = self.body.frame().await.expect("the stream goes on");
            assert_eq!(bytes.unwrap().into_data().unwrap(), ": \n\n");
        }
    }

    /// The next event of that name.
    pub(crate) async fn until(&mut self, name: &str) -> Event {
        loop {
            let event = self.next().await.expect("the stream goes on");
            if event.name == name {
                return event;
            }
        }
    }

    /// The status that closes a turn.
    pub(crate) async fn until_status(&mut self) -> Event {
        loop {
            let event = self.until("entry").await;
            if event.data["kind"] == "status" {
                return event;
            }
        }
    }

    /// Everything said by the agent until it has said it.
    pub(crate) async fn reply(&mut self) -> Event {
        loop {
            let event = self.until("entry").await;
            if event.data["by"] == "agent" || event.data["kind"] == "status" {
                return event;
            }
        }
    }
}

fn parse(frame: &str) -> Option<Event> {
    let field = |name: &str| {
        frame.lines().find_map(|line| {
            line.strip_prefix(name)?
                .strip_prefix(": ")
                .map(str::to_owned)
        })
    };
    Some(Event {
        name: field("event")?,
        id: field("id"),
        data: serde_json::from_str(&field("data")?).unwrap(),
    })
}
