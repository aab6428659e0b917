//! Any header and claims of a proof, rightly signed, are refused or fit the request.
//!
//! The first byte chooses how wild they are. Most headers get past the signature,
//! so that the claims are reached. What an accepted proof says is read once more,
//! by serde_json, and compared.

#![no_main]

use libfuzzer_sys::fuzz_target;
use maitred_fuzz::{Count, PROVER};
use maitred_token::{Asked, BadProof, Proof};
use serde_json::Value;

static COUNT: Count = Count::new("proofs");

const SESSION: &str = "mtd_s_0123456789";
/// The SHA-256 of it.
const ATH: &str = "01t3uaJoqVynjfpMbHWkhwgvuDuFf3rfd2aFZGcxezA";
const ORIGIN: &str = "https://support.example";
const PATH: &str = "/v1/session";

const CLAIMS: [&str; 8] = ["jti", "htm", "htu", "ath", "nonce", "iat", "exp", "x"];

fuzz_target!(|data: &[u8]| {
    let [choice, rest @ ..] = data else {
        return;
    };
    let split = rest.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let (header, claims) = rest.split_at(split);
    let header = make_header(choice & 0x0f, header);
    let claims = make_claims(choice >> 4, claims);
    let proof = PROVER.sign(&header, &claims);
    let asked = Asked {
        method: "POST",
        origin: ORIGIN,
        path: PATH,
        session: Some(SESSION),
    };
    let checked = Proof::check(&proof, &asked);
    match &checked {
        Ok(proof) => hold(proof, &claims),
        Err(why) => {
            let told = why.to_string();
            assert!(!told.is_empty() && told.len() < 400);
            // The signature is good, if the key in the header is ours.
            assert!(*why != BadProof::Signature || choice & 0x0f >= 0x0d);
        }
    }
    let other = &others(asked)[usize::from(choice >> 4) % 4];
    assert!(checked.is_err() || Proof::check(&proof, other).is_err());
    COUNT.add(is_past_signature(&checked), checked.is_ok());
});

/// Requests for which nothing may be good that is good for this one.
fn others(asked: Asked<'_>) -> [Asked<'_>; 4] {
    [
        Asked {
            method: "GET",
            ..asked
        },
        Asked {
            origin: "https://support.example.evil.example",
            ..asked
        },
        Asked {
            path: "/v1/session/",
            ..asked
        },
        Asked {
            session: Some("mtd_s_0123456788"),
            ..asked
        },
    ]
}

/// What is true of every proof.
fn hold(proof: &Proof, claims: &[u8]) {
    assert_eq!(proof.key(), &PROVER.key);
    assert!((1..=128).contains(&proof.id().chars().count()));
    let claims: Value = serde_json::from_slice(claims).expect("strict JSON");
    assert_eq!(claims["jti"], proof.id());
    assert_eq!(claims.get("nonce").and_then(Value::as_str), proof.nonce());
    assert_eq!(claims["htm"], "POST");
    assert_eq!(claims["ath"], ATH);
    let htu = claims["htu"].as_str().expect("a text");
    let (origin, path) = htu.split_at(ORIGIN.len());
    assert!(origin.eq_ignore_ascii_case(ORIGIN) && path == PATH);
}

fn is_past_signature(checked: &Result<Proof, BadProof>) -> bool {
    match checked {
        Ok(_) => true,
        Err(
            BadProof::Claim(_)
            | BadProof::OtherMethod
            | BadProof::OtherAddress
            | BadProof::OtherSession,
        ) => true,
        Err(BadProof::Form(refusal)) => refusal.to_string().contains("claims"),
        Err(_) => false,
    }
}

/// One header in 16 is made up whole, one has a made-up key, and one a made-up
/// member; the others are good.
fn make_header(choice: u8, text: &[u8]) -> Vec<u8> {
    let (start, jwk) = (r#"{"typ":"dpop+jwt","alg":"ES256","#, &PROVER.jwk);
    let start = start.as_bytes();
    match choice {
        0x0f => text.to_vec(),
        0x0e => [start, br#""jwk":"#, text, b"}"].concat(),
        0x0d => [start, br#""jwk":"#, jwk.as_bytes(), b",", text, b"}"].concat(),
        _ => [start, br#""jwk":"#, jwk.as_bytes(), b"}"].concat(),
    }
}

/// Whole, or good ones with made-up values of a few.
fn make_claims(choice: u8, text: &[u8]) -> Vec<u8> {
    if choice == 0 {
        return text.to_vec();
    }
    let mut overridden = 0_u8;
    let mut claims = vec![b'{'];
    for line in text.split(|byte| *byte == b'\n') {
        let Some((name, value)) = line.split_first() else {
            continue;
        };
        let name = usize::from(*name) % CLAIMS.len();
        overridden |= 1 << name;
        claims.extend(format!(r#""{}":"#, CLAIMS[name]).bytes());
        claims.extend(value);
        claims.push(b',');
    }
    let htu = format!("{ORIGIN}{PATH}");
    for (name, value) in [(0, "1"), (1, "POST"), (2, &htu), (3, ATH)] {
        if overridden & (1 << name) == 0 {
            claims.extend(format!(r#""{}":"{value}","#, CLAIMS[name]).bytes());
        }
    }
    claims.pop();
    claims.push(b'}');
    claims
}
