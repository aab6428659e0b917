use axum::{
    body::Body,
    http::{Method, Request, StatusCode, header},
};
use maitred_core::agent::Settings;
use maitred_core::scope::Environment;

use super::support::{HOST, TestApp};

#[tokio::test]
async fn w3_the_frame_has_a_strict_policy_and_names_who_may_show_it() {
    let app = TestApp::new().await;

    let answer = app
        .send(
            Method::GET,
            &format!("/frame/{}/production", app.agent),
            None,
            None,
        )
        .await;

    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(
        answer.headers[header::CONTENT_SECURITY_POLICY],
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
         img-src 'self' data:; font-src 'self'; base-uri 'none'; form-action 'none'; \
         object-src 'none'; frame-ancestors https://shop.example; \
         require-trusted-types-for 'script'; trusted-types 'none'"
    );
    assert_eq!(answer.headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    assert_eq!(answer.headers[header::REFERRER_POLICY], "no-referrer");
    assert!(answer.headers.contains_key("permissions-policy"));
    assert!(!answer.headers.contains_key(header::SET_COOKIE), "W6");
}

#[tokio::test]
async fn w3_nobody_may_show_the_frame_of_an_unknown_agent_or_without_origins() {
    let app = TestApp::new().await;
    let none = Settings::default();
    let lonely = app
        .store
        .create_agent("Lonely", &none, &none)
        .await
        .unwrap()
        .id;

    for path in [
        "/frame/agt_00000000000000000000000000000099/production".to_owned(),
        "/frame/nobody/production".to_owned(),
        format!("/frame/{}/nowhere", app.agent),
        "/frame/%ff/production".to_owned(),
        format!("/frame/{lonely}/production"),
    ] {
        let answer = app.send(Method::GET, &path, None, None).await;

        let policy = answer.headers[header::CONTENT_SECURITY_POLICY]
            .to_str()
            .unwrap();
        assert!(
            policy.contains("frame-ancestors 'none'"),
            "{path}: {policy}"
        );
    }
}

#[tokio::test]
async fn w8_nothing_of_the_query_becomes_markup() {
    let app = TestApp::new().await;
    let path = format!("/frame/{}/production", app.agent);

    let plain = app.send(Method::GET, &path, None, None).await;
    let encoded = app
        .send(Method::GET, &format!("{path}?x=%3Cscript%3E"), None, None)
        .await;

    assert_eq!(plain.body, encoded.body);
}

#[tokio::test]
async fn w6_the_api_sends_no_cookies_and_no_cors_headers() {
    let app = TestApp::new().await;
    let sarah = app.visitor("sarah").await;

    let answer = sarah.get("/v1/session").await;

    assert!(!answer.headers.contains_key(header::SET_COOKIE));
    assert!(
        !answer
            .headers
            .contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN)
    );
    assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
}

#[tokio::test]
async fn a_request_for_another_host_is_misdirected() {
    let app = TestApp::new().await;
    let request = Request::get("/widget.js").header(header::HOST, "evil.example");

    let answer = app.answered(request.body(Body::empty()).unwrap()).await;

    assert_eq!(answer.status, StatusCode::MISDIRECTED_REQUEST);
    assert_eq!(answer.code(), "other_host");
}

#[tokio::test]
async fn w10_a_request_that_names_two_hosts_is_misdirected() {
    let app = TestApp::new().await;
    let url = format!("http://{HOST}/widget.js");
    let other = "http://evil.example/widget.js";

    for (uri, hosts) in [
        ("/widget.js", [HOST, "evil.example"]),
        ("/widget.js", ["evil.example", HOST]),
        (other, [HOST, HOST]),
        (url.as_str(), ["evil.example", HOST]),
    ] {
        let request = Request::get(uri).header(header::HOST, hosts[0]);
        let request = request.header(header::HOST, hosts[1]).body(Body::empty());
        let answer = app.answered(request.unwrap()).await;

        assert_eq!(answer.code(), "other_host", "{uri} {hosts:?}");
    }
    let alike = Request::get(url).header(header::HOST, HOST);
    let answer = app.answered(alike.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn w11_files_are_kept_under_their_version_and_revalidated_under_their_name() {
    let app = TestApp::new().await;
    let page = app
        .send(
            Method::GET,
            &format!("/frame/{}/production", app.agent),
            None,
            None,
        )
        .await;
    let page = page.body.as_str().unwrap().to_owned();
    let script = page
        .split('"')
        .find(|it| it.starts_with("/frame.js?v="))
        .unwrap()
        .to_owned();

    let pinned = app.send(Method::GET, &script, None, None).await;
    let named = app.send(Method::GET, "/widget.js", None, None).await;
    let etag = named.headers[header::ETAG].clone();
    let again = Request::get("/widget.js")
        .header(header::HOST, HOST)
        .header(header::IF_NONE_MATCH, etag)
        .body(Body::empty())
        .unwrap();
    let again = app.answered(again).await;

    assert_eq!(
        pinned.headers[header::CACHE_CONTROL],
        "public, max-age=31536000, immutable"
    );
    assert_eq!(named.headers[header::CACHE_CONTROL], "public, no-cache");
    assert_eq!(again.status, StatusCode::NOT_MODIFIED);
}

#[tokio::test]
async fn i4_each_environment_publishes_keys_of_its_own() {
    let app = TestApp::new().await;

    let production = app
        .send(Method::GET, "/.well-known/jwks.json", None, None)
        .await;
    let staging = app
        .send(Method::GET, "/staging/.well-known/jwks.json", None, None)
        .await;

    assert_eq!(production.body["keys"][0]["crv"], "Ed25519");
    assert!(production.body["keys"][0].get("d").is_none());
    assert_ne!(
        production.body["keys"][0]["x"],
        staging.body["keys"][0]["x"]
    );
}

#[tokio::test]
async fn the_public_view_of_an_agent_says_nothing_of_its_keys() {
    let app = TestApp::new().await;

    let answer = app
        .send(
            Method::GET,
            &format!("/v1/agents/{}/production", app.agent),
            None,
            None,
        )
        .await;

    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.body["enforcement"], "optional");
    assert_eq!(answer.body["sign_in_url"], "https://shop.example/login");
    let (_, secret) = app.key(Environment::Production);
    assert!(!answer.body.to_string().contains(secret.last_four()));
}

#[tokio::test]
async fn what_does_not_exist_is_said_in_the_same_form() {
    let app = TestApp::new().await;

    let route = app.send(Method::GET, "/v2", None, None).await;
    let method = app.send(Method::PUT, "/v1/sessions", None, None).await;

    assert_eq!(
        (route.status, route.code()),
        (StatusCode::NOT_FOUND, "not_found")
    );
    assert_eq!(
        (method.status, method.code()),
        (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed")
    );
    assert!(route.body["error"]["request_id"].is_string());
}

#[tokio::test]
async fn an_agent_that_no_path_can_name_is_not_found() {
    let app = TestApp::new().await;

    for path in ["/v1/agents/%ff/production", "/v1/agents/nobody/production"] {
        let answer = app.send(Method::GET, path, None, None).await;

        assert_eq!(
            (answer.status, answer.code()),
            (StatusCode::NOT_FOUND, "not_found"),
            "{path}: {}",
            answer.body
        );
    }
}
