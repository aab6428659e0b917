//! Making tokens: our own assertions, and tokens for trying things out.

use std::fmt;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use aws_lc_rs::{digest, hmac};
use serde_json::{Value, json};

use crate::algorithm::Algorithm;
use crate::jws::base64url;
use crate::key::UnusableKey;

/// Signs claims as a site's backend would, with the secret's bytes.
///
/// Nothing is checked: tests and `maitred token mint` make bad tokens with it too.
pub fn mint_hs256(secret: &[u8], kid: Option<&str>, claims: &Value) -> String {
    let (algorithm, hash) = (Algorithm::Hs256, hmac::HMAC_SHA256);
    mint(algorithm, hash, secret, kid, claims)
}

/// The same with HS256, HS384 or HS512; none for what signs with no secret.
pub fn mint_hmac(
    algorithm: Algorithm,
    secret: &[u8],
    kid: Option<&str>,
    claims: &Value,
) -> Option<String> {
    let hash = algorithm.hmac()?;
    Some(mint(algorithm, hash, secret, kid, claims))
}

fn mint(
    algorithm: Algorithm,
    hash: hmac::Algorithm,
    secret: &[u8],
    kid: Option<&str>,
    claims: &Value,
) -> String {
    let mut header = json!({ "alg": algorithm.name(), "typ": "JWT" });
    if let Some(kid) = kid {
        header["kid"] = kid.into();
    }
    let key = hmac::Key::new(hash, secret);
    compact(&header, claims, |message| {
        base64url(hmac::sign(&key, message).as_ref())
    })
}

/// The key that signs what the program says of a user to a site's Actions.
pub struct AssertionKey {
    pair: Ed25519KeyPair,
    public_jwk: Value,
    kid: String,
}

impl AssertionKey {
    /// Makes a new one, and the PKCS #8 document to store encrypted.
    pub fn generate() -> (Self, Vec<u8>) {
        const WHY: &str = "aws-lc aborts the process rather than report a broken generator";
        let pair = Ed25519KeyPair::generate().expect(WHY);
        let document = pair.to_pkcs8v1().expect("a fresh key pair can be written");
        (Self::new(pair), document.as_ref().to_vec())
    }

    /// Reads back what [`generate`](Self::generate) gave.
    pub fn from_pkcs8(document: &[u8]) -> Result<Self, UnusableKey> {
        Ed25519KeyPair::from_pkcs8(document)
            .map(Self::new)
            .map_err(|_| UnusableKey::BadDocument)
    }

    fn new(pair: Ed25519KeyPair) -> Self {
        let x = base64url(pair.public_key().as_ref());
        let kid = thumbprint(&x);
        let public_jwk = json!({
            "kty": "OKP", "crv": "Ed25519", "x": x, "kid": kid, "use": "sig", "alg": "EdDSA",
        });
        Self {
            pair,
            public_jwk,
            kid,
        }
    }

    /// The RFC 7638 thumbprint of the public key.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The public key, for the key set that receivers fetch.
    pub fn public_jwk(&self) -> Value {
        self.public_jwk.clone()
    }

    /// Signs claims as a JWT of this `typ`.
    pub fn sign(&self, typ: &str, claims: &Value) -> String {
        let header = json!({ "alg": "EdDSA", "typ": typ, "kid": self.kid });
        compact(&header, claims, |message| {
            base64url(self.pair.sign(message).as_ref())
        })
    }
}

impl fmt::Debug for AssertionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AssertionKey")
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

/// The RFC 7638 thumbprint of an Ed25519 key, of whose JWK this is `x`.
pub fn thumbprint(x: &str) -> String {
    let members = json!({ "crv": "Ed25519", "kty": "OKP", "x": x }).to_string();
    base64url(digest::digest(&digest::SHA256, members.as_bytes()).as_ref())
}

fn compact(header: &Value, claims: &Value, signature: impl Fn(&[u8]) -> String) -> String {
    let header = base64url(header.to_string().as_bytes());
    let claims = base64url(claims.to_string().as_bytes());
    let message = format!("{header}.{claims}");
    let signature = signature(message.as_bytes());
    format!("{message}.{signature}")
}
