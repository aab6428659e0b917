//! What the tests share: a shop, a browser, and an issuer of assertions.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use aws_lc_rs::{
    digest::{SHA256, digest},
    signature::{Ed25519KeyPair, KeyPair as _},
};
use axum::{
    Json, Router,
    body::Body,
    http::{Method, Request, StatusCode, header, response},
    routing::get,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http_body_util::BodyExt as _;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinSet};
use tower::ServiceExt as _;

use crate::{Shop, ShopConfig, now, users::TestUser};

pub(crate) const SHOP: &str = "http://localhost:7071";
pub(crate) const SECRET: &str = "mtd_live_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG";

pub(crate) fn shop_in(data: &Path, environment: &str, maitred_url: &str) -> Shop {
    let config = ShopConfig {
        public_url: SHOP.to_owned(),
        maitred_url: maitred_url.to_owned(),
        agent: "agt_1".to_owned(),
        environment: environment.to_owned(),
        key_id: "key_1".to_owned(),
        secret: SECRET.to_owned(),
        data: data.to_owned(),
    };
    Shop::new(config).unwrap()
}

/// A browser on the shop's pages: keeps its cookie, names its origin.
pub(crate) struct Browser {
    router: Router,
    cookie: Option<String>,
}

/// A whole answer.
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) head: response::Parts,
    pub(crate) text: String,
}

impl Page {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.head
            .headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }
}

impl Browser {
    pub(crate) fn on(shop: &Shop) -> Self {
        Self {
            router: shop.router(),
            cookie: None,
        }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Page {
        self.send(Method::GET, path, &[], "").await
    }

    pub(crate) async fn logs_in_as(&mut self, user: &TestUser) -> Page {
        self.posts(
            "/login",
            &format!("email={}&password={}", user.email, user.password),
        )
        .await
    }

    pub(crate) async fn posts(&mut self, path: &str, form: &str) -> Page {
        self.send(Method::POST, path, &[("origin", SHOP)], form)
            .await
    }

    pub(crate) async fn send(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        form: &str,
    ) -> Page {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "localhost:7071")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(cookie) = &self.cookie {
            request = request.header(header::COOKIE, cookie);
        }
        let request = request.body(Body::from(form.to_owned())).unwrap();
        let (head, body) = self
            .router
            .clone()
            .oneshot(request)
            .await
            .unwrap()
            .into_parts();
        if let Some(set) = head.headers.get(header::SET_COOKIE) {
            let pair = set.to_str().unwrap().split(';').next().unwrap();
            self.cookie = Some(pair.to_owned());
        }
        let bytes = body.collect().await.unwrap().to_bytes();
        Page {
            status: head.status,
            head,
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }
}

/// Stands in for maitred: serves its keys and signs assertions.
pub(crate) struct Issuer {
    pub(crate) url: String,
    /// The Ed25519 public key, raw.
    pub(crate) public_key: Vec<u8>,
    key: EncodingKey,
    fetches: Arc<AtomicUsize>,
    /// Stops serving when the test is over.
    _server: JoinSet<()>,
}

impl Issuer {
    pub(crate) async fn start() -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&aws_lc_rs::rand::SystemRandom::new()).unwrap();
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap();
        let public_key = pair.public_key().as_ref().to_vec();
        let keys = json!({ "keys": [{
            "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": "k1",
            "x": URL_SAFE_NO_PAD.encode(&public_key),
        }]});

        let fetches = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&fetches);
        let serve_keys = get(move || async move {
            counter.fetch_add(1, Ordering::Relaxed);
            Json(keys)
        });
        let router = Router::new()
            .route("/.well-known/jwks.json", serve_keys.clone())
            .route("/staging/.well-known/jwks.json", serve_keys);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, router).await.unwrap() });
        let key = EncodingKey::from_ed_der(pkcs8.as_ref());
        Self {
            url,
            public_key,
            key,
            fetches,
            _server: server,
        }
    }

    /// How often somebody asked for the keys.
    pub(crate) fn fetches(&self) -> usize {
        self.fetches.load(Ordering::Relaxed)
    }

    /// A good assertion: this customer asks for `url` with GET.
    pub(crate) fn assertion(&self, customer: &str, url: &str) -> Draft {
        let now = now().as_second();
        let header = Header {
            typ: Some("maitred-action+jwt".to_owned()),
            kid: Some("k1".to_owned()),
            ..Header::new(Algorithm::EdDSA)
        };
        let claims = json!({
            "iss": self.url,
            "aud": SHOP,
            "agent": "agt_1",
            "environment": "production",
            "action": "order_status",
            "conversation": "cnv_1",
            "call": "call_1",
            "sub": customer,
            "assurance": "verified",
            "htm": "GET",
            "htu": url,
            "body_sha256": URL_SAFE_NO_PAD.encode(digest(&SHA256, b"")),
            "iat": now,
            "exp": now + 60,
            "jti": "jti_1",
        });
        Draft {
            header,
            claims,
            key: self.key.clone(),
        }
    }
}

/// An assertion that can be spoiled before it is signed.
pub(crate) struct Draft {
    pub(crate) header: Header,
    pub(crate) claims: Value,
    pub(crate) key: EncodingKey,
}

impl Draft {
    pub(crate) fn with(mut self, claim: &str, value: impl Into<Value>) -> Self {
        self.claims[claim] = value.into();
        self
    }

    pub(crate) fn without(mut self, claim: &str) -> Self {
        self.claims.as_object_mut().unwrap().remove(claim);
        self
    }

    pub(crate) fn signed(&self) -> String {
        encode(&self.header, &self.claims, &self.key).unwrap()
    }
}
