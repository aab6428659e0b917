//! How much one address may ask for, and that nobody else notices.

use axum::{
    body::Body,
    http::{Method, Request, StatusCode, header},
};
use jiff::SignedDuration;
use maitred::Peer;
use maitred_core::scope::Environment;
use maitred_token::mint_hs256;
use serde_json::{Value, json};

use super::support::{
    Answer, HOST, ORIGIN, TestApp,
    post_office::{Mood, PostOffice},
};

const OFFICE: &str = "198.51.100.1";
const ELSEWHERE: &str = "203.0.113.9";

/// Room for two refused tokens a minute.
async fn two_refused_tokens() -> TestApp {
    TestApp::with_settings(&[("LIMITS__REFUSED_TOKENS", "2")]).await
}

fn request(app: &TestApp, from: &str, more: Value) -> Request<Body> {
    let mut body = json!({ "agent": app.agent.to_string(), "page_origin": ORIGIN });
    let body = body.as_object_mut().unwrap();
    body.extend(more.as_object().unwrap().clone());
    Request::builder()
        .method(Method::POST)
        .uri("/v1/sessions")
        .header(header::HOST, HOST)
        .extension(Peer(from.parse().unwrap()))
        .body(Body::from(json!(body).to_string()))
        .unwrap()
}

/// What somebody at that address is told.
async fn asks(app: &TestApp, from: &str, more: Value) -> Answer {
    app.answered(request(app, from, more)).await
}

async fn shows(app: &TestApp, from: &str, token: &str) -> Answer {
    asks(app, from, json!({ "token": token })).await
}

fn forged(app: &TestApp) -> String {
    let (key, _) = app.key(Environment::Production);
    let claims = Value::Object(app.claims("sarah"));
    mint_hs256(&[7; 32], Some(&key.to_string()), &claims)
}

fn expired(app: &TestApp, subject: &str) -> String {
    let mut claims = app.claims(subject);
    claims["iat"] = 1_000.into();
    claims["exp"] = 1_600.into();
    app.signed(Environment::Production, &claims)
}

#[tokio::test]
async fn l3_refused_tokens_of_one_address_are_limited() {
    let app = two_refused_tokens().await;
    for _ in 0..2 {
        let answer = shows(&app, OFFICE, &forged(&app)).await;
        assert_eq!(answer.code(), "invalid_token");
    }

    let limited = shows(&app, OFFICE, &forged(&app)).await;

    assert_eq!(limited.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(limited.headers[header::RETRY_AFTER], "30");
    insta::assert_json_snapshot!(limited.error(), @r#"
    {
      "code": "rate_limited",
      "hint": "try again in 30 s",
      "message": "too many requests from this address"
    }
    "#);
    app.clock.advance(SignedDuration::from_secs(30));
    let after = shows(&app, OFFICE, &forged(&app)).await;
    assert_eq!(after.code(), "invalid_token");
}

#[tokio::test]
async fn l3_a_good_token_is_never_turned_away_for_somebody_elses_bad_ones() {
    let app = two_refused_tokens().await;
    for _ in 0..10 {
        shows(&app, OFFICE, &forged(&app)).await;
    }

    let sarah = shows(&app, OFFICE, &app.token("sarah")).await;

    assert_eq!(sarah.status, StatusCode::CREATED, "{}", sarah.body);
}

#[tokio::test]
async fn l3_who_forges_tokens_keeps_nobody_from_being_told_that_theirs_has_expired() {
    let app = two_refused_tokens().await;
    for _ in 0..10 {
        shows(&app, OFFICE, &forged(&app)).await;
        shows(&app, OFFICE, &expired(&app, "mallory")).await;
    }

    let sarah = shows(&app, OFFICE, &expired(&app, "sarah")).await;

    assert_eq!(sarah.code(), "token_expired");
    let mallory = shows(&app, OFFICE, &expired(&app, "mallory")).await;
    assert_eq!(mallory.code(), "rate_limited");
}

#[tokio::test]
async fn l3_another_address_another_origin_and_another_environment_have_room() {
    let app = two_refused_tokens().await;
    for _ in 0..3 {
        shows(&app, OFFICE, &forged(&app)).await;
    }

    let elsewhere = shows(&app, ELSEWHERE, &forged(&app)).await;
    let other_page = json!({ "token": forged(&app), "page_origin": "https://other.example" });
    let other_page = asks(&app, OFFICE, other_page).await;
    let staging = json!({ "token": forged(&app), "environment": "staging" });
    let staging = asks(&app, OFFICE, staging).await;

    assert_eq!(elsewhere.code(), "invalid_token");
    assert_eq!(other_page.code(), "origin_not_allowed");
    assert_eq!(staging.code(), "unknown_key");
}

#[tokio::test]
async fn l3_who_invents_origins_gets_no_more_room_for_it() {
    let app = two_refused_tokens().await;

    let mut codes = Vec::new();
    for n in 0..4 {
        let page_origin = format!("https://{n}.example");
        let answer = asks(
            &app,
            OFFICE,
            json!({ "token": "x", "page_origin": page_origin }),
        )
        .await;
        codes.push(answer.code().to_owned());
    }

    let (refused, limited) = ("origin_not_allowed", "rate_limited");
    assert_eq!(codes, [refused, refused, limited, limited]);
}

#[tokio::test]
async fn l3_an_upgrade_and_a_renewal_are_limited_alike() {
    let app = two_refused_tokens().await;
    let (stranger, sarah) = (app.stranger().await, app.visitor("sarah").await);

    for visitor in [&stranger, &sarah] {
        assert_eq!(
            visitor.shows_a_token(&forged(&app)).await.code(),
            "invalid_token"
        );
    }

    for visitor in [&stranger, &sarah] {
        assert_eq!(
            visitor.shows_a_token(&forged(&app)).await.code(),
            "rate_limited"
        );
    }
    let renewed = sarah.shows_a_token(&app.token("sarah")).await;
    assert_eq!(renewed.status, StatusCode::OK, "{}", renewed.body);
}

#[tokio::test]
async fn s7_anonymous_sessions_of_one_address_are_limited_and_tokens_are_not() {
    let app = TestApp::with_settings(&[("LIMITS__ANONYMOUS_SESSIONS", "2")]).await;
    for _ in 0..2 {
        let answer = asks(&app, OFFICE, json!({})).await;
        assert_eq!(answer.status, StatusCode::CREATED);
    }

    let third = asks(&app, OFFICE, json!({})).await;

    assert_eq!(third.code(), "rate_limited");
    assert_eq!(third.headers[header::RETRY_AFTER], "30");
    let elsewhere = asks(&app, ELSEWHERE, json!({})).await;
    assert_eq!(elsewhere.status, StatusCode::CREATED);
    let staging = asks(&app, OFFICE, json!({ "environment": "staging" })).await;
    assert_eq!(staging.status, StatusCode::CREATED);
    let sarah = shows(&app, OFFICE, &app.token("sarah")).await;
    assert_eq!(sarah.status, StatusCode::CREATED);
}

#[tokio::test]
async fn a3_codes_that_one_address_asks_for_are_limited_whoever_they_are_for() {
    let office = PostOffice::open(Mood::Willing).await;
    let settings = [&office.settings()[..], &[("LIMITS__CODES", "2")]].concat();
    let app = TestApp::with_settings(&settings).await;
    let asks_for_a_code = async |from: &str, email: &str| {
        let session = asks(&app, from, json!({})).await.body["session"].clone();
        let request = Request::post("/v1/code")
            .header(header::HOST, HOST)
            .header(
                header::AUTHORIZATION,
                format!("Bearer {}", session.as_str().unwrap()),
            )
            .extension(Peer(from.parse().unwrap()))
            .body(Body::from(json!({ "email": email }).to_string()));
        app.answered(request.unwrap()).await
    };
    for email in ["sarah@shop.example", "tom@shop.example"] {
        let answer = asks_for_a_code(OFFICE, email).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
    }

    let third = asks_for_a_code(OFFICE, "ann@shop.example").await;

    assert_eq!(third.code(), "rate_limited");
    assert_eq!(third.headers[header::RETRY_AFTER], "30");
    let elsewhere = asks_for_a_code(ELSEWHERE, "ann@shop.example").await;
    assert_eq!(elsewhere.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn s7_a_whole_64_of_ipv6_is_one_address() {
    let app = TestApp::with_settings(&[("LIMITS__ANONYMOUS_SESSIONS", "1")]).await;
    let first = asks(&app, "2001:db8:1:2::1", json!({})).await;
    assert_eq!(first.status, StatusCode::CREATED);

    let neighbour = asks(&app, "2001:db8:1:2:aaaa::2", json!({})).await;

    assert_eq!(neighbour.code(), "rate_limited");
    let next_door = asks(&app, "2001:db8:1:3::1", json!({})).await;
    assert_eq!(next_door.status, StatusCode::CREATED);
}

#[tokio::test]
async fn l3_a_forwarded_address_counts_from_a_listed_proxy_only() {
    let app = TestApp::with_settings(&[
        ("LIMITS__ANONYMOUS_SESSIONS", "1"),
        ("SERVER__TRUSTED_PROXIES", r#"["10.0.0.0/8"]"#),
    ])
    .await;
    let through = async |peer: &str, forwarded_for: &'static str| {
        let mut request = request(&app, peer, json!({}));
        let headers = request.headers_mut();
        headers.insert("x-forwarded-for", forwarded_for.parse().unwrap());
        app.answered(request).await.status
    };
    let (made, limited) = (StatusCode::CREATED, StatusCode::TOO_MANY_REQUESTS);

    assert_eq!(through("10.0.0.1", OFFICE).await, made);
    assert_eq!(through("10.0.0.2", OFFICE).await, limited);
    assert_eq!(through("10.0.0.1", ELSEWHERE).await, made);
    // The proxy appends: what stands before is the client's own word.
    let spoofed = "192.0.2.77, 198.51.100.1";
    assert_eq!(through("10.0.0.1", spoofed).await, limited);
    // Whoever is no proxy can write what they like.
    assert_eq!(through("192.0.2.5", "192.0.2.78").await, made);
    assert_eq!(through("192.0.2.5", "192.0.2.79").await, limited);
}

#[tokio::test]
async fn requests_of_any_kind_are_limited_but_for_probes() {
    let app = TestApp::with_settings(&[("LIMITS__REQUESTS", "1")]).await;
    let asks_for = async |path: &str| {
        let request = Request::builder().uri(path).header(header::HOST, HOST);
        let request = request.extension(Peer(OFFICE.parse().unwrap()));
        app.answered(request.body(Body::empty()).unwrap()).await
    };
    assert_eq!(asks_for("/widget.js").await.status, StatusCode::OK);

    let second = asks_for("/widget.js").await;

    assert_eq!(second.code(), "rate_limited");
    for _ in 0..3 {
        assert_eq!(asks_for("/healthz").await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_limit_of_zero_is_none() {
    let app = TestApp::with_settings(&[
        ("LIMITS__REQUESTS", "0"),
        ("LIMITS__REFUSED_TOKENS", "0"),
        ("LIMITS__ANONYMOUS_SESSIONS", "0"),
    ])
    .await;

    for _ in 0..400 {
        let answer = shows(&app, OFFICE, &forged(&app)).await;
        assert_eq!(answer.code(), "invalid_token");
    }
}
