//! T4 to T8: who, when and for whom.

use super::*;

#[test]
fn t4_a_token_without_a_subject_is_refused() {
    assert_eq!(refusal(json!({ "sub": null })), Refusal::MissingSubject);
    let text = good_claims().to_string().replace(r#""user-1""#, "null");
    assert_eq!(
        refused(&signed(HEADER, &text)).refusal,
        Refusal::MissingSubject
    );
}

#[test]
fn t4_a_subject_that_cannot_be_an_id_is_invalid() {
    for subject in [
        json!(""),
        json!(" user-1"),
        json!("user-1 "),
        json!("\u{a0}user-1"),
        json!("user\n1"),
        json!("user\u{85}1"),
        json!("x".repeat(256)),
        json!("é".repeat(128)),
        json!(1.5),
        json!(1.0),
        json!(1e300),
        json!(true),
        json!(["user-1"]),
        json!({ "id": "user-1" }),
    ] {
        for claim in ["sub", "user_id", "external_id"] {
            let changes = json!({ "sub": null, claim: subject });
            assert_eq!(
                refusal(changes),
                Refusal::InvalidSubject(claim),
                "{subject}"
            );
        }
    }
    // One more than the largest integer that is read without loss.
    let text = good_claims()
        .to_string()
        .replace(r#""user-1""#, "18446744073709551616");
    assert_eq!(
        refused(&signed(HEADER, &text)).refusal,
        Refusal::InvalidSubject("sub")
    );
}

#[test]
fn t4_a_subject_is_kept_byte_for_byte() {
    for subject in [
        "x",
        &"x".repeat(255),
        "Ünï çødé",
        "e\u{301}",
        "a b",
        "\u{feff}x",
        "SARAH",
    ] {
        let token = token_with(json!({ "sub": subject }));
        assert_eq!(verified(&token).subject(), subject);
    }
}

#[test]
fn t4_an_integer_is_read_as_its_decimal_text() {
    for (subject, text) in [
        (json!(0), "0"),
        (json!(42), "42"),
        (json!(-7), "-7"),
        (json!(9_007_199_254_740_993_i64), "9007199254740993"),
        (json!(u64::MAX), "18446744073709551615"),
    ] {
        assert_eq!(
            verified(&token_with(json!({ "sub": subject }))).subject(),
            text
        );
    }
}

#[test]
fn t4_an_alias_stands_in_for_the_subject() {
    for alias in ["user_id", "external_id"] {
        let token = token_with(json!({ "sub": null, alias: "user-2" }));
        let verified = verified(&token);
        assert_eq!(verified.subject(), "user-2");
        assert!(verified.attributes().is_empty());
    }
    let same = token_with(json!({ "sub": "42", "user_id": 42, "external_id": "42" }));
    assert_eq!(verified(&same).subject(), "42");
}

#[test]
fn t4_subjects_that_differ_are_in_conflict() {
    for changes in [
        json!({ "user_id": "user-2" }),
        json!({ "external_id": "USER-1" }),
        json!({ "sub": null, "user_id": "1", "external_id": 2 }),
    ] {
        assert_eq!(refusal(changes), Refusal::ConflictingSubject);
    }
}

#[test]
fn t5_a_token_without_an_email_is_refused_unless_the_policy_lets_it() {
    let token = token_with(json!({ "email": null }));
    let lenient = verifier_with(Policy {
        email_required: false,
        ..policy()
    });

    assert_eq!(refused(&token).refusal, Refusal::MissingEmail);
    let verified = lenient.verify(&token, NOW).unwrap();
    assert_eq!((verified.email(), verified.email_verified()), (None, false));
}

#[test]
fn t5_what_is_no_address_is_an_invalid_email() {
    let lenient = verifier_with(Policy {
        email_required: false,
        ..policy()
    });
    for email in [
        json!(""),
        json!("sarah"),
        json!("@shop.example"),
        json!("sarah@"),
        json!("sarah@@shop.example"),
        json!("sarah@shop.example@evil.example"),
        json!("sarah@shop.example\n"),
        json!(format!("{}@shop.example", "x".repeat(242))),
        json!(1),
        json!(["sarah@shop.example"]),
    ] {
        let token = token_with(json!({ "email": email }));
        assert_eq!(refused(&token).refusal, Refusal::InvalidEmail, "{email}");
        assert_eq!(
            lenient.verify(&token, NOW).unwrap_err().refusal,
            Refusal::InvalidEmail
        );
    }
    let longest = format!("{}@shop.example", "x".repeat(241));
    assert_eq!(longest.len(), 254);
    assert_eq!(
        verified(&token_with(json!({ "email": longest }))).email(),
        Some(&*longest)
    );
}

#[test]
fn t5_an_email_that_is_not_verified_is_only_claimed() {
    for (claim, expected) in [
        (json!(true), true),
        (json!("true"), true),
        (json!(false), false),
        (json!("false"), false),
        (json!("TRUE"), false),
        (json!("yes"), false),
        (json!(1), false),
        (json!([true]), false),
    ] {
        let verified = verified(&token_with(json!({ "email_verified": claim })));
        assert_eq!(verified.email_verified(), expected, "{claim}");
        assert_eq!(verified.email(), Some("sarah@shop.example"));
    }
    let null = good_claims()
        .to_string()
        .replacen('{', r#"{"email_verified":null,"#, 1);
    assert!(!verified(&signed(HEADER, &null)).email_verified());
}

#[test]
fn t6_a_token_without_an_expiry_is_refused() {
    assert_eq!(refusal(json!({ "exp": null })), Refusal::MissingExpiry);
}

#[test]
fn t6_a_time_is_a_number_before_the_year_10000() {
    for claim in ["exp", "nbf", "iat"] {
        for time in [
            json!((NOW + 60).to_string()),
            json!(true),
            json!([NOW]),
            json!({ "at": NOW }),
            json!(-1),
            json!(-0.5),
            json!(253_402_300_800_i64),
            json!(253_402_300_800.5),
            json!(1e300),
            json!(u64::MAX),
            json!(i64::MIN),
        ] {
            assert_eq!(
                refusal(json!({ claim: time })),
                Refusal::InvalidTime(claim),
                "{time}"
            );
        }
        let null = claims_with(json!({ claim: "X" }))
            .to_string()
            .replace(r#""X""#, "null");
        assert_eq!(
            refused(&signed(HEADER, &null)).refusal,
            Refusal::InvalidTime(claim)
        );
    }
}

#[test]
fn t6_fractions_are_cut() {
    let token = token_with(json!({ "exp": 1_800_000_060.9, "iat": 1_799_999_999.9 }));

    let verified = verified(&token);

    assert_eq!(verified.expires_at(), NOW + 60);
    assert_eq!(verified.issued_at(), Some(NOW - 1));
}

#[test]
fn t6_an_expired_token_is_refused() {
    let token = token_with(json!({ "iat": NOW - 600, "exp": NOW - 60 }));
    let verifier = verifier();

    assert!(verifier.verify(&token, NOW - 1).is_ok());
    let refused = verifier.verify(&token, NOW).unwrap_err();
    assert_eq!(refused.refusal, Refusal::TokenExpired { ago: 60 });
    let refused = verifier.verify(&token, NOW + 120).unwrap_err();
    assert_eq!(refused.to_string(), "the token expired 3 min ago");
    assert_eq!(
        (refused.trace.age, refused.trace.lifetime),
        (Some(720), Some(540))
    );
}

#[test]
fn t6_a_token_is_refused_before_its_nbf() {
    let token = token_with(json!({ "nbf": NOW + 61 }));

    assert_eq!(refused(&token).refusal, Refusal::NotYetValid { wait: 61 });
    assert!(verifier().verify(&token, NOW + 1).is_ok());
}

#[test]
fn t6_a_token_issued_in_the_future_is_refused() {
    let token = token_with(json!({ "iat": NOW + 61 }));

    let refused = refused(&token);

    assert_eq!(refused.refusal, Refusal::IssuedInFuture { ahead: 61 });
    assert_eq!(
        (refused.trace.age, refused.trace.skew),
        (Some(-61), Some(61))
    );
    assert!(verifier().verify(&token, NOW + 1).is_ok());
}

#[test]
fn t6_leeway_is_at_most_120_seconds_and_may_be_none() {
    let token = token_with(json!({ "exp": NOW - 120 }));
    let wide = verifier_with(Policy {
        leeway: 100_000,
        ..policy()
    });
    let none = verifier_with(Policy {
        leeway: 0,
        ..policy()
    });

    assert!(wide.verify(&token, NOW - 1).is_ok());
    assert_eq!(
        wide.verify(&token, NOW).unwrap_err().refusal,
        Refusal::TokenExpired { ago: 120 }
    );
    let token = token_with(json!({ "exp": NOW }));
    assert!(none.verify(&token, NOW - 1).is_ok());
    assert_eq!(
        none.verify(&token, NOW).unwrap_err().refusal,
        Refusal::TokenExpired { ago: 0 }
    );
}

#[test]
fn t7_a_token_that_is_good_for_too_long_is_refused() {
    let hour = 3_600;
    let at_the_limit = token_with(json!({ "iat": NOW, "exp": NOW + hour }));
    let over = json!({ "iat": NOW, "exp": NOW + hour + 1 });
    let without_iat = json!({ "iat": null, "exp": NOW + hour + 1 });

    assert!(verifier().verify(&at_the_limit, NOW).is_ok());
    let too_long = Refusal::LifetimeTooLong {
        lifetime: 3_601,
        limit: 3_600,
    };
    assert_eq!(refusal(over), too_long);
    assert_eq!(refusal(without_iat), too_long);
}

#[test]
fn t7_no_policy_allows_more_than_a_day() {
    let verifier = verifier_with(Policy {
        max_lifetime: u32::MAX,
        ..policy()
    });
    let day = token_with(json!({ "iat": NOW, "exp": NOW + 86_400 }));
    let longer = token_with(json!({ "iat": NOW, "exp": NOW + 86_401 }));

    assert!(verifier.verify(&day, NOW).is_ok());
    assert_eq!(
        verifier.verify(&longer, NOW).unwrap_err().refusal.code(),
        "lifetime_too_long"
    );
}

#[test]
fn t8_an_audience_must_be_this_agent_in_this_environment() {
    use AudienceFault::{OtherEnvironment, SomeoneElse, Unreadable};
    for (audience, fault) in [
        (json!("agt_2"), SomeoneElse),
        (json!("AGT_1"), SomeoneElse),
        (json!("agt_1/"), SomeoneElse),
        (json!(""), SomeoneElse),
        (json!([]), SomeoneElse),
        (json!(["agt_2", "agt_3"]), SomeoneElse),
        (json!("agt_1/staging"), OtherEnvironment),
        (json!(["agt_2", "agt_1/staging"]), OtherEnvironment),
        (json!(1), Unreadable),
        (json!({ "agt_1": true }), Unreadable),
        (json!(["agt_1", 1]), Unreadable),
        (json!([["agt_1"]]), Unreadable),
    ] {
        let refusal = refusal(json!({ "aud": audience }));
        assert_eq!(refusal, Refusal::WrongAudience(fault), "{audience}");
    }
    let null = good_claims()
        .to_string()
        .replacen('{', r#"{"aud":null,"#, 1);
    let refused = refused(&signed(HEADER, &null));
    assert_eq!(refused.refusal, Refusal::WrongAudience(Unreadable));
}

#[test]
fn t8_staging_does_not_accept_what_is_for_production() {
    let staging = verifier_with(Policy::new("agt_1/staging"));

    let refused = staging
        .verify(&token_with(json!({ "aud": "agt_1" })), NOW)
        .unwrap_err();

    assert_eq!(
        refused.refusal,
        Refusal::WrongAudience(AudienceFault::OtherEnvironment)
    );
    assert!(
        staging
            .verify(&token_with(json!({ "aud": ["agt_1/staging"] })), NOW)
            .is_ok()
    );
}

#[test]
fn t8_one_of_several_audiences_is_enough() {
    for audience in [
        json!("agt_1"),
        json!(["agt_1"]),
        json!(["other", "agt_1", "agt_1/staging"]),
    ] {
        assert!(
            verifier()
                .verify(&token_with(json!({ "aud": audience })), NOW)
                .is_ok()
        );
    }
    let key = key("key_1", SECRET).audiences(vec!["my-shop".to_owned()]);
    let verifier = Verifier::new(KeySet::new(vec![key]), policy());
    assert!(
        verifier
            .verify(&token_with(json!({ "aud": "my-shop" })), NOW)
            .is_ok()
    );
    assert!(
        verifier
            .verify(&token_with(json!({ "aud": "agt_1" })), NOW)
            .is_ok()
    );
    assert!(
        verifier
            .verify(&token_with(json!({ "aud": "my-bank" })), NOW)
            .is_err()
    );
}

#[test]
fn t8_an_audience_can_be_required() {
    let verifier = verifier_with(Policy {
        audience_required: true,
        ..policy()
    });

    let refused = verifier.verify(&good_token(), NOW).unwrap_err();

    assert_eq!(
        refused.refusal,
        Refusal::WrongAudience(AudienceFault::Missing)
    );
}

#[test]
fn t8_the_issuer_must_be_the_keys() {
    let key = key("key_1", SECRET).issuer("https://shop.example");
    let verifier = Verifier::new(KeySet::new(vec![key]), policy());
    let refusal = |changes| {
        verifier
            .verify(&token_with(changes), NOW)
            .unwrap_err()
            .refusal
    };

    assert!(
        verifier
            .verify(&token_with(json!({ "iss": "https://shop.example" })), NOW)
            .is_ok()
    );
    assert_eq!(
        refusal(json!({})),
        Refusal::WrongIssuer(IssuerFault::Missing)
    );
    for issuer in [
        json!("https://shop.example/"),
        json!(1),
        json!(["https://shop.example"]),
    ] {
        let changes = json!({ "iss": issuer });
        assert_eq!(
            refusal(changes),
            Refusal::WrongIssuer(IssuerFault::SomeoneElse)
        );
    }
}

#[test]
fn t8_an_issuer_can_be_required() {
    let verifier = verifier_with(Policy {
        issuer_required: true,
        ..policy()
    });

    let refused = verifier.verify(&good_token(), NOW).unwrap_err();

    assert_eq!(refused.refusal, Refusal::WrongIssuer(IssuerFault::Missing));
    assert!(
        verifier
            .verify(&token_with(json!({ "iss": "anyone" })), NOW)
            .is_ok()
    );
}
