use super::*;
use crate::support::{Draft, Issuer, SHOP};

use jsonwebtoken::{EncodingKey, Header};

const URL: &str = "http://localhost:7071/api/customers/cus_7301/orders?number=A-10001";

fn verifier(issuer: &Issuer) -> Verifier {
    Verifier::new(Trust {
        issuer: issuer.url.clone(),
        audience: SHOP.to_owned(),
        agent: "agt_1".to_owned(),
        environment: "production".to_owned(),
    })
    .unwrap()
}

fn call(token: &str) -> ActionCall<'_> {
    ActionCall {
        assertion: Some(token),
        method: "GET",
        url: URL,
        body: b"",
        action: "order_status",
        customer: "cus_7301",
    }
}

/// What the developer reads after sending `draft`, or `"accepted"`.
async fn answer_to(issuer: &Issuer, draft: Draft) -> String {
    let token = draft.signed();
    match verifier(issuer).verify(&call(&token)).await {
        Ok(_) => "accepted".to_owned(),
        Err(error) => error.to_string(),
    }
}

fn good(issuer: &Issuer) -> Draft {
    issuer.assertion("cus_7301", URL)
}

#[tokio::test]
async fn a_good_assertion_is_accepted() {
    let issuer = Issuer::start().await;
    let token = good(&issuer).signed();

    let assertion = verifier(&issuer).verify(&call(&token)).await.unwrap();

    assert_eq!(assertion.sub.as_deref(), Some("cus_7301"));
}

#[tokio::test]
async fn a_fresh_login_is_as_good_as_a_verified_one() {
    let issuer = Issuer::start().await;

    assert_eq!(
        answer_to(&issuer, good(&issuer).with("assurance", "fresh")).await,
        "accepted"
    );
}

#[tokio::test]
async fn a_call_without_an_assertion_is_refused() {
    let issuer = Issuer::start().await;

    let refused = verifier(&issuer)
        .verify(&ActionCall {
            assertion: None,
            ..call("")
        })
        .await;

    assert_eq!(
        refused.unwrap_err().to_string(),
        "the `Maitred-Assertion` header is missing"
    );
    assert_eq!(issuer.fetches(), 0);
}

#[tokio::test]
async fn what_is_not_a_token_is_refused() {
    let issuer = Issuer::start().await;

    for nonsense in ["", "a.b", "a.b.c", "Bearer a.b.c"] {
        assert!(
            verifier(&issuer).verify(&call(nonsense)).await.is_err(),
            "{nonsense}"
        );
    }
}

#[tokio::test]
async fn every_claim_must_say_what_we_expect() {
    let issuer = Issuer::start().await;
    let library = |name: &str| format!("`Maitred-Assertion` is not a valid assertion: {name}");
    let mismatch = |claim: &str| {
        format!("`{claim}` does not match: the assertion was made for something else")
    };

    for (claim, wrong, expected) in [
        ("iss", "https://other.example", library("InvalidIssuer")),
        ("aud", "https://other.example", library("InvalidAudience")),
        ("agent", "agt_2", mismatch("agent")),
        ("environment", "staging", mismatch("environment")),
        ("action", "cancel_order", mismatch("action")),
        ("htm", "POST", mismatch("htm")),
        (
            "htu",
            "http://localhost:7071/api/customers/cus_7301/orders",
            mismatch("htu"),
        ),
        (
            "body_sha256",
            "LPJNul-wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ",
            mismatch("body_sha256"),
        ),
        ("sub", "cus_7302", mismatch("sub")),
    ] {
        assert_eq!(
            answer_to(&issuer, good(&issuer).with(claim, wrong)).await,
            expected,
            "{claim}"
        );
    }
}

#[tokio::test]
async fn every_claim_must_be_there() {
    let issuer = Issuer::start().await;

    for claim in [
        "iss",
        "aud",
        "agent",
        "environment",
        "action",
        "sub",
        "assurance",
        "htm",
        "htu",
        "body_sha256",
        "exp",
        "jti",
    ] {
        assert_ne!(
            answer_to(&issuer, good(&issuer).without(claim)).await,
            "accepted",
            "{claim}"
        );
    }
}

#[tokio::test]
async fn an_expired_assertion_is_refused() {
    let issuer = Issuer::start().await;
    let past = crate::now().as_second() - 10;

    assert_eq!(
        answer_to(&issuer, good(&issuer).with("exp", past)).await,
        "`Maitred-Assertion` is not a valid assertion: ExpiredSignature",
    );
}

#[tokio::test]
async fn an_anonymous_visitor_is_nobody() {
    let issuer = Issuer::start().await;

    assert_eq!(
        answer_to(
            &issuer,
            good(&issuer).with("assurance", "anonymous").without("sub")
        )
        .await,
        "`assurance` is `anonymous`, and this needs a customer who is logged in",
    );
}

#[tokio::test]
async fn a_code_by_email_is_not_enough() {
    let issuer = Issuer::start().await;

    assert_eq!(
        answer_to(&issuer, good(&issuer).with("assurance", "code")).await,
        "`assurance` is `code`, and this needs a customer who is logged in",
    );
}

#[tokio::test]
async fn the_body_received_is_the_body_signed() {
    let issuer = Issuer::start().await;
    let token = good(&issuer).signed();

    let refused = verifier(&issuer)
        .verify(&ActionCall {
            body: b"{}",
            ..call(&token)
        })
        .await;

    assert!(
        matches!(refused, Err(AssertionError::Mismatch("body_sha256"))),
        "{refused:?}"
    );
}

#[tokio::test]
async fn an_assertion_is_good_once() {
    let issuer = Issuer::start().await;
    let verifier = verifier(&issuer);
    let token = good(&issuer).signed();
    verifier.verify(&call(&token)).await.unwrap();

    let again = verifier.verify(&call(&token)).await;

    assert!(matches!(again, Err(AssertionError::Replayed)), "{again:?}");
}

#[tokio::test]
async fn a_refused_assertion_does_not_use_up_its_id() {
    let issuer = Issuer::start().await;
    let verifier = verifier(&issuer);
    let token = good(&issuer).signed();
    let elsewhere = ActionCall {
        url: "http://localhost:7071/elsewhere",
        ..call(&token)
    };
    verifier.verify(&elsewhere).await.unwrap_err();

    assert!(verifier.verify(&call(&token)).await.is_ok());
}

#[tokio::test]
async fn a_token_of_another_type_is_refused() {
    let issuer = Issuer::start().await;

    for typ in [None, Some("JWT".to_owned())] {
        let mut draft = good(&issuer);
        draft.header.typ = typ;
        assert_eq!(
            answer_to(&issuer, draft).await,
            "the token's `typ` is not `maitred-action+jwt`"
        );
    }
}

#[tokio::test]
async fn the_public_key_is_no_shared_secret() {
    let issuer = Issuer::start().await;
    let mut draft = good(&issuer);
    draft.header = Header {
        alg: Algorithm::HS256,
        ..draft.header
    };
    draft.key = EncodingKey::from_secret(&issuer.public_key);

    assert_eq!(
        answer_to(&issuer, draft).await,
        "`Maitred-Assertion` is not a valid assertion: InvalidAlgorithm",
    );
}

#[tokio::test]
async fn another_issuers_key_signs_nothing_here() {
    let issuer = Issuer::start().await;
    let other = Issuer::start().await;
    let mut draft = good(&issuer);
    draft.key = good(&other).key;

    assert_eq!(
        answer_to(&issuer, draft).await,
        "`Maitred-Assertion` is not a valid assertion: InvalidSignature",
    );
}

#[tokio::test]
async fn an_unknown_key_is_asked_for_at_most_once_in_thirty_seconds() {
    let issuer = Issuer::start().await;
    let verifier = verifier(&issuer);
    let mut draft = good(&issuer);
    draft.header.kid = Some("k2".to_owned());
    let token = draft.signed();

    for _ in 0..3 {
        let refused = verifier.verify(&call(&token)).await;
        assert!(
            matches!(refused, Err(AssertionError::UnknownKey)),
            "{refused:?}"
        );
    }
    assert_eq!(issuer.fetches(), 1);

    // Real time stands still for a moment, so that thirty seconds can pass.
    tokio::time::pause();
    tokio::time::advance(REFETCH_AFTER).await;
    tokio::time::resume();
    verifier.verify(&call(&token)).await.unwrap_err();
    assert_eq!(issuer.fetches(), 2);
}

#[tokio::test]
async fn known_keys_are_not_fetched_again() {
    let issuer = Issuer::start().await;
    let verifier = verifier(&issuer);

    for jti in ["jti_1", "jti_2", "jti_3"] {
        let token = good(&issuer).with("jti", jti).signed();
        verifier.verify(&call(&token)).await.unwrap();
    }

    assert_eq!(issuer.fetches(), 1);
}

#[tokio::test]
async fn an_issuer_that_cannot_be_reached_is_not_the_callers_fault() {
    let issuer = Issuer::start().await;
    let trust = Trust {
        issuer: "http://127.0.0.1:1".to_owned(),
        ..verifier(&issuer).trust
    };
    let token = good(&issuer).with("iss", "http://127.0.0.1:1").signed();

    let refused = Verifier::new(trust).unwrap().verify(&call(&token)).await;

    assert!(
        matches!(refused, Err(AssertionError::KeysUnavailable(_))),
        "{refused:?}"
    );
}
