//! K5: every algorithm, and that a key has no other than its own.

use super::pairs::{header, key_for, pair, sign_as, sign_with};
use super::*;

fn verifier_for(algorithm: Algorithm) -> Verifier {
    Verifier::new(KeySet::new(vec![key_for("key_1", algorithm)]), policy())
}

#[test]
fn k5_a_good_token_of_every_algorithm_is_accepted() {
    for algorithm in Algorithm::ALL {
        let token = sign_as(algorithm, &header(algorithm, "key_1"), &good_claims());

        let verified = verifier_for(algorithm).verify(&token, NOW).unwrap();

        assert_eq!(verified.subject(), "user-1");
        assert_eq!(verified.trace().algorithm, Some(algorithm));
    }
}

#[test]
fn k5_no_key_checks_a_token_of_another_algorithm() {
    for of_key in Algorithm::ALL {
        let verifier = verifier_for(of_key);
        for of_token in Algorithm::ALL.into_iter().filter(|other| *other != of_key) {
            let token = sign_as(of_token, &header(of_token, "key_1"), &good_claims());

            let refused = verifier.verify(&token, NOW).unwrap_err();

            let expected = Some(of_key);
            assert_eq!(refused.refusal, Refusal::AlgorithmNotAllowed { expected });
            assert_eq!(refused.stage, Stage::BeforeSignature);
        }
    }
}

#[test]
fn k5_a_signature_of_another_algorithm_is_bad_whatever_the_header_says() {
    for of_key in Algorithm::ALL {
        let verifier = verifier_for(of_key);
        for of_token in Algorithm::ALL.into_iter().filter(|other| *other != of_key) {
            let token = sign_as(of_token, &header(of_key, "key_1"), &good_claims());

            let refused = verifier.verify(&token, NOW).unwrap_err();

            assert_eq!(
                refused.refusal,
                Refusal::BadSignature,
                "{of_token} as {of_key}"
            );
        }
    }
}

#[test]
fn k5_a_public_key_is_no_shared_secret() {
    for algorithm in [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa] {
        let public_pem = &pair(algorithm).unwrap().public_pem;
        for text in [public_pem.as_str(), public_pem.trim_end()] {
            let token = mint_hs256(text.as_bytes(), Some("key_1"), &good_claims());

            let refused = verifier_for(algorithm).verify(&token, NOW).unwrap_err();

            let expected = Some(algorithm);
            assert_eq!(refused.refusal, Refusal::AlgorithmNotAllowed { expected });
        }
    }
}

#[test]
fn k5_ed25519_is_another_name_of_eddsa_and_of_nothing_else() {
    let header = json!({ "alg": "Ed25519", "kid": "key_1" });
    let token = sign_as(Algorithm::EdDsa, &header, &good_claims());
    assert!(verifier_for(Algorithm::EdDsa).verify(&token, NOW).is_ok());

    for algorithm in Algorithm::ALL {
        if algorithm != Algorithm::EdDsa {
            let token = sign_as(algorithm, &header, &good_claims());
            let refused = verifier_for(algorithm).verify(&token, NOW).unwrap_err();
            assert_eq!(refused.refusal.code(), "algorithm_not_allowed");
        }
    }
    for name in ["ed25519", "EDDSA", "Ed448"] {
        let header = json!({ "alg": name, "kid": "key_1" });
        let token = sign_as(Algorithm::EdDsa, &header, &good_claims());
        let refused = verifier_for(Algorithm::EdDsa)
            .verify(&token, NOW)
            .unwrap_err();
        assert_eq!(refused.refusal.code(), "algorithm_not_allowed", "{name}");
    }
}

#[test]
fn k5_a_token_of_another_pair_is_a_bad_signature() {
    let other = Some(&*pairs::OTHER_P256);
    let header = header(Algorithm::Es256, "key_1");
    let token = sign_with(other, Algorithm::Es256, &header, &good_claims());

    let refused = verifier_for(Algorithm::Es256)
        .verify(&token, NOW)
        .unwrap_err();

    assert_eq!(refused.refusal, Refusal::BadSignature);
}

#[test]
fn k5_an_elliptic_signature_of_zeros_or_in_der_is_bad() {
    // CVE-2022-21449, and the form that other protocols use.
    let token = sign_as(
        Algorithm::Es256,
        &header(Algorithm::Es256, "key_1"),
        &good_claims(),
    );
    let (message, signature) = token.rsplit_once('.').unwrap();
    let raw = decode_base64url(signature).unwrap();
    let mut der = vec![0x30, 0x44, 0x02, 0x20];
    der.extend(&raw[..32]);
    der.extend([0x02, 0x20]);
    der.extend(&raw[32..]);

    for signature in [
        vec![0; 64],
        der,
        raw[..63].to_vec(),
        [&raw[..], &[0]].concat(),
    ] {
        let token = format!("{message}.{}", base64url(&signature));
        let refused = verifier_for(Algorithm::Es256)
            .verify(&token, NOW)
            .unwrap_err();
        assert_eq!(refused.refusal, Refusal::BadSignature);
    }
}

#[test]
fn k5_the_names_of_algorithms_are_read_as_they_are_printed() {
    for algorithm in Algorithm::ALL {
        assert_eq!(algorithm.to_string().parse(), Ok(algorithm));
    }
    assert_eq!("Ed25519".parse(), Ok(Algorithm::EdDsa));
    for name in ["", "none", "hs256", "ES512", "ES256K", "RSA-OAEP"] {
        assert_eq!(name.parse::<Algorithm>(), Err(UnknownAlgorithm), "{name}");
    }
}

#[test]
fn k5_a_secret_has_only_algorithms_of_secrets_and_a_public_key_its_own() {
    for algorithm in Algorithm::ALL {
        let secret = Key::shared_secret("key_1", SECRET, algorithm);
        assert_eq!(secret.is_ok(), pair(algorithm).is_none(), "{algorithm}");
        for other in Algorithm::ALL {
            let Some(pair) = pair(other) else { continue };
            let fits = pair.public().algorithms().contains(&algorithm);
            let key = Key::public("key_1", &pair.public(), algorithm);
            match key {
                Ok(key) => assert!(fits && key.algorithm() == algorithm),
                Err(why) => assert!(!fits && why == UnusableKey::WrongAlgorithm),
            }
        }
    }
}

#[test]
fn any_bit_of_a_good_token_of_any_algorithm_flipped_is_refused() {
    for algorithm in Algorithm::ALL {
        let verifier = verifier_for(algorithm);
        let good = sign_as(algorithm, &header(algorithm, "key_1"), &good_claims());
        assert!(verifier.verify(&good, NOW).is_ok());
        let parts: Vec<Vec<u8>> = good
            .split('.')
            .map(|part| decode_base64url(part).unwrap())
            .collect();
        for part in 0..3 {
            for bit in 0..parts[part].len() * 8 {
                let mut parts = parts.clone();
                parts[part][bit / 8] ^= 1 << (bit % 8);
                let encoded: Vec<String> = parts.iter().map(|part| base64url(part)).collect();
                let flipped = verifier.verify(&encoded.join("."), NOW);
                assert!(flipped.is_err(), "{algorithm}: bit {bit} of {part}");
            }
        }
    }
}

#[test]
fn k7_a_bad_signature_says_more_than_a_key_of_another_algorithm() {
    let secrets = [
        key_for("key_1", Algorithm::Hs256),
        key_for("key_2", Algorithm::Hs384),
    ];
    let token = mint_hs256(OTHER_SECRET, None, &good_claims());
    for keys in [secrets.to_vec(), secrets.iter().rev().cloned().collect()] {
        let verifier = Verifier::new(KeySet::new(keys), policy());

        let explanation = verifier.explain(&token, NOW);

        assert_eq!(
            explanation.verdict.unwrap_err().refusal,
            Refusal::BadSignature
        );
        let failed = |step: &&Step| matches!(step.outcome, Outcome::Failed { .. });
        let step = explanation.steps.iter().find(failed).unwrap();
        assert_eq!(step.check, Check::Signature);
    }
}
