//! Making and bringing keys: what the command line and the API share.
//!
//! [`make`] makes a shared secret, [`read`] recognises what an operator brings by its
//! content, and [`bring_set`] takes the address of a set. What may
//! not become a key is a [`KeyError`]; nothing of it is kept or told.

mod error;
mod set_url;

use base64::{
    Engine,
    alphabet::{STANDARD, URL_SAFE},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use maitred_agent::action::Outbound;
use maitred_core::{
    id::KeyId,
    scope::{Environment, Scope},
};
use maitred_store::{BroughtKey, KeyMaterial, KeyTerms, RemoteSet, SharedSecret, Store};
use maitred_token::{
    Algorithm, BadKeySet, Key, PublicKey, Secret, SecretKind, SetTerms, SkippedKey, UnusableKey,
};

use crate::jwks;

pub(crate) use error::KeyError;
pub(crate) use set_url::SetUrl;

/// A secret that was made. It is shown this once.
pub(crate) struct Made {
    pub(crate) key: KeyId,
    pub(crate) secret: Secret,
}

/// Makes a shared secret (rule K1).
pub(crate) async fn make(
    store: &Store,
    scope: Scope,
    algorithm: Algorithm,
    terms: KeyTerms,
) -> Result<Made, KeyError> {
    let kind = match scope.environment {
        Environment::Production => SecretKind::Live,
        Environment::Staging => SecretKind::Test,
    };
    let secret = Secret::generate_for(kind, algorithm).ok_or(KeyError::NoSecretFor(algorithm))?;
    let material = KeyMaterial::Secret(SharedSecret {
        algorithm,
        bytes: secret.expose().as_bytes().to_vec().into(),
        last_four: secret.last_four().to_owned(),
        imported: false,
        terms: fit(terms)?,
    });
    let key = store.insert_key(scope, &material).await?;
    Ok(Made { key, secret })
}

/// How an imported secret is written (rule K1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// The text itself is the secret.
    #[default]
    Utf8,
    /// The standard alphabet, with `+` and `/`.
    Base64,
    /// The alphabet of URLs, with `-` and `_`.
    Base64url,
}

/// What an operator says of what they bring, besides the text itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct About {
    /// How a secret is written.
    pub(crate) encoding: Encoding,
    /// The algorithm of its tokens; without one, that of the key, or HS256.
    pub(crate) algorithm: Option<Algorithm>,
    /// The `kid` of a public key's tokens, in place of the JWK's own.
    pub(crate) kid: Option<String>,
    /// What its tokens must say.
    pub(crate) terms: KeyTerms,
}

/// Recognises what was brought: a public key as PEM, a certificate or a JWK
/// (rule K3), or else a secret in one line (rule K1).
pub(crate) fn read(text: &str, about: About) -> Result<KeyMaterial, KeyError> {
    // A public key before all else: it is here that private ones are noticed.
    match PublicKey::parse(text) {
        Ok(key) => public(key, about),
        Err(UnusableKey::NotAKey) if may_be_a_secret(text) => secret(text, about),
        Err(unusable) => Err(unusable.into()),
    }
}

/// The same, for what may be no text at all: a private key in DER is refused as one.
pub(crate) fn read_bytes(bytes: Vec<u8>, about: About) -> Result<KeyMaterial, KeyError> {
    match String::from_utf8(bytes) {
        Ok(text) => read(&text, about),
        Err(error) => {
            let text = base64::engine::general_purpose::STANDARD.encode(error.as_bytes());
            Err(match PublicKey::parse(&text) {
                Err(UnusableKey::Private) => UnusableKey::Private.into(),
                Ok(_) | Err(_) => KeyError::NotText,
            })
        }
    }
}

/// A file of several lines is a key of a kind that we do not know, or a mistake.
fn may_be_a_secret(text: &str) -> bool {
    let line = without_line_break(text);
    !line.contains(['\r', '\n']) && !line.starts_with('{') && !line.starts_with("-----")
}

/// The line break is the editor's; everything else is the secret's.
fn without_line_break(text: &str) -> &str {
    text.trim_end_matches(['\r', '\n'])
}

fn public(key: PublicKey, about: About) -> Result<KeyMaterial, KeyError> {
    let algorithm = match about.algorithm {
        Some(algorithm) => algorithm,
        None => key.algorithm().ok_or(KeyError::AlgorithmNeeded)?,
    };
    let kid = about.kid.or_else(|| key.kid().map(str::to_owned));
    // Refused here as it would be in a verifier.
    Key::public(kid.as_deref().unwrap_or("import"), &key, algorithm)?;
    Ok(KeyMaterial::Public(BroughtKey {
        key,
        kid,
        algorithm,
        terms: fit(about.terms)?,
    }))
}

fn secret(text: &str, about: About) -> Result<KeyMaterial, KeyError> {
    if about.kid.is_some() {
        return Err(KeyError::KidOfASecret);
    }
    let text = without_line_break(text);
    let bytes = about.encoding.bytes(text)?;
    let algorithm = about.algorithm.unwrap_or(Algorithm::Hs256);
    Key::shared_secret("import", &bytes, algorithm)?;
    let last_four = text.char_indices().rev().nth(3);
    Ok(KeyMaterial::Secret(SharedSecret {
        algorithm,
        bytes: bytes.into(),
        last_four: last_four.map_or("", |(at, _)| &text[at..]).to_owned(),
        imported: true,
        terms: fit(about.terms)?,
    }))
}

impl Encoding {
    fn bytes(self, text: &str) -> Result<Vec<u8>, KeyError> {
        let lenient =
            GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
        let decoded = match self {
            Self::Utf8 => return Ok(text.as_bytes().to_vec()),
            Self::Base64 => GeneralPurpose::new(&STANDARD, lenient).decode(text),
            Self::Base64url => GeneralPurpose::new(&URL_SAFE, lenient).decode(text),
        };
        decoded.map_err(|_| KeyError::NotEncoded(self))
    }

    /// The name that an operator writes.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Utf8 => "utf8",
            Self::Base64 => "base64",
            Self::Base64url => "base64url",
        }
    }
}

/// A set that was brought, and what was found in it.
pub(crate) struct BroughtSet {
    pub(crate) key: KeyId,
    /// The `kid`s that serve.
    pub(crate) usable: Vec<String>,
    pub(crate) skipped: Vec<SkippedKey>,
}

/// Keeps the address of a set, if there is a good one now (rule K4).
pub(crate) async fn bring_set(
    store: &Store,
    outbound: &Outbound,
    scope: Scope,
    url: &SetUrl,
    terms: SetTerms,
) -> Result<BroughtSet, KeyError> {
    let says = [&terms.issuer].into_iter().chain(&terms.audiences);
    if terms.audiences.is_empty() || says.into_iter().any(|term| term.is_empty()) {
        return Err(BadKeySet::NoTerms.into());
    }
    let fetched = jwks::fetch(outbound, url, &terms, &store.clock).await?;
    if fetched.keys.is_empty() {
        return Err(KeyError::EmptySet);
    }
    let url = url.as_str().to_owned();
    let material = KeyMaterial::Set(RemoteSet { url, terms });
    let key = store.insert_key(scope, &material).await?;
    store.keep_set(scope, key, &fetched.good).await?;
    Ok(BroughtSet {
        key,
        usable: fetched.keys.iter().map(|key| key.id().to_owned()).collect(),
        skipped: fetched.skipped,
    })
}

/// An empty issuer or audience would be equal to what a token need not say.
fn fit(terms: KeyTerms) -> Result<KeyTerms, KeyError> {
    let issuer = terms.issuer.iter();
    if issuer.chain(&terms.audiences).any(|term| term.is_empty()) {
        return Err(KeyError::EmptyTerm);
    }
    Ok(terms)
}

#[cfg(test)]
mod tests;
