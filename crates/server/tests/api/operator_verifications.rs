//! The verification log, over the API (rules L1, K6).

use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use jiff::SignedDuration;
use maitred_core::{
    agent::{Origin, Settings},
    scope::{Environment, Scope},
};
use maitred_token::mint_hs256;
use serde_json::{Value, json};

use super::support::{Answer, Event, Events, HOST, ORIGIN, Operator, TestApp, make_key};

const PRODUCTION: Environment = Environment::Production;
const STAGING: Environment = Environment::Staging;

fn path(app: &TestApp, rest: &str) -> String {
    format!("/api/agents/{}/verifications{rest}", app.agent)
}

/// A token with these claims changed; null takes one out.
fn token_with(app: &TestApp, environment: Environment, changes: &Value) -> String {
    let mut claims = app.claims("sarah");
    for (name, value) in changes.as_object().unwrap() {
        claims.insert(name.clone(), value.clone());
    }
    claims.retain(|_, value| !value.is_null());
    app.signed(environment, &claims)
}

/// Shows a token that expired three minutes ago, ten after it was made.
async fn shows_an_expired_token(app: &TestApp, environment: Environment) {
    let now = app.clock.now().as_second();
    let changes = json!({ "iat": now - 780, "exp": now - 180 });
    let token = token_with(app, environment, &changes);
    let answer = app.opens(environment, json!({ "token": token })).await;
    assert_eq!(answer.code(), "token_expired");
}

fn asks(app: &TestApp, operator: &Operator<'_>, last: Option<&str>) -> Request<Body> {
    let mut request = Request::builder()
        .uri(path(app, "?live"))
        .header(header::HOST, HOST)
        .header(header::AUTHORIZATION, format!("Bearer {}", operator.key));
    if let Some(last) = last {
        request = request.header("last-event-id", last);
    }
    request.body(Body::empty()).unwrap()
}

/// The stream of an operator.
async fn follows(app: &TestApp, operator: &Operator<'_>, last: Option<&str>) -> Events {
    let response = app.response(asks(app, operator, last)).await;
    assert_eq!(response.status(), StatusCode::OK);
    let headers = response.headers();
    assert_eq!(headers[header::CONTENT_TYPE], "text/event-stream");
    assert_eq!(headers[header::CACHE_CONTROL], "no-store");
    Events::of(response.into_body())
}

/// The stream, once so many entries have come.
async fn sees(stream: &mut Events, entries: usize) -> Vec<Event> {
    let mut seen = Vec::new();
    for _ in 0..entries {
        seen.push(stream.until("verification").await);
    }
    seen
}

fn codes(list: &Answer) -> Vec<&str> {
    assert_eq!(list.status, StatusCode::OK, "{}", list.body);
    let items = list.body["items"].as_array().unwrap().iter();
    items.map(|it| it["code"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn l1_the_log_says_what_happened_and_how_to_mend_it() {
    let app = TestApp::new().await;
    let operator = app.operator().await;
    let mut stream = follows(&app, &operator, None).await;
    let sarah = app.opens(PRODUCTION, json!({ "token": app.token("sarah") }));
    let contact = sarah.await.body["contact"]["id"].clone();
    shows_an_expired_token(&app, STAGING).await;
    let seen = sees(&mut stream, 2).await;

    let list = operator.get(&path(&app, "")).await;

    // What was streamed is what is listed, the newest first.
    assert_eq!(list.body["items"], json!([seen[1].data, seen[0].data]));
    assert_eq!(list.body["next"], Value::Null);
    let key = app.key(PRODUCTION).0.to_string();
    let subject_hash = seen[0].data["subject_hash"].clone();
    assert!(
        subject_hash
            .as_str()
            .is_some_and(|hash| !hash.contains("sarah"))
    );
    assert_eq!(
        seen[0].data,
        json!({
            "number": 1,
            "at": "2026-03-01T12:00:00Z",
            "agent": app.agent.to_string(),
            "environment": "production",
            "code": "accepted",
            "message": "recognised sarah Example",
            "attempts": 1,
            "key": key,
            "algorithm": "HS256",
            "age_s": 0,
            "lifetime_s": 600,
            "skew_s": null,
            "page_origin": ORIGIN,
            "subject_hash": subject_hash,
            "contact": { "id": contact, "name": "sarah Example" },
            "warnings": [],
        })
    );
    let refused = &seen[1].data;
    assert_eq!(refused["message"], "the token expired 3 min ago");
    assert_eq!(
        refused["fix"],
        "if it was made just now, your server's clock is 13 min behind; else make a fresh token for each page"
    );
    assert_eq!(refused["environment"], "staging");
    assert_eq!(refused["contact"], Value::Null);
}

#[tokio::test]
async fn l1_the_log_says_what_the_checker_says() {
    let app = TestApp::with_settings(&[("LIMITS__REFUSED_TOKENS", "0")]).await;
    let operator = app.operator().await;
    let now = app.clock.now().as_second();
    let (key, _) = app.key(PRODUCTION);
    let claims = Value::Object(app.claims("sarah"));
    let mut tokens = vec![
        "x.y".to_owned(),
        format!("{}.x.y", "x".repeat(9_000)),
        mint_hs256(&[7; 32], Some(&key.to_string()), &claims),
        mint_hs256(&[7; 32], Some("key_9"), &claims),
        app.signed(STAGING, &app.claims("sarah")),
    ];
    for changes in [
        json!({ "exp": now - 180, "iat": now - 780 }),
        json!({ "exp": now - 180, "iat": null }),
        json!({ "exp": null }),
        json!({ "exp": "soon" }),
        json!({ "nbf": now + 300 }),
        json!({ "iat": now + 300 }),
        json!({ "aud": "agt_another" }),
        json!({ "iss": 7 }),
        json!({ "sub": null }),
        json!({ "sub": "" }),
        json!({ "user_id": "tom" }),
        json!({ "email": null }),
        json!({ "email": "nobody" }),
    ] {
        tokens.push(token_with(&app, PRODUCTION, &changes));
    }
    for token in tokens {
        let mut stream = follows(&app, &operator, None).await;
        let checked = operator.checks("production", &token).await;
        app.opens(PRODUCTION, json!({ "token": token })).await;

        let logged = stream.until("verification").await.data;

        let code = checked.body["code"].as_str().expect("it is refused");
        assert_eq!(logged["code"], code);
        assert_eq!(logged["fix"], checked.body["fix"], "{code}");
        assert!(logged["message"].is_string());
    }
}

#[tokio::test]
async fn l1_the_log_is_narrowed_down_and_read_in_parts() {
    let app = TestApp::new().await;
    let operator = app.operator().await;
    let mut stream = follows(&app, &operator, None).await;
    app.visitor("sarah").await;
    app.clock.advance(SignedDuration::from_secs(60));
    shows_an_expired_token(&app, STAGING).await;
    app.opens(STAGING, json!({ "token": "x.y" })).await;
    sees(&mut stream, 3).await;
    let (key, _) = app.key(STAGING);

    for (query, expected) in [
        ("", ["malformed", "token_expired", "accepted"].as_slice()),
        ("?outcome=refused", &["malformed", "token_expired"]),
        ("?outcome=accepted", &["accepted"]),
        ("?code=token_expired", &["token_expired"]),
        ("?environment=production", &["accepted"]),
        (&format!("?key={key}"), &["token_expired"]),
        (
            "?since=2026-03-01T12:01:00Z",
            &["malformed", "token_expired"],
        ),
        ("?since=2026-03-01T12:01:01Z", &[]),
        ("?live=false&limit=1", &["malformed"]),
    ] {
        let list = operator.get(&path(&app, query)).await;
        assert_eq!(codes(&list), expected, "{query}");
    }
    let part = operator.get(&path(&app, "?limit=2")).await;
    let next = part.body["next"].as_str().unwrap();
    let rest = path(&app, &format!("?limit=2&cursor={next}"));
    assert_eq!(codes(&operator.get(&rest).await), ["accepted"]);
}

#[tokio::test]
async fn l1_what_is_asked_for_wrongly_is_refused_and_not_everything() {
    let app = TestApp::new().await;
    let operator = app.operator().await;
    for (query, code) in [
        ("?enviroment=staging", "unknown_field"),
        ("?environment=hunter2", "bad_request"),
        ("?outcome=hunter2", "bad_request"),
        ("?outcome=refused&code=malformed", "bad_request"),
        ("?key=hunter2", "bad_request"),
        ("?since=hunter2", "bad_request"),
        ("?limit=0", "bad_request"),
        ("?cursor=hunter2", "bad_request"),
    ] {
        let answer = operator.get(&path(&app, query)).await;

        assert_eq!(answer.code(), code, "{query}");
        assert!(
            !answer.body.to_string().contains("hunter2"),
            "{}",
            answer.body
        );
    }
    let nonsense = asks(&app, &operator, Some("nonsense"));
    assert_eq!(app.answered(nonsense).await.code(), "bad_request");
}

#[tokio::test]
async fn l1_a_stream_goes_on_where_it_broke_off() {
    let app = TestApp::new().await;
    let operator = app.operator().await;
    let mut stream = follows(&app, &operator, None).await;
    app.visitor("sarah").await;
    let first = stream.until("verification").await;
    drop(stream);
    shows_an_expired_token(&app, STAGING).await;
    app.visitor("tom").await;

    let mut stream = follows(&app, &operator, first.id.as_deref()).await;

    let seen = sees(&mut stream, 2).await;
    assert_eq!(seen[0].data["code"], "token_expired");
    assert_eq!(seen[1].data["message"], "recognised tom Example");
}

#[tokio::test]
async fn l1_a_stream_of_another_time_is_told_so_and_goes_on_from_now() {
    let app = TestApp::new().await;
    let operator = app.operator().await;

    let mut stream = follows(&app, &operator, Some("7000")).await;
    app.visitor("sarah").await;

    assert_eq!(stream.next().await.unwrap().name, "resync");
    let entry = stream.next().await.unwrap();
    assert_eq!(
        (entry.name.as_str(), entry.id.as_deref()),
        ("verification", Some("1"))
    );
}

#[tokio::test]
async fn d1_a_stream_ends_with_its_api_key() {
    let app = TestApp::new().await;
    let operator = app.operator().await;
    let of_ada = app.operator_of(Some(app.agent)).await;
    let mut stream = follows(&app, &of_ada, None).await;
    let mut other = follows(&app, &operator, None).await;
    let keys = operator.get("/api/api-keys").await;
    let id = keys.body["items"][1]["id"].as_str().unwrap().to_owned();

    let revoked = operator.delete(&format!("/api/api-keys/{id}")).await;

    assert_eq!(revoked.status, StatusCode::NO_CONTENT);
    assert_eq!(stream.next().await.unwrap().name, "ended");
    assert!(stream.next().await.is_none(), "the stream is over");
    app.visitor("sarah").await;
    sees(&mut other, 1).await;
}

#[tokio::test]
async fn d1_the_log_and_the_keys_of_another_agent_are_not_there() {
    let app = TestApp::new().await;
    let site = Settings {
        origins: vec![Origin::parse(ORIGIN).unwrap()],
        ..Settings::default()
    };
    let bea = app
        .store
        .create_agent("Bea", &site, &site)
        .await
        .unwrap()
        .id;
    let of_bea = app.operator_of(Some(bea)).await;
    let operator = app.operator().await;
    let scope = Scope {
        agent: bea,
        environment: PRODUCTION,
    };
    let (key, _) = make_key(&app.store, scope).await;
    let mut of_both = follows(&app, &operator, None).await;
    app.visitor("sarah").await;
    sees(&mut of_both, 1).await;

    let own = of_bea
        .get(&format!("/api/agents/{bea}/verifications"))
        .await;
    let others = of_bea.get(&path(&app, "")).await;
    let (ada, _) = app.key(PRODUCTION);
    let impact = |agent: &dyn std::fmt::Display, key: &dyn std::fmt::Display| {
        format!("/api/agents/{agent}/environments/production/keys/{key}/impact")
    };

    assert_eq!(codes(&own), [""; 0]);
    assert_eq!(others.code(), "not_found");
    let found = of_bea.get(&impact(&bea, &key)).await;
    assert_eq!(found.status, StatusCode::OK, "{}", found.body);
    assert_eq!(of_bea.get(&impact(&bea, ada)).await.code(), "not_found");
    assert_eq!(
        of_bea.get(&impact(&app.agent, ada)).await.code(),
        "not_found"
    );
    // Nor are they there for who may see both, in the wrong place.
    assert_eq!(operator.get(&impact(&bea, ada)).await.code(), "not_found");
    let elsewhere = format!("/api/agents/{bea}/verifications?key={ada}");
    assert_eq!(codes(&operator.get(&elsewhere).await), [""; 0]);
}

#[tokio::test]
async fn k6_what_depends_on_a_key_is_told_before_it_is_revoked() {
    let app = TestApp::new().await;
    let operator = app.operator().await;
    let mut stream = follows(&app, &operator, None).await;
    app.visitor("sarah").await;
    app.visitor("sarah").await;
    app.visitor("tom").await.logs_out().await;
    sees(&mut stream, 3).await;
    let (key, _) = app.key(PRODUCTION);

    let impact = operator
        .get(&operator.path(&format!("production/keys/{key}/impact")))
        .await;

    assert_eq!(
        impact.body,
        json!({
            "tokens": 3,
            "subjects": 2,
            "origins": [ORIGIN],
            "live_sessions": 2,
            "last_used_at": "2026-03-01T12:00:00Z",
        })
    );
    let (staging, _) = app.key(STAGING);
    let other = operator.path(&format!("production/keys/{staging}/impact"));
    assert_eq!(operator.get(&other).await.code(), "not_found");
}

#[tokio::test]
async fn k6_a_list_of_keys_says_how_much_each_is_used() {
    let app = TestApp::new().await;
    let operator = app.operator().await;
    let mut stream = follows(&app, &operator, None).await;
    app.visitor("sarah").await;
    app.visitor("tom").await;
    sees(&mut stream, 2).await;
    let made = operator
        .post(&operator.path("production/keys"), json!({}))
        .await;

    let keys = operator.get(&operator.path("production/keys")).await;

    let used = |key: &Value| (key["accepted_today"].clone(), key["last_used_at"].clone());
    assert_eq!(
        used(&keys.body["items"][0]),
        (json!(2), json!("2026-03-01T12:00:00Z"))
    );
    assert_eq!(used(&keys.body["items"][1]), (json!(0), Value::Null));
    assert_eq!(used(&made.body), (json!(0), Value::Null));
    app.clock.advance(SignedDuration::from_hours(24));
    let tomorrow = operator.get(&operator.path("production/keys")).await;
    assert_eq!(
        used(&tomorrow.body["items"][0]),
        (json!(0), json!("2026-03-01T12:00:00Z"))
    );
}

#[tokio::test]
async fn e1_what_required_would_refuse_is_told_before_it_is_set() {
    let app = TestApp::new().await;
    let operator = app.operator().await;
    let report = json!({ "enforcement": "report" });
    operator
        .patch(&operator.path("production/policy"), report)
        .await;
    let mut stream = follows(&app, &operator, None).await;
    let agent = format!("/api/agents/{}", app.agent);
    let before = operator.get(&agent).await;
    app.stranger().await;
    app.stranger().await;
    app.visitor("sarah").await;
    // What is counted is written before what is logged after it.
    sees(&mut stream, 1).await;

    let after = operator.get(&agent).await;

    let told = |answer: &Answer| {
        let production = &answer.body["environments"]["production"];
        json!([
            production["last_good_token_at"],
            production["required_would_refuse"],
        ])
    };
    assert_eq!(told(&before), json!([null, []]));
    let days = json!([{ "day": "2026-03-01", "sessions": 2 }]);
    assert_eq!(told(&after), json!(["2026-03-01T12:00:00Z", days]));
    assert_eq!(
        after.body["environments"]["staging"]["required_would_refuse"],
        json!([])
    );
}
