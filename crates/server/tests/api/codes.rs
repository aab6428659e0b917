//! One-time codes, as a visitor meets them.

use std::time::Duration;

use axum::http::{StatusCode, header};
use jiff::SignedDuration;
use maitred_core::scope::Environment;
use serde_json::{Value, json};

use super::{
    support::{
        Answer, TestApp, Visitor, canary,
        post_office::{Mood, PostOffice},
    },
    turns::{Orders, asks_for_the_order, claims, script},
};

const SARAH: &str = "sarah@shop.example";

async fn app_with(office: &PostOffice) -> TestApp {
    TestApp::with_settings(&office.settings()).await
}

impl Visitor<'_> {
    async fn asks_for_a_code(&self, email: &str) -> Answer {
        self.post("/v1/code", json!({ "email": email })).await
    }

    async fn types(&self, code: &str) -> Answer {
        self.post("/v1/code/verification", json!({ "code": code }))
            .await
    }

    /// Asks for a code, reads the mail and types it in.
    async fn proves(&self, email: &str, office: &PostOffice) -> Answer {
        let asked = self.asks_for_a_code(email).await;
        assert_eq!(asked.status, StatusCode::ACCEPTED, "{}", asked.body);
        let letter = office.letter().await;
        assert_eq!(letter.to, email);
        self.types(letter.code()).await
    }
}

fn another_than(code: &str) -> &'static str {
    if code == "000000" { "000001" } else { "000000" }
}

#[tokio::test]
async fn a3_the_code_in_the_mail_proves_the_address() {
    let office = PostOffice::open(Mood::Willing).await;
    let app = app_with(&office).await;
    let stranger = app.stranger().await;

    let asked = stranger.asks_for_a_code(SARAH).await;

    assert_eq!(asked.status, StatusCode::ACCEPTED);
    assert_eq!(asked.body, json!({ "expires_at": "2026-03-01T12:10:00Z" }));
    let letter = office.letter().await;
    assert_eq!(letter.to, SARAH);
    assert!(
        letter
            .text
            .contains("Subject: Your code for Ada at shop.example"),
        "{}",
        letter.text
    );
    let typed = stranger.types(letter.code()).await;
    assert_eq!(typed.status, StatusCode::OK, "{}", typed.body);
    assert_eq!(typed.body, stranger.get("/v1/session").await.body);
    assert_eq!(
        typed.body,
        json!({
            "assurance": "code",
            "expires_at": "2026-03-02T00:00:00Z",
            "proven": { "email": SARAH, "expires_at": "2026-03-01T12:30:00Z" },
        })
    );
}

#[tokio::test]
async fn a3_a_wrong_code_says_how_often_one_may_still_try() {
    let office = PostOffice::open(Mood::Willing).await;
    let app = app_with(&office).await;
    let stranger = app.stranger().await;
    stranger.asks_for_a_code(SARAH).await;
    let letter = office.letter().await;
    let wrong = another_than(letter.code());

    // What cannot be a code costs no try.
    let answer = stranger.types("12345").await;
    assert_eq!(
        (answer.status, answer.code()),
        (StatusCode::UNAUTHORIZED, "wrong_code")
    );
    for hint in [
        "2 tries are left",
        "one try is left",
        "no try is left: ask for a new code",
    ] {
        let answer = stranger.types(wrong).await;

        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert_eq!(
            answer.error(),
            json!({ "code": "wrong_code", "message": "that is not the code", "hint": hint })
        );
    }
    let answer = stranger.types(letter.code()).await;
    assert_eq!(
        (answer.status, answer.code()),
        (StatusCode::UNAUTHORIZED, "code_expired")
    );
    let session = stranger.get("/v1/session").await;
    assert_eq!(session.body["assurance"], "anonymous");
}

#[tokio::test]
async fn a3_no_code_is_open_before_it_is_asked_for_and_after_ten_minutes() {
    let office = PostOffice::open(Mood::Willing).await;
    let app = app_with(&office).await;
    let stranger = app.stranger().await;
    assert_eq!(stranger.types("123456").await.code(), "code_expired");

    stranger.asks_for_a_code(SARAH).await;
    let letter = office.letter().await;
    app.clock.advance(SignedDuration::from_mins(10));

    assert_eq!(stranger.types(letter.code()).await.code(), "code_expired");
}

#[tokio::test]
async fn a3_what_a_code_proved_ends_after_half_an_hour() {
    let office = PostOffice::open(Mood::Willing).await;
    let app = app_with(&office).await;
    let stranger = app.stranger().await;
    stranger.proves(SARAH, &office).await;

    app.clock.advance(SignedDuration::from_mins(30));

    let session = stranger.get("/v1/session").await;
    assert_eq!(session.body["assurance"], "anonymous");
    assert_eq!(session.body["proven"], Value::Null);
}

#[tokio::test]
async fn a3_an_answer_never_tells_whether_an_address_is_known() {
    let office = PostOffice::open(Mood::Willing).await;
    let app = app_with(&office).await;
    // Sarah is a contact, tom is nobody, and busy@ has had all the mail it may get.
    app.visitor("sarah").await;
    for _ in 0..10 {
        app.stranger()
            .await
            .asks_for_a_code("busy@shop.example")
            .await;
        office.letter().await;
    }

    let mut told = Vec::new();
    for email in ["sarah@example.com", "tom@example.com", "busy@shop.example"] {
        let stranger = app.stranger().await;
        let asked = stranger.asks_for_a_code(email).await;
        let typed = stranger.types("000000").await;
        told.push((asked.status, asked.body, typed.status, typed.error()));
    }

    assert_eq!(told[0], told[1]);
    assert_eq!(told[0], told[2]);
    let mut mailed = [office.letter().await.to, office.letter().await.to];
    mailed.sort();
    assert_eq!(mailed, ["sarah@example.com", "tom@example.com"]);
}

#[tokio::test]
async fn a3_who_asks_too_often_is_told_when_to_come_back() {
    let office = PostOffice::open(Mood::Willing).await;
    let app = app_with(&office).await;
    let stranger = app.stranger().await;
    for _ in 0..3 {
        let asked = stranger.asks_for_a_code(SARAH).await;
        assert_eq!(asked.status, StatusCode::ACCEPTED);
    }

    let asked = stranger.asks_for_a_code(SARAH).await;

    assert_eq!(
        (asked.status, asked.code()),
        (StatusCode::TOO_MANY_REQUESTS, "rate_limited")
    );
    assert_eq!(asked.headers[header::RETRY_AFTER], "3601");
    // Nobody else is kept from asking.
    let other = app.stranger().await.asks_for_a_code(SARAH).await;
    assert_eq!(other.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn a3_only_an_address_that_mail_can_be_sent_to_is_taken() {
    let office = PostOffice::open(Mood::Willing).await;
    let app = app_with(&office).await;
    let stranger = app.stranger().await;

    for email in [
        "sarah",
        "sarah@shop.example\r\nBcc: tom@evil.example",
        "sarah@shop.example, tom@evil.example",
        "<sarah@shop.example>",
    ] {
        let answer = stranger.asks_for_a_code(email).await;

        assert_eq!(
            (answer.status, answer.code()),
            (StatusCode::UNPROCESSABLE_ENTITY, "invalid_email"),
            "{email:?}"
        );
        assert!(!answer.body.to_string().contains("evil"), "{}", answer.body);
    }
    assert_eq!(office.connections(), 0);
}

#[tokio::test]
async fn d2_a_code_is_asked_for_with_an_address_and_typed_in_as_it_is() {
    let office = PostOffice::open(Mood::Willing).await;
    let app = app_with(&office).await;
    let stranger = app.stranger().await;

    for (path, body) in [
        ("/v1/code", json!({ "email": SARAH, "verified": true })),
        ("/v1/code", json!({ "email": SARAH, "sub": "sarah" })),
        (
            "/v1/code/verification",
            json!({ "code": "123456", "email": SARAH }),
        ),
        (
            "/v1/code/verification",
            json!({ "code": "123456", "assurance": "code" }),
        ),
    ] {
        let answer = stranger.post(path, body).await;

        assert_eq!(
            (answer.status, answer.code()),
            (StatusCode::UNPROCESSABLE_ENTITY, "unknown_field")
        );
    }
}

#[tokio::test]
async fn a3_without_a_mail_server_there_are_no_codes_and_the_widget_knows() {
    let office = PostOffice::open(Mood::Willing).await;
    let with = app_with(&office).await;
    let without = TestApp::new().await;

    for (app, codes) in [(&with, true), (&without, false)] {
        let path = format!("/v1/agents/{}/production", app.agent);
        let agent = app.send(axum::http::Method::GET, &path, None, None).await;
        assert_eq!(agent.body["codes"], codes);
        let opened = app.opens(Environment::Production, json!({})).await;
        assert_eq!(opened.body["agent"]["codes"], codes);
    }
    let answer = without.stranger().await.asks_for_a_code(SARAH).await;
    assert_eq!(
        (answer.status, answer.code()),
        (StatusCode::CONFLICT, "code_unavailable")
    );
}

#[tokio::test]
async fn a3_a_mail_server_that_says_nothing_keeps_nobody_waiting() {
    let office = PostOffice::open(Mood::Silent).await;
    let app = app_with(&office).await;
    let stranger = app.stranger().await;

    // The library gives the mail server 10 s to say something.
    let asked = stranger.asks_for_a_code(SARAH);
    let asked = tokio::time::timeout(Duration::from_secs(5), asked)
        .await
        .expect("an answer before the mail server had its time");

    assert_eq!(asked.status, StatusCode::ACCEPTED);
    assert!(!office.has_letters().await);
}

#[tokio::test]
async fn a3_a_mail_server_that_is_busy_is_asked_again() {
    let office = PostOffice::open(Mood::Busy(1)).await;
    let app = app_with(&office).await;
    let stranger = app.stranger().await;

    let typed = stranger.proves(SARAH, &office).await;

    assert_eq!(typed.status, StatusCode::OK);
    assert_eq!(office.connections(), 2);
}

#[tokio::test]
async fn d3_a_mail_that_is_refused_leaves_no_address_and_no_code_in_the_log() {
    let office = PostOffice::open(Mood::Unwilling).await;
    let app = app_with(&office).await;
    let address = "canary-1740@shop.example";

    let asked = app.stranger().await.asks_for_a_code(address).await;
    assert_eq!(asked.status, StatusCode::ACCEPTED);
    let log = canary::until_logged("a one-time code was not sent").await;

    assert!(log.contains("the mail server answered 550"), "{log}");
    assert!(!log.contains("canary-1740"), "{log}");
}

/// An app whose `order_status` asks for a code, and looks up by the address.
async fn app_asking_for_a_code(orders: &Orders, office: &PostOffice) -> TestApp {
    let hosts = json!([orders.host]).to_string();
    let [url, from] = office.settings();
    let settings = [url, from, ("OUTBOUND__ALLOW", hosts.as_str())];
    let app = TestApp::with_script_and_settings(&script(json!({})), &settings).await;
    let definition = json!({
        "name": "order_status",
        "description": "Looks up orders",
        "assurance": "code",
        "labels": { "running": "Looking up your orders…", "done": "Looked up your orders" },
        "parameters": { "type": "object" },
        "http": {
            "method": "GET",
            "url": { "production": format!("{}/orders", orders.url) },
            "query": { "email": "{{user.email}}" }
        }
    });
    app.store
        .put_action(app.agent, "order_status", &definition.to_string())
        .await
        .unwrap();
    app
}

#[tokio::test]
async fn a2_a_code_opens_an_action_that_asks_for_one_with_the_address_and_no_subject() {
    let orders = Orders::answering(200, "{}").await;
    let office = PostOffice::open(Mood::Willing).await;
    let app = app_asking_for_a_code(&orders, &office).await;
    let stranger = app.stranger().await;
    let lines = asks_for_the_order(&stranger).await;
    assert!(
        lines.contains(&"call order_status finished (refused)".to_owned()),
        "{lines:?}"
    );

    stranger.proves(SARAH, &office).await;
    asks_for_the_order(&stranger).await;

    let requests = orders.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].0, "/orders?email=sarah%40shop.example");
    let claims = claims(requests[0].1["maitred-assertion"].to_str().unwrap());
    assert_eq!(claims["assurance"], "code");
    assert_eq!(claims["email"], SARAH);
    assert_eq!(claims["email_verified"], true);
    assert_eq!(claims["sub"], Value::Null);
}

#[tokio::test]
async fn a2_a_code_opens_no_history_of_the_contact_with_that_address() {
    let office = PostOffice::open(Mood::Willing).await;
    let app = app_with(&office).await;
    let sarah = app.visitor("sarah").await;
    let hers = sarah.opens_conversation().await;
    sarah.says(&hers, "hello").await;
    let stranger = app.stranger().await;

    let typed = stranger.proves("sarah@example.com", &office).await;

    assert_eq!(typed.body["assurance"], "code");
    assert_eq!(typed.body["contact"], Value::Null);
    let answer = stranger.get(&format!("/v1/conversations/{hers}")).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    let list = stranger.get("/v1/conversations").await;
    assert_eq!(list.body["items"], json!([]));
}

#[tokio::test]
async fn t5_an_address_the_site_does_not_vouch_for_is_absent_until_a_code_proves_it() {
    let orders = Orders::answering(200, "{}").await;
    let office = PostOffice::open(Mood::Willing).await;
    let app = app_asking_for_a_code(&orders, &office).await;
    let mut claimed = app.claims("sarah");
    claimed.insert("email_verified".to_owned(), json!(false));
    let token = app.signed(Environment::Production, &claimed);
    let opened = app
        .opens(Environment::Production, json!({ "token": token }))
        .await;
    assert_eq!(opened.body["claimed_email"], "sarah@example.com");
    let sarah = Visitor::of(&app, &opened);
    asks_for_the_order(&sarah).await;
    assert!(orders.requests().is_empty(), "the address is absent");

    // Another address than the token's changes nothing.
    sarah.proves("tom@example.com", &office).await;
    asks_for_the_order(&sarah).await;
    assert!(orders.requests().is_empty(), "the address is absent");

    sarah.proves("sarah@example.com", &office).await;
    asks_for_the_order(&sarah).await;

    let requests = orders.requests();
    assert_eq!(requests[0].0, "/orders?email=sarah%40example.com");
    let claims = claims(requests[0].1["maitred-assertion"].to_str().unwrap());
    assert_eq!(claims["assurance"], "verified");
    assert_eq!(claims["sub"], "sarah");
    assert_eq!(claims["email_verified"], true);
}
