//! A real maitred and sites beside it, all on loopback.

use axum::{
    Extension, Router,
    http::{HeaderName, HeaderValue},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use maitred_core::{
    agent::{Origin, ProofOfPossession, Settings},
    clock::Clock,
    id::{AgentId, KeyId},
    scope::{Environment, Scope},
};
use maitred_store::{KeyMaterial, KeyTerms, SharedSecret, Store};
use maitred_token::{Algorithm, Secret, SecretKind, mint_hs256};
use reqwest::Url;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinSet};

use super::super::{Report, Source, client::Client, examine};
use crate::{App, Config, Overrides, client::Peer, router, serve};

/// One maitred, with one agent that may be shown on one site.
pub(super) struct Town {
    pub(super) maitred: String,
    pub(super) site: String,
    pub(super) agent: AgentId,
    pub(super) key: (KeyId, Secret),
    pub(super) dir: TempDir,
    store: Store,
    site_listener: Option<TcpListener>,
    serving: JoinSet<()>,
}

impl Town {
    pub(super) async fn new() -> Self {
        let (listener, maitred) = listen().await;
        let (site_listener, site) = listen().await;
        let dir = tempfile::tempdir().unwrap();
        let overrides = Overrides {
            data: Some(dir.path().join("maitred")),
            ..Overrides::default()
        };
        let address = listener.local_addr().unwrap().to_string();
        let config = Config::load(&overrides, Some(&address), None, std::iter::empty()).unwrap();
        let store = serve::open(&config).await.unwrap();
        let settings = Settings {
            origins: vec![Origin::parse(&site).unwrap()],
            ..Settings::default()
        };
        let agent = store
            .create_agent("Ada", &settings, &settings)
            .await
            .unwrap()
            .id;
        let key = make_key(&store, agent).await;
        let app = App::new(config, store.clone()).await.unwrap();
        let mut town = Self {
            maitred,
            site,
            agent,
            key,
            dir,
            store,
            site_listener: Some(site_listener),
            serving: JoinSet::new(),
        };
        let peer = Peer(address.parse::<std::net::SocketAddr>().unwrap().ip());
        town.serve(listener, router(app).layer(Extension(peer)));
        town
    }

    fn serve(&mut self, listener: TcpListener, router: Router) {
        self.serving.spawn(async move {
            axum::serve(listener, router).await.unwrap();
        });
    }

    /// Opens the site that the agent may be shown on.
    pub(super) fn opens_site(&mut self, router: Router) {
        let listener = self.site_listener.take().unwrap();
        self.serve(listener, router);
    }

    /// Opens another one, and says where.
    pub(super) async fn opens_another_site(&mut self, router: Router) -> String {
        let (listener, site) = listen().await;
        self.serve(listener, router);
        site
    }

    /// The script tag that integrators are told to embed, with more in it.
    pub(super) fn tag(&self, more: &str) -> String {
        let (maitred, agent) = (&self.maitred, self.agent);
        format!(r#"<script src="{maitred}/widget.js" data-agent="{agent}" {more} async></script>"#)
    }

    /// What is told of the site's first page.
    pub(super) async fn examined(&self, source: Source) -> Report {
        self.examined_with(source, &[]).await
    }

    pub(super) async fn examined_with(&self, source: Source, headers: &[(&str, &str)]) -> Report {
        let page = Url::parse(&self.site).unwrap();
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let client = Client::new(Clock::system(), [&page].into_iter(), &headers).unwrap();
        examine(&client, page, source).await.unwrap()
    }

    pub(super) fn now(&self) -> i64 {
        self.store.clock.now().as_second()
    }

    /// What is asked of sessions of the agent.
    pub(super) async fn asks_for_possession(&self, policy: ProofOfPossession) {
        let scope = Scope {
            agent: self.agent,
            environment: Environment::Production,
        };
        let settings = self.store.settings(scope).await.unwrap().unwrap();
        let settings = Settings {
            proof_of_possession: policy,
            ..settings
        };
        self.store.change_settings(scope, &settings).await.unwrap();
    }

    /// A token of the site's for Sarah, with these members put in.
    pub(super) fn token(&self, changes: Value) -> String {
        let now = self.now();
        let mut claims = json!({
            "sub": "7", "email": "sarah@shop.example", "iat": now, "exp": now + 600,
        });
        let members = claims.as_object_mut().unwrap();
        members.extend(changes.as_object().unwrap().clone());
        let (id, secret) = &self.key;
        mint_hs256(secret.expose().as_bytes(), Some(&id.to_string()), &claims)
    }

    /// A report, with what differs from run to run replaced by its name.
    pub(super) fn told(&self, report: &Report) -> String {
        report
            .text()
            .replace(&self.maitred, "https://maitred")
            .replace(&self.site, "https://shop")
            .replace(&self.agent.to_string(), "agt_1")
    }
}

pub(super) async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, format!("http://{address}"))
}

async fn make_key(store: &Store, agent: AgentId) -> (KeyId, Secret) {
    let scope = Scope {
        agent,
        environment: Environment::Production,
    };
    let secret = Secret::generate(SecretKind::Live);
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

/// A site with this page at `/`, under these headers.
pub(super) fn site_with(html: impl Into<String>, headers: &[(&'static str, &str)]) -> Router {
    let html = html.into();
    let headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| {
            let name = HeaderName::from_static(name);
            (name, HeaderValue::from_str(value).unwrap())
        })
        .collect();
    let answer = move || async move {
        let mut response: Response = Html(html).into_response();
        response.headers_mut().extend(headers);
        response
    };
    Router::new().route("/", get(answer))
}
