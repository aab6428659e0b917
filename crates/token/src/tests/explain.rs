//! L2, K7: the checker and the diagnosis.

use super::*;

fn failed(explanation: &Explanation) -> Option<(Check, &str, &str)> {
    let failed = explanation
        .steps
        .iter()
        .find_map(|step| match &step.outcome {
            Outcome::Failed { code, fix, .. } => Some((step.check, *code, fix.as_str())),
            Outcome::Passed(_) | Outcome::NotReached => None,
        });
    // What comes before has passed, what comes after was not reached.
    let mut before = true;
    for step in &explanation.steps {
        match step.outcome {
            Outcome::Passed(_) => assert!(before, "{step:?}"),
            Outcome::Failed { .. } => before = false,
            Outcome::NotReached => assert!(!before, "{step:?}"),
        }
    }
    failed
}

fn staging() -> Verifier {
    let keys = vec![key("key_0", SECRET), key("key_7", OTHER_SECRET)];
    Verifier::new(KeySet::new(keys), Policy::new("agt_1/staging"))
}

#[test]
fn l2_a_good_token_passes_every_step() {
    let explanation = verifier().explain(&good_token(), NOW);

    assert_eq!(failed(&explanation), None);
    let names: Vec<&str> = explanation
        .steps
        .iter()
        .map(|step| step.check.name())
        .collect();
    assert_eq!(names, Check::ALL.map(Check::name));
    let told = |check: usize| match &explanation.steps[check].outcome {
        Outcome::Passed(found) => found.as_str(),
        outcome @ (Outcome::Failed { .. } | Outcome::NotReached) => panic!("{outcome:?}"),
    };
    assert_eq!(told(2), "the key `key_1`");
    assert_eq!(told(3), "`HS256`, the key's");
    assert_eq!(told(6), "issued 30 s ago, good for 10 min");
    assert_eq!(explanation.verdict, verifier().verify(&good_token(), NOW));
}

#[test]
fn l2_each_mistake_is_found_at_its_step() {
    let text = |header: &str, claims: &Value| signed(header, &claims.to_string());
    let cases = [
        ("nonsense".to_owned(), Check::Form, "malformed"),
        (
            text(r#"{"alg":"HS256","zip":"DEF"}"#, &good_claims()),
            Check::Header,
            "header_not_supported",
        ),
        (
            text(r#"{"alg":"none"}"#, &good_claims()),
            Check::Header,
            "algorithm_not_allowed",
        ),
        (
            mint_hs256(SECRET, Some("key_9"), &good_claims()),
            Check::Key,
            "unknown_key",
        ),
        (
            text(r#"{"alg":"HS512","kid":"key_1"}"#, &good_claims()),
            Check::Algorithm,
            "algorithm_not_allowed",
        ),
        (
            text(r#"{"alg":"HS512"}"#, &good_claims()),
            Check::Algorithm,
            "algorithm_not_allowed",
        ),
        (
            mint_hs256(OTHER_SECRET, None, &good_claims()),
            Check::Signature,
            "bad_signature",
        ),
        (
            mint_hs256(OTHER_SECRET, Some("key_1"), &good_claims()),
            Check::Signature,
            "bad_signature",
        ),
        (signed(HEADER, "[]"), Check::Claims, "malformed"),
        (
            token_with(json!({ "exp": NOW - 300 })),
            Check::Times,
            "token_expired",
        ),
        (
            token_with(json!({ "aud": "agt_2" })),
            Check::Audience,
            "wrong_audience",
        ),
        (
            token_with(json!({ "iss": 7 })),
            Check::Issuer,
            "wrong_issuer",
        ),
        (
            token_with(json!({ "sub": "" })),
            Check::Subject,
            "invalid_subject",
        ),
        (
            token_with(json!({ "email": null })),
            Check::Email,
            "missing_email",
        ),
        (
            token_with(json!({ "act": {} })),
            Check::Actor,
            "actor_not_allowed",
        ),
    ];
    for (token, check, code) in cases {
        let explanation = verifier().explain(&token, NOW);

        let found = failed(&explanation).map(|(check, code, _)| (check, code));
        assert_eq!(found, Some((check, code)), "{token}");
        assert_eq!(explanation.verdict, verifier().verify(&token, NOW));
        let after = explanation.verdict.unwrap_err().stage == Stage::AfterSignature;
        assert_eq!(after, check > Check::Signature);
    }
}

#[test]
fn l2_the_fix_names_what_the_times_tell_of_the_clock() {
    let expired = token_with(json!({ "iat": NOW - 780, "exp": NOW - 180 }));
    let explanation = verifier().explain(&expired, NOW);
    let (_, _, fix) = failed(&explanation).unwrap();
    assert_eq!(
        fix,
        "if it was made just now, your server's clock is 13 min behind; else make a fresh token for each page"
    );

    let ahead = token_with(json!({ "iat": NOW + 240, "exp": NOW + 300 }));
    let explanation = verifier().explain(&ahead, NOW);
    let (_, _, fix) = failed(&explanation).unwrap();
    assert_eq!(fix, "set your server's clock, which is 4 min ahead of ours");

    let unknown = token_with(json!({ "iat": null, "exp": NOW - 180 }));
    let explanation = verifier().explain(&unknown, NOW);
    let (_, _, fix) = failed(&explanation).unwrap();
    assert_eq!(fix, explanation.verdict.clone().unwrap_err().refusal.hint());
}

#[test]
fn k7_a_token_of_the_other_environment_is_told_apart_and_not_accepted() {
    let staging = staging();
    let others = [("staging", &staging)];
    let environment = "staging".to_owned();
    let wrong = Refusal::WrongEnvironment {
        environment,
        key: "key_7".to_owned(),
    };
    for kid in [Some("key_1"), Some("key_7"), None] {
        let token = mint_hs256(OTHER_SECRET, kid, &good_claims());
        let refused = verifier().verify(&token, NOW).unwrap_err();

        let diagnosed = diagnose(refused.clone(), &token, &others);

        assert_eq!(diagnosed.refusal, wrong);
        assert_eq!(diagnosed.refusal.code(), "wrong_environment");
        assert_eq!(
            diagnosed.to_string(),
            "the token is signed with the staging key `key_7`"
        );
        assert_eq!(
            (diagnosed.stage, &diagnosed.trace),
            (Stage::BeforeSignature, &refused.trace)
        );

        let explanation = verifier().explain(&token, NOW).diagnosed(&token, &others);
        assert_eq!(failed(&explanation).unwrap().1, "wrong_environment");
        assert_eq!(explanation.verdict, Err(diagnosed));
    }
}

#[test]
fn k7_a_diagnosis_changes_no_other_refusal() {
    let staging = staging();
    let others = [("staging", &staging)];
    for token in [
        mint_hs256(b"quite another secret", None, &good_claims()),
        mint_hs256(b"quite another secret", Some("key_9"), &good_claims()),
        token_with(json!({ "exp": NOW - 300 })),
        "nonsense".to_owned(),
        signed(r#"{"alg":"none"}"#, "{}"),
    ] {
        let refused = verifier().verify(&token, NOW).unwrap_err();
        assert_eq!(diagnose(refused.clone(), &token, &others), refused);
        let explanation = verifier().explain(&token, NOW).diagnosed(&token, &others);
        assert_eq!(explanation.verdict, Err(refused));
    }
    let good = verifier()
        .explain(&good_token(), NOW)
        .diagnosed(&good_token(), &others);
    assert!(good.verdict.is_ok() && failed(&good).is_none());
}

#[test]
fn l2_no_step_repeats_what_the_token_says() {
    const PRIVATE: &str = "Xq7private";
    for changes in [
        json!({ "sub": PRIVATE, "name": PRIVATE, "email": "Xq7private@a.example" }),
        json!({ "aud": PRIVATE }),
        json!({ "iss": [PRIVATE] }),
        json!({ "act": PRIVATE }),
    ] {
        let explanation = verifier().explain(&token_with(changes), NOW);
        let told = format!("{explanation:?}");
        assert!(!told.contains(PRIVATE), "{told}");
    }
}
