//! What the transport says by itself carries the service's own words.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use edge::server::{Answer, Fault, Limits, ListenerSpec, Peer, Rate, Reason, RequestBody, ResponseBody, Service};
use http::{Request, Response};
use tokio::io::AsyncWriteExt;

use crate::wire::{self, Client, Server, eventually, in_time, millis, plain_spec};

/// Answers every request with as many bytes as it is told, and counts them; explains each fault.
#[derive(Clone, Default)]
struct Explaining {
    body_bytes: usize,
    answered: Arc<AtomicU64>,
}

impl Service for Explaining {
    type Future = std::future::Ready<Response<ResponseBody>>;

    fn call(&self, _: Request<RequestBody>, _: &Peer) -> Answer<Self::Future> {
        self.answered.fetch_add(1, Ordering::Relaxed);
        Answer::Ready(Response::new(ResponseBody::from("x".repeat(self.body_bytes))))
    }

    fn fault(&self, fault: Fault) -> Response<ResponseBody> {
        let mut response = Response::new(ResponseBody::from(format!("{fault:?}, explained")));
        *response.status_mut() = fault.status();
        response.headers_mut().insert("content-type", "text/plain".parse().expect("a value"));
        response
    }
}

#[track_caller]
fn explained(response: &wire::Response, fault: Fault) {
    assert_eq!((response.status, response.body.as_str()), (fault.status().as_u16(), format!("{fault:?}, explained").as_str()));
    assert_eq!((response.header("content-type"), response.header("connection")), (Some("text/plain"), Some("close")));
    assert!(response.header("date").is_some(), "{response:?}");
}

/// What is read until the connection's end, which is orderly.
async fn asked(server: &Server, request: impl AsRef<[u8]>) -> wire::Response {
    let mut client = server.connect().await;
    client.send(request).await;
    let response = client.response().await;
    assert!(client.until_closed().await.is_empty());
    response
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_and_heads_beyond_their_limits_are_explained() {
    let limits = Limits { head_bytes_max: 128 << 10, ..Limits::default() };
    let server = Server::start(Explaining::default(), limits);
    explained(&asked(&server, "\x16\x03\x01 what is this\r\n\r\n").await, Fault::Garbled);
    explained(&asked(&server, "GET / HTTP/1.1\r\nhost test\r\n\r\n").await, Fault::Garbled);
    explained(&asked(&server, "GET / HTTP/9.9\r\nhost: test\r\n\r\n").await, Fault::Garbled);
    let head = format!("GET / HTTP/1.1\r\nhost: test\r\ncookie: {}\r\n\r\n", "c".repeat(200_000));
    explained(&asked(&server, head).await, Fault::HeadTooLarge);
    let target = format!("GET /{} HTTP/1.1\r\nhost: test\r\n\r\n", "t".repeat(70_000));
    explained(&asked(&server, target).await, Fault::TargetTooLong);
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_behind_a_request_is_explained_behind_its_answer() {
    let server = Server::start(Explaining { body_bytes: 5, ..Explaining::default() }, Limits::default());
    let mut client = server.connect().await;
    client.send("GET / HTTP/1.1\r\nhost: test\r\n\r\nGET / HTTP/1.1\r\nhost: test\r\n\r\n\x16\x03\x01 what is this\r\n\r\n").await;
    for _ in 0..2 {
        assert_eq!(client.response().await.body, "xxxxx");
    }
    explained(&client.response().await, Fault::Garbled);
    assert!(client.until_closed().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_head_is_told_that_its_time_is_up_and_silence_is_told_nothing() {
    let server = Server::start(Explaining::default(), Limits { head_max: millis(200), ..Limits::default() });
    let (mut silent, mut half) = (server.connect().await, server.connect().await);
    half.send("GET / HTTP/1.1\r\nhost: te").await;
    explained(&half.response().await, Fault::HeadTooSlow);
    assert!(half.until_closed().await.is_empty());
    assert!(silent.until_closed().await.is_empty());
    assert_eq!(server.stats.ended(Reason::Head), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_beyond_the_cap_is_told_so() {
    let server = Server::start_spec(Explaining::default(), Limits::default(), ListenerSpec { connections_max: 1, ..plain_spec() });
    let mut first = server.connect().await;
    assert_eq!(first.get("/").await.status, 200);
    let mut second = server.connect().await;
    explained(&second.response().await, Fault::Crowded);
    assert_eq!(server.stats.refused(), 1);
}

/// Sends the same request over and over, reads nothing, and returns when it was cut off.
async fn ask_and_ask(mut client: Client, request: &[u8]) {
    let pipelined = request.repeat(64);
    while client.tcp.write_all(&pipelined).await.is_ok() {}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_asks_and_never_reads_is_answered_only_so_much_and_cut_off() {
    const BODY_BYTES: usize = 1000;
    let service = Explaining { body_bytes: BODY_BYTES, ..Explaining::default() };
    let answered = service.answered.clone();
    let limits = Limits { send: Rate { bytes_per_second_min: 1024, grace: millis(500) }, ..Limits::default() };
    let server = Server::start(service, limits);
    let client = {
        // A small window: what the client's own system takes off the server's hands is not what this is about.
        let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(4096).expect("a smaller buffer");
        Client { tcp: in_time(socket.connect(server.addr)).await.expect("accepted") }
    };
    let began = Instant::now();
    in_time(ask_and_ask(client, b"GET / HTTP/1.1\r\nhost: test\r\n\r\n")).await;
    assert_eq!(server.stats.ended(Reason::SlowReader), 1);
    assert!(began.elapsed() < Duration::from_secs(10));
    let unread_bytes = answered.load(Ordering::Relaxed) * BODY_BYTES as u64;
    assert!(unread_bytes < 512 * 1024, "{unread_bytes} bytes were made for nobody");
    eventually(|| server.stats.open() == 0).await;
}
