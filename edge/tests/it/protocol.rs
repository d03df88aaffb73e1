//! HTTP/2, TLS and upgrades.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use edge::server::{self, Drained, Limits, ListenerSpec, Rate, Reason, RequestBody, ResponseBody, Service, service_fn};
use http::{Request, Response, StatusCode, Version};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::wire::{Server, eventually, in_time, millis, plain_spec};

/// Says what it got, over what.
fn echo() -> impl Service {
    echo_and_note(Arc::default())
}

/// Does the same, and notes when it gets stuck on `/stuck`.
fn echo_and_note(stuck: Arc<Notify>) -> impl Service {
    service_fn(move |request: Request<RequestBody>, peer| {
        let stuck = Arc::clone(&stuck);
        async move {
            let version = request.version();
            if request.uri().path() == "/stuck" {
                stuck.notify_one();
                std::future::pending::<()>().await;
            }
            match request.into_body().read_all().await {
                Ok(body) => Response::new(ResponseBody::from(format!("{version:?} {} {}", peer.tls, body.len()))),
                Err(error) => {
                    let mut response = Response::new(ResponseBody::from(error.to_string()));
                    *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
                    response
                }
            }
        }
    })
}

async fn http2<T, B>(stream: T) -> http2::SendRequest<B>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    B: Body<Data: Send, Error: std::error::Error + Send + Sync> + Send + Unpin + 'static,
{
    let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (client, connection) = in_time(handshake).await.expect("HTTP/2");
    tokio::spawn(connection);
    client
}

async fn http2_to<B>(server: &Server) -> http2::SendRequest<B>
where
    B: Body<Data: Send, Error: std::error::Error + Send + Sync> + Send + Unpin + 'static,
{
    http2(TcpStream::connect(server.addr).await.expect("accepted")).await
}

/// A body of so many bytes, and how many of them were taken.
fn counted(bytes: usize) -> (Arc<AtomicUsize>, impl Body<Data = Bytes, Error = std::io::Error> + Unpin) {
    let taken = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&taken);
    let frames = std::iter::from_fn(move || {
        let left = bytes - counter.load(Ordering::Relaxed);
        let frame = Bytes::from(vec![b'x'; left.min(65536)]);
        counter.fetch_add(frame.len(), Ordering::Relaxed);
        (!frame.is_empty()).then_some(Ok(Frame::data(frame)))
    });
    (taken, StreamBody::new(futures_util::stream::iter(frames)))
}

async fn post<B>(client: &mut http2::SendRequest<B>, path: &str, body: B) -> (StatusCode, Bytes)
where
    B: Body + Send + 'static,
{
    let request = Request::post(format!("http://test{path}")).body(body).expect("a request");
    let response = in_time(client.send_request(request)).await.expect("a response");
    let status = response.status();
    let body = in_time(response.into_body().collect()).await.expect("a body").to_bytes();
    (status, body)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_response_arrives_whole() {
    let large: Bytes = (0..3_000_000_u32).map(|index| b'a' + (index % 23) as u8).collect();
    let expected = large.clone();
    let service = service_fn(move |_: Request<RequestBody>, _| std::future::ready(Response::new(ResponseBody::Full(large.clone()))));
    let server = Server::start(service, Limits::default());
    let mut http1 = server.connect().await;
    for _ in 0..2 {
        let response = http1.get("/").await;
        assert_eq!((response.header("content-length"), response.body.as_bytes()), (Some("3000000"), &*expected));
    }
    let (_, body) = post(&mut http2_to(&server).await, "/", Full::<Bytes>::default()).await;
    assert_eq!(body, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn http2_is_spoken_on_a_plain_connection_that_opens_with_it() {
    let server = Server::start(echo(), Limits::default());
    let mut client = http2_to(&server).await;
    let (_, hello) = counted(5);
    let (status, body) = post(&mut client, "/", hello).await;
    assert_eq!((status, body), (StatusCode::OK, "HTTP/2.0 false 5".into()));
    // A refusal before the body's end is seen; the rest is swallowed, and no other stream suffers.
    let (taken, body) = counted(8 << 20);
    let (status, _) = post(&mut client, "/", body).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    eventually(|| taken.load(Ordering::Relaxed) == 8 << 20).await;
    let (_, nothing) = counted(0);
    let (status, body) = post(&mut client, "/", nothing).await;
    assert_eq!((status, body), (StatusCode::OK, "HTTP/2.0 false 0".into()));
    assert_eq!(server.stats.accepted(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_http2_request_that_takes_too_long_leaves_the_others_alone() {
    let limits = Limits { request_max: millis(300), ..Limits::default() };
    let server = Server::start(echo(), limits);
    let client = http2_to(&server).await;
    let (mut stuck, mut quick) = (client.clone(), client);
    let stuck = tokio::spawn(async move { post(&mut stuck, "/stuck", Full::<Bytes>::default()).await });
    assert_eq!(post(&mut quick, "/", Full::<Bytes>::default()).await.0, StatusCode::OK);
    assert_eq!(in_time(stuck).await.expect("no panic").0, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(post(&mut quick, "/", Full::<Bytes>::default()).await.0, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_http2_connection_is_told_to_go_and_closed() {
    let limits = Limits { idle_max: millis(300), ..Limits::default() };
    let server = Server::start(echo(), limits);
    let mut client = http2_to(&server).await;
    let began = Instant::now();
    assert_eq!(post(&mut client, "/", Full::<Bytes>::default()).await.0, StatusCode::OK);
    eventually(|| client.is_closed()).await;
    assert!(began.elapsed() >= millis(300));
    eventually(|| server.stats.open() == 0).await;
    assert_eq!(server.stats.ended(Reason::Idle), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_http2_client_that_opens_no_window_for_its_responses_is_cut_off() {
    let limits = Limits { send: Rate { bytes_per_second_min: 1024, grace: millis(300) }, ..Limits::default() };
    let service = service_fn(|_: Request<RequestBody>, _| async {
        let chunks = futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(Frame::data(Bytes::from(vec![b'x'; 4096]))));
        Response::new(ResponseBody::boxed(StreamBody::new(chunks)))
    });
    let server = Server::start(service, limits);
    let mut client = http2_to(&server).await;
    let request = Request::get("http://test/").body(Full::<Bytes>::default()).expect("a request");
    // The response is held and not read, so its window stays full.
    let _unread = in_time(client.send_request(request)).await.expect("a response");
    eventually(|| server.stats.open() == 0).await;
    assert_eq!(server.stats.ended(Reason::SlowReader), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_http2_body_has_to_arrive_in_time_as_well() {
    let mut limits = Limits::default();
    limits.body.rate.grace = millis(200);
    let server = Server::start(echo(), limits);
    let mut client = http2_to(&server).await;
    let stalled = StreamBody::new(futures_util::stream::pending::<Result<Frame<Bytes>, std::io::Error>>());
    let (status, body) = post(&mut client, "/", stalled).await;
    assert_eq!((status, body), (StatusCode::PAYLOAD_TOO_LARGE, "the body arrived too slowly".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn draining_lets_http2_streams_finish() {
    let limits = Limits { request_max: millis(500), ..Limits::default() };
    let stuck = Arc::new(Notify::new());
    let mut server = Server::start(echo_and_note(Arc::clone(&stuck)), limits);
    let mut client = http2_to(&server).await;
    let working = tokio::spawn(async move { post(&mut client, "/stuck", Full::<Bytes>::default()).await });
    in_time(stuck.notified()).await;
    server.stop();
    assert_eq!(in_time(working).await.expect("no panic").0, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(server.drained().await, Drained { aborted: 0 });
}

/// A listener with a certificate of its own, read from files, and a client that trusts just that.
fn tls() -> (ListenerSpec, rustls::ClientConfig) {
    let rcgen::CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let dir = tempfile::tempdir().expect("a folder");
    let (cert_file, key_file) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    std::fs::write(&cert_file, cert.pem()).expect("written");
    std::fs::write(&key_file, signing_key.serialize_pem()).expect("written");
    let spec = ListenerSpec { tls: Some(server::tls(&cert_file, &key_file).expect("a certificate and its key")), ..plain_spec() };
    let mut roots = rustls::RootCertStore::empty();
    roots.add(cert.der().clone()).expect("a root");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    (spec, client)
}

#[test]
fn files_that_hold_no_certificate_or_key_are_named() {
    let dir = tempfile::tempdir().expect("a folder");
    let (missing, empty) = (dir.path().join("missing.pem"), dir.path().join("empty.pem"));
    std::fs::write(&empty, "").expect("written");
    let message = |certificate, key| server::tls(certificate, key).expect_err("unusable").to_string();
    assert_eq!(message(&missing, &empty), format!("cannot read {}", missing.display()));
    assert_eq!(message(&empty, &missing), format!("{} does not hold what it should, in PEM", empty.display()));
}

async fn handshake(server: &Server, mut config: rustls::ClientConfig, protocols: &[&[u8]]) -> TlsStream<TcpStream> {
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    let name = ServerName::try_from("localhost").expect("a name");
    let tcp = TcpStream::connect(server.addr).await.expect("accepted");
    in_time(TlsConnector::from(Arc::new(config)).connect(name, tcp)).await.expect("a handshake")
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_serves_both_protocols_and_prefers_http2() {
    let (spec, config) = tls();
    let server = Server::start_spec(echo(), Limits::default(), spec);
    let stream = handshake(&server, config.clone(), &[b"http/1.1", b"h2"]).await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (_, body) = post(&mut http2(stream).await, "/", Full::<Bytes>::from("hello")).await;
    assert_eq!(body, "HTTP/2.0 true 5");
    for protocols in [&[&b"http/1.1"[..]][..], &[]] {
        let stream = handshake(&server, config.clone(), protocols).await;
        let (mut client, connection) = in_time(http1::handshake(TokioIo::new(stream))).await.expect("HTTP/1");
        tokio::spawn(connection);
        let request = Request::post("/").header("host", "test").body(Full::<Bytes>::from("hello"));
        let response = in_time(client.send_request(request.expect("a request"))).await.expect("a response");
        assert_eq!(response.version(), Version::HTTP_11);
        let body = in_time(response.into_body().collect()).await.expect("a body").to_bytes();
        assert_eq!(body, "HTTP/1.1 true 5");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_before_the_bodys_end_is_seen_through_tls() {
    let (spec, config) = tls();
    let mut limits = Limits::default();
    limits.body.bytes_max = 1000;
    let server = Server::start_spec(echo(), limits, spec);
    let mut stream = handshake(&server, config, &[]).await;
    let length = 8 << 20;
    let head = format!("POST / HTTP/1.1\r\nhost: test\r\ncontent-length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.expect("taken");
    in_time(stream.write_all(&vec![b'x'; length])).await.expect("discarded, not reset");
    let mut answer = Vec::new();
    in_time(stream.read_to_end(&mut answer)).await.expect("closed in order");
    assert!(answer.starts_with(b"HTTP/1.1 413"), "{}", String::from_utf8_lossy(&answer));
    assert!(answer.ends_with(b"longer than 1000 bytes"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_tls_client_is_closed_at_the_handshake_deadline() {
    let (spec, config) = tls();
    let limits = Limits { handshake_max: millis(300), head_max: Duration::from_secs(60), ..Limits::default() };
    let server = Server::start_spec(echo(), limits, spec);
    let began = Instant::now();
    let mut silent = server.connect().await;
    let mut stream = handshake(&server, config, &[]).await;
    silent.until_closed().await;
    assert!(began.elapsed() >= millis(300));
    assert_eq!(server.stats.ended(Reason::Handshake), 1);
    stream.write_all(b"GET / HTTP/1.1\r\nhost: test\r\n\r\n").await.expect("the other one lives");
    assert_eq!(in_time(stream.read_u8()).await.expect("a response"), b'H');
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgraded_connection_is_neither_idle_nor_forgotten() {
    let limits = Limits { head_max: millis(100), idle_max: millis(100), drain_max: millis(300), ..Limits::default() };
    let service = service_fn(|mut request: Request<RequestBody>, _| async move {
        let upgrade = hyper::upgrade::on(&mut request);
        tokio::spawn(async move {
            let mut upgraded = TokioIo::new(upgrade.await.expect("upgraded"));
            while let Ok(byte) = upgraded.read_u8().await {
                upgraded.write_u8(byte + 1).await.expect("taken");
            }
        });
        let mut response = Response::new(ResponseBody::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        response.headers_mut().insert("connection", "upgrade".parse().expect("a value"));
        response.headers_mut().insert("upgrade", "count".parse().expect("a value"));
        response
    });
    let mut server = Server::start(service, limits);
    let mut client = server.connect().await;
    client.send("GET / HTTP/1.1\r\nhost: test\r\nconnection: upgrade\r\nupgrade: count\r\n\r\n").await;
    assert_eq!(client.response().await.status, 101);
    for _ in 0..4 {
        // paced: longer than the idle limit in all.
        tokio::time::sleep(millis(100)).await;
        client.send([1]).await;
        assert_eq!(in_time(client.tcp.read_u8()).await.expect("a byte"), 2);
    }
    assert_eq!(server.stats.open(), 1);
    server.stop();
    client.until_closed().await;
    assert_eq!(server.drained().await, Drained { aborted: 1 });
}
