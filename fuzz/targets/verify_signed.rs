//! Any header and claims, rightly signed, are refused or make a sound identity.
//!
//! The first bytes choose the key and how wild header and claims are. Most headers
//! are of a shape that gets past the signature, so that the claims are reached.

#![no_main]

use libfuzzer_sys::fuzz_target;
use maitred_fuzz::{ALGORITHMS, Count, NOW, signed, verdict};
use maitred_token::Stage;

static COUNT: Count = Count::new("tokens");

const CLAIMS: [&str; 16] = [
    "sub",
    "user_id",
    "external_id",
    "email",
    "email_verified",
    "exp",
    "nbf",
    "iat",
    "aud",
    "iss",
    "jti",
    "name",
    "picture",
    "auth_time",
    "act",
    "plan",
];

fuzz_target!(|data: &[u8]| {
    let [choice, header_choice, rest @ ..] = data else {
        return;
    };
    // Ed25519 takes a hundred times as long as HMAC, so it is chosen less often.
    let which = match choice & 0x1f {
        0 => 3,
        other => usize::from(other % 3),
    };
    let split = rest.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let (header, claims) = rest.split_at(split);
    let header = make_header(*header_choice, which, header);
    let claims = make_claims(choice >> 5, claims);
    let verdict = verdict(&signed(which, &header, &claims));
    let stage = verdict.as_ref().err().map(|refused| refused.stage);
    COUNT.add(stage != Some(Stage::BeforeSignature), verdict.is_ok());
});

/// One header in 16 is made up whole; the others have the right `alg`, or at times
/// another, and up to one member that is made up.
fn make_header(choice: u8, which: usize, text: &[u8]) -> Vec<u8> {
    if choice & 0x0f == 0x0f {
        return text.to_vec();
    }
    let (alg, kid) = ALGORITHMS[if choice & 0x0f == 0x0e { 1 } else { which }];
    let mut header = format!(r#"{{"alg":"{alg}""#).into_bytes();
    if choice & 0x10 == 0 || which == 3 {
        header.extend(format!(r#","kid":"{kid}""#).bytes());
    }
    if choice & 0x20 == 0 {
        header.extend(br#","typ":"JWT""#);
    }
    if choice & 0xc0 == 0xc0 && !text.is_empty() {
        header.extend(br#","x":"#);
        header.extend(text);
    }
    header.push(b'}');
    header
}

/// Whole, or good ones with made-up values of a few.
fn make_claims(choice: u8, text: &[u8]) -> Vec<u8> {
    if choice == 0 {
        return text.to_vec();
    }
    let mut overridden = 0_u16;
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
    let good = [
        (0, r#""u-1""#.to_owned()),
        (3, r#""sarah@shop.example""#.to_owned()),
        (5, (NOW + 600).to_string()),
    ];
    for (name, value) in good {
        if overridden & (1 << name) == 0 {
            claims.extend(format!(r#""{}":{value},"#, CLAIMS[name]).bytes());
        }
    }
    claims.pop();
    claims.push(b'}');
    claims
}
