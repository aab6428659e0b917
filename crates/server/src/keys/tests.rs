//! What is recognised, and what is refused.

use secrecy::ExposeSecret;
use serde_json::json;

use super::*;

const RSA: &str = include_str!("../../../token/src/tests/fixtures/rsa-public.pem");
const CERTIFICATE: &str = include_str!("../../../token/src/tests/fixtures/ec-certificate.pem");
const SECRET: &str = "correct horse battery staple, thirty-two";

fn bare(text: &str) -> Result<KeyMaterial, KeyError> {
    read(text, About::default())
}

fn code(refused: Result<KeyMaterial, KeyError>) -> &'static str {
    match refused {
        Err(error) => {
            assert!(error.hint().is_some(), "{error}");
            error.code().unwrap()
        }
        Ok(material) => panic!("not refused: {}", material.kind()),
    }
}

#[test]
fn k3_what_is_brought_is_recognised_by_its_content() {
    let jwk = json!({
        "kty": "OKP", "crv": "Ed25519", "kid": "2026-05", "use": "sig",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    });
    for (text, kind, algorithm) in [
        (CERTIFICATE, "public", Algorithm::Es256),
        (jwk.to_string().as_str(), "public", Algorithm::EdDsa),
        (SECRET, "secret", Algorithm::Hs256),
        (&format!("{SECRET}\r\n"), "secret", Algorithm::Hs256),
    ] {
        let material = bare(text).unwrap();

        assert_eq!((material.kind(), material.algorithm()), (kind, algorithm));
    }
    let KeyMaterial::Public(brought) = bare(&jwk.to_string()).unwrap() else {
        panic!("a JWK is a public key")
    };
    assert_eq!(brought.kid.as_deref(), Some("2026-05"));
}

#[test]
fn k5_an_rsa_key_that_states_no_algorithm_needs_one() {
    assert_eq!(code(bare(RSA)), "unusable_key");
    for (algorithm, fits) in [
        (Algorithm::Rs256, true),
        (Algorithm::Ps512, true),
        (Algorithm::Es256, false),
        (Algorithm::Hs256, false),
    ] {
        let about = About {
            algorithm: Some(algorithm),
            ..About::default()
        };

        let material = read(RSA, about);

        assert_eq!(
            material
                .as_ref()
                .is_ok_and(|it| it.algorithm() == algorithm),
            fits,
            "{algorithm}"
        );
    }
}

#[test]
fn k3_a_private_key_is_refused_in_every_form_and_told_to_be_leaked() {
    let (_, pkcs8) = maitred_token::AssertionKey::generate();
    let bare_base64 = base64::engine::general_purpose::STANDARD.encode(&pkcs8);
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{bare_base64}\n-----END PRIVATE KEY-----\n");
    let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A" });
    let set = json!({ "keys": [jwk] }).to_string();

    for text in [&pem, &bare_base64, &jwk.to_string(), &set] {
        let error = bare(text).unwrap_err();

        assert_eq!(error.code(), Some("private_key_refused"));
        assert!(error.hint().unwrap().contains("as leaked"));
        let told = format!("{error} {error:?}");
        assert!(
            !told.contains("nWGxne") && !told.contains(&bare_base64[20..40]),
            "{told}"
        );
    }
    let der = read_bytes(pkcs8, About::default());
    assert_eq!(code(der), "private_key_refused");
}

#[test]
fn k1_a_weak_secret_is_refused() {
    assert_eq!(code(bare("too short")), "weak_key");
    assert_eq!(code(bare(&"a".repeat(40))), "weak_key");
    let encoded = About {
        encoding: Encoding::Base64,
        ..About::default()
    };
    // 32 characters, but 24 bytes.
    assert_eq!(
        code(read("q83vASNFZ4mrze8BI0VniavN7wEjRWeJ", encoded)),
        "weak_key"
    );
}

#[test]
fn k1_a_secret_is_read_as_it_is_said_to_be_written() {
    let bytes: Vec<u8> = (200..240).collect();
    let standard = base64::engine::general_purpose::STANDARD.encode(&bytes);
    let url_safe = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&bytes);
    for (encoding, text, expected) in [
        (Encoding::Base64, &standard, bytes.as_slice()),
        (Encoding::Base64url, &url_safe, bytes.as_slice()),
        (Encoding::Utf8, &standard, standard.as_bytes()),
    ] {
        let about = About {
            encoding,
            ..About::default()
        };

        let Ok(KeyMaterial::Secret(secret)) = read(text, about) else {
            panic!("{text} is a secret")
        };

        assert_eq!(secret.bytes.expose_secret(), expected);
        assert!(secret.imported);
        assert!(text.ends_with(&secret.last_four) && secret.last_four.len() == 4);
    }
    let wrong = About {
        encoding: Encoding::Base64url,
        ..About::default()
    };
    assert_eq!(code(read(&standard, wrong)), "unusable_key");
}

#[test]
fn a_file_that_is_no_key_of_ours_does_not_become_a_secret() {
    for text in [
        "PuTTY-User-Key-File-3: ssh-ed25519\nPrivate-Lines: 1\nAAAAIHdk0xYvJmJv\n",
        "{\"not\": \"a key, but long enough for a secret\"}",
        "-----BEGIN PGP PUBLIC KEY BLOCK-----",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHdk0xYvJmJvZ\nssh-ed25519 AAAAC3NzaC1lZDI1NTE5",
    ] {
        assert_eq!(code(bare(text)), "unusable_key", "{text}");
    }
    let binary = read_bytes(vec![0xff; 64], About::default());
    assert_eq!(code(binary), "unusable_key");
}

#[test]
fn a_secret_takes_no_algorithm_of_a_public_key_and_no_kid() {
    let about = About {
        algorithm: Some(Algorithm::Rs256),
        ..About::default()
    };
    assert_eq!(code(read(SECRET, about)), "unusable_key");
    let about = About {
        kid: Some("k1".to_owned()),
        ..About::default()
    };
    assert_eq!(code(read(SECRET, about)), "unusable_key");
}

#[test]
fn t8_an_empty_issuer_or_audience_is_refused() {
    for terms in [
        KeyTerms {
            issuer: Some(String::new()),
            audiences: Vec::new(),
        },
        KeyTerms {
            issuer: None,
            audiences: vec!["chat".to_owned(), String::new()],
        },
    ] {
        let about = About {
            terms,
            ..About::default()
        };

        assert_eq!(code(read(SECRET, about)), "unusable_key");
    }
}
