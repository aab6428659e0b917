//! The key of a browser, and the proofs that its frame makes with it: put together
//! here from RFC 9449, with nothing of the code that checks them.

use std::sync::atomic::{AtomicU32, Ordering};

use aws_lc_rs::{
    digest::{SHA256, digest},
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use axum::http::Method;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::HOST;

/// A browser with a key that does not leave it.
pub(crate) struct Browser {
    pair: EcdsaKeyPair,
    proofs: AtomicU32,
}

impl Browser {
    pub(crate) fn new() -> Self {
        Self {
            pair: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
            proofs: AtomicU32::new(0),
        }
    }

    /// The public key, as the frame sends it.
    pub(crate) fn jwk(&self) -> Value {
        let point = self.pair.public_key().as_ref();
        let (x, y) = point[1..].split_at(32);
        json!({ "kty": "EC", "crv": "P-256", "x": base64url(x), "y": base64url(y) })
    }

    /// What a proof of this request says.
    pub(crate) fn claims(
        &self,
        method: &Method,
        path: &str,
        session: Option<&str>,
        nonce: &str,
    ) -> Value {
        let number = self.proofs.fetch_add(1, Ordering::Relaxed);
        let path = path.split('?').next().unwrap();
        let mut claims = json!({
            "jti": format!("proof-{number}"),
            "htm": method.as_str(),
            "htu": format!("http://{HOST}{path}"),
            "nonce": nonce,
            // This visitor's clock stands still, and not here.
            "iat": 86_400,
        });
        if let Some(session) = session {
            claims["ath"] = base64url(digest(&SHA256, session.as_bytes()).as_ref()).into();
        }
        claims
    }

    /// A proof that says this.
    pub(crate) fn signs(&self, claims: &Value) -> String {
        let header = json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": self.jwk() });
        let parts = [&header, claims].map(|part| base64url(part.to_string().as_bytes()));
        let message = parts.join(".");
        let signature = self.pair.sign(&SystemRandom::new(), message.as_bytes());
        format!("{message}.{}", base64url(signature.unwrap().as_ref()))
    }

    /// A good proof of this request.
    pub(crate) fn proves(
        &self,
        method: &Method,
        path: &str,
        session: Option<&str>,
        nonce: &str,
    ) -> String {
        self.signs(&self.claims(method, path, session, nonce))
    }
}

fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
