//! The doctor's own key: it proves possession with each request to maitred, as the
//! frame does (rule S4), so that it sees what browsers see.

use aws_lc_rs::{
    digest::{SHA256, digest},
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use maitred_token::base64url;
use reqwest::{Method, StatusCode, Url};
use serde_json::{Value, json};
use uuid::Uuid;

use super::client::{Answer, Client};

const NONCE: &str = "dpop-nonce";

/// Holds a P-256 key for as long as it looks.
pub(super) struct Holder<'c> {
    client: &'c Client,
    pair: EcdsaKeyPair,
    nonce: Option<String>,
}

impl<'c> Holder<'c> {
    pub(super) fn new(client: &'c Client) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
            .expect("aws-lc aborts the process rather than report a broken generator");
        Self {
            client,
            pair,
            nonce: None,
        }
    }

    /// The public key, as `POST /v1/sessions` takes it.
    pub(super) fn jwk(&self) -> Value {
        // An uncompressed point: a byte that says so, and two coordinates.
        let (x, y) = self.pair.public_key().as_ref()[1..].split_at(32);
        json!({ "kty": "EC", "crv": "P-256", "x": base64url(x), "y": base64url(y) })
    }

    pub(super) async fn post(&mut self, url: &Url, body: &Value) -> anyhow::Result<Answer> {
        self.send(Method::POST, url, None, Some(body)).await
    }

    pub(super) async fn delete(&mut self, url: &Url, session: &str) -> anyhow::Result<Answer> {
        self.send(Method::DELETE, url, Some(session), None).await
    }

    /// Sends a request, and once more with the nonce that was asked for.
    async fn send(
        &mut self,
        method: Method,
        url: &Url,
        session: Option<&str>,
        body: Option<&Value>,
    ) -> anyhow::Result<Answer> {
        let answer = self.send_once(&method, url, session, body).await?;
        let wants_nonce = answer.status == StatusCode::UNAUTHORIZED
            && answer.json()["error"]["code"] == "use_dpop_nonce";
        if wants_nonce {
            return self.send_once(&method, url, session, body).await;
        }
        Ok(answer)
    }

    async fn send_once(
        &mut self,
        method: &Method,
        url: &Url,
        session: Option<&str>,
        body: Option<&Value>,
    ) -> anyhow::Result<Answer> {
        let proof = self.proof(method, url, session);
        let sent = self.client.send_proven(method, url, session, body, &proof);
        let answer = sent.await?;
        if let Some(nonce) = answer.headers.get(NONCE).and_then(|it| it.to_str().ok()) {
            self.nonce = Some(nonce.to_owned());
        }
        Ok(answer)
    }

    /// A proof of one request (RFC 9449, section 4.2).
    fn proof(&self, method: &Method, url: &Url, session: Option<&str>) -> String {
        let mut address = url.clone();
        address.set_query(None);
        address.set_fragment(None);
        let mut claims = json!({
            "jti": Uuid::new_v4().to_string(),
            "htm": method.as_str(),
            "htu": address.as_str(),
            "iat": self.client.now().as_second(),
        });
        if let Some(nonce) = &self.nonce {
            claims["nonce"] = nonce.as_str().into();
        }
        if let Some(session) = session {
            claims["ath"] = base64url(digest(&SHA256, session.as_bytes()).as_ref()).into();
        }
        let header = json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": self.jwk() });
        let [header, claims] = [header, claims].map(|part| base64url(part.to_string().as_bytes()));
        let message = format!("{header}.{claims}");
        let signature = self
            .pair
            .sign(&SystemRandom::new(), message.as_bytes())
            .expect("a P-256 key signs any message");
        format!("{message}.{}", base64url(signature.as_ref()))
    }
}
