//! Who is an operator, and of what.

use axum::{
    body::Body,
    http::{Method, Request, StatusCode, header},
};
use maitred::Peer;
use maitred_core::{
    agent::Settings,
    scope::{Environment, Scope},
};
use serde_json::{Value, json};

use super::{
    routes::{Route, operator_routes},
    support::{HOST, TestApp},
};

/// A path in which everything is named: this agent, and things there are none of.
fn path_of(route: &Route, agent: &str) -> String {
    let whose = match route.path.rsplit('/').next() {
        Some("contacts" | "changes" | "export" | "memory") => "?subject=42",
        _ => "",
    };
    let path = route
        .path
        .replace("{agent}", agent)
        // There are test identities in staging only.
        .replace(
            "{environment}",
            if route.path.contains("/test-identities") {
                "staging"
            } else {
                "production"
            },
        )
        .replace("{test_identity}", "nobody")
        .replace("{api_key}", "apk_00000000000000000000000000000099")
        .replace("{memory}", "mem_00000000000000000000000000000099")
        .replace("{source}", "src_00000000000000000000000000000099")
        .replace("{merge}", "mrg_00000000000000000000000000000099")
        .replace("{key}", "key_00000000000000000000000000000099");
    path + whose
}

/// What a good request to a route carries.
fn body_of(route: &Route) -> Option<Value> {
    match (route.method.as_str(), route.path.as_str()) {
        ("GET" | "DELETE", _) => None,
        ("POST", path) if path.ends_with("/contacts/logout") => Some(json!({ "subject": "42" })),
        ("POST", path) if path.ends_with("/knowledge") => {
            Some(json!({ "kind": "file", "title": "Note", "text": "Some text." }))
        }
        ("POST", path) if path.ends_with("/knowledge/try") => Some(json!({ "question": "What?" })),
        ("POST", path) if path.ends_with("/sync") => Some(json!({})),
        ("PATCH", path) if path.ends_with("/{source}") => Some(json!({ "title": "Other" })),
        ("POST", path) if path.ends_with("/undo") => Some(json!({})),
        ("POST", path) if path.ends_with("/test-identities") => {
            Some(json!({ "subject": "test-1" }))
        }
        ("POST", path) if path.ends_with("/token") => Some(json!({})),
        ("POST", path) if path.ends_with("/keys") => Some(json!({})),
        ("POST", path) if path.ends_with("/keys/import") => {
            Some(json!({ "secret": "correct horse battery staple, thirty-two" }))
        }
        ("PATCH", path) if path.ends_with("/keys/{key}") => {
            Some(json!({ "accepted_until": "2026-03-02T12:00:00Z" }))
        }
        ("POST", "/api/agents" | "/api/api-keys") => Some(json!({ "name": "mine" })),
        ("PUT", path) if path.ends_with("/origins") => Some(json!({ "origins": [] })),
        ("PATCH", path) if path.ends_with("/memories/{memory}") => Some(json!({ "text": "x" })),
        ("PATCH", path) if path.ends_with("/policy") => Some(json!({ "enforcement": "report" })),
        ("POST", path) if path.ends_with("/tokens/check") => Some(json!({ "token": "a.b.c" })),
        (method, path) => panic!("say what a good request to {method} {path} carries"),
    }
}

#[tokio::test]
async fn d1_every_operator_route_wants_a_key_that_counts() {
    let app = TestApp::with_settings(&[("LIMITS__REFUSED_API_KEYS", "0")]).await;
    let operator = app.operator().await;
    let revoked = app.operator().await;
    let id = operator.get("/api/api-keys").await.body["items"][1]["id"].clone();
    let path = format!("/api/api-keys/{}", id.as_str().unwrap());
    assert_eq!(operator.delete(&path).await.status, StatusCode::NO_CONTENT);
    let visitor = app.visitor("sarah").await;
    let (rest, last) = operator.key.split_at(operator.key.len() - 1);
    let mistyped = format!("{rest}{}", if last == "x" { "y" } else { "x" });
    let agent = app.agent.to_string();

    for route in operator_routes() {
        for key in [
            None,
            Some(revoked.key.as_str()),
            Some(mistyped.as_str()),
            Some(visitor.session.as_str()),
            Some("mtd_api_"),
        ] {
            let path = path_of(&route, &agent);
            let answer = app
                .send(route.method.clone(), &path, key, body_of(&route))
                .await;

            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{route:?}");
            assert_eq!(answer.code(), "unauthorized");
            assert!(answer.body["error"]["hint"].is_string());
        }
    }
}

#[tokio::test]
async fn d1_with_a_key_for_one_agent_another_agent_does_not_exist() {
    let app = TestApp::new().await;
    let settings = Settings::default();
    let bea = app.store.create_agent("Bea", &settings, &settings).await;
    let bea = bea.unwrap().id;
    let of_bea = app.operator_of(Some(bea)).await;
    let nothing = "agt_00000000000000000000000000000099";
    let ada = Scope {
        agent: app.agent,
        environment: Environment::Production,
    };
    let before = app.store.settings(ada).await.unwrap();

    for route in operator_routes() {
        if !route.path.contains("{agent}") {
            continue;
        }
        let tries = async |agent: &str| {
            let path = path_of(&route, agent);
            of_bea
                .sends(route.method.clone(), &path, body_of(&route))
                .await
        };
        let answer = tries(&app.agent.to_string()).await;

        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{route:?}");
        assert_eq!(answer.error(), tries(nothing).await.error(), "{route:?}");
        assert_eq!(answer.error(), tries("nonsense").await.error(), "{route:?}");
        // There is nothing by that id; `knowledge`, `operator_contacts`, `operator_keys` and
        // `test_identities` find one's own.
        if [
            "{memory}",
            "{merge}",
            "{source}",
            "{key}",
            "{test_identity}",
            "/export",
        ]
        .iter()
        .any(|id| route.path.contains(id))
        {
            continue;
        }
        // Without this, a route that finds nothing at all would pass.
        let own = tries(&bea.to_string()).await;
        assert!(own.status.is_success(), "{route:?}: {}", own.body);
    }
    assert_eq!(app.store.settings(ada).await.unwrap(), before);
}

#[tokio::test]
async fn d1_a_key_for_one_agent_lists_nothing_of_another() {
    let app = TestApp::new().await;
    let settings = Settings::default();
    let bea = app.store.create_agent("Bea", &settings, &settings).await;
    let bea = bea.unwrap().id;
    let of_bea = app.operator_of(Some(bea)).await;

    let agents = of_bea.get("/api/agents").await;
    let audit = of_bea.get("/api/audit").await;

    let ids: Vec<_> = agents.body["items"].as_array().unwrap().iter().collect();
    assert_eq!((ids.len(), &ids[0]["id"]), (1, &json!(bea.to_string())));
    let lines = audit.body["items"].as_array().unwrap();
    assert!(!lines.is_empty());
    for line in lines {
        assert_eq!(line["agent"], json!(bea.to_string()), "{line}");
    }
}

#[tokio::test]
async fn a_key_for_one_agent_does_nothing_to_the_installation() {
    let app = TestApp::new().await;
    let of_ada = app.operator_of(Some(app.agent)).await;

    for (method, path, body) in [
        (Method::POST, "/api/agents", Some(json!({ "name": "Bea" }))),
        (Method::GET, "/api/api-keys", None),
        (
            Method::POST,
            "/api/api-keys",
            Some(json!({ "name": "more" })),
        ),
        (
            Method::DELETE,
            "/api/api-keys/apk_00000000000000000000000000000099",
            None,
        ),
    ] {
        let answer = of_ada.sends(method, path, body).await;

        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
        assert_eq!(answer.code(), "forbidden");
    }
    assert_eq!(app.store.api_keys().await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_api_key_is_shown_once_and_named_in_the_audit_log() {
    let app = TestApp::new().await;
    let operator = app.operator().await;

    let made = operator
        .post(
            "/api/api-keys",
            json!({ "name": "deploy", "agent": app.agent.to_string() }),
        )
        .await;

    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    let secret = made.body["secret"].as_str().unwrap();
    assert!(
        secret.starts_with("mtd_api_") && secret.len() == 57,
        "{secret}"
    );
    let list = operator.get("/api/api-keys").await;
    assert!(!list.body.to_string().contains(secret), "never again");
    let listed = &list.body["items"][1];
    assert_eq!(listed["last_four"], json!(secret[secret.len() - 4..]));
    assert_eq!(listed["agent"], json!(app.agent.to_string()));
    let with_it = app
        .send(Method::GET, "/api/agents", Some(secret), None)
        .await;
    assert_eq!(with_it.status, StatusCode::OK);
    let line = operator.get("/api/audit?limit=1").await.body["items"][0].clone();
    assert_eq!(line["kind"], "api_key_created");
    assert_eq!(line["actor"], list.body["items"][0]["id"]);
    assert!(
        !app.stored_bytes()
            .await
            .windows(secret.len())
            .any(|it| it == secret.as_bytes())
    );
}

#[tokio::test]
async fn an_api_key_for_nobody_or_without_a_name_is_not_made() {
    let app = TestApp::new().await;
    let operator = app.operator().await;

    for (body, code) in [
        (json!({}), "bad_request"),
        (json!({ "name": " " }), "invalid_value"),
        (json!({ "name": "x", "agent": "agt_x" }), "bad_request"),
        (
            json!({ "name": "x", "agent": "agt_00000000000000000000000000000099" }),
            "invalid_value",
        ),
        (
            json!({ "name": "x", "secret": "mtd_api_mine" }),
            "unknown_field",
        ),
    ] {
        let answer = operator.post("/api/api-keys", body.clone()).await;
        assert_eq!(answer.code(), code, "{body}");
    }
    assert_eq!(app.store.api_keys().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_revoked_api_key_ends_at_once() {
    let app = TestApp::new().await;
    let operator = app.operator().await;
    let other = app.operator().await;
    let id = operator.get("/api/api-keys").await.body["items"][1]["id"].clone();
    let path = format!("/api/api-keys/{}", id.as_str().unwrap());

    assert_eq!(operator.delete(&path).await.status, StatusCode::NO_CONTENT);

    let refused = other.get("/api/agents").await;
    assert_eq!(refused.error()["message"], "the API key was revoked");
    assert_eq!(operator.delete(&path).await.code(), "not_found");
    assert_eq!(operator.delete("/api/api-keys/x").await.code(), "not_found");
}

#[tokio::test]
async fn w10_a_cookie_is_no_key_and_no_other_origin_is_let_in() {
    let app = TestApp::new().await;
    let operator = app.operator().await;
    let ask = |key: Option<&str>, cookie: bool, method: Method| {
        let mut request = Request::builder()
            .method(method)
            .uri("/api/agents")
            .header(header::HOST, HOST)
            .header(header::ORIGIN, "https://evil.example")
            .header("access-control-request-method", "GET")
            .header("access-control-request-headers", "authorization");
        if let Some(key) = key {
            request = request.header(header::AUTHORIZATION, format!("Bearer {key}"));
        }
        if cookie {
            request = request.header(header::COOKIE, format!("__Host-session={}", operator.key));
        }
        app.answered(request.body(Body::empty()).unwrap())
    };

    let with_cookie = ask(None, true, Method::GET).await;
    let preflight = ask(None, false, Method::OPTIONS).await;
    let good = ask(Some(&operator.key), false, Method::GET).await;

    assert_eq!(with_cookie.status, StatusCode::UNAUTHORIZED);
    assert_eq!(preflight.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(good.status, StatusCode::OK);
    for answer in [with_cookie, preflight, good] {
        assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
        assert!(answer.headers.get(header::SET_COOKIE).is_none());
        let cors = |name: &header::HeaderName| name.as_str().starts_with("access-control-");
        assert!(!answer.headers.keys().any(cors), "{:?}", answer.headers);
    }
}

#[tokio::test]
async fn refused_api_keys_of_one_address_are_limited_and_good_ones_pass() {
    let app = TestApp::with_settings(&[("LIMITS__REFUSED_API_KEYS", "2")]).await;
    let operator = app.operator().await;
    let asks = async |key: &str, from: &str| {
        let request = Request::builder()
            .uri("/api/agents")
            .header(header::HOST, HOST)
            .header(header::AUTHORIZATION, format!("Bearer {key}"))
            .extension(Peer(from.parse().unwrap()));
        app.answered(request.body(Body::empty()).unwrap()).await
    };
    for _ in 0..2 {
        assert_eq!(asks("guess", "198.51.100.1").await.code(), "unauthorized");
    }

    let limited = asks("guess", "198.51.100.1").await;

    assert_eq!(limited.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(limited.headers[header::RETRY_AFTER], "30");
    let good = asks(&operator.key, "198.51.100.1").await;
    assert_eq!(good.status, StatusCode::OK, "{}", good.body);
    assert_eq!(asks("guess", "203.0.113.9").await.code(), "unauthorized");
}
