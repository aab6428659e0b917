use axum::{
    Extension,
    routing::{get, post},
};
use futures_util::stream;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    net::TcpStream,
    time::Instant,
};

use super::*;

pub(super) fn patience() -> Patience {
    Patience {
        head: Duration::from_secs(10),
        body: Duration::from_secs(30),
        idle: Duration::from_secs(75),
        stalled: Duration::from_secs(20),
    }
}

fn connections(at_most: usize, from_one_address: usize) -> Connections {
    Connections {
        at_most,
        from_one_address,
        not_counted: Vec::new(),
        patience: patience(),
    }
}

fn router() -> Router {
    let endless = || async {
        let bytes = vec![b'x'; 64 * 1024];
        let frames = stream::repeat_with(move || Ok::<_, Infallible>(bytes.clone()));
        Body::from_stream(frames)
    };
    let slow = || async {
        tokio::time::sleep(Duration::from_secs(600)).await;
        "at last"
    };
    Router::new()
        .route(
            "/",
            get(|Extension(Peer(from))| async move { from.to_string() }),
        )
        .route("/", post(|body: String| async move { body }))
        .route("/slow", get(slow))
        .route("/long", get(|| async { vec![b'x'; 64 * 1024] }))
        .route("/endless", get(endless))
}

/// The client's end of a connection in memory, where only tokio's time passes.
fn client() -> (DuplexStream, tokio::task::JoinHandle<()>) {
    let (client, server) = duplex(1024);
    let from = [198, 51, 100, 1].into();
    let serving = async move {
        // Dropped, it would tell the connection to end.
        let graceful = GracefulShutdown::new();
        connection(server, from, router(), patience(), &graceful).await;
    };
    #[expect(clippy::disallowed_methods, reason = "it is the thing that is tested")]
    let serving = tokio::spawn(serving);
    (client, serving)
}

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";

/// What comes until the connection is closed, and how long that took.
async fn until_closed(client: &mut DuplexStream) -> (String, Duration) {
    let start = Instant::now();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).await.unwrap();
    (String::from_utf8(answer).unwrap(), start.elapsed())
}

fn about(seconds: u64, it: Duration) -> bool {
    let expected = Duration::from_secs(seconds);
    (expected..expected + Duration::from_millis(100)).contains(&it)
}

#[tokio::test(start_paused = true)]
async fn r6_who_sends_nothing_is_cut_off_after_10_s() {
    let (mut client, _serving) = client();

    let (answer, took) = until_closed(&mut client).await;

    assert_eq!(answer, "");
    assert!(about(10, took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn r6_a_head_that_comes_byte_by_byte_is_cut_off_10_s_after_its_first() {
    let (mut client, serving) = client();
    tokio::time::sleep(Duration::from_secs(9)).await;
    let first = Instant::now();

    for byte in GET.iter().cycle() {
        if client.write_all(&[*byte | 0x20]).await.is_err() || serving.is_finished() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }

    let took = first.elapsed();
    assert!(took >= Duration::from_secs(10), "{took:?}");
    assert!(took <= Duration::from_secs(11), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn r6_a_body_that_comes_byte_by_byte_is_refused_after_30_s() {
    let (client, _serving) = client();
    let (mut reads, mut writes) = tokio::io::split(client);
    let head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n";
    writes.write_all(head).await.unwrap();
    let start = Instant::now();
    let drip = async {
        while writes.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };

    let mut first = [0; 12];
    tokio::select! {
        read = reads.read_exact(&mut first) => assert_eq!(read.unwrap(), 12),
        () = drip => panic!("it was cut off before it was answered"),
    }

    // A handler of ours says 408 to it (`http::visitor::Body`); axum's own 400.
    assert_eq!(&first, b"HTTP/1.1 400");
    assert!(about(30, start.elapsed()), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn r6_an_idle_connection_is_kept_for_75_s_and_no_longer() {
    let (mut client, _serving) = client();
    client.write_all(GET).await.unwrap();
    tokio::time::sleep(Duration::from_secs(74)).await;
    client.write_all(GET).await.unwrap();

    let (answers, took) = until_closed(&mut client).await;

    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 2, "{answers}");
    assert!(about(75, took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn r6_what_the_server_takes_its_time_for_is_waited_for() {
    let (mut client, _serving) = client();
    client
        .write_all(b"GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();

    let (answer, took) = until_closed(&mut client).await;

    assert!(answer.ends_with("at last"), "{answer}");
    assert!(about(600, took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn r5_who_does_not_read_an_answer_is_cut_off() {
    let (mut client, serving) = client();
    let start = Instant::now();
    client
        .write_all(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();

    serving.await.unwrap();

    assert!(about(20, start.elapsed()), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn r5_who_reads_slowly_but_steadily_gets_the_whole_answer() {
    let (mut client, _serving) = client();
    client
        .write_all(b"GET /long HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();

    let mut answer = Vec::new();
    let mut piece = [0; 1024];
    let start = Instant::now();
    while answer.len() < 64 * 1024 {
        tokio::time::sleep(Duration::from_secs(10)).await;
        let n = client.read(&mut piece).await.unwrap();
        assert!(n > 0, "cut off after {:?}", start.elapsed());
        answer.extend_from_slice(&piece[..n]);
    }

    client.write_all(GET).await.unwrap();
    let n = client.read(&mut piece).await.unwrap();
    assert!(n > 0, "and may ask for more");
    assert!(start.elapsed() > Duration::from_secs(300));
}

#[tokio::test(start_paused = true)]
async fn r6_a_head_that_is_too_long_is_refused() {
    let (mut client, _serving) = client();
    let sending = async {
        let mut head = b"GET / HTTP/1.1\r\nHost: x\r\nX: ".to_vec();
        head.resize(BUFFER * 2, b'x');
        // It is cut off in the middle.
        _ = client.write_all(&head).await;
        client
    };

    let (answer, _) = until_closed(&mut sending.await).await;

    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
}

/// A server on loopback while `asking` runs.
async fn serving<T>(
    connections: Connections,
    asking: impl AsyncFnOnce(std::net::SocketAddr) -> T,
) -> T {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (tasks, stop) = (Tasks::default(), CancellationToken::new());
    let serving = serve(listener, router(), connections, &tasks, stop.clone());
    let asking = async {
        let answer = asking(address).await;
        stop.cancel();
        answer
    };
    tokio::join!(asking, serving).0
}

async fn asked(address: std::net::SocketAddr) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn l3_each_request_knows_who_is_at_the_other_end() {
    let answer = serving(connections(10, 10), asked).await;

    assert!(answer.ends_with("\r\n\r\n127.0.0.1"), "{answer}");
}

#[tokio::test]
async fn r6_over_a_cap_a_whole_503_comes_at_once_and_a_place_is_free_again() {
    for (at_most, from_one_address) in [(1, 10), (10, 1)] {
        serving(connections(at_most, from_one_address), async |address| {
            let mut held = TcpStream::connect(address).await.unwrap();
            held.write_all(GET).await.unwrap();
            held.read_exact(&mut [0; 12]).await.unwrap();

            let start = std::time::Instant::now();
            let refused = asked(address).await;
            let took = start.elapsed();

            let (head, body) = refused.split_once("\r\n\r\n").unwrap();
            assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
            assert!(took < Duration::from_millis(100), "{took:?}");
            let header = |name: &str| {
                let line = head.lines().find_map(|line| line.strip_prefix(name));
                line.unwrap().trim().to_owned()
            };
            assert_eq!(header("Content-Length:"), body.len().to_string());
            let body: serde_json::Value = serde_json::from_str(body).unwrap();
            assert_eq!(body["error"]["code"], "too_many_connections");
            assert_eq!(body["error"]["request_id"], header("X-Request-Id:"));
            assert!((1..=8).contains(&header("Retry-After:").parse::<u8>().unwrap()));

            drop(held);
            while !asked(address).await.starts_with("HTTP/1.1 200") {}
        })
        .await;
    }
}

#[tokio::test]
async fn r6_not_everybody_is_asked_to_come_back_at_the_same_time() {
    let after = serving(connections(0, 0), async |address| {
        let mut after = std::collections::HashSet::new();
        for _ in 0..64 {
            let answer = asked(address).await;
            let line = answer.lines().find(|it| it.starts_with("Retry-After"));
            after.insert(line.unwrap().to_owned());
        }
        after
    })
    .await;

    assert!(after.len() > 3, "{after:?}");
}

#[tokio::test]
async fn r6_those_who_are_turned_away_and_stay_keep_nobody_out() {
    serving(connections(1, 0), async |address| {
        let mut held = TcpStream::connect(address).await.unwrap();
        held.write_all(GET).await.unwrap();
        held.read_exact(&mut [0; 12]).await.unwrap();
        let mut idle = Vec::new();
        for _ in 0..200 {
            idle.push(TcpStream::connect(address).await.unwrap());
        }

        let refused = asked(address).await;

        assert!(refused.contains("too_many_connections"), "{refused}");
    })
    .await;
}
