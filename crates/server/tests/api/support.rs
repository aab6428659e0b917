//! A whole maitred in a temporary directory, and visitors who read like sentences.

pub(crate) mod browser;
pub(crate) mod canary;
pub(crate) mod post_office;
pub(crate) mod provider;

#[path = "../../../store/tests/suite/support/database.rs"]
#[expect(dead_code, reason = "the storage suite needs all of it")]
mod database;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    http::{Method, Request, StatusCode, header},
};
use http_body_util::BodyExt;
use maitred::{App, Config, Overrides, router};
use maitred_core::{
    agent::{Origin, Settings},
    clock::Clock,
    id::{AgentId, KeyId},
    message::Name,
    scope::{Environment, Scope},
    secret::{Secret, SecretFor},
    session::Session,
};
use maitred_store::{
    ACCEPTED, Attempt, Found, KeyMaterial, KeyTerms, MasterKey, SharedSecret, Store,
};
use maitred_token::{Algorithm, Secret as SigningSecret, SecretKind, mint_hs256};
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tower::ServiceExt;

use self::{browser::Browser, database::Database};

pub(crate) const ORIGIN: &str = "https://shop.example";
pub(crate) const HOST: &str = "127.0.0.1:7070";

/// A maitred with one agent, a key in each environment, and a clock that stands still.
pub(crate) struct TestApp {
    pub(crate) agent: AgentId,
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    router: Router,
    keys: [(KeyId, SigningSecret); 2],
    database: Arc<Database>,
    dir: Arc<TempDir>,
    /// What visitors said, of which nothing may be logged (rule D3).
    said: Mutex<Vec<String>>,
}

impl Drop for TestApp {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            canary::is_silent(&self.said.lock().unwrap());
        }
    }
}

/// What a request was answered with.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: axum::http::HeaderMap,
    pub(crate) body: Value,
}

impl TestApp {
    /// With a model that answers "hello" and nothing else.
    pub(crate) async fn new() -> Self {
        Self::with_settings(&[]).await
    }

    /// And with settings as the environment gives them: `("LIMITS__REQUESTS", "1")`.
    pub(crate) async fn with_settings(settings: &[(&str, &str)]) -> Self {
        let script = json!({
            "replies": [{ "when": "hello", "deltas": [{ "text": "Good " }, { "text": "day." }] }]
        });
        Self::with_script_and_settings(&script, settings).await
    }

    /// With a model that says what the script tells it to.
    pub(crate) async fn with_script(script: &Value) -> Self {
        Self::with_script_and_hosts(script, &[]).await
    }

    /// And with private hosts that Actions may call.
    pub(crate) async fn with_script_and_hosts(script: &Value, hosts: &[String]) -> Self {
        let hosts = json!(hosts).to_string();
        Self::with_script_and_settings(script, &[("OUTBOUND__ALLOW", &hosts)]).await
    }

    /// With a model that says what the script tells it to, and with settings.
    pub(crate) async fn with_script_and_settings(
        script: &Value,
        settings: &[(&str, &str)],
    ) -> Self {
        canary::listen();
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::manual("2026-03-01T12:00:00Z".parse().unwrap());
        let master = MasterKey::at(&dir.path().join("master.key")).unwrap();
        let database = Database::new(dir.path()).await;
        let store = Store::open(database.location(), master, clock.clone());
        let store = store.await.unwrap();
        let site = Settings {
            origins: vec![Origin::parse(ORIGIN).unwrap()],
            sign_in_url: Some("https://shop.example/login".to_owned()),
            ..Settings::default()
        };
        let agent = store.create_agent("Ada", &site, &site).await.unwrap().id;
        let mut keys = Vec::new();
        for environment in Environment::ALL {
            keys.push(make_key(&store, Scope { agent, environment }).await);
        }
        let script_file = dir.path().join("script.json");
        std::fs::write(&script_file, script.to_string()).unwrap();
        let app = config(dir.path().to_owned(), &script_file, settings);
        let app = App::new(app, store.clone()).await.unwrap();
        let keys = keys.try_into().ok().unwrap();
        Self {
            agent,
            store,
            clock,
            router: router(app),
            keys,
            database: Arc::new(database),
            dir: Arc::new(dir),
            said: Mutex::default(),
        }
    }

    /// Another node of the same installation: a server of its own, that shares the
    /// database and the master key and nothing else.
    pub(crate) async fn another_node(&self) -> Self {
        let master = MasterKey::at(&self.dir.path().join("master.key")).unwrap();
        let store = Store::open(self.database.location(), master, self.clock.clone());
        let store = store.await.unwrap();
        let script = self.dir.path().join("script.json");
        let app = config(self.dir.path().to_owned(), &script, &[]);
        let app = App::new(app, store.clone()).await.unwrap();
        Self {
            agent: self.agent,
            store,
            clock: self.clock.clone(),
            router: router(app),
            keys: self.keys.clone(),
            database: self.database.clone(),
            dir: self.dir.clone(),
            said: Mutex::default(),
        }
    }

    pub(crate) fn scope(&self, environment: Environment) -> Scope {
        Scope {
            agent: self.agent,
            environment,
        }
    }

    /// From here on, this text may not be logged.
    pub(crate) fn never_logs(&self, text: &str) {
        self.said.lock().unwrap().push(text.to_owned());
    }

    /// As if somebody had been let in before: tokens can be required then (rule E1).
    pub(crate) async fn has_seen_a_good_token(&self, scope: Scope) {
        let (key, _) = self.key(scope.environment);
        let attempt = Attempt {
            key: Some(key.to_string()),
            ..Attempt::new(scope, self.clock.now(), ACCEPTED)
        };
        self.store.record(&[attempt], &[]).await.unwrap();
    }

    /// Everything in the database's files, as bytes.
    pub(crate) fn stored_bytes(&self) -> Vec<u8> {
        ["maitred.db", "maitred.db-wal"]
            .iter()
            .filter_map(|name| std::fs::read(self.dir.path().join(name)).ok())
            .flatten()
            .collect()
    }

    pub(crate) fn key(&self, environment: Environment) -> &(KeyId, SigningSecret) {
        match environment {
            Environment::Production => &self.keys[0],
            Environment::Staging => &self.keys[1],
        }
    }

    /// The claims of a good token for that user.
    pub(crate) fn claims(&self, subject: &str) -> Map<String, Value> {
        let now = self.clock.now().as_second();
        let claims = json!({
            "sub": subject,
            "email": format!("{subject}@example.com"),
            "name": format!("{subject} Example"),
            "given_name": subject,
            "iat": now,
            "exp": now + 600,
        });
        claims.as_object().unwrap().clone()
    }

    /// A good token for that user, in production.
    pub(crate) fn token(&self, subject: &str) -> String {
        self.signed(Environment::Production, &self.claims(subject))
    }

    /// Signed with the key of that environment.
    pub(crate) fn signed(&self, environment: Environment, claims: &Map<String, Value>) -> String {
        let (id, secret) = self.key(environment);
        let claims = Value::Object(claims.clone());
        mint_hs256(secret.expose().as_bytes(), Some(&id.to_string()), &claims)
    }

    /// What a frame sends to open a session.
    pub(crate) async fn opens(&self, environment: Environment, more: Value) -> Answer {
        let mut body = json!({
            "agent": self.agent.to_string(),
            "environment": environment.as_str(),
            "page_origin": ORIGIN,
        });
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        self.send(Method::POST, "/v1/sessions", None, Some(body))
            .await
    }

    /// What a frame sends to open a session in a browser that has a key.
    pub(crate) async fn opens_in(&self, browser: &Browser, more: Value) -> Answer {
        let mut body = json!({
            "agent": self.agent.to_string(), "page_origin": ORIGIN, "key": browser.jwk(),
        });
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let proof = browser.proves(&Method::POST, "/v1/sessions", None, &self.nonce().await);
        self.send_proven(Method::POST, "/v1/sessions", None, Some(body), &[proof])
            .await
    }

    /// What the next proof is to be made with.
    pub(crate) async fn nonce(&self) -> String {
        let answer = self.send(Method::GET, "/v1/session", None, None).await;
        answer.headers["dpop-nonce"].to_str().unwrap().to_owned()
    }

    /// Somebody the site vouches for, in production.
    pub(crate) async fn visitor(&self, subject: &str) -> Visitor<'_> {
        let answer = self
            .opens(
                Environment::Production,
                json!({ "token": self.token(subject) }),
            )
            .await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
        Visitor::of(self, &answer)
    }

    /// Somebody of whom nothing is known, in production.
    pub(crate) async fn stranger(&self) -> Visitor<'_> {
        let answer = self.opens(Environment::Production, json!({})).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
        Visitor::of(self, &answer)
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        session: Option<&str>,
        body: Option<Value>,
    ) -> Answer {
        self.send_proven(method, path, session, body, &[]).await
    }

    /// A request with these proofs of possession.
    pub(crate) async fn send_proven(
        &self,
        method: Method,
        path: &str,
        session: Option<&str>,
        body: Option<Value>,
        proofs: &[String],
    ) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, HOST);
        if let Some(session) = session {
            request = request.header(header::AUTHORIZATION, format!("Bearer {session}"));
        }
        for proof in proofs {
            request = request.header("dpop", proof);
        }
        let request = match body {
            Some(body) => request
                .header(header::CONTENT_TYPE, "application/json")
                .body(Body::from(body.to_string())),
            None => request.body(Body::empty()),
        };
        self.answered(request.unwrap()).await
    }

    pub(crate) async fn answered(&self, request: Request<Body>) -> Answer {
        let asked = request.uri().to_string();
        assert_eq!(canary::found_in(&asked), None, "a secret in a URL");
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        if !parts.status.is_success() {
            let told = String::from_utf8_lossy(&bytes);
            assert_eq!(canary::found_in(&told), None, "a secret in an error");
        }
        let body = serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
        Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    /// The response itself, for those who read its body as it comes.
    pub(crate) async fn response(&self, request: Request<Body>) -> axum::http::Response<Body> {
        self.router.clone().oneshot(request).await.unwrap()
    }
}

impl Answer {
    /// The code of an error.
    pub(crate) fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or("")
    }

    /// The error without its request id.
    pub(crate) fn error(&self) -> Value {
        let mut error = self.body["error"].clone();
        if let Some(error) = error.as_object_mut() {
            error.remove("request_id");
        }
        error
    }
}

/// A program with an API key.
pub(crate) struct Operator<'a> {
    app: &'a TestApp,
    pub(crate) key: String,
}

impl TestApp {
    /// An operator of the whole installation.
    pub(crate) async fn operator(&self) -> Operator<'_> {
        self.operator_of(None).await
    }

    /// An operator of one agent only, if one is given.
    pub(crate) async fn operator_of(&self, agent: Option<AgentId>) -> Operator<'_> {
        let name = Name::parse("test").unwrap();
        let (_, secret) = self.store.create_api_key(&name, agent).await.unwrap();
        Operator {
            app: self,
            key: secret.expose().to_owned(),
        }
    }
}

impl Operator<'_> {
    /// A path below the environments of the app's agent.
    pub(crate) fn path(&self, rest: &str) -> String {
        format!("/api/agents/{}/environments/{rest}", self.app.agent)
    }

    pub(crate) async fn sends(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        self.app.send(method, path, Some(&self.key), body).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.sends(Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.sends(Method::POST, path, Some(body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Answer {
        self.sends(Method::PUT, path, Some(body)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Answer {
        self.sends(Method::PATCH, path, Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.sends(Method::DELETE, path, None).await
    }

    /// What the checker says of a token.
    pub(crate) async fn checks(&self, environment: &str, token: &str) -> Answer {
        let path = format!("/api/agents/{}/tokens/check", self.app.agent);
        let body = json!({ "environment": environment, "token": token });
        self.post(&path, body).await
    }
}

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
        assert_eq!(response.status(), StatusCode::OK);
        Events {
            body: response.into_body(),
            buffer: String::new(),
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
        loop {
            if let Some((frame, rest)) = self.buffer.split_once("\n\n") {
                let event = parse(frame);
                self.buffer = rest.to_owned();
                match event {
                    Some(event) => return Some(event),
                    None => continue,
                }
            }
            let frame = tokio::time::timeout(Duration::from_secs(20), self.body.frame())
                .await
                .expect("an event within 20 s")?;
            let bytes = frame.unwrap().into_data().unwrap();
            self.buffer.push_str(std::str::from_utf8(&bytes).unwrap());
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

fn config(data: PathBuf, script: &Path, settings: &[(&str, &str)]) -> Config {
    let overrides = Overrides {
        data: Some(data),
        ..Overrides::default()
    };
    let script = script.display().to_string();
    let environment = settings
        .iter()
        .copied()
        .chain([("TESTING__SCRIPT", script.as_str())])
        .map(|(name, value)| (format!("MAITRED__{name}"), value.to_owned()));
    Config::load(&overrides, None, None, environment).unwrap()
}

/// A fresh secret in that agent and environment.
pub(crate) async fn make_key(store: &Store, scope: Scope) -> (KeyId, SigningSecret) {
    let kind = match scope.environment {
        Environment::Production => SecretKind::Live,
        Environment::Staging => SecretKind::Test,
    };
    let secret = SigningSecret::generate(kind);
    let material = KeyMaterial::Secret(SharedSecret {
        algorithm: Algorithm::Hs256,
        bytes: secret.expose().as_bytes().to_vec().into(),
        last_four: secret.last_four().to_owned(),
        imported: false,
        terms: KeyTerms::default(),
    });
    let id = store.insert_key(scope, &material).await.unwrap();
    (id, secret)
}
