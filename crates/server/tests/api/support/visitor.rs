//! Visitors, who read like sentences.

use axum::{
    body::Body,
    http::{Method, Request, StatusCode, header},
};
use maitred_core::{
    secret::{Secret, SecretFor},
    session::Session,
};
use maitred_store::Found;
use serde_json::{Value, json};

use super::{Answer, Events, HOST, TestApp, browser::Browser};

/// Whoever holds a session.
pub(crate) struct Visitor<'a> {
    app: &'a TestApp,
    pub(crate) session: String,
    /// What lets an anonymous one come back.
    pub(crate) secret: Option<String>,
    /// What proves that the session is theirs, if it was opened so.
    browser: Option<&'a Browser>,
}

impl<'a> Visitor<'a> {
    pub(crate) fn of(app: &'a TestApp, answer: &Answer) -> Self {
        Self {
            app,
            session: answer.body["session"].as_str().unwrap().to_owned(),
            secret: answer.body["visitor"].as_str().map(str::to_owned),
            browser: None,
        }
    }

    /// Whoever holds a session that is bound to the key of this browser.
    pub(crate) fn of_browser(app: &'a TestApp, browser: &'a Browser, answer: &Answer) -> Self {
        Self {
            browser: Some(browser),
            ..Self::of(app, answer)
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.sends(Method::GET, path, Value::Null).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.sends(Method::POST, path, body).await
    }

    /// Any request at all; without a body where it is null.
    pub(crate) async fn sends(&self, method: Method, path: &str, body: Value) -> Answer {
        let body = Some(body).filter(|body| !body.is_null());
        let proofs = Vec::from_iter(self.proof(&method, path).await);
        self.app
            .send_proven(method, path, Some(&self.session), body, &proofs)
            .await
    }

    /// What goes along with such a request.
    async fn proof(&self, method: &Method, path: &str) -> Option<String> {
        let browser = self.browser?;
        let nonce = self.app.nonce().await;
        Some(browser.proves(method, path, Some(&self.session), &nonce))
    }

    pub(crate) async fn logs_out(&self) -> Answer {
        self.sends(Method::DELETE, "/v1/session", Value::Null).await
    }

    pub(crate) async fn shows_a_token(&self, token: &str) -> Answer {
        self.post("/v1/session/identity", json!({ "token": token }))
            .await
    }

    /// The session, as it is stored.
    pub(crate) async fn stored(&self) -> Session {
        let secret = Secret::parse(SecretFor::Session, &self.session).unwrap();
        match self.app.store.session(&secret).await.unwrap() {
            Some(Found::Live(session)) => session,
            found => panic!("{found:?}"),
        }
    }

    /// The id of a new conversation.
    pub(crate) async fn opens_conversation(&self) -> String {
        let answer = self.post("/v1/conversations", json!({})).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
        answer.body["id"].as_str().unwrap().to_owned()
    }

    /// Under a fresh client id.
    pub(crate) async fn says(&self, conversation: &str, text: &str) -> Answer {
        self.says_as(conversation, &uuid::Uuid::new_v4().to_string(), text)
            .await
    }

    pub(crate) async fn says_as(&self, conversation: &str, id: &str, text: &str) -> Answer {
        // A word alone may be in the log for other reasons.
        if text.contains(' ') {
            self.app.said.lock().unwrap().push(text.to_owned());
        }
        let path = format!("/v1/conversations/{conversation}/messages");
        self.post(&path, json!({ "id": id, "text": text })).await
    }

    /// The entries of a conversation, each in a line: who or what, and the words.
    pub(crate) async fn reads(&self, conversation: &str) -> Vec<String> {
        let answer = self
            .get(&format!("/v1/conversations/{conversation}/entries"))
            .await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        answer.body["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(line)
            .collect()
    }

    /// An open event stream.
    pub(crate) async fn follows(&self, last_event: Option<&str>) -> Events {
        let followed = self.tries_to_follow(last_event).await;
        followed.expect("a stream")
    }

    /// An open event stream, if the server opens one; else what it answers.
    pub(crate) async fn tries_to_follow(
        &self,
        last_event: Option<&str>,
    ) -> Result<Events, StatusCode> {
        let mut request = Request::builder()
            .uri("/v1/events")
            .header(header::HOST, HOST)
            .header(header::AUTHORIZATION, format!("Bearer {}", self.session));
        if let Some(id) = last_event {
            request = request.header("last-event-id", id);
        }
        if let Some(proof) = self.proof(&Method::GET, "/v1/events").await {
            request = request.header("dpop", proof);
        }
        let response = self
            .app
            .response(request.body(Body::empty()).unwrap())
            .await;
        match response.status() {
            StatusCode::OK => Ok(Events::of(response.into_body())),
            refused => Err(refused),
        }
    }
}

fn line(entry: &Value) -> String {
    let kind = entry["kind"].as_str().unwrap();
    match kind {
        "message" => format!(
            "{}: {}",
            entry["by"].as_str().unwrap(),
            entry["text"].as_str().unwrap()
        ),
        "call" => format!(
            "call {} {}{}",
            entry["action"].as_str().unwrap(),
            entry["phase"].as_str().unwrap(),
            entry["outcome"]
                .as_str()
                .map(|it| format!(" ({it})"))
                .unwrap_or_default(),
        ),
        _ => format!("{kind}: {}", entry["status"].as_str().unwrap()),
    }
}
