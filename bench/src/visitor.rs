//! A visitor without a browser.

use std::fmt::Write;
use std::time::{Duration, Instant};

use aws_lc_rs::rand;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Failure;
use crate::http::{Answer, Connection};

/// How long a turn may take to its end, whatever happens to the server (rule R3).
const ENDS_WITHIN: Duration = Duration::from_secs(30);

/// Somebody who has a session, and a connection for what they ask.
pub struct Visitor {
    pub session: String,
    address: String,
    connection: Connection,
}

/// An entry, as far as it is looked at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct Entry {
    pub id: String,
    pub conversation: String,
    pub number: i64,
    pub kind: String,
    pub by: Option<String>,
    pub text: Option<String>,
    pub client_id: Option<String>,
    pub status: Option<String>,
}

impl Entry {
    /// Whether nothing more comes of its turn.
    pub fn ends_a_turn(&self) -> bool {
        match self.kind.as_str() {
            "message" => self.by.as_deref() == Some("agent"),
            "status" => self.status.as_deref() != Some("resumed"),
            _ => false,
        }
    }
}

/// What came of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Posted {
    /// The server has it, and said so.
    Accepted,
    /// It said that it cannot take it now.
    Refused(u16),
}

#[derive(Deserialize)]
struct List {
    items: Vec<Entry>,
    next: Option<String>,
}

impl Visitor {
    /// Opens a session: signed in with a token, else anonymous.
    pub async fn open(
        address: &str,
        agent: &str,
        origin: &str,
        token: Option<&str>,
    ) -> Result<Self, Failure> {
        let mut body = json!({ "agent": agent, "page_origin": origin });
        if let Some(token) = token {
            body["token"] = json!(token);
        }
        let mut connection = Connection::open(address).await?;
        let answer = connection
            .exchange(&request(address, "POST", "/v1/sessions", None, Some(&body)))
            .await?;
        let opened = read(&answer, 201)?;
        let session = opened["session"].as_str().ok_or("no session")?.to_owned();
        Ok(Self {
            session,
            address: address.to_owned(),
            connection,
        })
    }

    /// Connects anew, after the server was gone.
    pub async fn reconnect(&mut self) -> Result<(), Failure> {
        self.connection = Connection::open(&self.address).await?;
        Ok(())
    }

    /// Begins a conversation and tells its id.
    pub async fn converse(&mut self) -> Result<String, Failure> {
        let opened = self
            .ask("POST", "/v1/conversations", Some(&json!({})), 201)
            .await?;
        Ok(opened["id"].as_str().ok_or("no id")?.to_owned())
    }

    /// Says something under an id of its own, so that it may be said again.
    pub async fn say(
        &mut self,
        conversation: &str,
        id: &str,
        text: &str,
    ) -> Result<Posted, Failure> {
        let path = format!("/v1/conversations/{conversation}/messages");
        let body = json!({ "id": id, "text": text });
        let request = request(
            &self.address,
            "POST",
            &path,
            Some(&self.session),
            Some(&body),
        );
        let answer = self.connection.exchange(&request).await?;
        match answer.status {
            202 => Ok(Posted::Accepted),
            status => Ok(Posted::Refused(status)),
        }
    }

    /// Everything that stands in a conversation.
    pub async fn entries(&mut self, conversation: &str) -> Result<Vec<Entry>, Failure> {
        let mut entries = Vec::new();
        let mut cursor = String::new();
        loop {
            let path = format!("/v1/conversations/{conversation}/entries?limit=100{cursor}");
            let List { items, next } =
                serde_json::from_value(self.ask("GET", &path, None, 200).await?)?;
            entries.extend(items);
            match next {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return Ok(entries),
            }
        }
    }

    /// Waits until the last turn of a conversation has ended, and tells all of it.
    pub async fn answered(&mut self, conversation: &str) -> Result<Vec<Entry>, Failure> {
        let began = Instant::now();
        loop {
            let entries = self.entries(conversation).await?;
            if entries.last().is_none_or(Entry::ends_a_turn) {
                return Ok(entries);
            }
            if began.elapsed() > ENDS_WITHIN {
                let last = entries.last();
                return Err(format!("a turn has not ended after {ENDS_WITHIN:?}: {last:?}").into());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn ask(
        &mut self,
        method: &str,
        path: &str,
        body: Option<&Value>,
        status: u16,
    ) -> Result<Value, Failure> {
        let request = request(&self.address, method, path, Some(&self.session), body);
        read(&self.connection.exchange(&request).await?, status)
    }
}

/// A request as it goes over the wire.
pub fn request(
    address: &str,
    method: &str,
    path: &str,
    session: Option<&str>,
    body: Option<&Value>,
) -> Vec<u8> {
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\n");
    if let Some(session) = session {
        _ = write!(text, "Authorization: Bearer {session}\r\n");
    }
    match body {
        Some(body) => {
            let body = body.to_string();
            let length = body.len();
            _ = write!(
                text,
                "Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
            );
        }
        None => text.push_str("\r\n"),
    }
    text.into_bytes()
}

/// A fresh UUID (version 4).
pub fn uuid() -> String {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes).expect("the operating system's generator works");
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}

fn read(answer: &Answer<'_>, status: u16) -> Result<Value, Failure> {
    if answer.status == status {
        Ok(serde_json::from_slice(answer.body)?)
    } else {
        let body = String::from_utf8_lossy(answer.body);
        Err(format!("answered {} in place of {status}: {body}", answer.status).into())
    }
}
