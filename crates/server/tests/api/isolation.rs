//! Somebody else's thing is a thing that does not exist (rule D1).
//!
//! The matrix is made from the route table itself: a route that is added is
//! tried with everybody else's session, or the test says what it must be told.

use axum::http::{Method, StatusCode};
use maitred_core::{
    agent::{Origin, Settings},
    scope::{Environment, Scope},
};
use maitred_token::mint_hs256;
use serde_json::{Value, json};

use super::{
    routes::{Route, visitor_routes},
    support::{Answer, ORIGIN, TestApp, Visitor, make_key},
};

const NOTHING: &str = "cnv_00000000000000000000000000000099";

/// Routes that anybody may call, and why.
const PUBLIC: [(&str, &str); 2] = [
    // What a page shows before anybody is there.
    ("GET", "/v1/agents/{agent}/{environment}"),
    // Where a session comes from.
    ("POST", "/v1/sessions"),
];

/// What a good request to a route carries.
fn body_of(route: &Route) -> Value {
    match (route.method.as_str(), route.path.as_str()) {
        ("GET" | "DELETE", _) => Value::Null,
        (
            "POST",
            "/v1/conversations"
            | "/v1/conversations/{id}/not-mine"
            | "/v1/conversations/{id}/cancel",
        ) => json!({}),
        ("PATCH", "/v1/conversations/{id}") => {
            json!({ "title": "Whose is this, then?", "closed": true })
        }
        ("POST", "/v1/conversations/{id}/read") => json!({ "up_to": 1 }),
        ("POST", "/v1/conversations/{id}/rating") => {
            json!({ "score": 1, "comment": "Whose is this, then?" })
        }
        ("POST", "/v1/conversations/{id}/typing") => json!({ "typing": true }),
        ("POST", "/v1/conversations/{id}/messages") => {
            json!({ "id": uuid::Uuid::new_v4().to_string(), "text": "Whose is this, then?" })
        }
        // Nothing is mailed in this test: no server is set for it.
        ("POST", "/v1/code") => json!({ "email": "sarah@example.com" }),
        ("POST", "/v1/code/verification") => json!({ "code": "123456" }),
        ("POST", "/v1/session/identity") => json!({ "token": "not.a.token" }),
        (method, path) => panic!("say what a good request to {method} {path} carries"),
    }
}

/// Everybody who is not Sarah, though some are called so.
async fn everybody_else(app: &TestApp) -> Vec<(&'static str, Visitor<'_>)> {
    let staging = app.signed(Environment::Staging, &app.claims("sarah"));
    let staging = app
        .opens(Environment::Staging, json!({ "token": staging }))
        .await;
    vec![
        ("another contact", app.visitor("tom").await),
        ("an anonymous visitor", app.stranger().await),
        ("her namesake in staging", Visitor::of(app, &staging)),
        (
            "her namesake at another agent",
            Visitor::of(app, &at_another_agent(app, "sarah").await),
        ),
    ]
}

/// A session of the same subject at an agent of somebody else.
async fn at_another_agent(app: &TestApp, subject: &str) -> Answer {
    let settings = Settings {
        origins: vec![Origin::parse(ORIGIN).unwrap()],
        ..Settings::default()
    };
    let agent = app.store.create_agent("Bea", &settings, &settings).await;
    let scope = Scope {
        agent: agent.unwrap().id,
        environment: Environment::Production,
    };
    let (key, secret) = make_key(&app.store, scope).await;
    let claims = Value::Object(app.claims(subject));
    let token = mint_hs256(secret.expose().as_bytes(), Some(&key.to_string()), &claims);
    let body = json!({ "agent": scope.agent.to_string(), "page_origin": ORIGIN, "token": token });
    let answer = app
        .send(Method::POST, "/v1/sessions", None, Some(body))
        .await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
    answer
}

async fn tries(visitor: &Visitor<'_>, route: &Route, id: &str) -> Answer {
    let path = route.path.replace("{id}", id);
    visitor
        .sends(route.method.clone(), &path, body_of(route))
        .await
}

#[tokio::test]
async fn d1_on_every_route_somebody_elses_thing_does_not_exist() {
    let app = TestApp::new().await;
    let sarah = app.visitor("sarah").await;
    let others = everybody_else(&app).await;

    for route in visitor_routes() {
        if !route.path.contains("{id}") {
            continue;
        }
        let conversation = sarah.opens_conversation().await;
        sarah.says(&conversation, "hello").await;
        let before = sarah.reads(&conversation).await;
        let path = format!("/v1/conversations/{conversation}");
        let marks = |answer: Answer| {
            let named = ["title", "closed_at", "read_to", "rating"];
            named.map(|name| answer.body[name].clone())
        };
        let marked = marks(sarah.get(&path).await);

        for (who, other) in &others {
            let answer = tries(other, &route, &conversation).await;
            let of_nothing = tries(other, &route, NOTHING).await;

            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{who}: {route:?}");
            assert_eq!(answer.error(), of_nothing.error(), "{who}: {route:?}");
        }
        let after = sarah.reads(&conversation).await;
        assert!(after.starts_with(&before), "{route:?} changed something");
        let still = marks(sarah.get(&path).await);
        assert_eq!(still, marked, "{route:?} changed something");
        assert!(
            !after.iter().any(|line| line.contains("Whose is this")),
            "{route:?}"
        );
    }
}

#[tokio::test]
async fn d1_every_route_finds_what_is_ones_own() {
    // Without this, a route that finds nothing at all would pass the matrix.
    let app = TestApp::new().await;
    let sarah = app.visitor("sarah").await;

    for route in visitor_routes() {
        // There is something to disown only after a sign-in (see `sessions`).
        if !route.path.contains("{id}") || route.path.ends_with("/not-mine") {
            continue;
        }
        let conversation = sarah.opens_conversation().await;

        let answer = tries(&sarah, &route, &conversation).await;

        assert!(answer.status.is_success(), "{route:?}: {}", answer.body);
    }
}

#[tokio::test]
async fn d1_what_is_listed_is_ones_own() {
    let app = TestApp::new().await;
    let sarah = app.visitor("sarah").await;
    let others = everybody_else(&app).await;
    let conversation = sarah.opens_conversation().await;
    sarah.says(&conversation, "The parcel is blue").await;

    for route in visitor_routes() {
        let is_public = PUBLIC.contains(&(route.method.as_str(), route.path.as_str()));
        // A stream has no end to be read to: `events` has tests of its own.
        if is_public || route.method != Method::GET || route.path.contains("events") {
            continue;
        }
        if route.path.contains("{id}") {
            continue;
        }
        for (who, other) in &others {
            let answer = tries(other, &route, "").await;

            assert_eq!(answer.status, StatusCode::OK, "{who}: {route:?}");
            let told = answer.body.to_string();
            assert!(!told.contains(&conversation), "{who}: {route:?}: {told}");
            assert!(!told.contains("parcel"), "{who}: {route:?}: {told}");
        }
    }
}

#[tokio::test]
async fn d1_every_visitor_route_wants_a_session() {
    let app = TestApp::new().await;
    let gone = app.visitor("sarah").await;
    gone.logs_out().await;
    let nobody = [
        None,
        Some("mtd_session_x"),
        Some("Basic abc"),
        Some(gone.session.as_str()),
    ];

    for route in visitor_routes() {
        if PUBLIC.contains(&(route.method.as_str(), route.path.as_str())) {
            continue;
        }
        for session in nobody {
            let path = route.path.replace("{id}", NOTHING);
            let body = Some(body_of(&route)).filter(|body| !body.is_null());
            let answer = app.send(route.method.clone(), &path, session, body).await;

            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{route:?}");
        }
    }
}

#[tokio::test]
async fn the_same_subject_in_staging_is_another_contact() {
    let app = TestApp::new().await;
    let production = app.opens(
        Environment::Production,
        json!({ "token": app.token("sarah") }),
    );
    let staging_token = app.signed(Environment::Staging, &app.claims("sarah"));
    let staging = app.opens(Environment::Staging, json!({ "token": staging_token }));

    let (production, staging) = tokio::join!(production, staging);

    assert_ne!(
        production.body["contact"]["id"],
        staging.body["contact"]["id"]
    );
}
