//! Operators and their agents.

use axum::http::{Method, StatusCode};
use serde_json::json;

use super::support::TestApp;

#[tokio::test]
async fn an_operator_makes_an_agent_and_finds_it() {
    let app = TestApp::new().await;
    let operator = app.operator().await;

    let made = operator
        .post(
            "/api/agents",
            json!({
                "name": " Bea ",
                "environments": {
                    "production": {
                        "origins": ["https://bea.example"],
                        "policy": { "enforcement": "report", "tokens": { "leeway": 30 } },
                    },
                },
            }),
        )
        .await;

    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    let id = made.body["id"].as_str().unwrap();
    insta::assert_json_snapshot!(made.body["environments"], @r#"
    {
      "production": {
        "last_good_token_at": null,
        "origins": [
          "https://bea.example"
        ],
        "policy": {
          "claims": {},
          "enforcement": "report",
          "memory": true,
          "proof_of_possession": "when_available",
          "sign_in_url": null,
          "stored_claims": {},
          "tokens": {
            "actors_allowed": true,
            "audience_required": false,
            "email_required": true,
            "issuer_required": false,
            "leeway": 30,
            "max_lifetime": 3600,
            "one_time": false
          }
        },
        "required_would_refuse": []
      },
      "staging": {
        "last_good_token_at": null,
        "origins": [],
        "policy": {
          "claims": {},
          "enforcement": "optional",
          "memory": true,
          "proof_of_possession": "when_available",
          "sign_in_url": null,
          "stored_claims": {},
          "tokens": {
            "actors_allowed": true,
            "audience_required": false,
            "email_required": true,
            "issuer_required": false,
            "leeway": 60,
            "max_lifetime": 3600,
            "one_time": false
          }
        },
        "required_would_refuse": []
      }
    }
    "#);
    assert_eq!(made.body["name"], "Bea");
    let shown = operator.get(&format!("/api/agents/{id}")).await;
    assert_eq!(shown.body, made.body);
    let list = operator.get("/api/agents").await;
    let names: Vec<_> = list.body["items"].as_array().unwrap().iter().collect();
    assert_eq!((names.len(), &names[1]["name"]), (2, &json!("Bea")));
}

#[tokio::test]
async fn lists_come_in_parts() {
    let app = TestApp::new().await;
    let operator = app.operator().await;
    for name in ["Bea", "Cem", "Dot"] {
        operator.post("/api/agents", json!({ "name": name })).await;
    }

    let mut names = Vec::new();
    let mut path = "/api/agents?limit=2".to_owned();
    loop {
        let part = operator.get(&path).await;
        let items = part.body["items"].as_array().unwrap();
        assert!(items.len() <= 2);
        names.extend(
            items
                .iter()
                .map(|it| it["name"].as_str().unwrap().to_owned()),
        );
        match part.body["next"].as_str() {
            Some(next) => path = format!("/api/agents?limit=2&cursor={next}"),
            None => break,
        }
    }

    assert_eq!(names, ["Ada", "Bea", "Cem", "Dot"]);
    for wrong in ["limit=0", "limit=101", "limit=x", "cursor=x"] {
        let answer = operator.get(&format!("/api/agents?{wrong}")).await;
        assert_eq!(answer.code(), "bad_request", "{wrong}");
    }
}

#[tokio::test]
async fn what_cannot_be_an_agent_is_refused_by_field() {
    let app = TestApp::new().await;
    let operator = app.operator().await;

    for (body, code) in [
        (json!({}), "bad_request"),
        (json!({ "name": "" }), "invalid_value"),
        (json!({ "name": "a\u{0}b" }), "invalid_value"),
        (json!({ "name": "Bea", "verified": true }), "unknown_field"),
        (
            json!({ "name": "Bea", "environments": { "production": { "origins": ["*"] } } }),
            "invalid_value",
        ),
        (
            json!({ "name": "Bea", "environments": { "test": {} } }),
            "unknown_field",
        ),
    ] {
        let answer = operator.post("/api/agents", body.clone()).await;
        assert_eq!(answer.code(), code, "{body}");
    }
    let list = operator.get("/api/agents").await;
    assert_eq!(list.body["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn origins_are_replaced_and_count_at_once() {
    let app = TestApp::new().await;
    let operator = app.operator().await;
    let path = operator.path("production/origins");
    // Met once, so that the site is kept warm.
    app.visitor("sarah").await;

    let put = operator
        .put(&path, json!({ "origins": ["https://*.bea.example"] }))
        .await;

    assert_eq!(put.status, StatusCode::OK, "{}", put.body);
    assert_eq!(operator.get(&path).await.body, put.body);
    let token = app.token("sarah");
    let refused = app
        .opens(
            maitred_core::scope::Environment::Production,
            json!({ "token": token }),
        )
        .await;
    assert_eq!(refused.code(), "origin_not_allowed");
}

#[tokio::test]
async fn w4_what_is_no_origin_is_refused_and_nothing_changes() {
    let app = TestApp::new().await;
    let operator = app.operator().await;
    let path = operator.path("production/origins");
    let before = operator.get(&path).await.body;

    let put = operator
        .put(
            &path,
            json!({ "origins": ["https://bea.example", "bea.example"] }),
        )
        .await;

    insta::assert_json_snapshot!(put.error(), @r#"
    {
      "code": "invalid_value",
      "message": "`origins`: `bea.example` is not an origin: write `https://shop.example`, `https://*.shop.example`, or `http://localhost:8080` for a page on this machine"
    }
    "#);
    assert_eq!(operator.get(&path).await.body, before);
}

#[tokio::test]
async fn e1_a_policy_that_is_patched_counts_at_once_and_is_audited() {
    let app = TestApp::new().await;
    let operator = app.operator().await;
    let path = operator.path("production/policy");
    app.stranger().await;
    let production = app.scope(maitred_core::scope::Environment::Production);
    app.has_seen_a_good_token(production).await;

    let patched = operator
        .patch(&path, json!({ "enforcement": "required" }))
        .await;

    assert_eq!(patched.status, StatusCode::OK, "{}", patched.body);
    assert_eq!(patched.body["enforcement"], "required");
    assert_eq!(patched.body["sign_in_url"], "https://shop.example/login");
    let stranger = app
        .opens(maitred_core::scope::Environment::Production, json!({}))
        .await;
    assert_eq!(stranger.code(), "token_required");
    let log = operator.get("/api/audit?limit=1").await;
    assert_eq!(
        log.body["items"][0]["details"],
        json!({ "enforcement": { "from": "optional", "to": "required" } })
    );
}

#[tokio::test]
async fn e1_tokens_cannot_be_required_before_a_good_one_was_seen() {
    let app = TestApp::new().await;
    let operator = app.operator().await;
    let path = operator.path("production/policy");

    let patched = operator
        .patch(
            &path,
            json!({ "enforcement": "required", "sign_in_url": null }),
        )
        .await;

    assert_eq!(patched.status, StatusCode::CONFLICT);
    insta::assert_json_snapshot!(patched.error(), @r#"
    {
      "code": "no_good_token",
      "hint": "set `report`, open your site as a logged-in user until the chat greets them by name, then try again",
      "message": "no good token was seen in this environment yet, so nobody could chat"
    }
    "#);
    let policy = operator.get(&path).await.body;
    assert_eq!(policy["enforcement"], "optional");
    assert_eq!(policy["sign_in_url"], "https://shop.example/login");
}

#[tokio::test]
async fn a_sign_in_link_is_taken_away_with_null() {
    let app = TestApp::new().await;
    let operator = app.operator().await;
    let path = operator.path("staging/policy");

    let patched = operator.patch(&path, json!({ "sign_in_url": null })).await;

    assert_eq!(patched.body["sign_in_url"], json!(null));
    assert_eq!(operator.get(&path).await.body, patched.body);
}

#[tokio::test]
async fn everything_of_a_policy_is_read_back_as_it_was_set() {
    let app = TestApp::new().await;
    let operator = app.operator().await;
    let path = operator.path("staging/policy");
    let staging = app.scope(maitred_core::scope::Environment::Staging);
    app.has_seen_a_good_token(staging).await;
    let policy = json!({
        "enforcement": "required",
        "proof_of_possession": "off",
        "sign_in_url": "https://shop.example/staging",
        "memory": false,
        "tokens": {
            "leeway": 0,
            "max_lifetime": 86_400,
            "email_required": false,
            "audience_required": true,
            "issuer_required": true,
            "one_time": true,
            "actors_allowed": false,
        },
        "claims": { "plan": "agent", "email": "none" },
        "stored_claims": { "plan": true, "name": false },
    });

    let patched = operator.patch(&path, policy.clone()).await;

    assert_eq!(patched.body, policy);
    assert_eq!(operator.get(&path).await.body, policy);
    // What is set here is what the command line would have set.
    let settings = app.store.settings(staging).await.unwrap().unwrap();
    assert!(settings.tokens.one_time && !settings.tokens.actors_allowed);
}

#[tokio::test]
async fn a_policy_that_cannot_be_is_refused_and_nothing_changes() {
    let app = TestApp::new().await;
    let operator = app.operator().await;
    let path = operator.path("production/policy");
    let before = operator.get(&path).await.body;

    for (body, code) in [
        (json!({ "enforcement": "always" }), "invalid_value"),
        (json!({ "proof_of_possession": "on" }), "invalid_value"),
        (json!({ "tokens": { "leeway": 121 } }), "invalid_value"),
        (json!({ "tokens": { "max_lifetime": 59 } }), "invalid_value"),
        (
            json!({ "claims": { "plan": "everybody" } }),
            "invalid_value",
        ),
        (json!({ "claims": { "sub": "none" } }), "invalid_value"),
        (json!({ "claims": { "exp": "agent" } }), "invalid_value"),
        (json!({ "stored_claims": { "sub": true } }), "invalid_value"),
        (
            json!({ "tokens": { "max_lifetime": 86_401 } }),
            "invalid_value",
        ),
        (json!({ "tokens": { "max_lifetime": -1 } }), "bad_request"),
        (
            json!({ "sign_in_url": "javascript:alert(1)" }),
            "invalid_value",
        ),
        (
            json!({ "tokens": { "algorithm": "none" } }),
            "unknown_field",
        ),
        (json!({ "origins": [] }), "unknown_field"),
    ] {
        let answer = operator.patch(&path, body.clone()).await;
        assert_eq!(answer.code(), code, "{body}");
    }
    assert_eq!(operator.get(&path).await.body, before);
}

#[tokio::test]
async fn a_method_that_a_route_does_not_take_is_told() {
    let app = TestApp::new().await;
    let operator = app.operator().await;

    for method in [Method::OPTIONS, Method::PATCH] {
        let answer = operator.sends(method, "/api/agents", None).await;
        assert_eq!(answer.code(), "method_not_allowed");
    }
}
