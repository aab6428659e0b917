use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    time::{Instant, timeout},
};

use super::*;
use crate::action::definition::Method;

fn checked(url: &str) -> Result<Door, NotAllowed> {
    let outbound = Outbound::new(vec!["localhost:7071".to_owned()]).unwrap();
    outbound.door(&Url::parse(url).unwrap())
}

#[test]
fn i7_a_public_host_over_https_may_be_called() {
    assert_eq!(checked("https://shop.example/orders"), Ok(Door::Public));
    assert_eq!(checked("https://[2606:4700::1111]/"), Ok(Door::Public));
    assert_eq!(checked("https://1.1.1.1/"), Ok(Door::Public));
}

#[test]
fn i7_plain_http_is_refused_unless_it_is_listed() {
    assert!(matches!(
        checked("http://shop.example/"),
        Err(NotAllowed::PlainHttp(_))
    ));
    assert!(matches!(
        checked("http://localhost:7072/"),
        Err(NotAllowed::PlainHttp(_))
    ));
    assert_eq!(checked("http://localhost:7071/"), Ok(Door::Listed));
}

#[test]
fn g8_a_special_address_is_refused_in_every_spelling() {
    for url in [
        "https://127.0.0.1/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://0177.0.0.1/",
        "https://10.0.0.1/",
        "https://192.168.1.1/",
        "https://172.16.0.1/",
        "https://169.254.169.254/latest/meta-data",
        "https://100.64.0.1/",
        "https://0.0.0.0/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[64:ff9b::7f00:1]/",
        "https://[2002:7f00:1::]/",
        "https://[fe80::1]/",
        "https://[fd00::1]/",
        "https://[::]/",
    ] {
        assert!(matches!(checked(url), Err(NotAllowed::Private(_))), "{url}");
    }
}

#[tokio::test]
async fn g8_a_listed_port_opens_no_other_port_of_its_host() {
    let other = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = other.local_addr().unwrap().port();
    let outbound = Outbound::new(vec!["localhost:7071".to_owned()]).unwrap();
    let request = Request {
        method: Method::Get,
        url: Url::parse(&format!("https://localhost:{port}/")).unwrap(),
        body: Vec::new(),
    };

    let error = tokio::select! {
        sent = outbound.send(request, "proof", "call_1", CONNECT_TIMEOUT) => sent.unwrap_err(),
        _ = other.accept() => panic!("somebody came in by another port"),
    };

    assert!(error.to_string().contains("private or special"), "{error}");
}

#[tokio::test]
async fn g8_a_name_that_leads_to_a_special_address_is_refused_when_it_is_resolved() {
    assert!(
        PublicOnly
            .resolve("localhost".parse().unwrap())
            .await
            .is_err()
    );
}

/// Hears whether anybody came, on IPv4 and IPv6.
struct Ear {
    listeners: Vec<TcpListener>,
    port: u16,
}

impl Ear {
    async fn new() -> Self {
        let v4 = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = v4.local_addr().unwrap().port();
        let mut listeners = vec![v4];
        // Not every machine has IPv6.
        listeners.extend(TcpListener::bind(("::1", port)).await);
        Self { listeners, port }
    }

    /// Nobody has connected up to now: a connection is there before it is accepted.
    async fn heard_nothing(&self) -> bool {
        for listener in &self.listeners {
            let came = timeout(Duration::from_millis(10), listener.accept()).await;
            if came.is_ok() {
                return false;
            }
        }
        true
    }
}

fn get(url: &Url) -> Request {
    Request {
        method: Method::Get,
        url: url.clone(),
        body: Vec::new(),
    }
}

#[tokio::test]
async fn g8_no_spelling_of_an_address_of_ours_reaches_a_listener_on_it() {
    let ear = Ear::new().await;
    let nothing_listed = Outbound::new(Vec::new()).unwrap();
    let hosts = [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.0.0.1",
        "017700000001",
        "0177.0.0.01",
        "127.0.0.1.",
        "０１２７.0.0.1",
        "①②⑦.⓪.⓪.①",
        "0",
        "0.0.0.0",
        "[::1]",
        "[0:0:0:0:0:0:0:1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::127.0.0.1]",
        "[64:ff9b:1::7f00:1]",
        "[2002:7f00:1::]",
        "[2001:0:7f00:1::]",
        "[fe80::1]",
        "[fe80::1%25lo]",
        "[::1%25lo]",
        "[fc00::1]",
        "localhost",
        "LOCALHOST",
        "localhost.",
        "ip6-localhost",
        "shop.example@127.0.0.1",
        "shop.example:x@127.0.0.1",
        "127.0.0.1%2f@127.0.0.1",
        "shop.example%00.127.0.0.1",
        "169.254.169.254",
    ];

    let mut tried = 0;
    for scheme in ["https", "http"] {
        for host in hosts {
            // What is no address at all is refused where it is parsed.
            let Ok(url) = Url::parse(&format!("{scheme}://{host}:{}/", ear.port)) else {
                continue;
            };
            tried += 1;
            let called = nothing_listed
                .send(get(&url), "proof", "call_1", CONNECT_TIMEOUT)
                .await;
            let fetched = nothing_listed.fetch(&url).await;

            assert!(called.is_err() && fetched.is_err(), "{url}");
        }
    }
    assert!(tried > 50, "{tried}");
    assert!(ear.heard_nothing().await, "somebody came");

    // Else this test would hear nothing whatever happened.
    let listed = Outbound::new(vec![format!("127.0.0.1:{}", ear.port)]).unwrap();
    let url = Url::parse(&format!("http://127.0.0.1:{}/", ear.port)).unwrap();
    let within = Duration::from_millis(200);
    let called = listed.send(get(&url), "proof", "call_1", within).await;
    assert!(matches!(called, Err(ActionError::TimedOut(_))));
    assert!(!ear.heard_nothing().await, "a listed one is called");
}

#[tokio::test]
async fn g8_no_redirect_leads_to_where_nobody_may_go() {
    let ear = Ear::new().await;
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let here = format!("127.0.0.1:{}", server.local_addr().unwrap().port());
    let redirects = async {
        loop {
            let (mut stream, _) = server.accept().await.unwrap();
            let mut head = [0; 1024];
            let n = stream.read(&mut head).await.unwrap();
            let path = String::from_utf8_lossy(&head[..n]);
            let to = path
                .split_whitespace()
                .nth(1)
                .unwrap()
                .trim_start_matches('/');
            let answer = format!(
                "HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    };
    let outbound = Outbound::new(vec![here.clone()]).unwrap();
    let tries = async {
        for to in [
            format!("http://127.0.0.1:{}/", ear.port),
            format!("http://localhost:{}/", ear.port),
            format!("//127.0.0.1:{}/", ear.port),
            format!("https://[::1]:{}/", ear.port),
        ] {
            let url = Url::parse(&format!("http://{here}/{to}")).unwrap();
            let called = outbound.send(get(&url), "proof", "call_1", CONNECT_TIMEOUT);
            assert!(
                matches!(called.await, Err(ActionError::Status(302))),
                "{to}"
            );
            assert!(outbound.fetch(&url).await.is_err(), "{to}");
        }
    };

    tokio::select! {
        () = tries => (),
        () = redirects => unreachable!("it serves for ever"),
    }

    assert!(ear.heard_nothing().await, "somebody came");
}

#[test]
fn g8_of_what_a_name_leads_to_only_public_addresses_are_connected_to() {
    let at = |text: &str| SocketAddr::new(text.parse().unwrap(), 0);
    let [public, ours, meta] = ["93.184.216.34", "127.0.0.1", "169.254.169.254"].map(at);

    // What is checked is what is connected to: a name server that answers otherwise
    // the next time is asked, and checked, the next time.
    assert_eq!(
        usable("x", [ours, public, meta].into_iter()),
        Ok(vec![public])
    );
    assert!(usable("x", [ours].into_iter()).is_err());
    assert!(usable("x", [meta, ours].into_iter()).is_err());
    assert!(usable("x", [].into_iter()).is_err());
}

/// A server that sends these bytes to everybody, and then nothing more.
async fn answering(bytes: Vec<u8>) -> (Outbound, Url) {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let here = format!("127.0.0.1:{}", server.local_addr().unwrap().port());
    let serve = async move {
        let mut open = Vec::new();
        loop {
            let (mut stream, _) = server.accept().await.unwrap();
            let mut head = [0; 4096];
            _ = stream.read(&mut head).await;
            _ = stream.write_all(&bytes).await;
            open.push(stream);
        }
    };
    #[expect(clippy::disallowed_methods, reason = "it ends with the test")]
    tokio::spawn(serve);
    let url = Url::parse(&format!("http://{here}/")).unwrap();
    (Outbound::new(vec![here]).unwrap(), url)
}

#[tokio::test]
async fn g7_a_server_that_says_nothing_or_stops_half_way_is_waited_for_no_longer_than_set() {
    let half = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{".to_vec();
    for bytes in [Vec::new(), half] {
        let (outbound, url) = answering(bytes).await;
        let within = Duration::from_millis(300);
        let began = Instant::now();

        let called = outbound.send(get(&url), "proof", "call_1", within).await;

        assert!(matches!(called, Err(ActionError::TimedOut(it)) if it == within));
        assert!(began.elapsed() < Duration::from_secs(3));
    }
}

#[tokio::test]
async fn g7_an_answer_larger_than_256_kib_is_not_read_to_its_end() {
    let body = format!("\"{}\"", "x".repeat(MAX_ANSWER));
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    let (outbound, url) = answering((head + &body).into_bytes()).await;

    let called = outbound
        .send(get(&url), "proof", "call_1", CONNECT_TIMEOUT)
        .await;

    assert!(
        matches!(called, Err(ActionError::Unreadable(_))),
        "{called:?}"
    );
}

#[tokio::test]
async fn g7_what_is_packed_is_not_asked_for_and_not_unpacked() {
    // `{}`, as gzip packs it.
    let packed: &[u8] = &[
        31, 139, 8, 0, 0, 0, 0, 0, 0, 3, 171, 174, 5, 0, 67, 191, 166, 163, 2, 0, 0, 0,
    ];
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
        packed.len()
    );
    let (outbound, url) = answering([head.as_bytes(), packed].concat()).await;

    let called = outbound
        .send(get(&url), "proof", "call_1", CONNECT_TIMEOUT)
        .await;

    assert!(
        matches!(called, Err(ActionError::Unreadable("no JSON"))),
        "{called:?}"
    );
}
