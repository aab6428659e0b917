use axum::http::Method;
use serde_json::json;

use crate::support::{Browser, Issuer, Page, SHOP, shop_in};

/// What the API answers to an assertion of `customer` for the path of the request.
async fn asks(customer: &str, path: &str) -> Page {
    let issuer = Issuer::start().await;
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), "production", &issuer.url);
    let token = issuer
        .assertion(customer, &format!("{SHOP}{path}"))
        .signed();
    Browser::on(&shop)
        .send(Method::GET, path, &[("maitred-assertion", &token)], "")
        .await
}

#[tokio::test]
async fn a_customer_reads_their_own_orders_newest_first() {
    let page = asks("cus_7301", "/api/customers/cus_7301/orders").await;

    let answer = page.json();
    let orders = answer["orders"].as_array().unwrap();
    let numbers: Vec<_> = orders
        .iter()
        .map(|order| order["number"].as_str().unwrap())
        .collect();
    assert_eq!(numbers, ["A-10001", "A-09874", "A-09655", "A-09212"]);
}

#[tokio::test]
async fn one_order_can_be_asked_for_by_its_number() {
    let page = asks("cus_7301", "/api/customers/cus_7301/orders?number=A-10001").await;

    let mut order = page.json()["orders"][0].clone();
    for date in ["placed_on", "expected_on", "updated_on"] {
        let text = order.as_object_mut().unwrap().remove(date).unwrap();
        text.as_str().unwrap().parse::<jiff::civil::Date>().unwrap();
    }
    assert_eq!(
        order,
        json!({
            "number": "A-10001",
            "status": "shipped",
            "items": ["Ridgeline daypack"],
            "total": "€89.00",
            "carrier": "Fellpost",
            "tracking": "FP447100932IE",
        })
    );
}

#[tokio::test]
async fn someone_elses_number_and_one_that_never_was_look_the_same() {
    let toms = asks("cus_7301", "/api/customers/cus_7301/orders?number=A-10003").await;
    let nobodys = asks("cus_7301", "/api/customers/cus_7301/orders?number=A-55555").await;

    assert_eq!(
        (toms.status.as_u16(), toms.json()),
        (404, json!({ "error": "no such order" }))
    );
    assert_eq!((nobodys.status, nobodys.json()), (toms.status, toms.json()));
}

#[tokio::test]
async fn sarahs_assertion_does_not_open_toms_orders() {
    let page = asks("cus_7301", "/api/customers/cus_7302/orders").await;

    let error = "`sub` does not match: the assertion was made for something else";
    assert_eq!(
        (page.status.as_u16(), page.json()),
        (401, json!({ "error": error }))
    );
}

#[tokio::test]
async fn being_logged_in_to_the_shop_is_not_an_assertion() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), "production", "http://127.0.0.1:7070");
    let mut sarah = Browser::on(&shop);
    sarah.logs_in_as(&crate::users()[0]).await;

    let page = sarah.get("/api/customers/cus_7301/orders").await;

    let error = "the `Maitred-Assertion` header is missing";
    assert_eq!(
        (page.status.as_u16(), page.json()),
        (401, json!({ "error": error }))
    );
}

#[tokio::test]
async fn keys_that_cannot_be_fetched_are_our_problem() {
    let issuer = Issuer::start().await;
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), "production", "http://127.0.0.1:1");
    let path = "/api/customers/cus_7301/orders";
    let token = issuer
        .assertion("cus_7301", &format!("{SHOP}{path}"))
        .signed();

    let page = Browser::on(&shop)
        .send(Method::GET, path, &[("maitred-assertion", &token)], "")
        .await;

    assert_eq!(
        (page.status.as_u16(), page.json()),
        (503, json!({ "error": "cannot fetch the issuer's keys" }))
    );
}

#[tokio::test]
async fn a_shop_in_staging_believes_the_issuer_of_staging_alone() {
    let issuer = Issuer::start().await;
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), "staging", &issuer.url);
    let path = "/api/customers/cus_7301/orders";
    let production = issuer.assertion("cus_7301", &format!("{SHOP}{path}"));
    let in_production = production.signed();
    let in_staging = production
        .with("iss", format!("{}/staging", issuer.url))
        .with("environment", "staging")
        .signed();
    let mut maitred = Browser::on(&shop);

    let refused = maitred
        .send(
            Method::GET,
            path,
            &[("maitred-assertion", &in_production)],
            "",
        )
        .await;
    let answered = maitred
        .send(Method::GET, path, &[("maitred-assertion", &in_staging)], "")
        .await;

    assert_eq!(
        (refused.status.as_u16(), answered.status.as_u16()),
        (401, 200)
    );
}
