//! The compact form of a token and its header.
//!
//! [`Compact::parse`] checks the form alone. The claims stay shut inside until
//! [`Compact::claims_if_signed_by`] has found the signature good.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::json::{self, Json};
use crate::key::Key;
use crate::refusal::{Malformed, Part, Refusal};

/// T1: longer tokens are refused unread.
pub(crate) const MAX_TOKEN_BYTES: usize = 8 * 1024;
/// K7: no key has a longer id.
pub(crate) const MAX_KID_CHARS: usize = 256;

/// Header members that would change what the signature means (T2).
const UNSUPPORTED: [&str; 7] = ["crit", "b64", "zip", "enc", "cty", "epk", "p2c"];

/// Writes bytes as base64url without padding.
pub fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads base64url in its one canonical form: no padding, no spare bits set.
pub fn decode_base64url(text: &str) -> Result<Vec<u8>, BadBase64url> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| BadBase64url)
}

/// The text is not canonical base64url.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not base64url without padding")]
pub struct BadBase64url;

/// A token whose form is right. Nothing else is known about it.
pub(crate) struct Compact<'t> {
    signed: &'t str,
    header: Vec<u8>,
    claims: Vec<u8>,
    signature: Vec<u8>,
}

impl<'t> Compact<'t> {
    pub(crate) fn parse(token: &'t str) -> Result<Self, Refusal> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(Refusal::TooLarge);
        }
        let wrong_parts = Refusal::Malformed(Malformed::Parts);
        let Some((signed, signature)) = token.rsplit_once('.') else {
            return Err(wrong_parts);
        };
        let Some((header, claims)) = signed.split_once('.') else {
            return Err(wrong_parts);
        };
        if header.is_empty() || claims.is_empty() || signature.is_empty() || claims.contains('.') {
            return Err(wrong_parts);
        }
        Ok(Self {
            signed,
            header: decode(header, Part::Header)?,
            claims: decode(claims, Part::Claims)?,
            signature: decode(signature, Part::Signature)?,
        })
    }

    /// Reads the header, all of a token that may be read before its signature is
    /// checked (T12).
    pub(crate) fn header(&self) -> Result<Unverified<'_>, Refusal> {
        let header = json::object(&self.header).map_err(|fault| fault.within(Part::Header))?;
        if let Some(member) = UNSUPPORTED
            .into_iter()
            .find(|member| header.get(member).is_some())
        {
            return Err(Refusal::HeaderNotSupported(member));
        }
        let typ = Typ::read(header.get("typ")).ok_or(Refusal::TypeNotAllowed)?;
        let Some(Json::Text(algorithm)) = header.get("alg") else {
            return Err(Refusal::Malformed(Malformed::Algorithm));
        };
        if algorithm.eq_ignore_ascii_case("none") {
            return Err(Refusal::AlgorithmNotAllowed { expected: None });
        }
        let kid = match header.get("kid") {
            None => None,
            Some(Json::Text(kid)) if kid.chars().count() <= MAX_KID_CHARS => Some(kid.clone()),
            Some(_) => return Err(Refusal::Malformed(Malformed::KeyId)),
        };
        Ok(Unverified {
            typ,
            algorithm: algorithm.clone(),
            kid,
            claims: &self.claims,
        })
    }

    /// The header as it stands there, for whoever reads another kind of JWS.
    pub(crate) fn header_text(&self) -> &[u8] {
        &self.header
    }

    /// The claims, if this key made the signature over them.
    pub(crate) fn claims_if_signed_by(&self, key: &Key) -> Option<&[u8]> {
        self.claims_if(|message, signature| key.signed(message, signature))
    }

    /// The claims, if the signature is found good.
    pub(crate) fn claims_if(&self, is_good: impl FnOnce(&[u8], &[u8]) -> bool) -> Option<&[u8]> {
        is_good(self.signed.as_bytes(), &self.signature).then_some(&self.claims)
    }
}

/// What a token says before it has proven anything. It can find a key, no more.
pub(crate) struct Unverified<'t> {
    pub(crate) typ: Typ,
    pub(crate) algorithm: Cow<'t, str>,
    pub(crate) kid: Option<Cow<'t, str>>,
    claims: &'t [u8],
}

impl Unverified<'_> {
    /// The `iss`, read only where several keys could be meant (T12).
    pub(crate) fn issuer(&self) -> Option<String> {
        match json::object(self.claims).ok()?.get("iss") {
            Some(Json::Text(issuer)) => Some(issuer.as_ref().to_owned()),
            Some(_) | None => None,
        }
    }
}

/// The kinds of tokens that there are keys for (T2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Typ {
    /// `JWT`, or nothing.
    Jwt,
    /// `at+jwt`: an access token of RFC 9068.
    AccessToken,
}

impl Typ {
    /// Reads `typ`, as a media type or short, in any casing.
    fn read(typ: Option<&Json<'_>>) -> Option<Self> {
        let typ = match typ {
            None => return Some(Self::Jwt),
            Some(Json::Text(typ)) => typ,
            Some(_) => return None,
        };
        let is = |name: &str| {
            let media = typ.split_at_checked("application/".len());
            let short = media.filter(|(start, _)| start.eq_ignore_ascii_case("application/"));
            short
                .map_or(typ.as_ref(), |(_, rest)| rest)
                .eq_ignore_ascii_case(name)
        };
        if is("JWT") {
            Some(Self::Jwt)
        } else if is("at+jwt") {
            Some(Self::AccessToken)
        } else {
            None
        }
    }
}

fn decode(part: &str, which: Part) -> Result<Vec<u8>, Refusal> {
    decode_base64url(part).map_err(|_| Refusal::Malformed(Malformed::Encoding(which)))
}
