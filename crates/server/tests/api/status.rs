//! Titles, closing, read marks, ratings, typing: live on every device of a visitor.

use axum::http::{Method, StatusCode};
use maitred_core::scope::Environment;
use serde_json::{Value, json};

use super::support::{Answer, Events, TestApp, Visitor};

async fn patch(visitor: &Visitor<'_>, conversation: &str, body: Value) -> Answer {
    let path = format!("/v1/conversations/{conversation}");
    visitor.sends(Method::PATCH, &path, body).await
}

async fn does(visitor: &Visitor<'_>, conversation: &str, what: &str, body: Value) -> Answer {
    let path = format!("/v1/conversations/{conversation}/{what}");
    visitor.post(&path, body).await
}

/// A conversation in which "hello" was answered, and the stream of that device.
async fn answered(visitor: &Visitor<'_>) -> (String, Events) {
    let conversation = visitor.opens_conversation().await;
    let mut events = visitor.follows(None).await;
    visitor.says(&conversation, "hello").await;
    events.reply().await;
    (conversation, events)
}

/// Somebody of staff who acts as that user.
async fn acted<'a>(app: &'a TestApp, subject: &str) -> Visitor<'a> {
    let mut claims = app.claims(subject);
    claims.insert("act".to_owned(), json!({ "sub": "staff-7" }));
    let token = app.signed(Environment::Production, &claims);
    let answer = app
        .opens(Environment::Production, json!({ "token": token }))
        .await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
    Visitor::of(app, &answer)
}

#[tokio::test]
async fn a_conversation_says_how_far_it_was_read() {
    let app = TestApp::new().await;
    let sarah = app.visitor("sarah").await;
    let (conversation, _) = answered(&sarah).await;
    let path = format!("/v1/conversations/{conversation}");
    let unread = sarah.get(&path).await.body;

    let answer = does(&sarah, &conversation, "read", json!({ "up_to": 2 })).await;

    assert_eq!(
        (answer.status, &answer.body),
        (StatusCode::NO_CONTENT, &json!(""))
    );
    assert_eq!(
        unread,
        json!({
            "id": conversation,
            "title": "hello",
            "opened_at": "2026-03-01T12:00:00Z",
            "updated_at": "2026-03-01T12:00:00Z",
            "closed_at": null,
            "last_message": { "by": "agent", "text": "Good day.", "at": "2026-03-01T12:00:00Z" },
            "from_before_sign_in": false,
            "read_to": 0,
            "unread": 1,
            "rating": null,
        })
    );
    let (again, waits) = (app.visitor("sarah").await, app.visitor("tom").await);
    let mut all = Vec::new();
    for (visitor, subject) in [(again, "sarah"), (waits, "tom")] {
        let (other, _) = answered(&visitor).await;
        patch(&visitor, &other, json!({ "closed": true })).await;
        let token = json!({ "token": app.token(subject) });
        let opened = app.opens(Environment::Production, token).await.body;
        all.push((
            opened["unread"].clone(),
            opened["conversation"]["id"].clone(),
        ));
    }
    assert_eq!(
        all[0],
        (json!(1), json!(conversation)),
        "also of what is closed"
    );
    assert_eq!(all[1], (json!(1), Value::Null));
    let read = sarah.get(&path).await.body;
    assert_eq!((&read["read_to"], &read["unread"]), (&json!(2), &json!(0)));
}

#[tokio::test]
async fn r4_what_one_device_does_the_other_is_told_at_once() {
    let app = TestApp::new().await;
    let (laptop, phone) = (app.visitor("sarah").await, app.visitor("sarah").await);
    let (conversation, mut on_laptop) = answered(&laptop).await;
    let mut on_phone = phone.follows(None).await;

    does(&phone, &conversation, "read", json!({ "up_to": 99 })).await;
    let read = on_laptop.until("status").await;
    let titled = patch(&phone, &conversation, json!({ "title": " The parcel " })).await;
    let title = on_laptop.until("status").await;
    let rating = json!({ "score": 4, "comment": " well done " });
    let rated = does(&phone, &conversation, "rating", rating).await;
    let rating = on_laptop.until("status").await;

    assert_eq!(
        (&read.data["read_to"], &read.data["unread"]),
        (&json!(2), &json!(0))
    );
    assert_eq!(titled.status, StatusCode::OK);
    assert_eq!(titled.body["title"], "The parcel");
    assert_eq!(
        title.data, titled.body,
        "an event is the whole conversation"
    );
    assert_eq!(rated.status, StatusCode::NO_CONTENT);
    assert_eq!(
        rating.data["rating"],
        json!({ "score": 4, "comment": "well done" })
    );
    let ids = [read.id, title.id, rating.id].map(Option::unwrap);
    for id in &ids {
        assert_eq!(on_phone.until("status").await.id.as_ref(), Some(id));
    }
}

#[tokio::test]
async fn r4_a_device_that_was_away_is_told_how_it_is_once() {
    let app = TestApp::new().await;
    let sarah = app.visitor("sarah").await;
    let (conversation, mut events) = answered(&sarah).await;
    patch(&sarah, &conversation, json!({ "title": "One" })).await;
    let seen = events.until("status").await.id.unwrap();
    for title in ["Two", "Three"] {
        patch(&sarah, &conversation, json!({ "title": title })).await;
    }
    sarah.says(&conversation, "hello again, and hello").await;
    let last = events.reply().await;
    patch(&sarah, &conversation, json!({ "title": "Four" })).await;

    let mut back = sarah.follows(Some(&seen)).await;

    let mut told = Vec::new();
    while told.len() < 3 {
        let event = back.next().await.unwrap();
        told.push((event.name, event.data["title"].clone(), event.id));
    }
    let names: Vec<&str> = told.iter().map(|(name, ..)| name.as_str()).collect();
    assert_eq!(names, ["entry", "entry", "status"]);
    assert_eq!(told[1].2, last.id);
    assert_eq!(told[2].1, "Four");
}

#[tokio::test]
async fn closing_and_opening_are_said_and_a_message_opens_it_again() {
    let app = TestApp::new().await;
    let sarah = app.visitor("sarah").await;
    let (conversation, _) = answered(&sarah).await;

    let closed = patch(&sarah, &conversation, json!({ "closed": true })).await;
    let closed_twice = patch(&sarah, &conversation, json!({ "closed": true })).await;
    let mut events = sarah.follows(None).await;
    let posted = sarah.says(&conversation, "hello").await;

    assert_eq!(closed.body["closed_at"], "2026-03-01T12:00:00Z");
    assert_eq!(closed_twice.body, closed.body);
    assert_eq!(posted.body["entry"]["text"], "hello");
    assert_eq!(posted.body["entry"]["number"], 5);
    let told = events.until("entry").await.data;
    assert_eq!(
        (&told["status"], &told["text"]),
        (
            &json!("reopened"),
            &json!("You opened this conversation again.")
        )
    );
    assert_eq!(events.until("status").await.data["closed_at"], Value::Null);
    events.reply().await;
    patch(&sarah, &conversation, json!({ "closed": true })).await;
    let opened = patch(
        &sarah,
        &conversation,
        json!({ "closed": false, "title": null }),
    )
    .await;
    assert_eq!(opened.body["closed_at"], Value::Null);
    assert_eq!(
        sarah.reads(&conversation).await,
        [
            "visitor: hello",
            "agent: Good day.",
            "status: closed",
            "status: reopened",
            "visitor: hello",
            "agent: Good day.",
            "status: closed",
            "status: reopened",
        ]
    );
}

#[tokio::test]
async fn typing_is_told_to_other_devices_and_to_nobody_else() {
    let app = TestApp::new().await;
    let (laptop, phone) = (app.visitor("sarah").await, app.visitor("sarah").await);
    let tom = app.visitor("tom").await;
    let conversation = laptop.opens_conversation().await;
    let (mut on_laptop, mut on_phone) = (laptop.follows(None).await, phone.follows(None).await);
    let mut of_tom = tom.follows(None).await;

    let answer = does(&laptop, &conversation, "typing", json!({ "typing": true })).await;

    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    let typing = on_phone.until("typing").await;
    assert_eq!(
        (typing.data, typing.id),
        (
            json!({ "conversation": conversation, "by": "visitor", "typing": true }),
            None
        )
    );
    // What comes next on the others is something else.
    let other = tom.opens_conversation().await;
    patch(&tom, &other, json!({ "title": "Mine" })).await;
    patch(&laptop, &conversation, json!({ "title": "Mine" })).await;
    for events in [&mut on_laptop, &mut of_tom] {
        assert_eq!(events.next().await.unwrap().name, "hello");
        assert_eq!(events.next().await.unwrap().name, "status");
    }
}

#[tokio::test]
async fn what_cannot_be_a_title_or_a_rating_is_refused() {
    let app = TestApp::new().await;
    let sarah = app.visitor("sarah").await;
    let conversation = sarah.opens_conversation().await;

    for title in ["", " ", "a\nb", "a\0b", &"x".repeat(121)] {
        let answer = patch(&sarah, &conversation, json!({ "title": title })).await;

        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{title:?}");
        assert_eq!(answer.code(), "bad_title");
    }
    for rating in [
        json!({ "score": 0 }),
        json!({ "score": 6 }),
        json!({ "score": 5, "comment": "x".repeat(2_001) }),
        json!({ "score": 5, "comment": "a\0b" }),
    ] {
        let answer = does(&sarah, &conversation, "rating", rating.clone()).await;

        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{rating}");
        assert_eq!(answer.code(), "bad_rating");
    }
    let unknown = patch(&sarah, &conversation, json!({ "owner": "tom" })).await;
    assert_eq!(unknown.code(), "unknown_field");
    let answer = sarah
        .get(&format!("/v1/conversations/{conversation}"))
        .await;
    assert_eq!(
        (&answer.body["title"], &answer.body["rating"]),
        (&Value::Null, &Value::Null)
    );
}

#[tokio::test]
async fn t10_a_member_of_staff_who_acts_as_the_visitor_neither_rates_nor_reads_for_them() {
    let app = TestApp::new().await;
    let sarah = app.visitor("sarah").await;
    let (conversation, _) = answered(&sarah).await;
    let staff = acted(&app, "sarah").await;

    let read = does(&staff, &conversation, "read", json!({ "up_to": 2 })).await;
    let rated = does(&staff, &conversation, "rating", json!({ "score": 5 })).await;

    assert_eq!(read.status, StatusCode::NO_CONTENT);
    assert_eq!(
        (rated.status, rated.code()),
        (StatusCode::FORBIDDEN, "actor_may_not")
    );
    let now = sarah
        .get(&format!("/v1/conversations/{conversation}"))
        .await;
    assert_eq!(
        (&now.body["unread"], &now.body["rating"]),
        (&json!(1), &Value::Null)
    );
}
