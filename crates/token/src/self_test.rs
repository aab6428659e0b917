//! A look at the cryptography before anything relies on it (T15).

use serde_json::json;

use crate::algorithm::Algorithm;
use crate::jws::{Compact, decode_base64url};
use crate::key::{Key, PublicKey};

/// RFC 7515, appendix A.1.
const HS256_KEY: &str =
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
const HS256_TOKEN: &str = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.\
    eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
    dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// RFC 8037, appendix A.4.
const EDDSA_KEY: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
const EDDSA_TOKEN: &str = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.\
    hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";

/// A published signature was not found good, or a changed one was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the self-test of {0} failed: this program must not check tokens on this machine")]
pub struct SelfTestFailed(&'static str);

/// Checks published signatures with the code that checks tokens. No port is
/// opened before it has passed.
pub fn self_test() -> Result<(), SelfTestFailed> {
    let passed = hs256().unwrap_or(false);
    passed.then_some(()).ok_or(SelfTestFailed("HS256"))?;
    let passed = eddsa().unwrap_or(false);
    passed.then_some(()).ok_or(SelfTestFailed("EdDSA"))
}

fn hs256() -> Option<bool> {
    let secret = decode_base64url(HS256_KEY).ok()?;
    let key = Key::shared_secret("RFC 7515 A.1", &secret, Algorithm::Hs256).ok()?;
    Some(tells_apart(
        &key,
        HS256_TOKEN,
        &HS256_TOKEN.replace(".dB", ".dA"),
    ))
}

fn eddsa() -> Option<bool> {
    let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": EDDSA_KEY });
    let public = PublicKey::parse(&jwk.to_string()).ok()?;
    let key = Key::public("RFC 8037 A.4", &public, Algorithm::EdDsa).ok()?;
    Some(tells_apart(
        &key,
        EDDSA_TOKEN,
        &EDDSA_TOKEN.replace(".hg", ".hQ"),
    ))
}

fn tells_apart(key: &Key, good: &str, changed: &str) -> bool {
    let signed = |token| {
        let compact = Compact::parse(token);
        compact.is_ok_and(|compact| compact.claims_if_signed_by(key).is_some())
    };
    signed(good) && !signed(changed)
}
