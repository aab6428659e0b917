//! The doctor at real sites and a real maitred, all on loopback.

mod forms;
mod town;

use axum::{Router, http::header, routing::get};
use maitred_core::{agent::ProofOfPossession, clock::Clock};
use maitred_demo::{Shop, ShopConfig, users};
use reqwest::Url;
use serde_json::json;

use super::{
    Source,
    client::{self, Client},
    examine,
    report::Report,
};
use town::{Town, site_with};

const KEPT_BY_NOBODY: (&str, &str) = ("cache-control", "private, no-store");

fn said<'r>(report: &'r Report, check: &str) -> &'r str {
    let mut findings = report.findings.iter();
    &findings.find(|it| it.check == check).unwrap().found
}

/// The sample shop, as a customer of maitred's would have built it.
async fn town_with_the_shop() -> Town {
    let mut town = Town::new().await;
    let shop = Shop::new(ShopConfig {
        public_url: town.site.clone(),
        maitred_url: town.maitred.clone(),
        agent: town.agent.to_string(),
        environment: "production".to_owned(),
        key_id: town.key.0.to_string(),
        secret: town.key.1.expose().to_owned(),
        data: town.dir.path().join("shop"),
    });
    town.opens_site(shop.unwrap().router());
    town
}

async fn cookie_of_a_customer(town: &Town) -> String {
    let user = &users()[0];
    let form = format!("email={}&password={}", user.email, user.password).replace('@', "%40");
    let http = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let answer = http
        .post(format!("{}/login", town.site))
        .header("origin", &town.site)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form)
        .send()
        .await
        .unwrap();
    let cookie = answer.headers()["set-cookie"].to_str().unwrap();
    cookie.split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn t16_of_a_good_site_it_says_that_all_is_well() {
    let town = town_with_the_shop().await;
    let cookie = cookie_of_a_customer(&town).await;
    let route = Source::Route(Url::parse(&format!("{}/chat-token", town.site)).unwrap());

    let report = town.examined_with(route, &[("cookie", &cookie)]).await;

    assert_eq!(
        town.told(&report),
        "\
https://shop/
  ok       page      it is there
  ok       secrets   none of maitred's in the page, nor in its one script
  ok       snippet   `agt_1`, production, from https://maitred
  ok       policy    the page's Content-Security-Policy lets the chat in
  ok       server    a maitred answers at https://maitred
  ok       agent     “Ada”, whose enforcement is `optional`
  ok       origin    the chat may be shown on https://shop
  ok       caching   `/chat-token` is kept by nobody
  ok       token     it identifies its user (`verified`); the session was ended again
  ok       clock     the site's and maitred's agree
all is well
"
    );
    assert_eq!(report.code(), 0);
}

#[tokio::test]
async fn s4_it_proves_possession_as_the_frame_does_whatever_is_asked() {
    for policy in [
        ProofOfPossession::Off,
        ProofOfPossession::WhenAvailable,
        ProofOfPossession::Required,
    ] {
        let mut town = Town::new().await;
        town.asks_for_possession(policy).await;
        town.opens_site(site_with(town.tag(""), &[]));

        let report = town.examined(Source::Given(town.token(json!({})))).await;

        assert_eq!(
            said(&report, "token"),
            "it identifies its user (`verified`); the session was ended again",
            "{policy:?}"
        );
        assert_eq!(report.code(), 0, "{}", report.text());
    }
}

#[tokio::test]
async fn a_route_that_says_nobody_is_logged_in_is_no_fault() {
    let town = town_with_the_shop().await;
    let route = Source::Route(Url::parse(&format!("{}/chat-token", town.site)).unwrap());

    let report = town.examined(route).await;

    assert_eq!(
        said(&report, "token"),
        "`/chat-token` says that nobody is logged in"
    );
    assert_eq!(report.code(), 0);
    assert!(
        report
            .text()
            .ends_with("nothing is wrong with what could be looked at\n")
    );
}

#[tokio::test]
async fn without_a_token_it_says_how_to_give_one() {
    let town = town_with_the_shop().await;

    let report = town.examined(Source::Page).await;

    assert!(report.text().contains("--token-url /chat-token"));
    assert_eq!(report.code(), 0);
}

#[tokio::test]
async fn t16_a_page_that_holds_a_token_and_may_be_kept_fails() {
    for (policy, verdict) in [
        (
            None,
            "the page, which holds a token, has no `Cache-Control`",
        ),
        (
            Some("public, max-age=600"),
            "the page, which holds a token, has `Cache-Control: public, max-age=600`",
        ),
        (
            Some("no-store"),
            "the page, which holds a token, has `Cache-Control: no-store`",
        ),
        (
            Some("Private,No-Store"),
            "the page, which holds a token, is kept by nobody",
        ),
    ] {
        let mut town = Town::new().await;
        let tag = town.tag(&format!("data-token='{}'", town.token(json!({}))));
        let headers = policy.map(|policy| ("cache-control", policy));
        town.opens_site(site_with(tag, headers.as_slice()));

        let report = town.examined(Source::Page).await;

        assert_eq!(said(&report, "caching"), verdict);
        assert!(said(&report, "token").starts_with("it identifies its user"));
        assert_eq!(
            report.code(),
            if verdict.ends_with("nobody") { 0 } else { 1 }
        );
    }
}

#[tokio::test]
async fn t16_a_route_whose_token_may_be_kept_fails() {
    let mut town = Town::new().await;
    let token = town.token(json!({}));
    let site = site_with(town.tag(""), &[]).route("/chat-token", get(|| async { token }));
    let route = Source::Route(Url::parse(&format!("{}/chat-token", town.site)).unwrap());
    town.opens_site(site);

    let report = town.examined(route).await;

    assert_eq!(
        said(&report, "caching"),
        "`/chat-token` has no `Cache-Control`"
    );
    assert_eq!(report.code(), 1);
}

#[tokio::test]
async fn k1_a_secret_in_the_page_or_in_a_script_of_it_is_found_and_not_shown() {
    let mut town = Town::new().await;
    let secret = town.key.1.expose().to_owned();
    let session = format!("mtd_session_{}", "Ab3-".repeat(11));
    let page = format!(
        "<p>\n<script src=/app.js></script>\n<script>const KEY = '{secret}'</script>{}",
        town.tag("")
    );
    let script = format!("\n\nlet s = \"{session}\"; // mtd_live_… is an example");
    let site = site_with(page, &[]).route("/app.js", get(|| async { script }));
    town.opens_site(site);

    let report = town.examined(Source::Page).await;

    let (last_four, end) = (town.key.1.last_four(), &session[session.len() - 4..]);
    assert_eq!(
        said(&report, "secrets"),
        format!(
            "the page shows a signing secret in line 3, ending in `{last_four}`; \
             `/app.js` shows a visitor's session in line 3, ending in `{end}`"
        )
    );
    assert_eq!(report.code(), 1);
    let told = format!("{}{}", report.text(), report.json());
    assert!(!told.contains(&secret[..20]) && !told.contains(&session[..20]));
}

#[tokio::test]
async fn scripts_that_could_not_be_read_are_counted() {
    let mut town = Town::new().await;
    let page = format!("<script src=/gone.js></script>{}", town.tag(""));
    town.opens_site(site_with(page, &[]));

    let report = town.examined(Source::Page).await;

    assert_eq!(
        said(&report, "secrets"),
        "none of maitred's in the page, but only 0 of its 1 scripts could be read"
    );
    assert_eq!(report.code(), 0);
}

#[tokio::test]
async fn a_page_without_the_snippet_fails_and_one_that_a_script_adds_cannot_be_seen() {
    for (html, code) in [
        ("<p>Hello", 1),
        (
            "<!-- <script src=https://m/widget.js data-agent=agt_1></script> -->",
            1,
        ),
        (
            "<template><script src=https://m/widget.js></script></template>",
            1,
        ),
        ("<script>add('https://m/widget.js')</script>", 3),
    ] {
        let mut town = Town::new().await;
        town.opens_site(site_with(html, &[]));

        let report = town.examined(Source::Page).await;

        assert_eq!(report.findings.last().unwrap().check, "snippet", "{html}");
        assert_eq!(report.code(), code, "{html}");
    }
}

#[tokio::test]
async fn an_agent_that_is_not_there_fails() {
    let mut town = Town::new().await;
    let other = maitred_core::id::AgentId::new(&Clock::system());
    let tag = town
        .tag("")
        .replace(&town.agent.to_string(), &other.to_string());
    town.opens_site(site_with(tag, &[]));

    let report = town.examined(Source::Page).await;

    assert_eq!(said(&report, "agent"), format!("it has no agent `{other}`"));
    assert_eq!(report.code(), 1);
}

#[tokio::test]
async fn a_server_that_is_not_there_or_is_no_maitred_fails() {
    let mut town = Town::new().await;
    let script = || async { ([(header::CONTENT_TYPE, "text/javascript")], "") };
    let elsewhere = town
        .opens_another_site(Router::new().route("/widget.js", get(script)))
        .await;
    let (closed, nowhere) = town::listen().await;
    drop(closed);
    let pages = [
        (
            nowhere.clone(),
            format!("cannot reach `{nowhere}/widget.js`"),
        ),
        (elsewhere.clone(), format!("{elsewhere} is no maitred")),
        (
            "http://support.example".to_owned(),
            "http://support.example is not https".to_owned(),
        ),
    ];
    for (server, found) in pages {
        let tag = town.tag("").replace(&town.maitred, &server);
        let site = town.opens_another_site(site_with(tag, &[])).await;
        let client = Client::new(Clock::system(), std::iter::empty(), &[]).unwrap();

        let page = Url::parse(&site).unwrap();
        let report = examine(&client, page, Source::Page).await.unwrap();

        assert!(
            said(&report, "server").starts_with(&found),
            "{}",
            report.text()
        );
        assert_eq!(report.code(), 1);
    }
}

#[tokio::test]
async fn a_page_on_another_origin_is_told_how_to_be_allowed() {
    let mut town = Town::new().await;
    let site = town.opens_another_site(site_with(town.tag(""), &[])).await;
    let client = Client::new(Clock::system(), std::iter::empty(), &[]).unwrap();
    let token = Source::Given(town.token(json!({})));

    let page = Url::parse(&site).unwrap();
    let report = examine(&client, page, token).await.unwrap();

    let finding = report
        .findings
        .iter()
        .find(|it| it.check == "origin")
        .unwrap();
    assert_eq!(
        finding.found,
        format!("the chat may not be shown on {site}")
    );
    let fix = finding.fix.as_ref().unwrap();
    assert!(fix.contains(&format!("agent set --agent {} --origin {site}", town.agent)));
    assert!(said(&report, "token").starts_with("it was not looked at"));
    assert_eq!(report.code(), 1);
}

#[tokio::test]
async fn a_refused_token_is_told_as_maitred_tells_it() {
    let mut town = Town::new().await;
    town.opens_site(site_with(town.tag(""), &[]));
    let now = town.now();
    let expired = town.token(json!({ "iat": now - 900, "exp": now - 300 }));

    let report = town.examined(Source::Given(expired)).await;

    assert_eq!(
        said(&report, "token"),
        "the token expired 5 min ago (token_expired)"
    );
    let forged = format!("{}x", town.token(json!({})));
    let report = town.examined(Source::Given(forged)).await;
    assert!(
        said(&report, "token").ends_with("(invalid_token)"),
        "{}",
        report.text()
    );
    assert!(report.text().contains("`maitred token check --agent"));
    assert_eq!(report.code(), 1);
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_noticed() {
    for (by, code, found) in [
        (0, 0, "the site's and maitred's agree"),
        (30, 0, "ahead of maitred's"),
        (120, 1, "ahead of maitred's"),
        (-120, 1, "behind maitred's"),
    ] {
        let mut town = Town::new().await;
        let date = jiff::Timestamp::from_second(town.now() + by).unwrap();
        let date = jiff::fmt::rfc2822::DateTimePrinter::new()
            .timestamp_to_rfc9110_string(&date)
            .unwrap();
        town.opens_site(site_with(town.tag(""), &[("date", &date)]));

        let report = town.examined(Source::Page).await;

        assert!(said(&report, "clock").ends_with(found), "{}", report.text());
        assert_eq!(report.code(), code, "{by}");
    }
}

#[tokio::test]
async fn a_token_that_is_old_when_it_is_handed_out_is_noticed() {
    for (ago, found) in [
        (
            300,
            "a token that was just handed out says that it was made 300 s ago",
        ),
        (-40, "the site makes its tokens 40 s in the future"),
    ] {
        let mut town = Town::new().await;
        let issued_at = town.now() - ago;
        let token = town.token(json!({ "iat": issued_at }));
        let tag = town.tag(&format!("data-token='{token}'"));
        town.opens_site(site_with(tag, &[KEPT_BY_NOBODY]));

        let report = town.examined(Source::Page).await;

        // A second may have gone by.
        let number = |text: &str| -> i64 {
            let digits: String = text.chars().filter(char::is_ascii_digit).collect();
            digits.parse().unwrap()
        };
        assert!((number(said(&report, "clock")) - number(found)).abs() <= 2);
        let words = |text: &str| text.replace(|c: char| c.is_ascii_digit(), "");
        assert_eq!(words(said(&report, "clock")), words(found));
    }
}

#[tokio::test]
async fn what_is_meant_for_the_site_is_sent_to_nobody_else() {
    let mut town = Town::new().await;
    let echo = |headers: axum::http::HeaderMap| async move { format!("{headers:?}") };
    let elsewhere = town
        .opens_another_site(Router::new().route("/", get(echo)))
        .await;
    let away = [(header::LOCATION, elsewhere.clone())];
    let site = Router::new().route("/", get(echo)).route(
        "/away",
        get(|| async { (axum::http::StatusCode::FOUND, away) }),
    );
    let page = Url::parse(&town.site).unwrap();
    town.opens_site(site);
    let headers = [("cookie".to_owned(), "session=1".to_owned())];
    let client = Client::new(Clock::system(), [&page].into_iter(), &headers).unwrap();

    let own = client.page(page.clone()).await.unwrap();
    let away = client.page(page.join("/away").unwrap()).await.unwrap();

    assert!(own.text().contains("session=1"));
    assert_eq!(away.url.as_str(), format!("{elsewhere}/"));
    assert!(!away.text().contains("session=1"));
}

#[tokio::test]
async fn a_page_that_leads_to_plain_http_is_not_followed() {
    let mut town = Town::new().await;
    let away = || async {
        (
            axum::http::StatusCode::FOUND,
            [(header::LOCATION, "http://shop.example/")],
        )
    };
    let round = || async {
        (
            axum::http::StatusCode::FOUND,
            [(header::LOCATION, "/round")],
        )
    };
    town.opens_site(
        Router::new()
            .route("/", get(away))
            .route("/round", get(round)),
    );
    let client = Client::new(Clock::system(), std::iter::empty(), &[]).unwrap();
    let page = Url::parse(&town.site).unwrap();

    let plain = client.page(page.clone()).await.err().unwrap();
    let round = client
        .page(page.join("/round").unwrap())
        .await
        .err()
        .unwrap();

    assert_eq!(
        plain.to_string(),
        "the page leads to `http://shop.example/`, which is not https"
    );
    assert_eq!(
        round.to_string(),
        "the page leads from one address to another, without end"
    );
}

#[test]
fn plain_http_is_for_this_machine() {
    for url in [
        "http://localhost:8080/",
        "http://127.0.0.1/",
        "http://[::1]:1/",
        "https://shop.example/x",
    ] {
        assert!(client::address(url, None).is_ok(), "{url}");
    }
    for url in [
        "http://shop.example/",
        "ftp://localhost/",
        "shop.example",
        "http://127.0.0.1.evil.example/",
    ] {
        assert!(client::address(url, None).is_err(), "{url}");
    }
}
