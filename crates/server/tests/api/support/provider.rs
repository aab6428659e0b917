//! An identity provider on loopback, which publishes its keys as it is told.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use maitred_core::{id::KeyId, scope::Scope};
use maitred_store::{KeyMaterial, RemoteSet, Store};
use maitred_token::{Algorithm, AssertionKey, SetTerms};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

pub(crate) const ISSUER: &str = "https://id.example";
pub(crate) const CLIENT: &str = "the-chat";

/// How a request for the keys is answered.
#[derive(Clone, Debug)]
pub(crate) enum Mood {
    /// With these, to be kept for ten minutes.
    Publishes(Value),
    /// With this status and nothing else.
    Fails(u16),
    /// With another address.
    Redirects(String),
    /// With more than anybody can want.
    Rambles,
    /// Not at all.
    IsSilent,
}

/// An identity provider.
pub(crate) struct Provider {
    /// Its host and port, to be listed under `outbound.allow`.
    pub(crate) host: String,
    asked: Arc<AtomicUsize>,
    mood: Arc<Mutex<Mood>>,
}

impl Provider {
    /// One that publishes this key.
    pub(crate) async fn with(key: &AssertionKey) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let asked = Arc::new(AtomicUsize::new(0));
        let mood = Arc::new(Mutex::new(publishes(&[key])));
        let (counted, moods) = (asked.clone(), mood.clone());
        let answering = get(async move || {
            counted.fetch_add(1, Ordering::SeqCst);
            let mood = moods.lock().unwrap().clone();
            answer(mood).await
        });
        let router = Router::new()
            .route("/jwks", answering.clone())
            .route("/moved", get(async || found("/jwks".to_owned())));
        #[expect(
            clippy::disallowed_methods,
            reason = "it stands for another program, which nobody waits for"
        )]
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { host, asked, mood }
    }

    /// How often it was asked for its keys.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    pub(crate) fn becomes(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    /// Has its keys trusted by this agent and environment.
    pub(crate) async fn is_trusted_by(&self, store: &Store, scope: Scope) -> KeyId {
        self.is_trusted_at("/jwks", store, scope).await
    }

    /// The same, under another path.
    pub(crate) async fn is_trusted_at(&self, path: &str, store: &Store, scope: Scope) -> KeyId {
        let material = KeyMaterial::Set(RemoteSet {
            url: format!("http://{}{path}", self.host),
            terms: SetTerms {
                issuer: ISSUER.to_owned(),
                audiences: vec![CLIENT.to_owned()],
                rsa: Algorithm::Rs256,
            },
        });
        store.insert_key(scope, &material).await.unwrap()
    }
}

/// The public halves of these keys.
pub(crate) fn publishes(keys: &[&AssertionKey]) -> Mood {
    let keys: Vec<Value> = keys.iter().map(|key| key.public_jwk()).collect();
    Mood::Publishes(json!({ "keys": keys }))
}

/// A token of the provider's for one of its clients.
pub(crate) fn id_token(key: &AssertionKey, mut claims: Map<String, Value>) -> String {
    claims.insert("iss".to_owned(), ISSUER.into());
    claims.entry("aud").or_insert(CLIENT.into());
    key.sign("JWT", &Value::Object(claims))
}

async fn answer(mood: Mood) -> Response {
    match mood {
        Mood::Publishes(keys) => {
            let kept = [(header::CACHE_CONTROL, "public, max-age=600")];
            (kept, keys.to_string()).into_response()
        }
        Mood::Fails(status) => StatusCode::from_u16(status).unwrap().into_response(),
        Mood::Redirects(to) => found(to),
        Mood::Rambles => " ".repeat(300 * 1024).into_response(),
        Mood::IsSilent => {
            tokio::time::sleep(Duration::from_secs(3_600)).await;
            StatusCode::OK.into_response()
        }
    }
}

fn found(to: String) -> Response {
    (StatusCode::FOUND, [(header::LOCATION, to)]).into_response()
}
