use axum::http::{Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use maitred_core::{
    agent::{Enforcement, Settings},
    scope::Environment,
};
use serde_json::json;

use super::support::{ORIGIN, TestApp, Visitor};

const PRODUCTION: Environment = Environment::Production;

#[tokio::test]
async fn a_good_token_opens_a_session_that_knows_the_name() {
    let app = TestApp::new().await;

    let answer = app
        .opens(PRODUCTION, json!({ "token": app.token("sarah") }))
        .await;

    assert_eq!(answer.status, StatusCode::CREATED);
    assert_eq!(answer.body["assurance"], "verified");
    assert_eq!(
        answer.body["greeting"],
        "Hi sarah, how can I help you today?"
    );
    assert_eq!(answer.body["contact"]["name"], "sarah Example");
    assert_eq!(answer.body["agent"]["name"], "Ada");
    assert!(answer.body.get("visitor").is_none());
}

#[tokio::test]
async fn no_token_opens_an_anonymous_session() {
    let app = TestApp::new().await;

    let answer = app.opens(PRODUCTION, json!({})).await;

    assert_eq!(answer.status, StatusCode::CREATED);
    assert_eq!(answer.body["assurance"], "anonymous");
    assert_eq!(answer.body["greeting"], "Hi, how can I help you today?");
    assert!(answer.body.get("contact").is_none());
}

#[tokio::test]
async fn an_anonymous_visitor_comes_back_to_their_conversation() {
    let app = TestApp::new().await;
    let stranger = app.stranger().await;
    let conversation = stranger.opens_conversation().await;
    stranger.says(&conversation, "hello").await;

    let answer = app
        .opens(PRODUCTION, json!({ "visitor": stranger.secret }))
        .await;

    assert_eq!(answer.body["conversation"]["id"], conversation.as_str());
    assert_eq!(answer.body["visitor"].as_str(), stranger.secret.as_deref());
}

#[tokio::test]
async fn e2_a_bad_token_is_never_treated_as_no_token() {
    let app = TestApp::new().await;

    for token in ["", "x", "a.b.c", "null"] {
        let answer = app.opens(PRODUCTION, json!({ "token": token })).await;

        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{token:?}");
        assert!(answer.body.get("session").is_none());
    }
}

#[tokio::test]
async fn w4_an_origin_that_is_not_allowed_opens_no_session() {
    let app = TestApp::new().await;
    let body = json!({
        "agent": app.agent.to_string(),
        "page_origin": "https://evil.example",
        "token": app.token("sarah"),
    });

    let answer = app
        .send(Method::POST, "/v1/sessions", None, Some(body))
        .await;

    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert_eq!(
        answer.error(),
        json!({
            "code": "origin_not_allowed",
            "message": "pages of `https://evil.example` may not show this chat",
            "hint": "if they are yours, add `https://evil.example` to the origins of this agent and environment"
        })
    );
}

#[tokio::test]
async fn d2_a_client_cannot_say_who_it_is() {
    let app = TestApp::new().await;

    for field in [
        "sub",
        "user_id",
        "email",
        "verified",
        "contact",
        "assurance",
    ] {
        let answer = app.opens(PRODUCTION, json!({ field: "sarah" })).await;

        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{field}");
        assert_eq!(answer.code(), "unknown_field");
    }
}

#[tokio::test]
async fn an_agent_that_does_not_exist_is_not_found() {
    let app = TestApp::new().await;
    let body = json!({ "agent": "agt_00000000000000000000000000000099", "page_origin": ORIGIN });

    let answer = app
        .send(Method::POST, "/v1/sessions", None, Some(body))
        .await;

    assert_eq!(
        (answer.status, answer.code()),
        (StatusCode::NOT_FOUND, "not_found")
    );
}

#[tokio::test]
async fn s5_a_session_that_was_logged_out_is_revoked() {
    let app = TestApp::new().await;
    let sarah = app.visitor("sarah").await;

    assert_eq!(sarah.logs_out().await.status, StatusCode::NO_CONTENT);

    let answer = sarah.get("/v1/session").await;
    assert_eq!(
        (answer.status, answer.code()),
        (StatusCode::UNAUTHORIZED, "session_revoked")
    );
}

#[tokio::test]
async fn s5_logging_out_closes_the_stream() {
    let app = TestApp::new().await;
    let sarah = app.visitor("sarah").await;
    let mut events = sarah.follows(None).await;
    assert_eq!(events.next().await.unwrap().name, "hello");

    sarah.logs_out().await;

    let event = events.next().await.unwrap();
    assert_eq!(event.name, "session");
    assert_eq!(
        event.data,
        json!({ "state": "ended", "code": "session_revoked" })
    );
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn s2_a_verified_session_ends_a_while_after_its_token() {
    let app = TestApp::new().await;
    let sarah = app.visitor("sarah").await;

    app.clock.advance(SignedDuration::from_secs(600 + 900 - 1));
    assert_eq!(sarah.get("/v1/session").await.status, StatusCode::OK);
    app.clock.advance(SignedDuration::from_secs(1));

    let answer = sarah.get("/v1/session").await;
    assert_eq!(
        (answer.status, answer.code()),
        (StatusCode::UNAUTHORIZED, "session_expired")
    );
}

#[tokio::test]
async fn s2_a_new_token_of_the_same_subject_renews_the_session() {
    let app = TestApp::new().await;
    let sarah = app.visitor("sarah").await;
    app.clock.advance(SignedDuration::from_secs(600));

    let answer = sarah.shows_a_token(&app.token("sarah")).await;

    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(
        answer.body["session"].as_str(),
        Some(sarah.session.as_str())
    );
    app.clock.advance(SignedDuration::from_secs(1_400));
    assert_eq!(sarah.get("/v1/session").await.status, StatusCode::OK);
}

#[tokio::test]
async fn s2_a_session_tells_when_to_ask_for_the_next_token() {
    let app = TestApp::new().await;
    let lives = |seconds: i64| {
        let mut claims = app.claims("sarah");
        let now = app.clock.now().as_second();
        claims.insert("exp".to_owned(), json!(now + seconds));
        json!({ "token": app.signed(PRODUCTION, &claims) })
    };
    let mut waits = Vec::new();

    for seconds in [3_600, 70, 20] {
        let answer = app.opens(PRODUCTION, lives(seconds)).await;
        let renew_at: Timestamp = answer.body["renew_at"].as_str().unwrap().parse().unwrap();
        waits.push(renew_at.duration_since(app.clock.now()).as_secs());
    }

    assert_eq!(waits, [2_880, 56, 30]);
    let stranger = app.opens(PRODUCTION, json!({})).await;
    assert!(stranger.body.get("renew_at").is_none());
}

#[tokio::test]
async fn s3_another_subject_in_a_running_session_is_a_mismatch() {
    let app = TestApp::new().await;
    let sarah = app.visitor("sarah").await;

    let answer = sarah.shows_a_token(&app.token("tom")).await;

    assert_eq!(
        (answer.status, answer.code()),
        (StatusCode::CONFLICT, "identity_mismatch")
    );
    assert_eq!(
        sarah.get("/v1/session").await.body["contact"]["name"],
        "sarah Example"
    );
}

#[tokio::test]
async fn s8_a_rise_to_verified_gives_a_new_session_and_ends_the_old_ones() {
    let app = TestApp::new().await;
    let stranger = app.stranger().await;
    let again = app
        .opens(PRODUCTION, json!({ "visitor": stranger.secret }))
        .await;
    let other_tab = Visitor::of(&app, &again);

    let answer = stranger.shows_a_token(&app.token("sarah")).await;

    assert_eq!(answer.status, StatusCode::OK);
    let sarah = Visitor::of(&app, &answer);
    assert_ne!(sarah.session, stranger.session);
    assert_eq!(stranger.get("/v1/session").await.code(), "session_revoked");
    assert_eq!(other_tab.get("/v1/session").await.code(), "session_revoked");
    let comes_back = app
        .opens(PRODUCTION, json!({ "visitor": stranger.secret }))
        .await;
    assert_ne!(
        comes_back.body["visitor"].as_str(),
        stranger.secret.as_deref()
    );
}

#[tokio::test]
async fn m1_the_conversation_goes_on_after_signing_in() {
    let app = TestApp::new().await;
    let stranger = app.stranger().await;
    let conversation = stranger.opens_conversation().await;
    let mut events = stranger.follows(None).await;
    stranger.says(&conversation, "hello").await;
    events.reply().await;

    let answer = stranger.shows_a_token(&app.token("sarah")).await;

    assert_eq!(answer.body["conversation"]["id"], conversation.as_str());
    assert_eq!(answer.body["conversation"]["from_before_sign_in"], true);
    let sarah = Visitor::of(&app, &answer);
    assert_eq!(
        sarah.reads(&conversation).await,
        [
            "visitor: hello",
            "agent: Good day.",
            "status: continued_from_before_sign_in"
        ]
    );
}

#[tokio::test]
async fn m1_signing_in_on_another_page_brings_the_conversation_along_too() {
    let app = TestApp::new().await;
    let stranger = app.stranger().await;
    let conversation = stranger.opens_conversation().await;
    stranger.says(&conversation, "hello").await;

    let both = json!({ "visitor": stranger.secret, "token": app.token("sarah") });
    let answer = app.opens(PRODUCTION, both).await;

    assert_eq!(answer.body["conversation"]["id"], conversation.as_str());
    assert_eq!(answer.body["assurance"], "verified");
}

#[tokio::test]
async fn m1_not_mine_takes_away_what_came_along() {
    let app = TestApp::new().await;
    let stranger = app.stranger().await;
    let conversation = stranger.opens_conversation().await;
    let mut events = stranger.follows(None).await;
    stranger.says(&conversation, "hello").await;
    events.reply().await;
    let sarah = Visitor::of(&app, &stranger.shows_a_token(&app.token("sarah")).await);

    let path = format!("/v1/conversations/{conversation}/not-mine");
    assert_eq!(
        sarah.post(&path, json!({})).await.status,
        StatusCode::NO_CONTENT
    );

    assert_eq!(
        sarah.reads(&conversation).await,
        ["status: continued_from_before_sign_in"]
    );
    assert_eq!(
        sarah.post(&path, json!({})).await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn k6_a_revoked_key_ends_its_sessions_and_is_refused() {
    let app = TestApp::new().await;
    let sarah = app.visitor("sarah").await;
    let (key, _) = app.key(PRODUCTION);

    assert!(
        app.store
            .revoke_key(app.scope(PRODUCTION), *key)
            .await
            .unwrap()
    );

    assert_eq!(sarah.get("/v1/session").await.code(), "session_revoked");
    let answer = app
        .opens(PRODUCTION, json!({ "token": app.token("sarah") }))
        .await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn s1_the_database_holds_no_session_and_no_secret() {
    let app = TestApp::new().await;
    let sarah = app.visitor("sarah").await;
    let stranger = app.stranger().await;
    let (_, secret) = app.key(PRODUCTION);

    let stored = app.stored_bytes().await;

    let holds = |text: &str| {
        stored
            .windows(text.len())
            .any(|window| window == text.as_bytes())
    };
    assert!(holds("sarah Example"), "the search itself works");
    assert!(!holds(&sarah.session));
    assert!(!holds(stranger.secret.as_deref().unwrap()));
    assert!(!holds(secret.expose()));
}

/// Switches enforcement in production, as somebody beside the server would.
async fn enforce(app: &TestApp, enforcement: Enforcement) {
    let scope = app.scope(PRODUCTION);
    app.has_seen_a_good_token(scope).await;
    let settings = app.store.settings(scope).await.unwrap().unwrap();
    app.store
        .change_settings(
            scope,
            &Settings {
                enforcement,
                ..settings
            },
        )
        .await
        .unwrap();
}

#[tokio::test]
async fn e1_required_lets_nobody_chat_without_a_token() {
    let app = TestApp::new().await;
    enforce(&app, Enforcement::Required).await;

    let stranger = app.opens(PRODUCTION, json!({})).await;
    let sarah = app
        .opens(PRODUCTION, json!({ "token": app.token("sarah") }))
        .await;

    assert_eq!(stranger.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        stranger.error(),
        json!({
            "code": "token_required",
            "message": "who is not signed in cannot chat here",
            "hint": "sign in at https://shop.example/login"
        })
    );
    assert_eq!(sarah.status, StatusCode::CREATED);
}

#[tokio::test]
async fn e1_report_lets_everybody_chat() {
    let app = TestApp::new().await;
    enforce(&app, Enforcement::Report).await;

    assert_eq!(
        app.opens(PRODUCTION, json!({})).await.status,
        StatusCode::CREATED
    );
}

#[tokio::test]
async fn e1_required_reaches_sessions_that_were_opened_before() {
    let app = TestApp::new().await;
    let stranger = app.stranger().await;
    let conversation = stranger.opens_conversation().await;
    enforce(&app, Enforcement::Required).await;

    // A server looks for changes once a second.
    let answer = loop {
        let answer = stranger.says(&conversation, "hello").await;
        if answer.status != StatusCode::ACCEPTED {
            break answer;
        }
        tokio::task::yield_now().await;
    };

    assert_eq!(
        (answer.status, answer.code()),
        (StatusCode::UNAUTHORIZED, "token_required")
    );
}
