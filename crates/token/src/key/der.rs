//! As much of DER as a public key needs: SubjectPublicKeyInfo, alone or inside an
//! X.509 certificate (RFC 5280, RFC 5480, RFC 8410).
//!
//! Nothing of a certificate but its key counts: it is brought by an operator, who
//! answers for it, as for a key without one.

use super::public::{Curve, Numbers};
use super::unusable::UnusableKey;

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const NULL: u8 = 0x05;
const OBJECT_ID: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
/// `[0]`, explicit: a certificate's version.
const VERSION: u8 = 0xa0;

const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const P_256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const P_384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];

/// Whether this is a private key in PKCS #8, PKCS #1 or SEC 1: all of them begin
/// with a small version number, which no public key does.
pub(super) fn is_private(der: &[u8]) -> bool {
    let version = Der(der)
        .take(SEQUENCE)
        .and_then(|key| Der(key).take(INTEGER));
    version.is_some_and(|version| version.len() == 1)
}

/// The numbers of a SubjectPublicKeyInfo.
pub(super) fn public_key_info(der: &[u8]) -> Result<Numbers, UnusableKey> {
    whole(der).and_then(key_info).ok_or(UnusableKey::BadPem)?
}

/// The numbers of the key that a certificate is for.
pub(super) fn certificate(der: &[u8]) -> Result<Numbers, UnusableKey> {
    whole(der)
        .and_then(subject_key)
        .and_then(key_info)
        .ok_or(UnusableKey::BadPem)?
}

/// The content of the one sequence that this is.
fn whole(der: &[u8]) -> Option<Der<'_>> {
    let mut der = Der(der);
    let content = der.take(SEQUENCE)?;
    der.end()?;
    Some(Der(content))
}

fn subject_key(mut certificate: Der<'_>) -> Option<Der<'_>> {
    let mut signed = Der(certificate.take(SEQUENCE)?);
    certificate.take(SEQUENCE)?;
    certificate.take(BIT_STRING)?;
    certificate.end()?;
    if signed.0.first() == Some(&VERSION) {
        signed.take(VERSION)?;
    }
    signed.take(INTEGER)?;
    let [_algorithm, _issuer, _validity, _subject] = [
        signed.take(SEQUENCE)?,
        signed.take(SEQUENCE)?,
        signed.take(SEQUENCE)?,
        signed.take(SEQUENCE)?,
    ];
    signed.take(SEQUENCE).map(Der)
}

/// `None` is not DER of this form; an error is of it, and no key for us.
fn key_info(mut info: Der<'_>) -> Option<Result<Numbers, UnusableKey>> {
    let mut algorithm = Der(info.take(SEQUENCE)?);
    let key = info.bits()?;
    info.end()?;
    match algorithm.take(OBJECT_ID)? {
        RSA => {
            algorithm.take(NULL)?;
            algorithm.end()?;
            let mut key = whole(key)?;
            let (n, e) = (key.number()?, key.number()?);
            key.end()?;
            Some(Ok(Numbers::Rsa { n, e }))
        }
        EC => Some(named_curve(algorithm).and_then(|curve| point(curve, key))),
        ED25519 => {
            algorithm.end()?;
            Some(Ok(Numbers::Ed25519(key.try_into().ok()?)))
        }
        _ => Some(Err(UnusableKey::UnknownKind)),
    }
}

fn named_curve(mut parameters: Der<'_>) -> Result<Curve, UnusableKey> {
    let curve = match parameters.take(OBJECT_ID) {
        Some(P_256) => Curve::P256,
        Some(P_384) => Curve::P384,
        Some(_) | None => return Err(UnusableKey::UnknownCurve),
    };
    parameters.end().ok_or(UnusableKey::BadPem)?;
    Ok(curve)
}

/// A point in its uncompressed form.
fn point(curve: Curve, octets: &[u8]) -> Result<Numbers, UnusableKey> {
    let coordinates = octets
        .strip_prefix(&[4])
        .filter(|xy| xy.len() == 2 * curve.bytes())
        .ok_or(UnusableKey::OffCurve)?;
    let (x, y) = coordinates.split_at(curve.bytes());
    let (x, y) = (x.to_vec(), y.to_vec());
    Ok(Numbers::Ec { curve, x, y })
}

/// What is left to read of a value's content.
struct Der<'d>(&'d [u8]);

impl<'d> Der<'d> {
    /// The content of the next element, which must have this tag.
    fn take(&mut self, tag: u8) -> Option<&'d [u8]> {
        let (found, rest) = self.0.split_first()?;
        let (length, rest) = length(rest)?;
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        (*found == tag).then_some(content)
    }

    fn end(self) -> Option<()> {
        self.0.is_empty().then_some(())
    }

    /// A positive integer in its shortest form, without the zero that keeps it
    /// positive.
    fn number(&mut self) -> Option<Vec<u8>> {
        match self.take(INTEGER)? {
            [0, rest @ ..] if rest.first().is_some_and(|byte| *byte >= 0x80) => Some(rest.to_vec()),
            number @ [1..=0x7f, ..] => Some(number.to_vec()),
            _ => None,
        }
    }

    /// A string of whole bytes.
    fn bits(&mut self) -> Option<&'d [u8]> {
        self.take(BIT_STRING)?.strip_prefix(&[0])
    }
}

/// A length in its shortest form, of up to three bytes.
fn length(der: &[u8]) -> Option<(usize, &[u8])> {
    let (first, rest) = der.split_first()?;
    let bytes = match first {
        0..=0x7f => return Some((usize::from(*first), rest)),
        0x81..=0x83 => usize::from(first & 0x7f),
        _ => return None,
    };
    let (length, rest) = rest.split_at_checked(bytes)?;
    let value = length
        .iter()
        .fold(0, |value, byte| value << 8 | usize::from(*byte));
    let shortest = length[0] != 0 && value >= 0x80;
    shortest.then_some((value, rest))
}
