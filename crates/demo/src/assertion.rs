//! Who is asking? How a shop checks the `Maitred-Assertion` of an Action's call.
//!
//! maitred sends each call of an Action with a short-lived JWT, signed with its
//! own key, that says for whom, for which Action and for which request the call
//! is. This file is all that a receiver needs: copy it, and change the [`Trust`].
//!
//! ```text
//! let who = verifier.verify(&call).await?;      // an error is a 401: send its text back
//! orders.of(&who.sub)
//! ```
//!
//! What always holds for an [`Assertion`] that comes out of here:
//!
//! - maitred signed it, within the last minute, for this API and nobody else.
//! - It belongs to this request: method, URL and body are the ones it names.
//! - It is used for the first time.
//! - Its `sub` logged in to our own site: the assurance is `verified` or `fresh`.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError, RwLock},
    time::Duration,
};

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{
    Algorithm, DecodingKey, Validation, decode, decode_header, get_current_timestamp, jwk::JwkSet,
};
use serde::Deserialize;
use tokio::{sync::Semaphore, time::Instant};

#[cfg(test)]
mod tests;

/// How far the two servers' clocks may be apart, in seconds.
const LEEWAY: u64 = 5;
/// An assertion with a key we do not know makes us ask for new keys, but not more often than this.
const REFETCH_AFTER: Duration = Duration::from_secs(30);
/// Keys older than this are asked for again, so that a withdrawn one stops working.
const KEYS_LIVE_FOR: Duration = Duration::from_secs(60 * 60);

/// Whose assertions we believe, and what they must say about us.
#[derive(Clone, Debug)]
pub(crate) struct Trust {
    /// maitred's public URL; in staging with `/staging` behind it.
    pub(crate) issuer: String,
    /// The origin of our API, as the Action's URL has it.
    pub(crate) audience: String,
    /// Our agent: others may live on the same maitred.
    pub(crate) agent: String,
    /// `production` or `staging`.
    pub(crate) environment: String,
}

/// One request that claims to come from maitred.
pub(crate) struct ActionCall<'a> {
    /// The value of the `Maitred-Assertion` header.
    pub(crate) assertion: Option<&'a str>,
    pub(crate) method: &'a str,
    /// The whole URL, with its query, as the outside sees it.
    pub(crate) url: &'a str,
    /// The bytes received, before anything parsed them.
    pub(crate) body: &'a [u8],
    /// The name of the Action that this route serves.
    pub(crate) action: &'a str,
    /// The customer that the request is about.
    pub(crate) customer: &'a str,
}

/// What maitred vouches for. Times, issuer and audience are checked by `decode`.
#[derive(Debug, Deserialize)]
pub(crate) struct Assertion {
    pub(crate) sub: Option<String>,
    assurance: String,
    agent: String,
    environment: String,
    action: String,
    htm: String,
    htu: String,
    body_sha256: String,
    exp: u64,
    jti: String,
}

/// Why a call is not believed. Written for the developer who makes it work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AssertionError {
    #[error("the `Maitred-Assertion` header is missing")]
    Missing,
    #[error("`Maitred-Assertion` is not a valid assertion: {0}")]
    Rejected(#[from] jsonwebtoken::errors::Error),
    #[error("the token's `typ` is not `maitred-action+jwt`")]
    OtherType,
    #[error("the issuer has no key with the assertion's `kid`")]
    UnknownKey,
    #[error("`{0}` does not match: the assertion was made for something else")]
    Mismatch(&'static str),
    #[error("`assurance` is `{0}`, and this needs a customer who is logged in")]
    AssuranceTooLow(String),
    #[error("the assertion was used before")]
    Replayed,
    #[error("cannot fetch the issuer's keys")]
    KeysUnavailable(#[source] reqwest::Error),
}

/// Checks assertions. Make one and keep it: it holds the keys and the used `jti`s.
pub(crate) struct Verifier {
    trust: Trust,
    rules: Validation,
    http: reqwest::Client,
    keys: RwLock<Option<Keys>>,
    /// One fetch at a time. Only calls that need a new key ever wait for it.
    fetching: Semaphore,
    /// Used `jti`s with their `exp`. With several servers, this belongs into a shared store.
    used: Mutex<HashMap<String, u64>>,
}

struct Keys {
    set: JwkSet,
    fetched_at: Instant,
}

impl Verifier {
    pub(crate) fn new(trust: Trust) -> reqwest::Result<Self> {
        // The algorithm is fixed here. What the token's header says is only compared with it.
        let mut rules = Validation::new(Algorithm::EdDSA);
        rules.set_issuer(&[&trust.issuer]);
        rules.set_audience(&[&trust.audience]);
        // The library skips the check of a claim that is absent, unless told that it must be there.
        rules.set_required_spec_claims(&["exp", "iss", "aud"]);
        rules.leeway = LEEWAY;

        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(5))
            .redirect(reqwest::redirect::Policy::none())
            // The issuer is named by us and reached directly.
            .no_proxy()
            .build()?;
        Ok(Self {
            trust,
            rules,
            http,
            keys: RwLock::default(),
            fetching: Semaphore::new(1),
            used: Mutex::default(),
        })
    }

    /// The assertion of this call, if every check holds.
    pub(crate) async fn verify(&self, call: &ActionCall<'_>) -> Result<Assertion, AssertionError> {
        let token = call.assertion.ok_or(AssertionError::Missing)?;
        let header = decode_header(token)?;
        // Keeps other tokens that the same issuer may sign from being used here (RFC 8725 §3.11).
        if header.typ.as_deref() != Some("maitred-action+jwt") {
            return Err(AssertionError::OtherType);
        }
        let key = self.key(header.kid.as_deref().unwrap_or_default()).await?;
        let assertion = decode::<Assertion>(token, &key, &self.rules)?.claims;

        for (claim, found, expected) in [
            ("agent", &assertion.agent, self.trust.agent.as_str()),
            (
                "environment",
                &assertion.environment,
                &self.trust.environment,
            ),
            ("action", &assertion.action, call.action),
            ("htm", &assertion.htm, call.method),
            ("htu", &assertion.htu, call.url),
            ("body_sha256", &assertion.body_sha256, &body_hash(call.body)),
        ] {
            if found != expected {
                return Err(AssertionError::Mismatch(claim));
            }
        }
        // Before `sub`: an anonymous visitor has none, and this is the clearer answer.
        if !matches!(assertion.assurance.as_str(), "verified" | "fresh") {
            return Err(AssertionError::AssuranceTooLow(assertion.assurance));
        }
        if assertion.sub.as_deref() != Some(call.customer) {
            return Err(AssertionError::Mismatch("sub"));
        }
        // Last, so that only what is good in every other way is remembered.
        self.use_once(&assertion)?;
        Ok(assertion)
    }

    fn use_once(&self, assertion: &Assertion) -> Result<(), AssertionError> {
        let now = get_current_timestamp();
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.retain(|_, exp| exp.saturating_add(LEEWAY) >= now);
        match used.insert(assertion.jti.clone(), assertion.exp) {
            None => Ok(()),
            Some(_) => Err(AssertionError::Replayed),
        }
    }

    async fn key(&self, kid: &str) -> Result<DecodingKey, AssertionError> {
        if let Some(key) = self.cached_key(kid) {
            return Ok(key?);
        }
        let turn = self.fetching.acquire().await;
        // Whoever had the turn before us may have brought the key.
        if self.cached_key(kid).is_none() && self.may_fetch() {
            self.fetch_keys()
                .await
                .map_err(AssertionError::KeysUnavailable)?;
        }
        drop(turn);
        Ok(self.cached_key(kid).ok_or(AssertionError::UnknownKey)??)
    }

    fn cached_key(&self, kid: &str) -> Option<jsonwebtoken::errors::Result<DecodingKey>> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let keys = keys
            .as_ref()
            .filter(|keys| keys.fetched_at.elapsed() < KEYS_LIVE_FOR)?;
        keys.set.find(kid).map(DecodingKey::from_jwk)
    }

    fn may_fetch(&self) -> bool {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        keys.as_ref()
            .is_none_or(|keys| keys.fetched_at.elapsed() >= REFETCH_AFTER)
    }

    /// Asks the configured issuer. Nothing in a token ever chooses this URL.
    async fn fetch_keys(&self) -> reqwest::Result<()> {
        let url = format!("{}/.well-known/jwks.json", self.trust.issuer);
        let answer = self.http.get(url).send().await?.error_for_status()?;
        let keys = Keys {
            set: answer.json().await?,
            fetched_at: Instant::now(),
        };
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Some(keys);
        Ok(())
    }
}

fn body_hash(body: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, body))
}
