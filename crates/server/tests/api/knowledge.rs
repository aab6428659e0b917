//! What an agent answers from, and whom.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::State,
    http::{HeaderMap, Method, Request, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::support::{Answer, Events, HOST, Operator, TestApp};

/// A status, a media type, a body.
type Page = (u16, String, String);

/// A site that serves what it is told to, and remembers what it was asked for.
#[derive(Clone, Default)]
struct Site {
    pages: Arc<Mutex<BTreeMap<String, Page>>>,
    asked: Arc<Mutex<Vec<String>>>,
    host: String,
}

impl Site {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let site = Self {
            host: listener.local_addr().unwrap().to_string(),
            ..Self::default()
        };
        let routes = Router::new().fallback(serve).with_state(site.clone());
        #[expect(clippy::disallowed_methods, reason = "it ends with the test")]
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        site
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.host)
    }

    fn has(&self, path: &str, media_type: &str, body: &str) {
        self.answers(path, 200, media_type, body);
    }

    fn answers(&self, path: &str, status: u16, media_type: &str, body: &str) {
        let page = (status, media_type.to_owned(), body.to_owned());
        self.pages.lock().unwrap().insert(path.to_owned(), page);
    }

    fn has_page(&self, path: &str, title: &str, text: &str) {
        let html = format!(
            "<!doctype html><title>{title}</title><nav>Menu</nav><main><h2 id=here>{title}</h2>\
             <p>{text}</p><img src=/pixel.png></main>"
        );
        self.has(path, "text/html", &html);
    }

    fn lists(&self, paths: &[&str]) {
        let urls = paths
            .iter()
            .map(|path| format!("<url><loc>{}</loc></url>", self.url(path)));
        let xml = format!("<urlset>{}</urlset>", urls.collect::<String>());
        self.has("/sitemap.xml", "application/xml", &xml);
    }

    /// What was asked for since this was last asked.
    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

async fn serve(State(site): State<Site>, uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path().to_owned();
    site.asked.lock().unwrap().push(path.clone());
    let Some((status, media_type, body)) = site.pages.lock().unwrap().get(&path).cloned() else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let etag = format!(
        "\"{}-{}\"",
        body.len(),
        body.bytes().map(u32::from).sum::<u32>()
    );
    if headers
        .get(header::IF_NONE_MATCH)
        .is_some_and(|it| *it == *etag)
    {
        return StatusCode::NOT_MODIFIED.into_response();
    }
    let status = StatusCode::from_u16(status).unwrap();
    if status.is_redirection() {
        return (status, [(header::LOCATION, body)]).into_response();
    }
    (
        status,
        [(header::CONTENT_TYPE, media_type), (header::ETAG, etag)],
        body,
    )
        .into_response()
}

async fn app_beside(site: &Site) -> TestApp {
    TestApp::with_script_and_hosts(&json!({ "replies": [] }), std::slice::from_ref(&site.host))
        .await
}

fn path(app: &TestApp, rest: &str) -> String {
    format!("/api/agents/{}/knowledge{rest}", app.agent)
}

/// Adds something, and waits until it is ready or failed.
async fn adds(app: &TestApp, operator: &Operator<'_>, body: Value) -> Value {
    let added = operator.post(&path(app, ""), body).await;
    assert_eq!(added.status, StatusCode::CREATED, "{}", added.body);
    settled(app, operator, added.body["id"].as_str().unwrap()).await
}

async fn settled(app: &TestApp, operator: &Operator<'_>, id: &str) -> Value {
    let waiting = async {
        loop {
            let source = operator.get(&path(app, &format!("/{id}"))).await.body;
            if matches!(source["state"].as_str(), Some("ready" | "failed")) {
                return source;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let settled = tokio::time::timeout(Duration::from_secs(60), waiting).await;
    settled.expect("it is ready at some time")
}

async fn syncs(app: &TestApp, operator: &Operator<'_>, source: &Value) -> Value {
    let id = source["id"].as_str().unwrap();
    let asked = operator
        .post(&path(app, &format!("/{id}/sync")), json!({}))
        .await;
    assert_eq!(asked.status, StatusCode::ACCEPTED, "{}", asked.body);
    settled(app, operator, id).await
}

async fn tries(
    app: &TestApp,
    operator: &Operator<'_>,
    question: &str,
    assurance: &str,
) -> Vec<Value> {
    let body = json!({ "question": question, "assurance": assurance, "limit": 20 });
    let tried = operator.post(&path(app, "/try"), body).await;
    assert_eq!(tried.status, StatusCode::OK, "{}", tried.body);
    tried.body["found"].as_array().unwrap().clone()
}

async fn uploads(app: &TestApp, operator: &Operator<'_>, query: &str, bytes: &[u8]) -> Answer {
    let request = Request::builder()
        .method(Method::POST)
        .uri(path(app, query))
        .header(header::HOST, HOST)
        .header(header::AUTHORIZATION, format!("Bearer {}", operator.key))
        .header(header::CONTENT_TYPE, "application/octet-stream")
        .body(Body::from(bytes.to_vec()))
        .unwrap();
    app.answered(request).await
}

#[tokio::test]
async fn a_page_is_read_without_what_surrounds_it_and_nothing_else_is_fetched() {
    let site = Site::new().await;
    site.has_page("/help", "Shipping", "We ship within two days.");
    let app = app_beside(&site).await;
    let operator = app.operator().await;

    let source = adds(
        &app,
        &operator,
        json!({ "kind": "page", "url": site.url("/help#top") }),
    )
    .await;

    assert_eq!(source["state"], "ready", "{source}");
    assert_eq!(
        source["progress"],
        json!({ "pages": 1, "passages": 1, "embedded": 1 })
    );
    assert_eq!(site.asked(), ["/robots.txt", "/help"]);
    let found = tries(&app, &operator, "how long does shipping take", "anonymous").await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["url"], json!(site.url("/help#here")));
    assert_eq!(found[0]["text"], "We ship within two days.");
    assert_eq!(found[0]["band"], "answer");
}

#[tokio::test]
async fn of_a_sitemap_only_what_changed_is_read_again_and_what_is_gone_goes_later() {
    let site = Site::new().await;
    for name in ["/a", "/b", "/c"] {
        site.has_page(name, name, &format!("This is about {name}."));
    }
    site.lists(&["/a", "/b", "/c", "/pixel.png"]);
    site.has("/pixel.png", "image/png", "\u{89}PNG");
    let app = app_beside(&site).await;
    let operator = app.operator().await;
    let body = json!({ "kind": "sitemap", "url": site.url("/sitemap.xml"), "every": "day" });

    let first = adds(&app, &operator, body).await;
    assert_eq!(first["progress"]["pages"], 3, "{first}");
    assert_eq!(first["skipped"][0]["url"], json!(site.url("/pixel.png")));
    assert!(first["due_at"].is_string());

    site.has_page("/b", "/b", "This is otherwise now.");
    site.lists(&["/a", "/b"]);
    let second = syncs(&app, &operator, &first).await;
    assert_eq!(
        second["progress"],
        json!({ "pages": 3, "passages": 3, "embedded": 3 })
    );
    let found = tries(&app, &operator, "what is this about", "anonymous").await;
    let texts: Vec<&str> = found
        .iter()
        .map(|it| it["text"].as_str().unwrap())
        .collect();
    assert!(texts.contains(&"This is otherwise now."), "{texts:?}");

    let third = syncs(&app, &operator, &first).await;
    assert_eq!(third["progress"]["pages"], 2, "{third}");

    site.answers("/sitemap.xml", 500, "text/plain", "");
    let failed = syncs(&app, &operator, &first).await;
    assert_eq!(failed["state"], "failed");
    assert_eq!(failed["failure"]["reason"], "the server answered 500");
    assert_eq!(failed["progress"]["pages"], 2);
    assert_eq!(tries(&app, &operator, "this", "anonymous").await.len(), 2);
}

#[tokio::test]
async fn g8_the_crawler_stays_on_the_site_and_off_what_robots_may_not_read() {
    let (site, other) = (Site::new().await, Site::new().await);
    other.has_page("/help", "Other", "Somebody else's.");
    site.has(
        "/robots.txt",
        "text/plain",
        "User-agent: *\nDisallow: /private\n",
    );
    site.has_page("/private/x", "X", "Not for robots.");
    site.answers("/away", 302, "", &other.url("/help"));
    site.answers("/inside", 302, "", "http://169.254.169.254/latest");
    let app = app_beside(&site).await;
    let operator = app.operator().await;

    for (url, why) in [
        (site.url("/private/x"), "robots.txt"),
        (site.url("/away"), "redirects to another site"),
        (site.url("/inside"), "redirects to another site"),
        (other.url("/help"), "is plain http"),
        ("https://169.254.169.254/".to_owned(), "private or special"),
        ("https://localhost/".to_owned(), "private or special"),
        (site.url("/nothing"), "answered 404"),
    ] {
        let source = adds(&app, &operator, json!({ "kind": "page", "url": url })).await;

        assert_eq!(source["state"], "failed", "{url}");
        let reason = source["failure"]["reason"].as_str().unwrap();
        assert!(reason.contains(why), "{url}: {reason}");
    }
    assert_eq!(other.asked(), Vec::<String>::new());
    assert!(!site.asked().contains(&"/private/x".to_owned()));
    assert!(tries(&app, &operator, "other", "verified").await.is_empty());
}

#[tokio::test]
async fn a2_g12_what_is_for_verified_visitors_is_not_searched_for_others() {
    let app = TestApp::new().await;
    let operator = app.operator().await;
    let pairs = json!([
        { "question": "How do I get a refund?", "answer": "Send it back within 60 days." },
        { "question": "Who is the wholesale contact?", "answer": "Ask the office." }
    ]);
    adds(
        &app,
        &operator,
        json!({ "kind": "qa", "title": "Public", "pairs": pairs }),
    )
    .await;
    let before = tries(&app, &operator, "refund wholesale rebate", "anonymous").await;
    let secret = json!([{
        "question": "What is the wholesale rebate?",
        "answer": "Wholesale refund rebate of 40 percent, wholesale, wholesale."
    }]);

    let source = adds(
        &app,
        &operator,
        json!({ "kind": "qa", "title": "Wholesale", "requires": "verified", "pairs": secret }),
    )
    .await;

    // Not in what is found, and not in any number either: a rare word stays as rare.
    for rung in ["anonymous", "claimed", "code"] {
        assert_eq!(
            tries(&app, &operator, "refund wholesale rebate", rung).await,
            before
        );
    }
    let verified = tries(&app, &operator, "refund wholesale rebate", "verified").await;
    assert_eq!(verified.len(), 3);
    let id = source["id"].as_str().unwrap();
    let changed = operator
        .patch(
            &path(&app, &format!("/{id}")),
            json!({ "requires": "anonymous", "environment": "staging" }),
        )
        .await;
    assert_eq!(changed.body["requires"], "anonymous", "{}", changed.body);
    assert_eq!(
        tries(&app, &operator, "refund wholesale rebate", "verified").await,
        before
    );
    let body = json!({ "question": "wholesale rebate", "environment": "staging" });
    let staging = operator.post(&path(&app, "/try"), body).await;
    assert_eq!(staging.body["found"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a2_a_language_model_is_given_only_what_its_visitor_may_read() {
    let app = TestApp::new().await;
    let operator = app.operator().await;
    let pairs = json!([{ "question": "hello", "answer": "The word of the day is wombat." }]);
    let body = json!({ "kind": "qa", "requires": "verified", "pairs": pairs });
    adds(&app, &operator, body).await;

    let (stranger, sarah) = (app.stranger().await, app.visitor("sarah").await);
    let mut cited = Vec::new();
    for visitor in [stranger, sarah] {
        let mut events = visitor.follows(None).await;
        let conversation = visitor.opens_conversation().await;
        visitor.says(&conversation, "hello").await;
        let reply = events.reply().await;
        cited.push(reply.data["citations"].as_array().unwrap().len());
    }

    assert_eq!(cited, [0, 1]);
}

#[tokio::test]
async fn w9_a_file_is_what_its_bytes_say_and_its_name_is_data() {
    let app = TestApp::new().await;
    let operator = app.operator().await;

    let html = uploads(
        &app,
        &operator,
        "?name=x.exe&url=https://shop.example/h",
        b"<html><title>Returns</title><p>Sixty days.",
    )
    .await;
    assert_eq!(html.status, StatusCode::CREATED, "{}", html.body);
    assert_eq!(html.body["title"], "Returns");
    assert_eq!(html.body["url"], "https://shop.example/h");
    let named = uploads(
        &app,
        &operator,
        "?name=a%E2%80%AEb%0A%F3%A0%81%81.md",
        b"Some text.",
    )
    .await;
    assert_eq!(named.body["title"], "ab", "{}", named.body);
    for (bytes, code) in [
        (&b"MZ\x90\x00"[..], "unreadable_document"),
        (b"\x89PNG\r\n", "unreadable_document"),
        (b"  \n", "unreadable_document"),
        (&vec![b'x'; 20 * 1024 * 1024 + 1], "too_large"),
    ] {
        let refused = uploads(&app, &operator, "?name=page.html", bytes).await;
        assert_eq!(refused.code(), code, "{}", refused.body);
    }
    let csv = b"question,answer\nDo you ship?,Yes.\n";
    let csv = uploads(&app, &operator, "?kind=qa&title=Shipping", csv).await;
    assert_eq!(csv.body["kind"], "qa", "{}", csv.body);
}

#[tokio::test]
async fn what_was_handed_over_is_replaced_whole_and_removed_whole() {
    let app = TestApp::new().await;
    let operator = app.operator().await;
    let pairs = |count: usize| -> Value {
        let pair =
            |n| json!({ "question": format!("Question {n}?"), "answer": format!("Answer {n}.") });
        (0..count).map(pair).collect()
    };
    let add = |count| json!({ "kind": "qa", "title": "Q", "pairs": pairs(count) });
    adds(&app, &operator, add(3)).await;

    let source = adds(&app, &operator, add(2)).await;

    assert_eq!(
        source["progress"],
        json!({ "pages": 2, "passages": 2, "embedded": 2 })
    );
    assert_eq!(
        tries(&app, &operator, "question", "anonymous").await.len(),
        2
    );
    let one = path(&app, &format!("/{}", source["id"].as_str().unwrap()));
    assert_eq!(
        operator
            .post(&format!("{one}/sync"), json!({}))
            .await
            .code(),
        "invalid_value"
    );
    let every = operator.patch(&one, json!({ "every": "day" })).await;
    assert_eq!(every.code(), "invalid_value");
    assert_eq!(operator.delete(&one).await.status, StatusCode::NO_CONTENT);
    assert_eq!(operator.delete(&one).await.code(), "not_found");
    assert!(
        tries(&app, &operator, "question", "anonymous")
            .await
            .is_empty()
    );
}

#[tokio::test]
async fn what_cannot_be_added_is_refused_and_why() {
    let app = TestApp::new().await;
    let operator = app.operator().await;

    for (body, code, why) in [
        (json!({ "kind": "page" }), "invalid_value", "`url`"),
        (
            json!({ "kind": "page", "url": "shop.example" }),
            "invalid_value",
            "https://",
        ),
        (
            json!({ "kind": "page", "url": "file:///etc/passwd" }),
            "invalid_value",
            "https://",
        ),
        (
            json!({ "kind": "page", "url": "https://a:b@shop.example" }),
            "invalid_value",
            "password",
        ),
        (
            json!({ "kind": "video", "url": "https://x.example" }),
            "invalid_value",
            "sitemap",
        ),
        (json!({ "kind": "qa" }), "invalid_value", "pairs"),
        (
            json!({ "kind": "qa", "pairs": [] }),
            "unreadable_document",
            "no text",
        ),
        (
            json!({ "kind": "file", "text": "x", "requires": "fresh" }),
            "invalid_value",
            "verified",
        ),
        (
            json!({ "kind": "file", "text": "x", "environmnt": "x" }),
            "unknown_field",
            "environmnt",
        ),
    ] {
        let refused = operator.post(&path(&app, ""), body.clone()).await;

        assert_eq!(refused.code(), code, "{body}");
        assert!(
            refused.body.to_string().contains(why),
            "{body}: {}",
            refused.body
        );
    }
    assert_eq!(operator.get(&path(&app, "")).await.body["items"], json!([]));
}

#[tokio::test]
async fn sources_are_listed_in_parts_and_told_live() {
    let app = TestApp::new().await;
    let operator = app.operator().await;
    for n in 0..3 {
        let body = json!({ "kind": "file", "title": format!("File {n}"), "text": "Some text." });
        app.clock.advance(jiff::SignedDuration::from_secs(1));
        adds(&app, &operator, body).await;
    }

    let first = operator.get(&path(&app, "?limit=2")).await.body;
    let next = first["next"].as_str().unwrap();
    let rest = operator
        .get(&path(&app, &format!("?limit=2&cursor={next}")))
        .await
        .body;
    let request = Request::builder()
        .uri(path(&app, "?live"))
        .header(header::HOST, HOST)
        .header(header::AUTHORIZATION, format!("Bearer {}", operator.key));
    let response = app.response(request.body(Body::empty()).unwrap()).await;
    let mut live = Events::of(response.into_body());

    assert_eq!(first["items"][0]["title"], "File 2");
    assert_eq!(
        (&rest["items"][0]["title"], &rest["next"]),
        (&json!("File 0"), &Value::Null)
    );
    for n in 0..3 {
        let told = live.until("source").await;
        assert_eq!(told.data["title"], json!(format!("File {n}")));
    }
    let removed = first["items"][0]["id"].as_str().unwrap();
    operator.delete(&path(&app, &format!("/{removed}"))).await;
    assert_eq!(live.until("removed").await.data["id"], removed);
}

#[tokio::test]
async fn of_two_nodes_one_reads_a_source() {
    let site = Site::new().await;
    for n in 0..5 {
        site.has_page(&format!("/{n}"), "Page", "Some text.");
    }
    site.lists(&["/0", "/1", "/2", "/3", "/4"]);
    let app = app_beside(&site).await;
    // On SQLite there is one node only, and one reads it all the same.
    let other = if app.store.is_shared() {
        Some(app.another_node().await)
    } else {
        None
    };
    let operator = app.operator().await;

    let body = json!({ "kind": "sitemap", "url": site.url("/sitemap.xml") });
    let source = adds(&app, &operator, body).await;

    assert_eq!(source["progress"]["pages"], 5);
    assert_eq!(site.asked().len(), 7, "each page once");
    drop(other);
}
