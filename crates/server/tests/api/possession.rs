//! Sessions that are bound to the key of a browser.

use axum::http::{Method, StatusCode};
use insta::assert_json_snapshot;
use jiff::SignedDuration;
use maitred_core::{
    agent::{ProofOfPossession, Settings},
    scope::Environment,
};
use serde_json::{Value, json};

use super::{
    routes::visitor_routes,
    support::{Answer, TestApp, Visitor, browser::Browser},
};

const SESSION: &str = "/v1/session";

impl TestApp {
    /// Somebody the site vouches for, in this browser.
    async fn visitor_in<'a>(&'a self, browser: &'a Browser, subject: &str) -> Visitor<'a> {
        let more = json!({ "token": self.token(subject) });
        let answer = self.opens_in(browser, more).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
        Visitor::of_browser(self, browser, &answer)
    }

    /// Somebody of whom nothing is known, in this browser.
    async fn stranger_in<'a>(&'a self, browser: &'a Browser) -> Visitor<'a> {
        let answer = self.opens_in(browser, json!({})).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
        Visitor::of_browser(self, browser, &answer)
    }

    /// Asks who is in the session, with these proofs.
    async fn shows(&self, session: &str, proofs: &[String]) -> Answer {
        self.send_proven(Method::GET, SESSION, Some(session), None, proofs)
            .await
    }

    async fn changes_policy(&self, policy: ProofOfPossession) {
        let scope = self.scope(Environment::Production);
        let settings = self.store.settings(scope).await.unwrap().unwrap();
        let settings = Settings {
            proof_of_possession: policy,
            ..settings
        };
        self.store.change_settings(scope, &settings).await.unwrap();
        let path = format!("/v1/agents/{}/production", self.agent);
        // A server looks for changes once a second.
        loop {
            let told = self.send(Method::GET, &path, None, None).await;
            if told.body["proof_of_possession"] == policy.as_str() {
                return;
            }
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn s4_a_bound_session_serves_its_own_browser() {
    let app = TestApp::new().await;
    let browser = Browser::new();

    let sarah = app.visitor_in(&browser, "sarah").await;

    let shown = sarah.get(SESSION).await;
    assert_eq!(shown.body["assurance"], "verified");
    let mut events = sarah.follows(None).await;
    let id = sarah.opens_conversation().await;
    sarah.says(&id, "hello").await;
    assert_eq!(events.reply().await.data["text"], "Good day.");
    assert_eq!(sarah.logs_out().await.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn s4_a_copied_session_string_opens_nothing_on_any_route() {
    let app = TestApp::new().await;
    let (browser, thief) = (Browser::new(), Browser::new());
    let sarah = app.visitor_in(&browser, "sarah").await;
    let nonce = app.nonce().await;
    let mut tried = 0;

    for route in visitor_routes() {
        let is_public = route.path.starts_with("/v1/agents/") || route.path == "/v1/sessions";
        if is_public {
            continue;
        }
        let path = route
            .path
            .replace("{id}", "cnv_00000000000000000000000000000099");
        let session = Some(sarah.session.as_str());
        for proofs in [
            vec![],
            vec![thief.proves(&route.method, &path, session, &nonce)],
        ] {
            let body = (route.method == Method::POST).then(|| json!({}));
            let answer = app
                .send_proven(route.method.clone(), &path, session, body, &proofs)
                .await;

            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{route:?}");
            assert_eq!(answer.code(), "invalid_proof", "{route:?}");
            tried += 1;
        }
    }

    assert!(tried >= 16, "{tried}");
    assert_eq!(sarah.get(SESSION).await.status, StatusCode::OK);
}

#[tokio::test]
async fn s4_a_proof_for_something_else_is_none() {
    let app = TestApp::new().await;
    let browser = Browser::new();
    let sarah = app.visitor_in(&browser, "sarah").await;
    let other = app.visitor_in(&browser, "sarah").await;
    let nonce = app.nonce().await;
    let (get, session) = (Method::GET, Some(sarah.session.as_str()));
    let with = |change: (&str, Value)| {
        let mut claims = browser.claims(&get, SESSION, session, &nonce);
        claims[change.0] = change.1;
        vec![browser.signs(&claims)]
    };
    let proof = |method: &Method, path: &str, session: Option<&str>| {
        vec![browser.proves(method, path, session, &nonce)]
    };

    let mut told = Vec::new();
    for proofs in [
        vec![],
        [proof(&get, SESSION, session), proof(&get, SESSION, session)].concat(),
        proof(&Method::DELETE, SESSION, session),
        proof(&get, "/v1/sessions", session),
        proof(&get, SESSION, Some(&other.session)),
        proof(&get, SESSION, None),
        with(("htu", json!("https://evil.example/v1/session"))),
        with(("htu", json!("http://127.0.0.1:7070/v1/session?x=1"))),
        with(("jti", json!(""))),
        vec!["x".to_owned()],
        vec![Browser::new().proves(&get, SESSION, session, &nonce)],
    ] {
        let answer = app.shows(&sarah.session, &proofs).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert_eq!(answer.code(), "invalid_proof", "{}", answer.body);
        told.push(answer.error()["message"].clone());
    }

    assert_json_snapshot!(told, @r#"
    [
      "there is no proof of possession",
      "there is more than one proof of possession",
      "the proof's `htm` is not the method of this request",
      "the proof's `htu` is not the address of this request",
      "the proof's `ath` is not the hash of this session",
      "the proof has no valid `ath`",
      "the proof's `htu` is not the address of this request",
      "the proof's `htu` is not the address of this request",
      "the proof has no valid `jti`",
      "the proof cannot be read: it does not have three parts with dots between them",
      "the proof is by another key"
    ]
    "#);
    let good = app
        .shows(&sarah.session, &proof(&get, SESSION, session))
        .await;
    assert_eq!(good.status, StatusCode::OK);
}

#[tokio::test]
async fn s4_a_proof_says_what_is_wrong_with_it_and_what_to_do() {
    let app = TestApp::new().await;
    let browser = Browser::new();
    let sarah = app.visitor_in(&browser, "sarah").await;

    let missing = app.shows(&sarah.session, &[]).await;

    assert_json_snapshot!(missing.error(), @r#"
    {
      "code": "invalid_proof",
      "hint": "this session is bound to a key: send a `DPoP` header with each request",
      "message": "there is no proof of possession"
    }
    "#);
}

#[tokio::test]
async fn s4_the_query_is_no_part_of_the_address() {
    let app = TestApp::new().await;
    let browser = Browser::new();
    let sarah = app.visitor_in(&browser, "sarah").await;

    let listed = sarah.get("/v1/conversations?limit=1").await;

    assert_eq!(listed.status, StatusCode::OK, "{}", listed.body);
}

#[tokio::test]
async fn s4_a_proof_counts_once() {
    let app = TestApp::new().await;
    let browser = Browser::new();
    let sarah = app.visitor_in(&browser, "sarah").await;
    let session = Some(sarah.session.as_str());
    let nonce = app.nonce().await;
    let proof = [browser.proves(&Method::GET, SESSION, session, &nonce)];
    assert_eq!(
        app.shows(&sarah.session, &proof).await.status,
        StatusCode::OK
    );

    let again = app.shows(&sarah.session, &proof).await;
    app.clock.advance(SignedDuration::from_secs(120));
    let in_the_next_slot = app.shows(&sarah.session, &proof).await;

    for replayed in [again, in_the_next_slot] {
        assert_eq!(replayed.code(), "invalid_proof");
        assert_eq!(replayed.error()["message"], "the proof was used before");
    }
    app.clock.advance(SignedDuration::from_secs(120));
    assert_eq!(
        app.shows(&sarah.session, &proof).await.code(),
        "use_dpop_nonce"
    );
}

#[tokio::test]
async fn s4_ids_of_proofs_are_each_browsers_own() {
    let app = TestApp::new().await;
    let (laptop, phone) = (Browser::new(), Browser::new());
    let nonce = app.nonce().await;

    for browser in [&laptop, &phone] {
        let sarah = app.visitor_in(browser, "sarah").await;
        let mut claims = browser.claims(&Method::GET, SESSION, Some(&sarah.session), &nonce);
        claims["jti"] = "the same".into();

        let answer = app.shows(&sarah.session, &[browser.signs(&claims)]).await;

        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    }
}

#[tokio::test]
async fn s4_a_nonce_is_good_for_its_slot_and_the_next() {
    let app = TestApp::new().await;
    let browser = Browser::new();
    let sarah = app.visitor_in(&browser, "sarah").await;
    let nonce = app.nonce().await;
    let shows = async |nonce: &str| {
        let proof = browser.proves(&Method::GET, SESSION, Some(&sarah.session), nonce);
        app.shows(&sarah.session, &[proof]).await
    };

    for expected in [StatusCode::OK, StatusCode::OK, StatusCode::UNAUTHORIZED] {
        assert_eq!(shows(&nonce).await.status, expected);
        app.clock.advance(SignedDuration::from_secs(120));
    }

    let stale = shows(&nonce).await;
    assert_json_snapshot!(stale.error(), @r#"
    {
      "code": "use_dpop_nonce",
      "hint": "send it again with the `DPoP-Nonce` of this answer",
      "message": "the proof of possession has no fresh nonce"
    }
    "#);
    let fresh = stale.headers["dpop-nonce"].to_str().unwrap();
    assert_ne!(fresh, nonce);
    assert_eq!(shows(fresh).await.status, StatusCode::OK);
}

#[tokio::test]
async fn s4_without_a_nonce_or_with_one_made_up_a_new_one_is_to_be_used() {
    let app = TestApp::new().await;
    let browser = Browser::new();
    let sarah = app.visitor_in(&browser, "sarah").await;
    let claims = browser.claims(&Method::GET, SESSION, Some(&sarah.session), "made up");
    let mut without = claims.clone();
    without.as_object_mut().unwrap().remove("nonce");

    for claims in [claims, without] {
        let answer = app.shows(&sarah.session, &[browser.signs(&claims)]).await;

        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert_eq!(answer.code(), "use_dpop_nonce");
    }
}

#[tokio::test]
async fn s4_every_answer_of_the_api_tells_the_nonce() {
    let app = TestApp::new().await;
    let nonce = app.nonce().await;

    for (path, status) in [
        (
            format!("/v1/agents/{}/production", app.agent),
            StatusCode::OK,
        ),
        ("/v1/agents/x/y".to_owned(), StatusCode::NOT_FOUND),
        ("/v1/nothing".to_owned(), StatusCode::NOT_FOUND),
        ("/v1/sessions".to_owned(), StatusCode::METHOD_NOT_ALLOWED),
    ] {
        let answer = app.send(Method::GET, &path, None, None).await;

        assert_eq!(answer.status, status, "{path}");
        assert_eq!(answer.headers["dpop-nonce"], nonce, "{path}");
    }
    let elsewhere = app.send(Method::GET, "/healthz", None, None).await;
    assert!(!elsewhere.headers.contains_key("dpop-nonce"));
}

#[tokio::test]
async fn s1_the_frame_is_given_the_nonce_of_its_first_proof_and_is_kept_by_nobody() {
    let app = TestApp::new().await;
    let path = format!("/frame/{}/production", app.agent);

    let page = app.send(Method::GET, &path, None, None).await;

    let meta = format!(
        r#"<meta name="dpop-nonce" content="{}">"#,
        app.nonce().await
    );
    assert!(page.body.as_str().unwrap().contains(&meta), "{}", page.body);
    assert_eq!(page.headers["cache-control"], "no-store");
}

#[tokio::test]
async fn s4_a_key_must_be_proven_when_the_session_is_opened() {
    let app = TestApp::new().await;
    let (browser, other) = (Browser::new(), Browser::new());
    let nonce = app.nonce().await;
    let opens = async |key: Value, proofs: &[String]| {
        let body = json!({ "agent": app.agent.to_string(), "page_origin": super::support::ORIGIN, "key": key });
        app.send_proven(Method::POST, "/v1/sessions", None, Some(body), proofs)
            .await
    };
    let proof =
        |browser: &Browser| vec![browser.proves(&Method::POST, "/v1/sessions", None, &nonce)];
    let with = |name: &str, value: &str| {
        let mut key = browser.jwk();
        key[name] = value.into();
        key
    };

    for (key, proofs, status, code) in [
        (browser.jwk(), vec![], 401, "invalid_proof"),
        (browser.jwk(), proof(&other), 401, "invalid_proof"),
        (with("x", "AAAA"), proof(&browser), 401, "invalid_proof"),
        (with("crv", "P-384"), proof(&browser), 400, "bad_request"),
        (with("d", "AAAA"), proof(&browser), 422, "unknown_field"),
        (json!("key"), proof(&browser), 400, "bad_request"),
    ] {
        let answer = opens(key, &proofs).await;

        assert_eq!(answer.status.as_u16(), status, "{}", answer.body);
        assert_eq!(answer.code(), code, "{}", answer.body);
    }
    let stale = browser.proves(&Method::POST, "/v1/sessions", None, "stale");
    assert_eq!(
        opens(browser.jwk(), &[stale]).await.code(),
        "use_dpop_nonce"
    );
}

#[tokio::test]
async fn s4_a_session_that_was_bound_stays_so_whatever_the_policy_becomes() {
    let app = TestApp::new().await;
    let browser = Browser::new();
    let sarah = app.visitor_in(&browser, "sarah").await;

    app.changes_policy(ProofOfPossession::Off).await;

    assert_eq!(app.shows(&sarah.session, &[]).await.code(), "invalid_proof");
    assert_eq!(sarah.get(SESSION).await.status, StatusCode::OK);
    let renewed = sarah.shows_a_token(&app.token("sarah")).await;
    assert_eq!(renewed.status, StatusCode::OK, "{}", renewed.body);
    assert_eq!(app.shows(&sarah.session, &[]).await.code(), "invalid_proof");
}

#[tokio::test]
async fn s4_when_it_is_off_a_key_binds_nothing() {
    let app = TestApp::new().await;
    let browser = Browser::new();
    app.changes_policy(ProofOfPossession::Off).await;

    let answer = app.opens_in(&browser, json!({})).await;

    let session = answer.body["session"].as_str().unwrap();
    assert_eq!(app.shows(session, &[]).await.status, StatusCode::OK);
}

#[tokio::test]
async fn s4_when_it_is_required_no_session_begins_or_goes_on_without_a_key() {
    let app = TestApp::new().await;
    let (bearer, stranger) = (app.visitor("sarah").await, app.stranger().await);
    app.changes_policy(ProofOfPossession::Required).await;
    let token = json!({ "token": app.token("sarah") });

    let refused = [
        app.opens(Environment::Production, json!({})).await,
        app.opens(Environment::Production, token.clone()).await,
        bearer.shows_a_token(&app.token("sarah")).await,
        stranger.shows_a_token(&app.token("sarah")).await,
    ];

    for answer in refused {
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.body);
        assert_eq!(answer.code(), "secure_context_needed");
    }
    let browser = Browser::new();
    let sarah = app.visitor_in(&browser, "sarah").await;
    let renewed = sarah.shows_a_token(&app.token("sarah")).await;
    assert_eq!(renewed.status, StatusCode::OK);
}

#[tokio::test]
async fn s5_logging_out_ends_the_other_tabs_of_the_same_browser() {
    let app = TestApp::new().await;
    let (laptop, phone) = (Browser::new(), Browser::new());
    let sarah = app.visitor_in(&laptop, "sarah").await;
    let tab = app.visitor_in(&laptop, "sarah").await;
    let elsewhere = app.visitor_in(&phone, "sarah").await;
    let tom = app.visitor_in(&laptop, "tom").await;
    let mut followed = tab.follows(None).await;
    followed.until("hello").await;

    let answer = sarah.logs_out().await;

    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    let told = followed.until("session").await;
    assert_eq!(
        told.data,
        json!({ "state": "ended", "code": "session_revoked" })
    );
    assert!(followed.next().await.is_none(), "the stream is closed");
    assert_eq!(tab.get(SESSION).await.code(), "session_revoked");
    assert_eq!(elsewhere.get(SESSION).await.status, StatusCode::OK);
    assert_eq!(tom.get(SESSION).await.status, StatusCode::OK);
}

#[tokio::test]
async fn s7_a_copied_visitor_secret_brings_nobody_back() {
    let app = TestApp::new().await;
    let (browser, thief) = (Browser::new(), Browser::new());
    let stranger = app.stranger_in(&browser).await;
    let id = stranger.opens_conversation().await;
    stranger.says(&id, "hello").await;
    let back = json!({ "visitor": stranger.secret });

    let copies = [
        app.opens_in(&thief, back.clone()).await,
        app.opens(Environment::Production, back.clone()).await,
    ];

    for copy in copies {
        assert_eq!(copy.status, StatusCode::CREATED);
        assert_ne!(copy.body["visitor"], back["visitor"]);
        assert!(copy.body.get("conversation").is_none());
    }
    let again = app.opens_in(&browser, back.clone()).await;
    assert_eq!(again.body["visitor"], back["visitor"]);
    assert_eq!(again.body["conversation"]["id"], id.as_str());
    app.changes_policy(ProofOfPossession::Off).await;
    let under_off = app.opens_in(&browser, back.clone()).await;
    assert_eq!(under_off.body["visitor"], back["visitor"]);
    let copied = app.opens(Environment::Production, back.clone()).await;
    assert_ne!(copied.body["visitor"], back["visitor"]);
}

#[tokio::test]
async fn s7_nobody_signs_in_over_a_visitor_whose_secret_was_copied() {
    let app = TestApp::new().await;
    let (browser, thief) = (Browser::new(), Browser::new());
    let stranger = app.stranger_in(&browser).await;
    let id = stranger.opens_conversation().await;
    stranger.says(&id, "hello").await;

    let more = json!({ "visitor": stranger.secret, "token": app.token("mallory") });
    let mallory = app.opens_in(&thief, more).await;

    assert_eq!(mallory.status, StatusCode::CREATED);
    assert!(mallory.body.get("conversation").is_none());
    assert_eq!(stranger.get(SESSION).await.status, StatusCode::OK);
}

#[tokio::test]
async fn s8_a_rise_to_verified_keeps_the_key() {
    let app = TestApp::new().await;
    let browser = Browser::new();
    let stranger = app.stranger_in(&browser).await;

    let risen = stranger.shows_a_token(&app.token("sarah")).await;

    assert_eq!(risen.status, StatusCode::OK, "{}", risen.body);
    let sarah = Visitor::of_browser(&app, &browser, &risen);
    assert_ne!(sarah.session, stranger.session);
    assert_eq!(app.shows(&sarah.session, &[]).await.code(), "invalid_proof");
    assert_eq!(sarah.get(SESSION).await.body["assurance"], "verified");
    assert_eq!(stranger.get(SESSION).await.code(), "session_revoked");
}
