//! How far a visitor is proven, and what that opens.

use maitred_core::scope::Environment;
use serde_json::{Value, json};

use super::{
    support::{TestApp, Visitor},
    turns::{Orders, asks_for_the_order, claims, script},
};

/// An app whose `order_status` asks for this.
async fn app_asking_for(orders: &Orders, needs: Value) -> TestApp {
    let hosts = [orders.host.clone()];
    let app = TestApp::with_script_and_hosts(&script(json!({})), &hosts).await;
    let mut definition = json!({
        "name": "order_status",
        "description": "Looks up orders",
        "labels": { "running": "Looking up your orders…", "done": "Looked up your orders" },
        "parameters": { "type": "object" },
        "http": {
            "method": "GET",
            "url": { "production": format!("{}/orders", orders.url) },
            "query": { "customer": "{{user.id}}" }
        }
    });
    let definition_of = definition.as_object_mut().unwrap();
    definition_of.extend(needs.as_object().unwrap().clone());
    app.store
        .put_action(app.agent, "order_status", &definition.to_string())
        .await
        .unwrap();
    app
}

/// Somebody who logged in that many seconds ago, or did not say when.
async fn logged_in(app: &TestApp, seconds_ago: Option<i64>) -> Visitor<'_> {
    let mut claims = app.claims("sarah");
    if let Some(seconds) = seconds_ago {
        let at = app.clock.now().as_second() - seconds;
        claims.insert("auth_time".to_owned(), json!(at));
    }
    let token = app.signed(Environment::Production, &claims);
    let answer = app
        .opens(Environment::Production, json!({ "token": token }))
        .await;
    Visitor::of(app, &answer)
}

const REFUSED: &str = "call order_status finished (refused)";

#[tokio::test]
async fn a1_an_action_that_asks_for_a_fresh_login_runs_for_one_and_says_so() {
    let orders = Orders::answering(200, "{}").await;
    let app = app_asking_for(
        &orders,
        json!({ "assurance": "fresh", "fresh_within": 300 }),
    )
    .await;

    asks_for_the_order(&logged_in(&app, Some(300)).await).await;

    let (_, headers) = &orders.requests()[0];
    let claims = claims(headers["maitred-assertion"].to_str().unwrap());
    assert_eq!(claims["assurance"], "fresh");
    assert_eq!(claims["auth_time"], app.clock.now().as_second() - 300);
}

#[tokio::test]
async fn a1_a_login_that_is_old_to_come_or_untold_is_not_fresh() {
    let orders = Orders::answering(200, "{}").await;
    let app = app_asking_for(
        &orders,
        json!({ "assurance": "fresh", "fresh_within": 300 }),
    )
    .await;

    // The token itself was made this moment each time: that never counts.
    for seconds_ago in [Some(301), Some(-1), None] {
        let lines = asks_for_the_order(&logged_in(&app, seconds_ago).await).await;

        assert!(
            lines.contains(&REFUSED.to_owned()),
            "{seconds_ago:?}: {lines:?}"
        );
    }
    assert!(orders.requests().is_empty());
}

#[tokio::test]
async fn a1_a_fresh_login_is_verified_to_an_action_that_does_not_ask_for_it() {
    let orders = Orders::answering(200, "{}").await;
    let app = app_asking_for(&orders, json!({ "assurance": "verified" })).await;

    asks_for_the_order(&logged_in(&app, Some(1)).await).await;

    let (_, headers) = &orders.requests()[0];
    let claims = claims(headers["maitred-assertion"].to_str().unwrap());
    assert_eq!(claims["assurance"], "verified");
}

#[tokio::test]
async fn a1_freshness_is_read_again_from_the_session_before_each_step() {
    let orders = Orders::answering(200, "{}").await;
    let app = app_asking_for(
        &orders,
        json!({ "assurance": "fresh", "fresh_within": 300 }),
    )
    .await;
    let sarah = logged_in(&app, Some(200)).await;
    let lines = asks_for_the_order(&sarah).await;
    assert!(!lines.contains(&REFUSED.to_owned()), "{lines:?}");

    app.clock.advance(jiff::SignedDuration::from_secs(101));
    let lines = asks_for_the_order(&sarah).await;

    assert!(lines.contains(&REFUSED.to_owned()), "{lines:?}");
    assert_eq!(orders.requests().len(), 1);
}
