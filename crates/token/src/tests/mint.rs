//! Our own assertions, and the second opinion of another library.

use jsonwebtoken::{DecodingKey, EncodingKey, Header, Validation};

use super::*;

fn part(token: &str, n: usize) -> Value {
    let part = token.split('.').nth(n).unwrap();
    serde_json::from_slice(&decode_base64url(part).unwrap()).unwrap()
}

#[test]
fn another_library_accepts_an_assertion() {
    let (key, _) = AssertionKey::generate();
    let claims = json!({ "sub": "user-1", "aud": "https://shop.example" });

    let token = key.sign("maitred-action+jwt", &claims);

    let header = json!({ "alg": "EdDSA", "typ": "maitred-action+jwt", "kid": key.kid() });
    assert_eq!(part(&token, 0), header);
    let jwk: jsonwebtoken::jwk::Jwk = serde_json::from_value(key.public_jwk()).unwrap();
    let mut validation = Validation::new(jsonwebtoken::Algorithm::EdDSA);
    validation.set_audience(&["https://shop.example"]);
    validation.required_spec_claims.clear();
    let public = DecodingKey::from_jwk(&jwk).unwrap();
    let decoded = jsonwebtoken::decode::<Value>(&token, &public, &validation).unwrap();
    assert_eq!(decoded.claims, claims);
}

#[test]
fn another_librarys_token_is_accepted() {
    let mut header = Header::new(jsonwebtoken::Algorithm::HS256);
    header.kid = Some("key_1".to_owned());
    let secret = EncodingKey::from_secret(SECRET);

    let token = jsonwebtoken::encode(&header, &good_claims(), &secret).unwrap();

    assert_eq!(verified(&token).subject(), "user-1");
    assert_eq!(part(&good_token(), 1), part(&token, 1));
}

#[test]
fn a_stored_assertion_key_is_the_same_key() {
    let (key, document) = AssertionKey::generate();

    let again = AssertionKey::from_pkcs8(&document).unwrap();

    assert_eq!(again.kid(), key.kid());
    assert_eq!(again.public_jwk(), key.public_jwk());
    // Ed25519 has one signature for each message.
    let claims = json!({ "sub": "user-1" });
    assert_eq!(again.sign("t", &claims), key.sign("t", &claims));
    let refused = AssertionKey::from_pkcs8(b"not a key").unwrap_err();
    assert_eq!(refused, UnusableKey::BadDocument);
}

#[test]
fn the_public_jwk_has_no_private_member() {
    let (key, _) = AssertionKey::generate();

    let jwk = key.public_jwk();

    let members: Vec<&String> = jwk.as_object().unwrap().keys().collect();
    assert_eq!(members, ["alg", "crv", "kid", "kty", "use", "x"]);
    assert_eq!(jwk["kid"], thumbprint(jwk["x"].as_str().unwrap()));
    assert!(format!("{key:?}").contains(key.kid()));
}

#[test]
fn the_thumbprint_is_that_of_rfc_8037_a_3() {
    let thumbprint = thumbprint("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");

    assert_eq!(thumbprint, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

#[test]
fn an_assertion_is_not_accepted_as_a_token() {
    let (key, _) = AssertionKey::generate();

    let refused = refused(&key.sign("JWT", &good_claims()));

    assert_eq!(refused.stage, Stage::BeforeSignature);
    assert_eq!(refused.refusal.code(), "unknown_key");
}
