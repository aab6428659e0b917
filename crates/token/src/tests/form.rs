//! T1 to T3, T12: the form, the header, the JSON.

use serde_json::json;

use super::*;

fn malformed(token: &str) -> Malformed {
    let Refusal::Malformed(why) = refused(token).refusal else {
        panic!("refused otherwise")
    };
    why
}

/// Why a token with this header is refused, before its signature is looked at.
fn header_refusal(header: &str) -> Refusal {
    let refused = refused(&signed(header, &good_claims().to_string()));
    assert_eq!(refused.stage, Stage::BeforeSignature);
    refused.refusal
}

#[test]
fn t1_a_token_needs_exactly_three_parts_with_something_in_each() {
    let good = good_token();
    let [header, claims, signature]: [&str; 3] =
        good.split('.').collect::<Vec<_>>().try_into().unwrap();

    for token in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        header.to_owned(),
        format!("{header}.{claims}"),
        format!("{header}.{claims}."),
        format!("{header}..{signature}"),
        format!(".{claims}.{signature}"),
        format!("{good}."),
        format!(".{good}"),
        format!("{good}.{signature}"),
        // JWE has five.
        format!("{header}.{header}.{claims}.{claims}.{signature}"),
    ] {
        assert_eq!(malformed(&token), Malformed::Parts, "{token}");
    }
}

#[test]
fn t1_nothing_is_trimmed() {
    let good = good_token();
    for token in [
        format!(" {good}"),
        format!("{good} "),
        format!("{good}\n"),
        format!("\t{good}"),
    ] {
        assert!(
            matches!(malformed(&token), Malformed::Encoding(_)),
            "{token:?}"
        );
    }
}

#[test]
fn t1_the_json_serialization_is_malformed() {
    let good = good_token();
    let parts: Vec<&str> = good.split('.').collect();
    let token =
        json!({ "protected": parts[0], "payload": parts[1], "signature": parts[2] }).to_string();

    assert_eq!(malformed(&token), Malformed::Parts);
}

#[test]
fn t1_only_canonical_base64url_is_read() {
    let good = good_token();
    // The signature's 43 characters end in one with two spare bits.
    let (rest, last) = good.split_at(good.len() - 1);
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let value = alphabet.find(last).unwrap();
    assert_eq!(value % 4, 0);
    for spare in 1..4 {
        let token = format!("{rest}{}", &alphabet[value + spare..=value + spare]);
        assert_eq!(malformed(&token), Malformed::Encoding(Part::Signature));
    }

    for extra in ["=", "+", "/", "!", "ä", "\0", "%2E"] {
        let token = format!("{good}{extra}");
        assert_eq!(
            malformed(&token),
            Malformed::Encoding(Part::Signature),
            "{extra}"
        );
    }
    let padded = good.replacen('.', "==.", 1);
    assert_eq!(malformed(&padded), Malformed::Encoding(Part::Header));
}

#[test]
fn t1_a_part_is_checked_even_where_the_signature_covers_it() {
    let token = sign(&format!(
        "{}.{}=",
        base64url(HEADER.as_bytes()),
        base64url(b"{\"a\":1}")
    ));

    assert_eq!(malformed(&token), Malformed::Encoding(Part::Claims));
}

#[test]
fn t1_more_than_8_kib_is_too_large() {
    // Spaces in the header make up for lengths that base64url does not have.
    let of_length = |length: usize| {
        (0..3)
            .flat_map(|header| (5_800..6_000).map(move |claims| (header, claims)))
            .map(|(header, claims)| {
                let claims = format!("{}{}", good_claims(), " ".repeat(claims));
                signed(&format!("{HEADER}{}", " ".repeat(header)), &claims)
            })
            .find(|token| token.len() == length)
            .unwrap()
    };

    assert_eq!(verified(&of_length(8_192)).subject(), "user-1");
    assert_eq!(refused(&of_length(8_193)).refusal, Refusal::TooLarge);
}

#[test]
fn t2_a_header_without_a_text_in_alg_is_malformed() {
    for header in [
        "{}",
        r#"{"alg":null}"#,
        r#"{"alg":256}"#,
        r#"{"alg":["HS256"]}"#,
    ] {
        assert_eq!(
            header_refusal(header),
            Refusal::Malformed(Malformed::Algorithm),
            "{header}"
        );
    }
}

#[test]
fn t2_another_type_is_not_allowed() {
    for typ in [
        r#""at+jwt""#,
        r#""dpop+jwt""#,
        r#""""#,
        r#""JWT ""#,
        r#""text/jwt""#,
        "1",
        "null",
    ] {
        let header = format!(r#"{{"alg":"HS256","typ":{typ}}}"#);
        assert_eq!(header_refusal(&header), Refusal::TypeNotAllowed, "{typ}");
    }
}

#[test]
fn t2_the_type_is_compared_without_regard_to_case_and_may_be_absent() {
    for typ in [
        r#","typ":"JWT""#,
        r#","typ":"jwt""#,
        r#","typ":"application/Jwt""#,
        "",
    ] {
        let header = format!(r#"{{"alg":"HS256"{typ}}}"#);
        let token = signed(&header, &good_claims().to_string());
        assert_eq!(verified(&token).subject(), "user-1", "{typ}");
    }
}

#[test]
fn t2_a_header_member_that_changes_the_meaning_is_not_supported() {
    for member in ["crit", "b64", "zip", "enc", "cty", "epk", "p2c"] {
        for value in ["null", "true", r#""JWT""#, "[]", "{}"] {
            let header = format!(r#"{{"alg":"HS256","{member}":{value}}}"#);
            assert_eq!(
                header_refusal(&header),
                Refusal::HeaderNotSupported(member),
                "{header}"
            );
        }
    }
}

#[test]
fn t2_a_key_that_the_token_brings_is_not_read() {
    let header = json!({
        "alg": "HS256",
        "jwk": { "kty": "oct", "k": base64url(OTHER_SECRET) },
        "jku": "https://evil.example/jwks.json", "x5u": "https://evil.example/c", "x5c": ["AA"],
    });
    let good = signed(&header.to_string(), &good_claims().to_string());
    let message = good.rsplit_once('.').unwrap().0;
    let forged = hmac::sign(
        &hmac::Key::new(hmac::HMAC_SHA256, OTHER_SECRET),
        message.as_bytes(),
    );
    let forged = format!("{message}.{}", base64url(forged.as_ref()));

    assert_eq!(verified(&good).subject(), "user-1");
    assert_eq!(refused(&forged).refusal, Refusal::BadSignature);
}

#[test]
fn t3_a_member_that_is_there_twice_is_refused_at_every_depth() {
    for claims in [
        r#"{"sub":"a","sub":"b"}"#,
        r#"{"sub":"a","sub":"a"}"#,
        r#"{"sub":"a","exp":1,"aud":"b","sub":"c"}"#,
        r#"{"sub":"a","\u0073ub":"b"}"#,
        r#"{"act":{"sub":"a","sub":"b"}}"#,
        r#"{"x":[{"y":{"z":1,"z":1}}]}"#,
    ] {
        let refused = refused(&signed(HEADER, claims));
        assert_eq!(
            refused.refusal,
            Refusal::DuplicateMember(Part::Claims),
            "{claims}"
        );
        assert_eq!(refused.stage, Stage::AfterSignature);
    }
    for header in [
        r#"{"alg":"none","alg":"HS256"}"#,
        r#"{"alg":"HS256","\u0061lg":"HS256"}"#,
        r#"{"alg":"HS256","x":{"y":1,"y":1}}"#,
    ] {
        assert_eq!(
            header_refusal(header),
            Refusal::DuplicateMember(Part::Header),
            "{header}"
        );
    }
}

#[test]
fn t3_what_is_not_strict_json_is_refused() {
    for claims in [
        "{",
        "\u{feff}{}",
        "{} {}",
        "{},",
        r#"{"sub":"a",}"#,
        r#"{'sub':'a'}"#,
        r#"{"sub":NaN}"#,
        r#"{"sub":1e999}"#,
        r#"{"sub":01}"#,
        r#"{"sub":"\ud800"}"#,
        r#"{"sub":"\udc00"}"#,
        r#"{"sub":"\ud800\u0041"}"#,
        r#"{"\udfff":1}"#,
        "{\"sub\":\"a\nb\"}",
        "/**/{}",
    ] {
        let why = malformed(&signed(HEADER, claims));
        assert_eq!(why, Malformed::NotJson(Part::Claims), "{claims:?}");
    }
}

#[test]
fn t3_invalid_utf8_is_refused() {
    for bytes in [
        &b"{\"sub\":\"\xff\"}"[..],
        b"{\"sub\":\"\xc0\xaf\"}",
        b"\xff\xfe{\0}\0",
    ] {
        let message = format!("{}.{}", base64url(HEADER.as_bytes()), base64url(bytes));
        assert_eq!(malformed(&sign(&message)), Malformed::NotJson(Part::Claims));
    }
}

#[test]
fn t3_nul_is_refused_in_names_and_texts() {
    for claims in [
        r#"{"sub":"a\u0000"}"#,
        r#"{"a\u0000":1}"#,
        r#"{"x":[["\u0000"]]}"#,
    ] {
        let why = malformed(&signed(HEADER, claims));
        assert_eq!(why, Malformed::Nul(Part::Claims), "{claims}");
    }
}

#[test]
fn t3_a_depth_of_eight_is_read_and_one_of_nine_is_not() {
    let nested = |levels: usize| {
        let claims = good_claims().to_string();
        let inner = format!("{}{}", "[".repeat(levels - 1), "]".repeat(levels - 1));
        signed(
            HEADER,
            &claims.replacen('{', &format!(r#"{{"deep":{inner},"#), 1),
        )
    };

    assert_eq!(verified(&nested(8)).subject(), "user-1");
    assert_eq!(malformed(&nested(9)), Malformed::TooDeep(Part::Claims));
    assert_eq!(malformed(&nested(900)), Malformed::TooDeep(Part::Claims));
}

#[test]
fn t3_claims_and_header_are_objects() {
    for text in ["[]", "null", "1", r#""sub""#, "true"] {
        let claims = malformed(&signed(HEADER, text));
        assert_eq!(claims, Malformed::NotAnObject(Part::Claims), "{text}");
        let header = malformed(&signed(text, "{}"));
        assert_eq!(header, Malformed::NotAnObject(Part::Header), "{text}");
    }
}

#[test]
fn t12_claims_are_not_read_before_the_signature_is_good() {
    for claims in ["not JSON", r#"{"sub":"a","sub":"b"}"#, r#"{"exp":1}"#] {
        let token = signed(HEADER, claims);
        let forged = format!(
            "{}.{}",
            token.rsplit_once('.').unwrap().0,
            base64url(&[7; 32])
        );

        let refused = refused(&forged);

        assert_eq!(refused.refusal, Refusal::BadSignature, "{claims}");
        assert_eq!(refused.stage, Stage::BeforeSignature);
        assert_eq!((refused.trace.age, refused.trace.lifetime), (None, None));
    }
}
