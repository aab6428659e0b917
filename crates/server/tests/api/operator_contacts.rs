//! Contacts, logging out everywhere, and what came along at a sign-in.

use axum::http::StatusCode;
use jiff::SignedDuration;
use maitred_core::{agent::Settings, scope::Environment};
use serde_json::{Value, json};

use super::support::{Answer, Operator, TestApp};

fn path(app: &TestApp, rest: &str) -> String {
    format!("/api/agents/{}/{rest}", app.agent)
}

async fn logs_out(app: &TestApp, operator: &Operator<'_>, subject: &str) -> Answer {
    let body = json!({ "environment": "production", "subject": subject });
    operator.post(&path(app, "contacts/logout"), body).await
}

/// Somebody says something and then signs in: the id of what came along.
async fn somebody_came_along(app: &TestApp, operator: &Operator<'_>) -> String {
    let stranger = app.stranger().await;
    let conversation = stranger.opens_conversation().await;
    stranger.says(&conversation, "hello").await;
    let signed_in = stranger.shows_a_token(&app.token("sarah")).await;
    assert_eq!(signed_in.status, StatusCode::OK, "{}", signed_in.body);
    let merges = operator.get(&path(app, "merges")).await;
    let merge = &merges.body["items"][0];
    assert_eq!(merge["conversation"], json!(conversation));
    assert_eq!(merge["undone"], Value::Null);
    merge["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn contacts_are_listed_the_last_seen_first_and_found_by_subject() {
    let app = TestApp::new().await;
    let operator = app.operator().await;
    app.visitor("sarah").await;
    app.clock.advance(SignedDuration::from_secs(1));
    app.visitor("tom").await;

    let list = operator.get(&path(&app, "contacts")).await;
    let first = operator.get(&path(&app, "contacts?limit=1")).await;
    let sarah = operator.get(&path(&app, "contacts?subject=sarah")).await;

    let subjects = |answer: &Answer| -> Vec<String> {
        let items = answer.body["items"].as_array().unwrap().iter();
        items
            .map(|it| it["subject"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(subjects(&list), ["tom", "sarah"]);
    assert_eq!(subjects(&first), ["tom"]);
    let next = first.body["next"].as_str().unwrap();
    let rest = operator
        .get(&path(&app, &format!("contacts?limit=1&cursor={next}")))
        .await;
    assert_eq!(subjects(&rest), ["sarah"]);
    assert_eq!(rest.body["next"], Value::Null);
    assert_eq!(subjects(&sarah), ["sarah"]);
    assert_eq!(sarah.body["items"][0]["name"], "sarah Example");
    for nobody in ["subject=mallory", "subject=%00", "environment=staging"] {
        let answer = operator
            .get(&path(&app, &format!("contacts?{nobody}")))
            .await;
        assert_eq!(answer.body["items"], json!([]), "{nobody}");
    }
}

#[tokio::test]
async fn what_tokens_changed_about_a_contact_is_told_and_for_whom_each_claim_is() {
    let app = TestApp::new().await;
    let operator = app.operator().await;
    app.visitor("sarah").await;
    app.clock.advance(SignedDuration::from_secs(1));
    let mut claims = app.claims("sarah");
    claims.insert("name".to_owned(), json!("Sarah Jones"));
    let body = json!({ "token": app.signed(Environment::Production, &claims) });
    app.opens(Environment::Production, body).await;

    let contact = operator.get(&path(&app, "contacts?subject=sarah")).await;
    let changes = operator
        .get(&path(&app, "contacts/changes?subject=sarah"))
        .await;
    let nobodys = operator
        .get(&path(&app, "contacts/changes?subject=tom"))
        .await;

    let purposes = &contact.body["items"][0]["purposes"];
    assert_eq!(*purposes, json!({ "email": "agent", "name": "agent" }));
    let now = app.clock.now();
    assert_eq!(
        changes.body,
        json!({
            "items": [{
                "at": now.to_string(),
                "key": app.key(Environment::Production).0.to_string(),
                "issued_at": now.to_string(),
                "fields": [{ "field": "name", "from": "sarah Example", "to": "Sarah Jones" }],
            }],
            "next": null,
        })
    );
    assert_eq!(nobodys.body["items"], json!([]));
}

#[tokio::test]
async fn s6_logging_out_everywhere_ends_sessions_and_refuses_older_tokens() {
    let app = TestApp::new().await;
    let operator = app.operator().await;
    let (sarah, tom) = (app.visitor("sarah").await, app.visitor("tom").await);
    let mut stream = sarah.follows(None).await;
    stream.until("hello").await;
    let token = app.token("sarah");

    let answer = logs_out(&app, &operator, "sarah").await;

    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert_eq!(answer.body["sessions"], 1);
    assert!(answer.body["contact"].as_str().unwrap().starts_with("cnt_"));
    assert_eq!(
        stream.until("session").await.data["code"],
        "session_revoked"
    );
    assert_eq!(sarah.get("/v1/session").await.code(), "session_revoked");
    assert_eq!(tom.get("/v1/session").await.status, StatusCode::OK);
    let again = app
        .opens(Environment::Production, json!({ "token": token }))
        .await;
    assert_eq!(again.code(), "token_revoked");
    let line = operator.get("/api/audit?limit=1").await.body["items"][0].clone();
    assert_eq!(line["kind"], "logged_out_everywhere");
    assert!(line["actor"].as_str().unwrap().starts_with("apk_"));
    assert!(!line.to_string().contains("sarah"), "no subject: {line}");
}

#[tokio::test]
async fn s6_somebody_who_was_never_seen_is_logged_out_too() {
    let app = TestApp::new().await;
    let operator = app.operator().await;
    let token = app.token("sarah");

    let answer = logs_out(&app, &operator, "sarah").await;

    assert_eq!(answer.body, json!({ "contact": null, "sessions": 0 }));
    let opened = app
        .opens(Environment::Production, json!({ "token": token }))
        .await;
    assert_eq!(opened.code(), "token_revoked");
    for wrong in ["", " sarah", "a\u{0}b"] {
        let answer = logs_out(&app, &operator, wrong).await;
        assert_eq!(answer.code(), "invalid_value", "{wrong:?}");
    }
    let unknown = operator
        .post(&path(&app, "contacts/logout"), json!({ "sub": "sarah" }))
        .await;
    assert_eq!(unknown.code(), "unknown_field");
}

#[tokio::test]
async fn m2_what_came_along_is_taken_apart_once() {
    let app = TestApp::new().await;
    let operator = app.operator().await;
    let merge = somebody_came_along(&app, &operator).await;
    let undo = path(&app, &format!("merges/{merge}/undo"));

    let undone = operator.post(&undo, json!({})).await;
    let again = operator.post(&undo, json!({})).await;

    assert_eq!(undone.status, StatusCode::OK, "{}", undone.body);
    assert!(undone.body["apart"].as_str().unwrap().starts_with("cnv_"));
    assert_eq!(
        (again.status, again.code()),
        (StatusCode::CONFLICT, "already_undone")
    );
    let merges = operator.get(&path(&app, "merges")).await;
    assert_eq!(merges.body["items"][0]["undone"]["by"], "operator");
}

#[tokio::test]
async fn m2_after_thirty_days_it_stays() {
    let app = TestApp::new().await;
    let operator = app.operator().await;
    let merge = somebody_came_along(&app, &operator).await;
    app.clock.advance(SignedDuration::from_hours(30 * 24));

    let late = operator
        .post(&path(&app, &format!("merges/{merge}/undo")), json!({}))
        .await;

    assert_eq!(
        (late.status, late.code()),
        (StatusCode::CONFLICT, "too_late_to_undo")
    );
}

#[tokio::test]
async fn d1_the_merge_of_another_agent_does_not_exist() {
    let app = TestApp::new().await;
    let operator = app.operator().await;
    let merge = somebody_came_along(&app, &operator).await;
    let settings = Settings::default();
    let bea = app.store.create_agent("Bea", &settings, &settings).await;
    let bea = bea.unwrap().id;
    let nothing = "mrg_00000000000000000000000000000099";

    for id in [merge.as_str(), nothing, "x"] {
        let undo = format!("/api/agents/{bea}/merges/{id}/undo");
        let answer = operator.post(&undo, json!({})).await;

        assert_eq!(answer.status, StatusCode::NOT_FOUND);
        assert_eq!(
            answer.error(),
            json!({ "code": "not_found", "message": "no such merge" })
        );
    }
    let merges = operator.get(&path(&app, "merges")).await;
    assert_eq!(merges.body["items"][0]["undone"], Value::Null);
}

#[tokio::test]
async fn d7_a_person_is_told_and_then_forgotten() {
    let app = TestApp::new().await;
    let operator = app.operator().await;
    let (sarah, tom) = (app.visitor("sarah/1?").await, app.visitor("tom").await);
    let conversation = sarah.opens_conversation().await;
    sarah.says(&conversation, "hello").await;
    let mut stream = sarah.follows(None).await;
    stream.until("hello").await;
    let export = path(&app, "contacts/export?subject=sarah/1%3F");

    let told = operator.get(&export).await;
    let erased = operator
        .delete(&path(&app, "contacts?subject=sarah/1%3F"))
        .await;

    assert_eq!(told.status, StatusCode::OK, "{}", told.body);
    assert_eq!(told.body["subject"], "sarah/1?");
    let said = &told.body["conversations"][0]["entries"][0];
    assert_eq!(said["text"], "hello");
    assert_eq!(erased.status, StatusCode::OK, "{}", erased.body);
    assert_eq!(erased.body["contact"], true);
    assert_eq!(erased.body["conversations"], 1);
    assert_eq!(
        stream.until("session").await.data["code"],
        "session_revoked"
    );
    assert_eq!(sarah.get("/v1/session").await.code(), "unauthorized");
    assert_eq!(operator.get(&export).await.code(), "not_found");
    assert_eq!(tom.get("/v1/session").await.status, StatusCode::OK);
    let kinds = operator.get("/api/audit?limit=2").await;
    assert_eq!(kinds.body["items"][0]["kind"], "person_erased");
    assert_eq!(kinds.body["items"][1]["kind"], "person_exported");
}

#[tokio::test]
async fn d7_whose_data_it_is_must_be_said() {
    let app = TestApp::new().await;
    let operator = app.operator().await;
    app.visitor("sarah").await;

    for rest in ["contacts", "contacts?subject=", "contacts?sub=sarah"] {
        let answer = operator.delete(&path(&app, rest)).await;

        assert!(answer.status.is_client_error(), "{rest}: {}", answer.body);
    }
    let in_staging = "contacts?subject=sarah&environment=staging";
    let nobody = operator.delete(&path(&app, in_staging)).await;
    assert_eq!(nobody.body["contact"], false);
    let list = operator.get(&path(&app, "contacts")).await;
    assert_eq!(list.body["items"].as_array().unwrap().len(), 1);
}
