//! Which claim is for whom, from the token to the model and to an Action; and who
//! acts as whom.

use maitred_core::{
    claims::{parse_claim_for, parse_claim_kept},
    scope::Environment,
};
use serde_json::{Value, json};

use super::support::{TestApp, Visitor};

const PRODUCTION: Environment = Environment::Production;

/// A model that says what it is told of the visitor, where these are set.
async fn with(claims: &[&str], kept: &[&str]) -> TestApp {
    let app = TestApp::with_script(&json!({
        "replies": [{ "when": "hello", "deltas": [{ "text": "I know:\n" }, { "data": "visitor" }] }]
    }))
    .await;
    let scope = app.scope(PRODUCTION);
    let mut settings = app.store.settings(scope).await.unwrap().unwrap();
    for text in claims {
        let (claim, for_whom) = parse_claim_for(text).unwrap();
        settings.claims.set(claim, for_whom).unwrap();
    }
    for text in kept {
        let (claim, kept) = parse_claim_kept(text).unwrap();
        settings.claims.keep(claim, kept).unwrap();
    }
    assert!(app.store.change_settings(scope, &settings).await.unwrap());
    app
}

/// Sarah, with a plan and a telephone.
async fn sarah(app: &TestApp) -> (Visitor<'_>, Value) {
    let mut claims = app.claims("sarah");
    claims.insert("plan".to_owned(), json!("gold"));
    claims.insert("phone_number".to_owned(), json!("+49 30 1"));
    let token = app.signed(PRODUCTION, &claims);
    let answer = app.opens(PRODUCTION, json!({ "token": token })).await;
    (Visitor::of(app, &answer), answer.body)
}

/// What the model says that it was told.
async fn told(sarah: &Visitor<'_>) -> String {
    let conversation = sarah.opens_conversation().await;
    let mut events = sarah.follows(None).await;
    sarah.says(&conversation, "hello").await;
    let reply = events.reply().await;
    reply.data["text"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn t11_a_model_sees_what_is_for_the_agent_and_nothing_else() {
    let closed = with(&[], &[]).await;
    let open = with(
        &["plan=agent", "name=actions", "email=none", "sub=agent"],
        &[],
    )
    .await;

    let by_default = told(&sarah(&closed).await.0).await;
    let as_set = told(&sarah(&open).await.0).await;

    assert_eq!(
        by_default,
        "I know:\nemail: sarah@example.com\nname: sarah Example\ngiven_name: sarah"
    );
    assert_eq!(as_set, "I know:\nsub: sarah\ngiven_name: sarah\nplan: gold");
}

#[tokio::test]
async fn t11_the_greeting_uses_the_given_name_whoever_else_may_see_it() {
    let hidden = with(&["given_name=actions", "name=actions"], &[]).await;
    let dropped = with(&["given_name=none"], &[]).await;
    let nameless = with(&["given_name=none", "name=none"], &[]).await;

    for (app, greeting) in [
        (&hidden, "Hi sarah, how can I help you today?"),
        (&dropped, "Hi sarah Example, how can I help you today?"),
        (&nameless, "Hi, how can I help you today?"),
    ] {
        let (visitor, body) = sarah(app).await;

        assert_eq!(body["greeting"], greeting);
        assert!(told(&visitor).await.contains("email:"));
    }
}

#[tokio::test]
async fn a_claim_for_nobody_is_nowhere_behind_the_exchange() {
    let app = with(&["phone_number=none", "plan=none"], &["plan=on"]).await;

    sarah(&app).await;

    let bytes = String::from_utf8_lossy(&app.stored_bytes().await).into_owned();
    assert!(!bytes.contains("+49 30 1") && !bytes.contains("gold"));
    let other = with(&[], &[]).await;
    sarah(&other).await;
    let bytes = String::from_utf8_lossy(&other.stored_bytes().await).into_owned();
    assert!(bytes.contains("+49 30 1"), "else this test sees nothing");
}

#[tokio::test]
async fn what_is_stored_with_the_contact_is_a_switch_of_its_own() {
    let app = with(&[], &["plan=on", "email=off"]).await;

    sarah(&app).await;

    let subject = "sarah".parse().unwrap();
    let contact = app.store.contact(app.scope(PRODUCTION), &subject).await;
    let record = contact.unwrap().unwrap().record;
    assert_eq!(record.name.as_deref(), Some("sarah Example"));
    assert_eq!(record.email, None);
    assert_eq!(Value::Object(record.claims), json!({ "plan": "gold" }));
}

#[tokio::test]
async fn t10_a_session_says_who_acts_as_whom() {
    let app = TestApp::new().await;
    let mut claims = app.claims("sarah");
    claims.insert("act".to_owned(), json!({ "sub": "staff-7" }));
    let token = app.signed(PRODUCTION, &claims);

    let opened = app.opens(PRODUCTION, json!({ "token": token })).await;
    let shown = Visitor::of(&app, &opened).get("/v1/session").await;
    let herself = app.visitor("sarah").await.get("/v1/session").await;

    for body in [&opened.body, &shown.body] {
        assert_eq!(body["actor"], json!({ "id": "staff-7" }));
        assert_eq!(body["contact"]["name"], "sarah Example");
    }
    assert!(herself.body.get("actor").is_none());
}
