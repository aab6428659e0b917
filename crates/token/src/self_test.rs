//! A look at the cryptography before anything relies on it (T15).

use serde_json::json;

use crate::algorithm::Algorithm;
use crate::jws::{Compact, decode_base64url};
use crate::key::{Key, PublicKey};

/// A published token, and the same with another signature.
struct Vector {
    name: &'static str,
    key: fn() -> Option<Key>,
    token: &'static str,
    changed: &'static str,
}

const VECTORS: [Vector; 2] = [
    // RFC 7515, appendix A.1.
    Vector {
        name: "HS256",
        key: hs256,
        token: "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.\
            eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
            dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
        changed: "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.\
            eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
            dAjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    },
    // RFC 8037, appendix A.4.
    Vector {
        name: "EdDSA",
        key: eddsa,
        token: "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.\
            hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
        changed: "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.\
            hQyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
    },
];

/// A published signature was not found good, or a changed one was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the self-test of {0} failed: this program must not check tokens on this machine")]
pub struct SelfTestFailed(&'static str);

/// Checks published signatures with the code that checks tokens. No port is
/// opened before it has passed.
pub fn self_test() -> Result<(), SelfTestFailed> {
    VECTORS.iter().try_for_each(Vector::check)
}

impl Vector {
    fn check(&self) -> Result<(), SelfTestFailed> {
        let key = (self.key)().ok_or(SelfTestFailed(self.name))?;
        let signed = |token| {
            let compact = Compact::parse(token);
            compact.is_ok_and(|compact| compact.claims_if_signed_by(&key).is_some())
        };
        let tells_apart = signed(self.token) && !signed(self.changed);
        tells_apart.then_some(()).ok_or(SelfTestFailed(self.name))
    }
}

fn hs256() -> Option<Key> {
    let secret =
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    let secret = decode_base64url(secret).ok()?;
    Key::shared_secret("RFC 7515 A.1", &secret, Algorithm::Hs256).ok()
}

fn eddsa() -> Option<Key> {
    let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": x });
    let public = PublicKey::parse(&jwk.to_string()).ok()?;
    Key::public("RFC 8037 A.4", &public, Algorithm::EdDsa).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t15_the_published_vectors_verify() {
        for vector in VECTORS {
            assert_eq!(vector.check(), Ok(()));
        }
        assert_eq!(self_test(), Ok(()));
    }

    #[test]
    fn t15_a_machine_that_finds_every_signature_good_or_none_is_noticed() {
        for vector in VECTORS {
            let failed = Err(SelfTestFailed(vector.name));
            let all_good = Vector {
                changed: vector.token,
                ..vector
            };
            assert_eq!(all_good.check(), failed);
            let none_good = Vector {
                token: vector.changed,
                ..vector
            };
            assert_eq!(none_good.check(), failed);
            let no_key = Vector {
                key: || None,
                ..vector
            };
            assert_eq!(no_key.check(), failed);
        }
    }
}
