//! A refusal before the body's end reaches plain clients, which send all of it before they read.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use edge::server::{Answer, BodyError, Limits, Peer, Reason, RequestBody, ResponseBody, Service, service_fn};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;

use crate::wire::{self, Server, eventually, in_time, millis};

const BODY_BYTES: usize = 8 << 20;

fn status(code: u16, text: &'static str) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::from(text));
    *response.status_mut() = StatusCode::from_u16(code).expect("a status");
    response
}

/// Refuses every request at once, without a future.
struct RefuseAtOnce;

impl Service for RefuseAtOnce {
    type Future = std::future::Ready<Response<ResponseBody>>;

    fn call(&self, _: Request<RequestBody>, _: &Peer) -> Answer<Self::Future> {
        Answer::Ready(status(401, "no token"))
    }
}

/// Refuses from within its work: `/unread` without looking at the body, `/begun` after its first frame, all else by its size.
fn refuse_later() -> impl Service {
    service_fn(|request: Request<RequestBody>, _| async {
        let path = request.uri().path().to_owned();
        let mut body = request.into_body();
        match path.as_str() {
            "/unread" => status(403, "not yours"),
            "/begun" => {
                body.set_bytes_max(u64::MAX);
                body.frame().await.expect("a frame").expect("unbroken");
                status(415, "not this type")
            }
            _ => match body.read_all().await {
                Ok(_) => status(200, "read"),
                Err(BodyError::TooLarge { bytes_max }) => {
                    assert_eq!(bytes_max, 1 << 20);
                    status(413, "too large")
                }
                Err(error) => panic!("unexpected: {error}"),
            },
        }
    })
}

fn declared(path: &str) -> Vec<u8> {
    let mut bytes = format!("POST {path} HTTP/1.1\r\nhost: test\r\ncontent-length: {BODY_BYTES}\r\n\r\n").into_bytes();
    bytes.resize(bytes.len() + BODY_BYTES, b'x');
    bytes
}

fn chunked(path: &str) -> Vec<u8> {
    let mut bytes = format!("POST {path} HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n").into_bytes();
    for _ in 0..BODY_BYTES / 8192 {
        bytes.extend_from_slice(b"2000\r\n");
        bytes.resize(bytes.len() + 8192, b'x');
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    bytes
}

/// Sends everything, then reads everything, as the plainest of clients does.
async fn ask(addr: SocketAddr, request: Vec<u8>) -> std::io::Result<wire::Response> {
    let asking = tokio::task::spawn_blocking(move || {
        let mut tcp = TcpStream::connect(addr)?;
        tcp.set_read_timeout(Some(Duration::from_secs(10)))?;
        tcp.set_write_timeout(Some(Duration::from_secs(10)))?;
        tcp.write_all(&request)?;
        let mut answer = Vec::new();
        tcp.read_to_end(&mut answer)?;
        Ok(wire::Response::parse(&answer))
    });
    in_time(asking).await.expect("no panic")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_at_once_is_seen_by_a_client_that_sends_eight_megabytes_first() {
    let server = Server::start(RefuseAtOnce, Limits::default());
    for request in [declared("/"), chunked("/")] {
        let response = ask(server.addr, request).await.expect("an answer, not a reset");
        assert_eq!((response.status, response.body.as_str()), (401, "no token"));
        assert_eq!(response.header("connection"), Some("close"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_from_within_the_work_is_seen_too() {
    let server = Server::start(refuse_later(), Limits::default());
    for (path, expected) in [("/unread", (403, "not yours")), ("/begun", (415, "not this type")), ("/", (413, "too large"))] {
        for request in [declared(path), chunked(path)] {
            let response = ask(server.addr, request).await.expect("an answer, not a reset");
            assert_eq!((response.status, response.body.as_str()), expected);
            assert_eq!(response.header("connection"), Some("close"), "{path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_asks_before_it_sends_is_refused_before_it_sends() {
    let server = Server::start(refuse_later(), Limits::default());
    let mut client = server.connect().await;
    client.send(format!("POST / HTTP/1.1\r\nhost: test\r\nexpect: 100-continue\r\ncontent-length: {BODY_BYTES}\r\n\r\n")).await;
    let response = client.response().await;
    assert_eq!((response.status, response.header("connection")), (413, Some("close")));
}

#[tokio::test(flavor = "multi_thread")]
async fn refusing_a_small_body_costs_nobody_the_connection() {
    let mut server = Server::start(refuse_later(), Limits::default());
    let mut client = server.connect().await;
    for _ in 0..3 {
        client.send("POST /unread HTTP/1.1\r\nhost: test\r\ncontent-length: 5\r\n\r\nhello").await;
        let response = client.response().await;
        assert_eq!((response.status, response.header("connection")), (403, None));
    }
    assert_eq!(server.stats.accepted(), 1);
    // Nothing is left to be discarded, so the connection does not hold up a drain.
    let began = Instant::now();
    server.stop();
    server.drained().await;
    assert!(began.elapsed() < Duration::from_secs(3));
    client.until_closed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_beyond_its_limit_is_answered_431() {
    let server = Server::start(RefuseAtOnce, Limits::default());
    let request = format!("GET / HTTP/1.1\r\nhost: test\r\ncookie: {}\r\n\r\n", "c".repeat(200_000));
    let response = ask(server.addr, request.into_bytes()).await.expect("an answer, not a reset");
    assert_eq!(response.status, 431);
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_is_answered_400() {
    let server = Server::start(RefuseAtOnce, Limits::default());
    let response = ask(server.addr, b"\x16\x03\x01 what is this\r\n\r\n".repeat(1000)).await;
    assert_eq!(response.expect("an answer, not a reset").status, 400);
}

/// Writes until the server closes; says how long that took.
async fn flood(addr: SocketAddr) -> Duration {
    let flooding = tokio::task::spawn_blocking(move || {
        let began = Instant::now();
        let mut tcp = TcpStream::connect(addr).expect("accepted");
        tcp.set_write_timeout(Some(Duration::from_secs(10))).expect("a timeout");
        let head = format!("POST / HTTP/1.1\r\nhost: test\r\ncontent-length: {}\r\n\r\n", 1_u64 << 40);
        tcp.write_all(head.as_bytes()).expect("taken");
        loop {
            if let Err(error) = tcp.write_all(&[b'x'; 65536]) {
                assert_ne!(error.kind(), ErrorKind::WouldBlock, "the server neither reads nor closes");
                return began.elapsed();
            }
        }
    });
    in_time(flooding).await.expect("no panic")
}

#[tokio::test(flavor = "multi_thread")]
async fn input_is_discarded_only_up_to_its_limit_in_bytes() {
    let limits = Limits { linger_bytes_max: 1 << 20, linger_max: Duration::from_secs(60), ..Limits::default() };
    let server = Server::start(RefuseAtOnce, limits);
    assert!(flood(server.addr).await < Duration::from_secs(10));
    eventually(|| server.stats.open() == 0).await;
    assert_eq!(server.stats.ended(Reason::Linger), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn input_is_discarded_only_for_so_long_and_for_so_many() {
    let limits = Limits { linger_max: millis(1000), lingering_max: 1, ..Limits::default() };
    let server = Server::start(RefuseAtOnce, limits);
    // The first client keeps its side open and sends nothing more.
    let mut lingering = server.connect().await;
    let began = Instant::now();
    lingering.send("POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 100000\r\n\r\nx").await;
    assert_eq!(lingering.response().await.status, 401);
    // Our half is closed already, so its end is seen while we go on discarding.
    assert!(lingering.until_closed().await.is_empty());
    assert_eq!(server.stats.open(), 1);
    // A second one finds no place to linger and is cut off at once.
    assert!(flood(server.addr).await < millis(900));
    eventually(|| server.stats.open() == 0).await;
    assert!(began.elapsed() >= millis(1000));
    assert_eq!(server.stats.ended(Reason::Linger), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_is_answered_500_and_the_connection_lives_on() {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    let service = service_fn(|request: Request<RequestBody>, _| {
        let call = CALLS.fetch_add(1, Ordering::Relaxed);
        assert!(call != 0, "a panic before the work began");
        async move {
            assert!(request.uri().path() != "/panic", "a panic within the work");
            status(200, "fine")
        }
    });
    let server = Server::start(service, Limits::default());
    let mut client = server.connect().await;
    assert_eq!(client.get("/").await.status, 500);
    assert_eq!(client.get("/panic").await.status, 500);
    assert_eq!(client.get("/").await.body, "fine");
    assert_eq!(server.stats.accepted(), 1);
}
