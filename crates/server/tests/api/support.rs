//! A whole maitred in a temporary directory.

pub(crate) mod browser;
pub(crate) mod canary;
pub(crate) mod post_office;
pub(crate) mod provider;

mod events;
mod operator;
mod visitor;

#[path = "../../../store/tests/suite/support/database.rs"]
#[expect(dead_code, reason = "the storage suite needs all of it")]
mod database;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Body,
    http::{Method, Request, StatusCode, header},
};
use http_body_util::BodyExt;
use maitred::{App, Config, Overrides, in_the_shell, router};
use maitred_core::{
    agent::{Origin, Settings},
    clock::Clock,
    id::{AgentId, KeyId},
    scope::{Environment, Scope},
};
use maitred_store::{ACCEPTED, Attempt, KeyMaterial, KeyTerms, MasterKey, SharedSecret, Store};
use maitred_token::{Algorithm, Secret as SigningSecret, SecretKind, mint_hs256};
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tower::ServiceExt;

use self::{browser::Browser, database::Database};
pub(crate) use self::{
    events::{Event, Events},
    operator::Operator,
    visitor::Visitor,
};

pub(crate) const ORIGIN: &str = "https://shop.example";
pub(crate) const HOST: &str = "127.0.0.1:7070";

/// A maitred with one agent, a key in each environment, and a clock that stands still.
pub(crate) struct TestApp {
    pub(crate) agent: AgentId,
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    app: App,
    router: Router,
    keys: [(KeyId, SigningSecret); 2],
    database: Arc<Database>,
    dir: Arc<TempDir>,
    settings: Vec<(String, String)>,
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
            router: router(app.clone()),
            app,
            keys,
            database: Arc::new(database),
            dir: Arc::new(dir),
            settings: settings
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            said: Mutex::default(),
        }
    }

    /// Another node of the same installation: a server of its own, that shares the
    /// database, the master key and the settings, and nothing else.
    pub(crate) async fn another_node(&self) -> Self {
        let master = MasterKey::at(&self.dir.path().join("master.key")).unwrap();
        let store = Store::open(self.database.location(), master, self.clock.clone());
        let store = store.await.unwrap();
        let script = self.dir.path().join("script.json");
        let settings: Vec<(&str, &str)> = self
            .settings
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let app = config(self.dir.path().to_owned(), &script, &settings);
        let app = App::new(app, store.clone()).await.unwrap();
        Self {
            agent: self.agent,
            store,
            clock: self.clock.clone(),
            router: router(app.clone()),
            app,
            keys: self.keys.clone(),
            database: self.database.clone(),
            dir: self.dir.clone(),
            settings: self.settings.clone(),
            said: Mutex::default(),
        }
    }

    /// Answers with these routes instead of its own.
    pub(crate) fn serves(&mut self, routes: Router<App>) {
        self.router = in_the_shell(routes, self.app.clone());
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

    /// Everything in the database: the bytes of its files, or every row as text.
    pub(crate) async fn stored_bytes(&self) -> Vec<u8> {
        self.database.dump().await.into_bytes()
    }

    /// The first column of what a query finds, past the store.
    pub(crate) async fn stored_column(&self, sql: &str) -> Vec<String> {
        self.database.column(sql).await
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
