use axum::http::Method;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    Shop, help_pages, origin,
    support::{Browser, SECRET, SHOP, shop_in},
    users,
};

const MAITRED: &str = "http://127.0.0.1:7070";

fn shop() -> (TempDir, Shop) {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), "production", MAITRED);
    (dir, shop)
}

fn claims(token: &str, audience: &str) -> Value {
    let mut rules = Validation::new(Algorithm::HS256);
    rules.set_audience(&[audience]);
    decode(token, &DecodingKey::from_secret(SECRET.as_bytes()), &rules)
        .unwrap()
        .claims
}

#[tokio::test]
async fn a_login_leads_back_to_the_page_that_asked() {
    let (_dir, shop) = shop();

    let page = Browser::on(&shop)
        .posts(
            "/login",
            "email=sarah.miller%40example.com&password=sarah-demo&next=%2Forders",
        )
        .await;

    assert_eq!(
        (page.status.as_u16(), page.header("location")),
        (303, "/orders")
    );
    let cookie = page.header("set-cookie");
    assert!(
        cookie.ends_with("; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax"),
        "{cookie}"
    );
}

#[tokio::test]
async fn a_script_gets_json_instead_of_a_redirect() {
    let (_dir, shop) = shop();
    let headers = [("origin", SHOP), ("accept", "application/json")];
    let form = "email=sarah.miller%40example.com&password=";

    let good = Browser::on(&shop)
        .send(
            Method::POST,
            "/login",
            &headers,
            &format!("{form}sarah-demo"),
        )
        .await;
    let wrong = Browser::on(&shop)
        .send(Method::POST, "/login", &headers, &format!("{form}x"))
        .await;

    assert_eq!(
        (good.status.as_u16(), good.json()),
        (200, json!({ "name": "Sarah" }))
    );
    let error = "That email and password do not belong together.";
    assert_eq!(
        (wrong.status.as_u16(), wrong.json()),
        (401, json!({ "error": error }))
    );
}

#[tokio::test]
async fn a_wrong_password_logs_nobody_in_and_shows_the_form_again() {
    let (_dir, shop) = shop();
    let mut browser = Browser::on(&shop);

    let page = browser
        .posts("/login", "email=tom%22%3E%40example.com&password=x")
        .await;

    assert_eq!(page.status, 401);
    assert!(page.text.contains("do not belong together"));
    assert!(
        page.text.contains(r#"value="tom&quot;&gt;@example.com""#),
        "what was typed is text"
    );
    assert_eq!(browser.get("/chat-token").await.status, 204);
}

#[tokio::test]
async fn forms_of_other_sites_are_refused() {
    let (_dir, shop) = shop();
    let form = "email=sarah.miller%40example.com&password=sarah-demo";

    for headers in [
        &[("origin", "http://127.0.0.1:7070")][..],
        &[("origin", "null")],
        &[],
    ] {
        let page = Browser::on(&shop)
            .send(Method::POST, "/login", headers, form)
            .await;
        assert_eq!(
            (page.status.as_u16(), page.header("set-cookie")),
            (403, ""),
            "{headers:?}"
        );
    }
}

#[tokio::test]
async fn a_logout_of_another_site_does_nothing() {
    let (_dir, shop) = shop();
    let mut sarah = Browser::on(&shop);
    sarah.logs_in_as(&users()[0]).await;

    let page = sarah
        .send(
            Method::POST,
            "/logout",
            &[("origin", "https://evil.example")],
            "",
        )
        .await;

    assert_eq!(page.status, 403);
    assert_eq!(sarah.get("/chat-token").await.status, 200);
}

#[tokio::test]
async fn a_logout_ends_the_session_itself_and_not_only_the_cookie() {
    let (_dir, shop) = shop();
    let mut sarah = Browser::on(&shop);
    let login = sarah.logs_in_as(&users()[0]).await;
    let stolen = login
        .header("set-cookie")
        .split(';')
        .next()
        .unwrap()
        .to_owned();

    let page = sarah.posts("/logout", "").await;

    assert_eq!((page.status.as_u16(), page.header("location")), (303, "/"));
    let replayed = Browser::on(&shop)
        .send(Method::GET, "/chat-token", &[("cookie", &stolen)], "")
        .await;
    assert_eq!(replayed.status, 204);
}

#[tokio::test]
async fn a_restart_keeps_people_logged_in() {
    let (dir, shop) = shop();
    let login = Browser::on(&shop).logs_in_as(&users()[0]).await;
    let cookie = login
        .header("set-cookie")
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    drop(shop);

    let again = shop_in(dir.path(), "production", MAITRED);
    let page = Browser::on(&again)
        .send(Method::GET, "/", &[("cookie", &cookie)], "")
        .await;

    assert!(page.text.contains("<b>Sarah</b>"));
}

#[tokio::test]
async fn nobody_logged_in_is_204() {
    let (_dir, shop) = shop();

    let page = Browser::on(&shop).get("/chat-token").await;

    assert_eq!((page.status.as_u16(), page.text.as_str()), (204, ""));
    assert_eq!(page.header("cache-control"), "private, no-store");
}

#[tokio::test]
async fn the_chat_token_says_who_is_logged_in() {
    let (_dir, shop) = shop();
    let mut sarah = Browser::on(&shop);
    sarah.logs_in_as(&users()[0]).await;

    let page = sarah.get("/chat-token").await;

    assert_eq!(page.header("cache-control"), "private, no-store");
    assert_eq!(
        decode_header(&page.text).unwrap().kid.as_deref(),
        Some("key_1")
    );
    let mut claims = claims(&page.text, "agt_1");
    let issued_at = claims["iat"].take().as_i64().unwrap();
    let expires_at = claims["exp"].take().as_i64().unwrap();
    assert_eq!(expires_at - issued_at, 600);
    assert_eq!(
        claims,
        json!({
            "sub": "cus_7301",
            "email": "sarah.miller@example.com",
            "name": "Sarah Miller",
            "given_name": "Sarah",
            "aud": "agt_1",
            "iat": null,
            "exp": null,
            "plan": "club",
            "customer_since": "2024-05-17",
        })
    );
}

#[tokio::test]
async fn somebody_without_a_name_has_no_name_in_the_token() {
    let (_dir, shop) = shop();
    let mut kim = Browser::on(&shop);
    kim.logs_in_as(&users()[2]).await;

    let claims = claims(&kim.get("/chat-token").await.text, "agt_1");

    assert_eq!((claims.get("name"), claims.get("given_name")), (None, None));
    assert_eq!(claims["sub"], "cus_7303");
}

#[tokio::test]
async fn a_token_for_staging_is_for_staging_only() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), "staging", MAITRED);
    let mut sarah = Browser::on(&shop);
    sarah.logs_in_as(&users()[0]).await;

    let claims = claims(&sarah.get("/chat-token").await.text, "agt_1/staging");

    assert_eq!(claims["aud"], "agt_1/staging");
    assert!(
        sarah
            .get("/")
            .await
            .text
            .contains(r#"data-agent="agt_1" data-environment="staging" async"#)
    );
}

#[tokio::test]
async fn people_see_their_own_orders_only() {
    let (_dir, shop) = shop();

    for (user, theirs, others) in [
        (&users()[0], ["A-10001", "A-09874"], ["A-10003", "A-09990"]),
        (&users()[1], ["A-10003", "A-09921"], ["A-10001", "A-09990"]),
        (&users()[2], ["A-09990", "A-09760"], ["A-10001", "A-10003"]),
    ] {
        let mut browser = Browser::on(&shop);
        browser.logs_in_as(user).await;

        let page = browser.get("/orders").await;

        assert_eq!(page.header("cache-control"), "private, no-store");
        assert!(
            theirs.iter().all(|number| page.text.contains(number)),
            "{}",
            user.id
        );
        assert!(
            !others.iter().any(|number| page.text.contains(number)),
            "{}",
            user.id
        );
    }
}

#[tokio::test]
async fn a_stranger_is_asked_to_log_in_and_sees_no_order() {
    let (_dir, shop) = shop();

    let page = Browser::on(&shop).get("/orders").await;

    assert!(page.text.contains(r#"name="next" value="&#x2f;orders""#));
    assert!(!page.text.contains("A-1"));
}

#[tokio::test]
async fn every_page_embeds_the_chat_under_a_strict_policy() {
    let (_dir, shop) = shop();

    for path in [
        "/",
        "/products/longday-flask",
        "/help",
        "/help/returns",
        "/orders",
        "/login",
        "/nothing",
    ] {
        let page = Browser::on(&shop).get(path).await;

        let policy = page.header("content-security-policy");
        let nonce = policy
            .split("'nonce-")
            .nth(1)
            .unwrap()
            .split('\'')
            .next()
            .unwrap();
        assert_eq!(
            policy,
            format!(
                "default-src 'none'; script-src 'nonce-{nonce}' 'strict-dynamic'; style-src 'self'; \
                 img-src 'self' data:; connect-src 'self'; frame-src {MAITRED}; form-action 'self'; \
                 base-uri 'none'; frame-ancestors 'none'"
            ),
        );
        let loader = format!(
            r#"<script nonce="{nonce}" src="{MAITRED}/widget.js" data-agent="agt_1" async></script>"#
        );
        assert!(page.text.contains(&loader), "{path}");
        assert_eq!(
            page.text.matches("<script").count(),
            page.text.matches("<script nonce=").count(),
            "{path}"
        );
        assert!(!page.text.contains(" style="), "{path}");
    }
}

#[tokio::test]
async fn every_help_page_is_served_and_its_headings_can_be_linked_to() {
    let (_dir, shop) = shop();

    for help in help_pages() {
        let page = Browser::on(&shop).get(help.path).await;

        assert_eq!(page.status, 200, "{}", help.path);
        let mut ids: Vec<_> = page
            .text
            .split(r#"<h2 id=""#)
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap())
            .collect();
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!((ids.len(), all > 0), (all, true), "{}", help.path);
    }
}

#[tokio::test]
async fn every_link_of_the_shop_leads_somewhere() {
    let (_dir, shop) = shop();
    let mut browser = Browser::on(&shop);

    let mut found = vec!["/".to_owned()];
    let mut at = 0;
    while let Some(path) = found.get(at).cloned() {
        let page = browser.get(&path).await;
        assert_eq!(page.status, 200, "{path}");
        for link in page
            .text
            .split([' ', '\n'])
            .filter_map(|word| word.strip_prefix(r#"href=""#))
        {
            let link = link.split(['"', '#']).next().unwrap().to_owned();
            if link.starts_with('/') && !found.contains(&link) {
                found.push(link);
            }
        }
        at += 1;
    }
    assert!(found.len() >= 18, "{found:?}");
}

#[tokio::test]
async fn who_comes_by_another_name_is_sent_to_the_right_one() {
    let dir = tempfile::tempdir().unwrap();
    let config = crate::ShopConfig {
        public_url: "http://shop.example".to_owned(),
        maitred_url: MAITRED.to_owned(),
        agent: "agt_1".to_owned(),
        environment: "production".to_owned(),
        key_id: "key_1".to_owned(),
        secret: SECRET.to_owned(),
        data: dir.path().to_owned(),
    };
    let shop = Shop::new(config).unwrap();

    let page = Browser::on(&shop).get("/help?a=b").await;

    assert_eq!(
        (page.status.as_u16(), page.header("location")),
        (307, "http://shop.example/help?a=b")
    );
}

#[test]
fn an_address_is_an_origin() {
    assert_eq!(
        origin("http://localhost:7071/").unwrap(),
        "http://localhost:7071"
    );
    for wrong in [
        "localhost:7071",
        "ftp://localhost",
        "http://localhost/shop",
        "http://localhost?x",
        "",
    ] {
        assert!(origin(wrong).is_err(), "{wrong}");
    }
}
