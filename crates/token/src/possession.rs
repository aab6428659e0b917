//! Proof that whoever sends a request holds a key (RFC 9449, DPoP).
//!
//! A stolen session string is worth nothing without the key that its frame keeps.
//! The frame signs each request with it: a small JWT that names the method and the
//! address, and carries its public key. [`Proof::check`] says whether it was made
//! for this request, and with which key.
//!
//! Not here: whether the `nonce` is fresh and the `jti` new, which needs a clock and
//! a memory, and whether the key is the session's. Without asking all three, a
//! [`Proof`] proves nothing.
//!
//! What always holds:
//!
//! - There is no [`Proof`] except through `check`.
//! - What is malformed in a token is malformed in a proof: form and JSON are read by
//!   the same code, and the header has three members and no fourth.
//! - `iat` is not looked at: visitors' clocks are wrong. The nonce says when it was.
//! - Nothing of a proof is in a refusal.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest;
use aws_lc_rs::signature::ParsedPublicKey;
use serde_json::json;

use crate::algorithm::Algorithm;
use crate::json::{self, Json, Object};
use crate::jws::{Compact, base64url, decode_base64url};
use crate::key::{UnusableKey, jwk};
use crate::refusal::{Part, Refusal};

const TYPE: &str = "dpop+jwt";
const MAX_JTI_CHARS: usize = 128;
const SHA256_BYTES: usize = 32;

/// The P-256 key of whoever makes proofs, by its RFC 7638 thumbprint.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ProofKey(String);

/// A text that is no thumbprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a SHA-256 in base64url")]
pub struct NotAThumbprint;

/// The request that a proof must have been made for.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'r> {
    /// `GET`, `POST`: as it was sent.
    pub method: &'r str,
    /// Scheme, host and port by which browsers know us, compared without regard to
    /// case.
    pub origin: &'r str,
    /// The path as it was sent, without its query.
    pub path: &'r str,
    /// What the request was sent with, unless it asks for a first session.
    pub session: Option<&'r str>,
}

/// A proof that was made for this request, with the private half of its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    key: ProofKey,
    id: String,
    nonce: Option<String>,
}

/// Why a proof is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadProof {
    /// Not a compact JWS of strict JSON, or too long.
    #[error("the proof cannot be read: {}", form(.0))]
    Form(Refusal),
    /// Something is in its header that does not belong there.
    #[error("the proof's header has other members than `typ`, `alg` and `jwk`")]
    Header,
    /// It is another kind of token.
    #[error("the proof's `typ` is not `dpop+jwt`")]
    Type,
    /// It is signed in another way.
    #[error("the proof's `alg` is not `ES256`")]
    Algorithm,
    /// There is no JWK in it, or one with more members than a public key needs.
    #[error("the proof's `jwk` has other members than `kty`, `crv`, `x` and `y`")]
    KeyMembers,
    /// Its key is none.
    #[error("the proof's `jwk` cannot be used: {0}")]
    Key(UnusableKey),
    /// Its key did not make the signature.
    #[error("the proof's signature does not match")]
    Signature,
    /// A claim is absent, or of another form.
    #[error("the proof has no valid `{0}`")]
    Claim(&'static str),
    /// It was made for another method.
    #[error("the proof's `htm` is not the method of this request")]
    OtherMethod,
    /// It was made for another address.
    #[error("the proof's `htu` is not the address of this request")]
    OtherAddress,
    /// It was made for another session.
    #[error("the proof's `ath` is not the hash of this session")]
    OtherSession,
}

impl Proof {
    /// Checks a proof, all but its nonce and whether it was seen before.
    pub fn check(proof: &str, asked: &Asked<'_>) -> Result<Self, BadProof> {
        let compact = Compact::parse(proof).map_err(BadProof::Form)?;
        let (public, key) = key_of(&compact)?;
        let claims = compact
            .claims_if(|message, signature| public.verify_sig(message, signature).is_ok())
            .ok_or(BadProof::Signature)?;
        let (id, nonce) = read(&object(claims, Part::Claims)?, asked)?;
        Ok(Self { key, id, nonce })
    }

    /// The key that made it.
    pub fn key(&self) -> &ProofKey {
        &self.key
    }

    /// Its `jti`: whoever shows it again under one nonce has copied it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its `nonce`, which says when it was made.
    pub fn nonce(&self) -> Option<&str> {
        self.nonce.as_deref()
    }
}

/// The key in the header. That it made the signature is yet to be seen.
fn key_of(compact: &Compact<'_>) -> Result<(ParsedPublicKey, ProofKey), BadProof> {
    let header = object(compact.header_text(), Part::Header)?;
    if !header.has_only(&["typ", "alg", "jwk"]) {
        return Err(BadProof::Header);
    }
    if !is_text(header.get("typ"), TYPE) {
        return Err(BadProof::Type);
    }
    if !is_text(header.get("alg"), Algorithm::Es256.name()) {
        return Err(BadProof::Algorithm);
    }
    match header.get("jwk") {
        Some(Json::Object(jwk)) if jwk.has_only(&["kty", "crv", "x", "y"]) => {
            let public = jwk::p256(jwk).map_err(BadProof::Key)?;
            // Read as canonical base64url, so there is one spelling of a key.
            let key = ProofKey::of_coordinates(text(jwk, "x")?, text(jwk, "y")?);
            Ok((public, key))
        }
        Some(_) | None => Err(BadProof::KeyMembers),
    }
}

/// `jti` and `nonce` of claims that fit the request.
fn read(claims: &Object<'_>, asked: &Asked<'_>) -> Result<(String, Option<String>), BadProof> {
    let id = text(claims, "jti")?;
    if id.is_empty() || id.chars().count() > MAX_JTI_CHARS {
        return Err(BadProof::Claim("jti"));
    }
    if text(claims, "htm")? != asked.method {
        return Err(BadProof::OtherMethod);
    }
    if !is_address(text(claims, "htu")?, asked) {
        return Err(BadProof::OtherAddress);
    }
    if let Some(session) = asked.session
        && text(claims, "ath")? != sha256(session)
    {
        return Err(BadProof::OtherSession);
    }
    let nonce = match claims.get("nonce") {
        None => None,
        Some(_) => Some(text(claims, "nonce")?.to_owned()),
    };
    Ok((id.to_owned(), nonce))
}

fn is_address(htu: &str, asked: &Asked<'_>) -> bool {
    htu.split_at_checked(asked.origin.len())
        .is_some_and(|(origin, path)| {
            origin.eq_ignore_ascii_case(asked.origin) && path == asked.path
        })
}

/// What is wrong, without calling the proof a token.
fn form(refusal: &Refusal) -> String {
    if let Refusal::Malformed(fault) = refusal {
        fault.to_string()
    } else if *refusal == Refusal::TooLarge {
        "it is longer than 8 KiB".to_owned()
    } else {
        refusal.to_string()
    }
}

fn object(text: &[u8], part: Part) -> Result<Object<'_>, BadProof> {
    json::object(text).map_err(|fault| BadProof::Form(fault.within(part)))
}

fn text<'j>(claims: &'j Object<'_>, name: &'static str) -> Result<&'j str, BadProof> {
    match claims.get(name) {
        Some(Json::Text(text)) => Ok(text),
        Some(_) | None => Err(BadProof::Claim(name)),
    }
}

fn is_text(value: Option<&Json<'_>>, expected: &str) -> bool {
    matches!(value, Some(Json::Text(text)) if text == expected)
}

fn sha256(text: &str) -> String {
    base64url(digest::digest(&digest::SHA256, text.as_bytes()).as_ref())
}

impl ProofKey {
    /// The thumbprint of a P-256 key with these coordinates, in base64url.
    ///
    /// That they are a point is not asked here: it can only be equal to the key of a
    /// [`Proof`] if they are.
    pub fn of_coordinates(x: &str, y: &str) -> Self {
        let members = json!({ "crv": "P-256", "kty": "EC", "x": x, "y": y });
        Self(sha256(&members.to_string()))
    }

    /// The thumbprint, as it is stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ProofKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ProofKey {
    type Err = NotAThumbprint;

    /// Reads back what `Display` prints.
    fn from_str(text: &str) -> Result<Self, NotAThumbprint> {
        match decode_base64url(text) {
            Ok(bytes) if bytes.len() == SHA256_BYTES => Ok(Self(text.to_owned())),
            Ok(_) | Err(_) => Err(NotAThumbprint),
        }
    }
}
