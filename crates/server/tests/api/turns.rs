//! Whole turns: an Action that runs as the visitor, with proof, or not at all.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode, Uri},
    routing::get,
};
use maitred_core::{message::MessageText, scope::Environment};
use maitred_token::{decode_base64url, mint_hs256};
use serde_json::{Value, json};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
};
use uuid::Uuid;

use super::support::{Events, TestApp, Visitor, browser::Browser, make_key};

type Seen = Arc<Mutex<Vec<(Uri, HeaderMap)>>>;

/// Stands in for a customer's API: remembers what it was asked.
pub(crate) struct Orders {
    pub(crate) url: String,
    pub(crate) host: String,
    seen: Seen,
}

impl Orders {
    pub(crate) async fn answering(status: u16, body: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let seen = Seen::default();
        let router = Router::new()
            .fallback(get(
                move |State(seen): State<Seen>, uri, headers| async move {
                    seen.lock().unwrap().push((uri, headers));
                    (StatusCode::from_u16(status).unwrap(), body)
                },
            ))
            .with_state(seen.clone());
        #[expect(clippy::disallowed_methods, reason = "ends with the test")]
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self {
            url: format!("http://{host}"),
            host,
            seen,
        }
    }

    pub(crate) fn requests(&self) -> Vec<(Uri, HeaderMap)> {
        self.seen.lock().unwrap().clone()
    }
}

/// A model that calls `order_status` with these arguments and words any result.
pub(crate) fn script(arguments: Value) -> Value {
    json!({ "replies": [
        { "when": "order", "deltas": [{ "call": "order_status", "arguments": arguments }] },
        { "when": "order", "after_call": true, "deltas": [{ "text": "That is what I found." }] },
    ] })
}

async fn app_with_orders(orders: &Orders, arguments: Value) -> TestApp {
    app_with_orders_and(orders, &script(arguments)).await
}

async fn app_with_orders_and(orders: &Orders, script: &Value) -> TestApp {
    app_with_orders_at(&orders.host, script).await
}

/// With an Action that looks up orders at that host.
pub(crate) async fn app_with_orders_at(host: &str, script: &Value) -> TestApp {
    let hosts = [host.to_owned()];
    let app = TestApp::with_script_and_hosts(script, &hosts).await;
    let definition = json!({
        "name": "order_status",
        "description": "Looks up orders",
        "assurance": "verified",
        "labels": { "running": "Looking up your orders…", "done": "Looked up your orders" },
        "parameters": {
            "type": "object",
            "properties": { "order_number": { "type": "string", "pattern": "^A-[0-9]{5}$" } }
        },
        "http": {
            "method": "GET",
            "url": { "production": format!("http://{host}/customers/{{{{user.id}}}}/orders") },
            "query": { "number": "{{order_number}}" }
        }
    });
    app.store
        .put_action(app.agent, "order_status", &definition.to_string())
        .await
        .unwrap();
    app
}

pub(crate) async fn asks_for_the_order(visitor: &Visitor<'_>) -> Vec<String> {
    asks(visitor, "where is my order A-10001").await
}

async fn asks(visitor: &Visitor<'_>, text: &str) -> Vec<String> {
    let conversation = visitor.opens_conversation().await;
    let mut events: Events = visitor.follows(None).await;
    visitor.says(&conversation, text).await;
    events.reply().await;
    visitor.reads(&conversation).await
}

pub(crate) fn claims(assertion: &str) -> Value {
    let claims = assertion.split('.').nth(1).unwrap();
    serde_json::from_slice(&decode_base64url(claims).unwrap()).unwrap()
}

#[tokio::test]
async fn an_action_runs_as_the_visitor() {
    let orders = Orders::answering(200, r#"{"orders":[]}"#).await;
    let app = app_with_orders(&orders, json!({ "order_number": "A-10001" })).await;

    let lines = asks_for_the_order(&app.visitor("sarah").await).await;

    assert_eq!(
        lines,
        [
            "visitor: where is my order A-10001",
            "call order_status started",
            "call order_status finished (succeeded)",
            "agent: That is what I found.",
        ]
    );
    let requests = orders.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].0, "/customers/sarah/orders?number=A-10001");
}

#[tokio::test]
async fn a_code_that_a_model_made_up_is_left_out() {
    let orders = Orders::answering(200, r#"{"orders":[]}"#).await;
    let app = app_with_orders(&orders, json!({ "order_number": "A-10001" })).await;

    asks(&app.visitor("sarah").await, "where is my order").await;

    assert_eq!(orders.requests()[0].0, "/customers/sarah/orders");
}

#[tokio::test]
async fn i4_every_call_carries_proof_of_who_is_asking() {
    let orders = Orders::answering(200, "{}").await;
    let app = app_with_orders(&orders, json!({ "order_number": "A-10001" })).await;

    asks_for_the_order(&app.visitor("sarah").await).await;

    let (_, headers) = &orders.requests()[0];
    let claims = claims(headers["maitred-assertion"].to_str().unwrap());
    let now = app.clock.now().as_second();
    assert_eq!(claims["iss"], "http://127.0.0.1:7070");
    assert_eq!(claims["aud"], orders.url);
    assert_eq!(claims["sub"], "sarah");
    assert_eq!(claims["email"], "sarah@example.com");
    assert_eq!(claims["assurance"], "verified");
    assert_eq!(claims["environment"], "production");
    assert_eq!(claims["action"], "order_status");
    assert_eq!(claims["htm"], "GET");
    assert_eq!(
        claims["htu"],
        format!("{}/customers/sarah/orders?number=A-10001", orders.url)
    );
    assert_eq!(
        claims["body_sha256"],
        "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"
    );
    assert_eq!(
        (&claims["iat"], &claims["exp"]),
        (&json!(now), &json!(now + 60))
    );
    assert_eq!(headers["idempotency-key"], claims["call"].as_str().unwrap());
}

#[tokio::test]
async fn i3_an_action_does_not_run_for_an_anonymous_visitor() {
    let orders = Orders::answering(200, "{}").await;
    let app = app_with_orders(&orders, json!({})).await;

    let lines = asks_for_the_order(&app.stranger().await).await;

    assert_eq!(lines[1], "call order_status finished (refused)");
    assert!(orders.requests().is_empty(), "nothing left");
}

#[tokio::test]
async fn g1_a_model_that_names_an_identity_sends_nothing() {
    for field in ["customer_id", "user_id", "sub"] {
        let orders = Orders::answering(200, "{}").await;
        let app = app_with_orders(&orders, json!({ field: "tom" })).await;

        let lines = asks_for_the_order(&app.visitor("sarah").await).await;

        assert_eq!(lines[2], "call order_status finished (failed)", "{field}");
        assert!(orders.requests().is_empty(), "nothing left");
    }
}

#[tokio::test]
async fn i3_an_action_without_a_staging_address_is_not_offered_in_staging() {
    let orders = Orders::answering(200, "{}").await;
    let app = app_with_orders(&orders, json!({})).await;
    let token = app.signed(Environment::Staging, &app.claims("sarah"));
    let answer = app
        .opens(Environment::Staging, json!({ "token": token }))
        .await;

    let lines = asks_for_the_order(&Visitor::of(&app, &answer)).await;

    assert_eq!(lines[1], "call order_status finished (refused)");
    assert!(orders.requests().is_empty(), "nothing left");
}

#[tokio::test]
async fn i7_a_redirect_is_not_followed_and_a_private_host_is_not_called() {
    let orders = Orders::answering(302, "").await;
    let app = app_with_orders(&orders, json!({})).await;
    let lines = asks_for_the_order(&app.visitor("sarah").await).await;
    assert_eq!(lines[2], "call order_status finished (failed)");

    let unlisted = Orders::answering(200, "{}").await;
    let app = TestApp::with_script(&script(json!({}))).await;
    let other = app_with_orders(&unlisted, json!({})).await;
    let definition = other
        .store
        .actions(other.agent)
        .await
        .unwrap()
        .remove(0)
        .definition;
    app.store
        .put_action(app.agent, "order_status", &definition)
        .await
        .unwrap();
    let lines = asks_for_the_order(&app.visitor("sarah").await).await;
    assert_eq!(lines[2], "call order_status finished (failed)");
    assert!(unlisted.requests().is_empty(), "nothing left");
}

#[tokio::test]
async fn what_a_server_says_of_its_failure_reaches_nobody() {
    let orders = Orders::answering(500, "stack trace: secret=hunter2").await;
    let app = app_with_orders(&orders, json!({})).await;
    let sarah = app.visitor("sarah").await;

    asks_for_the_order(&sarah).await;

    let stored = app.stored_bytes().await;
    assert!(!stored.windows(7).any(|window| window == b"hunter2"));
}

#[tokio::test]
async fn a_model_that_breaks_off_ends_the_turn_visibly() {
    let script = json!({ "replies": [
        { "when": "hello", "deltas": [{ "text": "Well" }, { "hold": "http://127.0.0.1:1/refused" }] }
    ] });
    let app = TestApp::with_script(&script).await;
    let sarah = app.visitor("sarah").await;
    let conversation = sarah.opens_conversation().await;
    let mut events = sarah.follows(None).await;

    sarah.says(&conversation, "hello").await;

    assert_eq!(events.reply().await.data["status"], "gave_up");
    assert_eq!(
        sarah.reads(&conversation).await,
        ["visitor: hello", "status: gave_up"]
    );
}

#[tokio::test]
async fn s5_logging_out_ends_a_running_turn() {
    let gate = Gate::new().await;
    let app = TestApp::with_script(&held_script(&gate)).await;
    let sarah = app.visitor("sarah").await;
    let conversation = sarah.opens_conversation().await;
    sarah.says(&conversation, "hello").await;
    let _held = gate.reached().await;
    let on_another_device = app.visitor("sarah").await;
    let mut events = on_another_device.follows(None).await;

    sarah.logs_out().await;

    assert_eq!(events.reply().await.data["status"], "cancelled");
    let lines = on_another_device.reads(&conversation).await;
    assert_eq!(lines, ["visitor: hello", "status: cancelled"]);
}

#[tokio::test]
async fn s5_logging_out_ends_a_turn_of_another_tab_of_the_same_browser() {
    let gate = Gate::new().await;
    let app = TestApp::with_script(&held_script(&gate)).await;
    let browser = Browser::new();
    let opens = async || {
        let token = json!({ "token": app.token("sarah") });
        Visitor::of_browser(&app, &browser, &app.opens_in(&browser, token).await)
    };
    let (sarah, tab) = (opens().await, opens().await);
    let conversation = tab.opens_conversation().await;
    tab.says(&conversation, "hello").await;
    let _held = gate.reached().await;
    let on_another_device = app.visitor("sarah").await;
    let mut events = on_another_device.follows(None).await;

    sarah.logs_out().await;

    assert_eq!(events.reply().await.data["status"], "cancelled");
}

#[tokio::test]
async fn k6_a_revoked_key_ends_a_turn_that_was_taken_up_again() {
    let gate = Gate::new().await;
    let app = TestApp::with_script(&held_script(&gate)).await;
    let scope = app.scope(Environment::Production);
    let old = app.key(Environment::Production).0;
    let sarah = app.visitor("sarah").await;
    let conversation = sarah.opens_conversation().await;
    let session = sarah.stored().await;
    let asked = MessageText::parse("hello").unwrap();
    let id = conversation.parse().unwrap();
    // As if the process had ended before it began the turn.
    let posted = app
        .store
        .post(session.owner(), id, session.id, Uuid::new_v4(), &asked);
    posted.await.unwrap();
    let app = app.another_node().await;
    let _held = gate.reached().await;

    assert!(app.store.revoke_key(scope, old).await.unwrap());

    let (key, secret) = make_key(&app.store, scope).await;
    let claims = Value::Object(app.claims("sarah"));
    let token = mint_hs256(secret.expose().as_bytes(), Some(&key.to_string()), &claims);
    let sarah = app.opens(Environment::Production, json!({ "token": token }));
    let sarah = Visitor::of(&app, &sarah.await);
    let mut events = sarah.follows(None).await;
    assert_eq!(events.until_status().await.data["status"], "cancelled");
}

#[tokio::test]
async fn i6_an_anonymous_call_carries_an_assertion_without_a_subject() {
    let orders = Orders::answering(200, "{}").await;
    let app = app_with_orders(&orders, json!({})).await;
    let stored = app.store.actions(app.agent).await.unwrap().remove(0);
    let mut definition: Value = serde_json::from_str(&stored.definition).unwrap();
    definition["assurance"] = json!("anonymous");
    definition["http"]["url"]["production"] = json!(format!("{}/opening-hours", orders.url));
    let definition = definition.to_string();
    app.store
        .put_action(app.agent, "order_status", &definition)
        .await
        .unwrap();

    let lines = asks_for_the_order(&app.stranger().await).await;

    assert_eq!(lines[2], "call order_status finished (succeeded)");
    let (_, headers) = &orders.requests()[0];
    let claims = claims(headers["maitred-assertion"].to_str().unwrap());
    assert_eq!(claims["assurance"], "anonymous");
    assert!(claims.get("sub").is_none() && claims.get("email").is_none());
}

/// A place where the model waits until it is told to go on.
pub(crate) struct Gate {
    listener: TcpListener,
    hold: String,
}

impl Gate {
    pub(crate) async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let hold = format!("http://{}/", listener.local_addr().unwrap());
        Self { listener, hold }
    }

    /// Where it is.
    pub(crate) fn host(&self) -> String {
        self.listener.local_addr().unwrap().to_string()
    }

    /// The model is there, and stays there while this is kept.
    pub(crate) async fn reached(&self) -> TcpStream {
        self.listener.accept().await.unwrap().0
    }
}

pub(crate) async fn let_go(mut held: TcpStream) {
    let answer = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
    held.write_all(answer).await.unwrap();
}

/// Waits at the gate before it answers "hello", and not before it answers "again".
pub(crate) fn held_script(gate: &Gate) -> Value {
    json!({ "replies": [
        { "when": "hello", "deltas": [{ "text": "Well" }, { "hold": gate.hold }, { "text": ", late" }] },
        { "when": "again", "deltas": [{ "text": "Once more." }] },
    ] })
}

#[tokio::test]
async fn an_answer_that_is_on_its_way_at_sign_in_arrives() {
    let gate = Gate::new().await;
    let app = TestApp::with_script(&held_script(&gate)).await;
    let stranger = app.stranger().await;
    let conversation = stranger.opens_conversation().await;
    stranger.says(&conversation, "hello").await;
    let held = gate.reached().await;

    let sarah = Visitor::of(&app, &stranger.shows_a_token(&app.token("sarah")).await);
    let mut events = sarah.follows(None).await;
    events.next().await;
    let_go(held).await;

    // What came along was a change of the transcript: the model is asked anew.
    let_go(gate.reached().await).await;
    assert_eq!(events.reply().await.data["text"], "Well, late");
}

#[tokio::test]
async fn an_answer_is_not_begun_anew_whenever_somebody_else_leaves() {
    let gate = Gate::new().await;
    let app = TestApp::with_script(&held_script(&gate)).await;
    let elsewhere = app.another_node().await;
    let stranger = app.stranger().await;
    let conversation = stranger.opens_conversation().await;
    stranger.says(&conversation, "hello").await;
    let _interrupted = gate.reached().await;
    let sarah = Visitor::of(&app, &stranger.shows_a_token(&app.token("sarah")).await);
    let mut events = sarah.follows(None).await;
    let held = gate.reached().await;

    // What is done about the first is done when the second is told.
    for subject in ["tom", "ann"] {
        let token = json!({ "token": app.token(subject) });
        let opened = app.opens(Environment::Production, token).await;
        let mut theirs = Visitor::of(&app, &opened).follows(None).await;
        Visitor::of(&elsewhere, &opened).logs_out().await;
        theirs.until("session").await;
    }

    let_go(held).await;
    assert_eq!(events.reply().await.data["text"], "Well, late");
}

#[tokio::test]
async fn the_logout_of_one_tab_does_not_keep_another_from_its_answer() {
    let gate = Gate::new().await;
    let app = TestApp::with_script(&held_script(&gate)).await;
    let (one, other) = (app.visitor("sarah").await, app.visitor("sarah").await);
    let conversation = one.opens_conversation().await;
    one.says(&conversation, "hello").await;
    let _held = gate.reached().await;
    let mut events = other.follows(None).await;
    other.says(&conversation, "again").await;

    one.logs_out().await;

    assert_eq!(events.reply().await.data["text"], "Once more.");
}

#[tokio::test]
async fn a1_calls_that_a_stranger_left_open_never_run_as_who_signs_in() {
    let orders = Orders::answering(200, "{}").await;
    let call = json!({ "call": "order_status", "arguments": {} });
    let script = json!({ "replies": [
        { "when": "order", "deltas": vec![call; 9] },
        { "when": "hello", "deltas": [{ "text": "Good day." }] },
    ] });
    let app = app_with_orders_and(&orders, &script).await;
    let stranger = app.stranger().await;
    let conversation = stranger.opens_conversation().await;
    let mut events = stranger.follows(None).await;
    stranger.says(&conversation, "order").await;
    events.until_status().await;

    let sarah = Visitor::of(&app, &stranger.shows_a_token(&app.token("sarah")).await);
    let mut events = sarah.follows(None).await;
    sarah.says(&conversation, "hello").await;

    assert_eq!(events.reply().await.data["text"], "Good day.");
    assert!(orders.requests().is_empty(), "nothing left");
}
