//! Keys as PEM text.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::der;
use super::public::Numbers;
use super::unusable::UnusableKey;

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";

/// Reads one public key or certificate. Whatever could be a private key is refused
/// as one, with or without the lines around it.
pub(super) fn numbers(text: &str) -> Result<Numbers, UnusableKey> {
    let text = text.trim();
    let Some(block) = text.strip_prefix(BEGIN) else {
        return Err(match decode(text) {
            Some(der) if der::is_private(&der) => UnusableKey::Private,
            Some(_) | None => UnusableKey::NotAKey,
        });
    };
    if block.contains(BEGIN) {
        return Err(UnusableKey::SeveralKeys);
    }
    let (label, body) = label_and_body(block).ok_or(UnusableKey::BadPem)?;
    let der = decode(body).ok_or(UnusableKey::BadPem)?;
    if der::is_private(&der) {
        return Err(UnusableKey::Private);
    }
    match label {
        "PUBLIC KEY" => der::public_key_info(&der),
        "CERTIFICATE" => der::certificate(&der),
        _ => Err(UnusableKey::BadPem),
    }
}

fn label_and_body(block: &str) -> Option<(&str, &str)> {
    let (label, rest) = block.split_once(DASHES)?;
    let (body, end) = rest.split_once(END)?;
    let closed = end.strip_suffix(DASHES) == Some(label);
    closed.then_some((label, body))
}

/// Lines may be of any length, indented, and end in any way.
fn decode(body: &str) -> Option<Vec<u8>> {
    let joined: String = body.lines().map(str::trim).collect();
    STANDARD.decode(joined).ok()
}
