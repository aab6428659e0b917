//! T10 and T11: what a token may say besides, and what is too much.

use super::*;

#[test]
fn t10_optional_claims_are_read() {
    let token = token_with(json!({
        "given_name": "Sarah", "family_name": "Miller", "nickname": "Sal",
        "picture": "https://shop.example/sarah.png", "locale": "en-GB",
        "zoneinfo": "Europe/London", "phone_number": "+44 20 7946 0000", "auth_time": NOW - 5,
    }));

    let verified = verified(&token);

    assert_eq!(verified.given_name(), Some("Sarah"));
    assert_eq!(verified.family_name(), Some("Miller"));
    assert_eq!(verified.nickname(), Some("Sal"));
    assert_eq!(verified.picture(), Some("https://shop.example/sarah.png"));
    assert_eq!(verified.locale(), Some("en-GB"));
    assert_eq!(verified.zoneinfo(), Some("Europe/London"));
    assert_eq!(verified.phone_number(), Some("+44 20 7946 0000"));
    assert_eq!(verified.auth_time(), Some(NOW - 5));
    assert!(verified.attributes().is_empty() && verified.warnings().is_empty());
}

#[test]
fn t10_an_odd_optional_claim_is_dropped_and_does_not_refuse_the_token() {
    use NotAnAttribute::{NotHttps, TooLong, WrongKind};
    for (claim, value, because) in [
        ("name", json!(1), WrongKind),
        ("name", json!("x".repeat(1025)), TooLong),
        ("locale", json!(["en"]), WrongKind),
        ("picture", json!("http://shop.example/p.png"), NotHttps),
        ("picture", json!("javascript:alert(1)"), NotHttps),
        ("picture", json!("https://"), NotHttps),
        ("picture", json!("https://a b"), NotHttps),
        ("auth_time", json!("1800000000"), WrongKind),
        ("auth_time", json!(-1), WrongKind),
        ("jti", json!(7), WrongKind),
        ("email_verified", json!("maybe"), WrongKind),
    ] {
        let verified = verified(&token_with(json!({ claim: value })));

        let warning = Warning::Dropped {
            claim: claim.to_owned(),
            because,
        };
        assert_eq!(verified.warnings(), [warning]);
        assert_eq!(verified.subject(), "user-1");
        assert_eq!(
            (verified.picture(), verified.auth_time(), verified.jti()),
            (None, None, None)
        );
    }
}

#[test]
fn t10_a_member_of_staff_who_acts_as_the_user_is_named() {
    let token = token_with(json!({ "act": { "sub": "staff-7", "act": { "sub": "nobody" } } }));
    let strict = verifier_with(Policy {
        actor_allowed: false,
        ..policy()
    });

    assert_eq!(verified(&token).actor(), Some("staff-7"));
    let refused = strict.verify(&token, NOW).unwrap_err();
    assert_eq!(
        refused.refusal,
        Refusal::ActorNotAllowed(ActorFault::Policy)
    );
    assert!(strict.verify(&good_token(), NOW).is_ok());
}

#[test]
fn t9_a_token_without_an_id_is_refused_where_each_is_good_once() {
    let once = verifier_with(Policy {
        jti_required: true,
        ..policy()
    });

    for jti in [json!(null), json!(""), json!(7), json!(["a"])] {
        let token = token_with(json!({ "jti": jti }));
        let refused = once.verify(&token, NOW).unwrap_err();

        assert_eq!(refused.refusal, Refusal::MissingJti, "{jti}");
        assert_eq!(refused.stage, Stage::AfterSignature);
        let steps = once.explain(&token, NOW).steps;
        assert!(matches!(
            steps.last().unwrap(),
            Step {
                check: Check::TokenId,
                outcome: Outcome::Failed {
                    code: "missing_jti",
                    ..
                }
            }
        ));
        assert!(verifier().verify(&token, NOW).is_ok());
    }
    let token = token_with(json!({ "jti": "a" }));
    assert_eq!(once.verify(&token, NOW).unwrap().jti(), Some("a"));
}

#[test]
fn t10_an_actor_who_is_not_named_does_not_pass_for_the_user() {
    for act in [
        json!("staff-7"),
        json!({}),
        json!({ "sub": "" }),
        json!({ "id": 7 }),
        json!([]),
    ] {
        let refusal = refusal(json!({ "act": act }));
        assert_eq!(
            refusal,
            Refusal::ActorNotAllowed(ActorFault::Unreadable),
            "{act}"
        );
    }
}

#[test]
fn t10_protocol_claims_are_never_attributes() {
    let token = token_with(json!({
        "nonce": "n", "azp": "z", "sid": "s", "at_hash": "h", "c_hash": "c", "scope": "openid",
        "amr": ["pwd"], "acr": "1", "cnf": { "jkt": "x" }, "client_id": "c", "aud": "agt_1",
        "iss": "i", "jti": "j", "nbf": NOW, "may_act": {}, "plan": "pro",
    }));

    let verified = verified(&token);

    assert_eq!(verified.attributes().keys().collect::<Vec<_>>(), ["plan"]);
    assert_eq!(verified.warnings(), []);
}

#[test]
fn t10_every_other_claim_is_an_attribute() {
    let value =
        json!({ "plan": "pro", "seats": 5, "rate": 0.5, "vip": true, "tags": ["a", 1, false] });

    let verified = verified(&token_with(value.clone()));

    let attributes: Value = verified
        .attributes()
        .iter()
        .map(|(name, attribute)| (name.clone(), attribute.to_json()))
        .collect();
    assert_eq!(attributes, value);
    for attribute in verified.attributes().values() {
        assert_eq!(
            Attribute::from_json(attribute.to_json()).as_ref(),
            Ok(attribute)
        );
    }
}

#[test]
fn t10_an_attribute_over_a_limit_is_dropped_and_does_not_refuse_the_token() {
    use NotAnAttribute::{Name, TooLong, TooManyItems, WrongKind};
    for (name, value, because) in [
        ("a", json!("x".repeat(1025)), TooLong),
        ("a", json!(["x".repeat(1025)]), TooLong),
        ("a", json!(vec![0; 21]), TooManyItems),
        ("a", json!({ "b": 1 }), WrongKind),
        ("a", json!([[1]]), WrongKind),
        ("a", json!([null]), WrongKind),
        ("", json!(1), Name),
        (&"n".repeat(65), json!(1), Name),
    ] {
        let verified = verified(&token_with(json!({ name: value, "plan": "pro" })));

        let claim = name.chars().take(64).collect();
        assert_eq!(verified.warnings(), [Warning::Dropped { claim, because }]);
        assert_eq!(verified.attributes().len(), 1);
    }
    let at_the_limits = json!({ "a": "x".repeat(1024), "n".repeat(64): vec![0; 20] });
    assert_eq!(verified(&token_with(at_the_limits)).attributes().len(), 2);
}

#[test]
fn t10_at_most_fifty_attributes_are_kept() {
    let attributes: Value = (0..53).map(|n| (format!("a{n:02}"), json!(n))).collect();

    let verified = verified(&token_with(attributes));

    assert_eq!(verified.attributes().len(), 50);
    assert!(verified.attributes().contains_key("a49"));
    assert_eq!(
        verified.warnings(),
        [Warning::TooManyAttributes { dropped: 3 }]
    );
}

#[test]
fn t11_a_name_that_is_not_fit_is_not_greeted() {
    for name in [
        "x".repeat(65).as_str(),
        "  ",
        "Sarah\nMiller",
        "Sarah\u{202e}relliM",
        "Sarah\u{2067}",
        "Sa\u{200b}rah",
        "\u{feff}Sarah",
        "Sa\u{ad}rah",
        "Sarah\u{e0041}",
    ] {
        let token = token_with(json!({ "given_name": name }));
        assert_eq!(verified(&token).greeting_name(), None, "{name:?}");
        assert_eq!(verified(&token).given_name(), Some(name));
    }
}

#[test]
fn t11_the_given_name_is_greeted_or_else_the_whole_one() {
    let whole = verified(&good_token());
    let given = verified(&token_with(json!({ "given_name": "Sarah" })));
    let none = verified(&token_with(json!({ "name": "" })));

    assert_eq!(whole.greeting_name(), Some("Sarah Miller"));
    assert_eq!(given.greeting_name(), Some("Sarah"));
    assert_eq!(none.greeting_name(), None);
    assert!(fit_for_greeting(&"ü".repeat(64)) && fit_for_greeting("Ayşe 王"));
}
