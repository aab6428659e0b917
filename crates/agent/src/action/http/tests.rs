use std::collections::BTreeMap;

use jiff::Timestamp;
use maitred_core::{
    clock::Clock,
    id::{AgentId, CallId, ContactId, ConversationId, KeyId, SessionId, VisitorId},
    identity::Identity,
    scope::{Environment, Scope},
    session::{Holder, Session},
};
use serde_json::json;

use super::*;
use crate::action::definition::tests::order_status;

/// A session of the subject; without one, an anonymous one.
fn session(subject: Option<&str>) -> Session {
    let clock = Clock::manual(Timestamp::UNIX_EPOCH);
    let holder = match subject {
        None => Holder::Anonymous(VisitorId::new(&clock)),
        Some(subject) => Holder::Verified {
            contact: ContactId::new(&clock),
            key: KeyId::new(&clock),
            identity: Box::new(Identity {
                subject: subject.to_owned(),
                email: None,
                name: None,
                given_name: None,
                locale: None,
                zoneinfo: None,
                phone_number: None,
                auth_time: None,
                actor: None,
                attributes: BTreeMap::new(),
                is_test: false,
            }),
        },
    };
    Session {
        id: SessionId::new(&clock),
        scope: Scope {
            agent: AgentId::new(&clock),
            environment: Environment::Production,
        },
        holder,
        proven: None,
        page_origin: "https://shop.example".to_owned(),
        proof_key: None,
        expires_at: Timestamp::MAX,
    }
}

fn built(subject: Option<&str>, arguments: Value) -> Result<String, ActionError> {
    let clock = Clock::manual(Timestamp::UNIX_EPOCH);
    let action = Action::parse(&order_status().to_string()).unwrap();
    let session = session(subject);
    let call = Call {
        id: CallId::new(&clock),
        action: action.name.clone(),
        arguments: arguments.as_object().unwrap().clone(),
    };
    let conversation = ConversationId::new(&clock);
    let context = Context {
        scope: session.scope,
        session: &session,
        conversation,
        now: clock.now(),
    };
    build(&action, &call, context).map(|request| request.url.to_string())
}

#[test]
fn i1_the_customer_comes_from_the_identity() {
    let url = built(Some("42"), json!({ "order_number": "A-10001" })).unwrap();

    assert_eq!(
        url,
        "https://shop.example/customers/42/orders?number=A-10001"
    );
}

#[test]
fn an_argument_that_was_not_given_is_left_out() {
    assert_eq!(
        built(Some("42"), json!({})).unwrap(),
        "https://shop.example/customers/42/orders"
    );
}

#[test]
fn i1_an_absent_identity_fails_the_call_before_it_is_sent() {
    let error = built(None, json!({})).unwrap_err();

    assert!(matches!(error, ActionError::Absent(name) if name == "user.id"));
}

#[test]
fn i1_dots_never_fill_a_path_segment() {
    for subject in [".", "..", "%2e", "%2E%2e", ".%2e", "%252e%252e", "a\nb"] {
        let error = built(Some(subject), json!({})).unwrap_err();

        assert!(matches!(error, ActionError::Unfit(_)), "{subject}");
    }
}

#[test]
fn g9_a_value_stays_in_its_place() {
    for (subject, segment) in [
        ("../admin", "..%2Fadmin"),
        ("a/b?c#d", "a%2Fb%3Fc%23d"),
        ("https://evil.example/", "https:%2F%2Fevil.example%2F"),
        ("a b", "a%20b"),
        ("100%", "100%25"),
    ] {
        let url = built(Some(subject), json!({ "order_number": "1&admin=true#x" })).unwrap();

        assert_eq!(
            url,
            format!("https://shop.example/customers/{segment}/orders?number=1%26admin%3Dtrue%23x")
        );
    }
}
