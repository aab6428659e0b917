//! "Forget me", as a visitor asks for it (rule D7).

use axum::http::{Method, StatusCode};
use maitred_core::scope::Environment;
use serde_json::{Value, json};

use super::{
    support::{Answer, TestApp, Visitor},
    turns::{Gate, held_script},
};

async fn forgets(visitor: &Visitor<'_>) -> Answer {
    visitor
        .sends(Method::DELETE, "/v1/visitor", Value::Null)
        .await
}

#[tokio::test]
async fn d7_a_visitor_is_forgotten_and_out_on_every_device() {
    let app = TestApp::new().await;
    let (laptop, phone) = (app.visitor("sarah").await, app.visitor("sarah").await);
    let conversation = laptop.opens_conversation().await;
    laptop.says(&conversation, "The parcel is blue").await;
    let mut streams = [laptop.follows(None).await, phone.follows(None).await];
    let token = app.token("sarah");

    let answer = forgets(&laptop).await;

    assert_eq!(
        (answer.status, &answer.body),
        (StatusCode::NO_CONTENT, &json!(""))
    );
    for stream in &mut streams {
        let ended = stream.until("session").await.data;
        assert_eq!(
            ended,
            json!({ "state": "ended", "code": "session_revoked" })
        );
        assert!(stream.next().await.is_none());
    }
    for device in [&laptop, &phone] {
        assert_eq!(
            device.get("/v1/conversations").await.status,
            StatusCode::UNAUTHORIZED
        );
    }
    let old = app
        .opens(Environment::Production, json!({ "token": token }))
        .await;
    assert_eq!(old.code(), "token_revoked");
    app.clock.advance(jiff::SignedDuration::from_mins(2));
    let back = app.visitor("sarah").await;
    let list = back.get("/v1/conversations").await;
    assert_eq!(list.body["items"], json!([]), "as somebody new");
}

#[tokio::test]
async fn d7_a_stranger_is_forgotten_and_their_secret_with_them() {
    let app = TestApp::new().await;
    let stranger = app.stranger().await;
    let conversation = stranger.opens_conversation().await;
    stranger.says(&conversation, "The parcel is blue").await;

    assert_eq!(forgets(&stranger).await.status, StatusCode::NO_CONTENT);

    let again = json!({ "visitor": stranger.secret });
    let again = app.opens(Environment::Production, again).await;
    assert_ne!(again.body["visitor"], json!(stranger.secret));
    let list = Visitor::of(&app, &again).get("/v1/conversations").await;
    assert_eq!(list.body["items"], json!([]));
}

#[tokio::test]
async fn d7_what_runs_for_a_visitor_who_is_forgotten_ends() {
    let gate = Gate::new().await;
    let app = TestApp::with_script(&held_script(&gate)).await;
    let (laptop, phone) = (app.visitor("sarah").await, app.visitor("sarah").await);
    let conversation = phone.opens_conversation().await;
    phone.says(&conversation, "hello").await;
    let mut held = gate.reached().await;

    forgets(&laptop).await;

    // The model's connection is dropped, though another session asked it.
    let mut asked = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut held, &mut asked)
        .await
        .unwrap();
    let id = conversation.parse().unwrap();
    assert!(app.store.entries_after(id, 0, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn d7_a_visitor_is_out_on_every_node() {
    let app = TestApp::new().await;
    let elsewhere = app.another_node().await;
    let there = elsewhere.visitor("sarah").await;
    let mut stream = there.follows(None).await;
    stream.until("hello").await;

    forgets(&app.visitor("sarah").await).await;

    let ended = stream.until("session").await.data;
    assert_eq!(ended["code"], "session_revoked");
}

#[tokio::test]
async fn d7_nobody_is_forgotten_by_a_member_of_staff_who_acts_as_them() {
    let app = TestApp::new().await;
    let sarah = app.visitor("sarah").await;
    let mut claims = app.claims("sarah");
    claims.insert("act".to_owned(), json!({ "sub": "staff-7" }));
    let token = app.signed(Environment::Production, &claims);
    let staff = app
        .opens(Environment::Production, json!({ "token": token }))
        .await;
    let staff = Visitor::of(&app, &staff);

    let answer = forgets(&staff).await;

    assert_eq!(
        (answer.status, answer.code()),
        (StatusCode::FORBIDDEN, "actor_may_not")
    );
    assert_eq!(sarah.get("/v1/session").await.status, StatusCode::OK);
}
