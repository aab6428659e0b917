//! Keys as JSON: a JWK, and the sets that identity providers publish (RFC 7517).

use aws_lc_rs::signature::ParsedPublicKey;

use super::public::{Curve, Numbers, PublicKey};
use super::unusable::UnusableKey;
use super::{Key, fits_as_id};
use crate::algorithm::Algorithm;
use crate::json::{self, Json, Object};
use crate::jws::decode_base64url;
use crate::refusal::fit_to_repeat;

/// Members that only a private or symmetric key has.
const PRIVATE: [&str; 9] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"];

/// What an operator sets with the address of a key set. A set belongs to an
/// identity provider that signs for other programs too, so the tokens of its keys
/// must say that they are from it and for us (K4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetTerms {
    /// What `iss` must be.
    pub issuer: String,
    /// What `aud` may contain besides the agent; at least one.
    pub audiences: Vec<String>,
    /// What RSA keys that state no `alg` are for.
    pub rsa: Algorithm,
}

/// What was found in a fetched set.
#[derive(Clone, Debug)]
pub struct FetchedKeys {
    /// The keys that serve.
    pub keys: Vec<Key>,
    /// Those that do not.
    pub skipped: Vec<SkippedKey>,
}

/// A member of a fetched set that does not serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedKey {
    /// Its place in the set, from 0.
    pub position: usize,
    /// Its `kid`, if it looks like one.
    pub kid: Option<String>,
    /// Why.
    pub why: UnusableKey,
}

/// Why nothing of a set is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadKeySet {
    /// Not an object with a list `keys`, or not strict JSON.
    #[error("this is not a JSON object with a list of `keys`")]
    NotASet,
    /// A private or symmetric key is in it.
    #[error("there is a private key in the set, so none of it is used")]
    Private,
    /// Without these, another program's tokens would be identities here.
    #[error("a key set needs an issuer and an audience")]
    NoTerms,
}

impl BadKeySet {
    /// The stable code that API clients see.
    pub fn code(self) -> &'static str {
        match self {
            Self::Private => "private_key_refused",
            Self::NotASet | Self::NoTerms => "unusable_key",
        }
    }
}

/// Reads a set. Keys that cannot be used are skipped, and so are those with the
/// same `kid`; the others serve.
pub(super) fn fetched(text: &[u8], terms: &SetTerms) -> Result<FetchedKeys, BadKeySet> {
    if terms.issuer.is_empty() || !terms.audiences.iter().any(|audience| !audience.is_empty()) {
        return Err(BadKeySet::NoTerms);
    }
    let set = json::object(text).map_err(|_| BadKeySet::NotASet)?;
    let Some(Json::List(members)) = set.get("keys") else {
        return Err(BadKeySet::NotASet);
    };
    if members.iter().any(is_private) {
        return Err(BadKeySet::Private);
    }
    let read: Vec<Result<Key, UnusableKey>> =
        members.iter().map(|jwk| of_a_set(jwk, terms)).collect();
    let mut found = FetchedKeys {
        keys: Vec::new(),
        skipped: Vec::new(),
    };
    for (position, key) in read.iter().enumerate() {
        let unique = key.as_ref().map_err(|why| *why).and_then(|key| {
            let alike = read.iter().flatten().filter(|other| other.id() == key.id());
            let unique = alike.count() == 1;
            unique.then_some(key).ok_or(UnusableKey::DuplicateId)
        });
        match unique {
            Ok(key) => found.keys.push(key.clone()),
            Err(why) => found.skipped.push(SkippedKey {
                position,
                kid: shown_kid(&members[position]),
                why,
            }),
        }
    }
    Ok(found)
}

/// Reads the JWK that an operator has pasted.
pub(super) fn pasted(text: &str) -> Result<PublicKey, UnusableKey> {
    let jwk = json::object(text.as_bytes()).map_err(|_| UnusableKey::NotAKey)?;
    if has_private_member(&jwk) {
        return Err(UnusableKey::Private);
    }
    match jwk.get("keys") {
        Some(Json::List(members)) if members.iter().any(is_private) => Err(UnusableKey::Private),
        Some(_) => Err(UnusableKey::SeveralKeys),
        None => public_key(&jwk),
    }
}

/// Reads the P-256 key that comes along with a proof, once and for that only.
pub(crate) fn p256(jwk: &Object<'_>) -> Result<ParsedPublicKey, UnusableKey> {
    match numbers(jwk)? {
        Numbers::Ec {
            curve: curve @ Curve::P256,
            x,
            y,
        } => curve.parse(&x, &y),
        Numbers::Ec {
            curve: Curve::P384, ..
        }
        | Numbers::Rsa { .. }
        | Numbers::Ed25519(_) => Err(UnusableKey::WrongAlgorithm),
    }
}

fn is_private(member: &Json<'_>) -> bool {
    matches!(member, Json::Object(jwk) if has_private_member(jwk))
}

fn has_private_member(jwk: &Object<'_>) -> bool {
    jwk.get("kty").is_some_and(|kty| is_text(kty, "oct"))
        || PRIVATE.iter().any(|member| jwk.get(member).is_some())
}

fn of_a_set(jwk: &Json<'_>, terms: &SetTerms) -> Result<Key, UnusableKey> {
    let Json::Object(jwk) = jwk else {
        return Err(UnusableKey::NotAKey);
    };
    let public = public_key(jwk)?;
    // Without a `kid` nothing can name it, but it may be the only one there is.
    let id = public
        .kid()
        .map_or_else(|| public.fingerprint(), str::to_owned);
    let algorithm = public.algorithm().unwrap_or(terms.rsa);
    let key = Key::public(id, &public, algorithm)?;
    Ok(key.fetched(&terms.issuer, &terms.audiences))
}

fn public_key(jwk: &Object<'_>) -> Result<PublicKey, UnusableKey> {
    let numbers = numbers(jwk)?;
    if jwk.get("use").is_some_and(|its| !is_text(its, "sig")) {
        return Err(UnusableKey::NotForSignatures);
    }
    match jwk.get("key_ops") {
        None => (),
        Some(Json::List(uses)) if uses.iter().any(|one| is_text(one, "verify")) => (),
        Some(_) => return Err(UnusableKey::NotForVerifying),
    }
    let algorithm = match jwk.get("alg") {
        None => None,
        Some(Json::Text(name)) => Some(name.parse().map_err(|_| UnusableKey::WrongAlgorithm)?),
        Some(_) => return Err(UnusableKey::BadMember("alg")),
    };
    let kid = match jwk.get("kid") {
        None => None,
        Some(Json::Text(kid)) if fits_as_id(kid) => Some(kid.as_ref().to_owned()),
        Some(_) => return Err(UnusableKey::BadMember("kid")),
    };
    PublicKey::new(numbers, kid, algorithm)
}

fn numbers(jwk: &Object<'_>) -> Result<Numbers, UnusableKey> {
    match text(jwk, "kty")? {
        "RSA" => Ok(Numbers::Rsa {
            n: number(jwk, "n")?,
            e: number(jwk, "e")?,
        }),
        "EC" => {
            let curve = match text(jwk, "crv")? {
                "P-256" => Curve::P256,
                "P-384" => Curve::P384,
                _ => return Err(UnusableKey::UnknownCurve),
            };
            let (x, y) = (coordinate(jwk, "x", curve)?, coordinate(jwk, "y", curve)?);
            Ok(Numbers::Ec { curve, x, y })
        }
        "OKP" => match text(jwk, "crv")? {
            "Ed25519" => {
                let key = bytes(jwk, "x")?.try_into();
                Ok(Numbers::Ed25519(
                    key.map_err(|_| UnusableKey::BadMember("x"))?,
                ))
            }
            _ => Err(UnusableKey::UnknownCurve),
        },
        _ => Err(UnusableKey::UnknownKind),
    }
}

fn text<'j>(jwk: &'j Object<'_>, member: &'static str) -> Result<&'j str, UnusableKey> {
    match jwk.get(member) {
        Some(Json::Text(text)) => Ok(text),
        Some(_) | None => Err(UnusableKey::BadMember(member)),
    }
}

fn bytes(jwk: &Object<'_>, member: &'static str) -> Result<Vec<u8>, UnusableKey> {
    decode_base64url(text(jwk, member)?).map_err(|_| UnusableKey::BadMember(member))
}

/// Some libraries write a zero before a number, against RFC 7518.
fn number(jwk: &Object<'_>, member: &'static str) -> Result<Vec<u8>, UnusableKey> {
    let bytes = bytes(jwk, member)?;
    let first = bytes.iter().position(|byte| *byte != 0);
    first
        .map(|first| bytes[first..].to_vec())
        .ok_or(UnusableKey::BadMember(member))
}

fn coordinate(
    jwk: &Object<'_>,
    member: &'static str,
    curve: Curve,
) -> Result<Vec<u8>, UnusableKey> {
    let bytes = bytes(jwk, member)?;
    let fits = bytes.len() == curve.bytes();
    fits.then_some(bytes).ok_or(UnusableKey::BadMember(member))
}

fn is_text(value: &Json<'_>, expected: &str) -> bool {
    matches!(value, Json::Text(text) if text == expected)
}

fn shown_kid(member: &Json<'_>) -> Option<String> {
    let Json::Object(jwk) = member else {
        return None;
    };
    let kid = text(jwk, "kid").ok()?;
    fit_to_repeat(kid).then(|| kid.to_owned())
}
