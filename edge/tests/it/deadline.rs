//! Who is slow is cut off, at every stage, and nobody else notices.

use std::time::{Duration, Instant};

use bytes::Bytes;
use edge::server::{BodyLimits, Limits, Rate, RequestBody, ResponseBody, Service, service_fn};
use futures_util::future::join_all;
use http::{Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::StreamBody;
use tokio::io::AsyncWriteExt;

use crate::wire::{Client, Server, eventually, in_time, millis};
use edge::server::Reason;

/// Answers by what became of the request's body.
fn reading() -> impl Service {
    service_fn(|request: Request<RequestBody>, _| async {
        let (status, text) = match request.into_body().read_all().await {
            Ok(body) => (StatusCode::OK, format!("{} bytes", body.len())),
            Err(error) => (StatusCode::REQUEST_TIMEOUT, format!("{error:?}")),
        };
        let mut response = Response::new(ResponseBody::from(text));
        *response.status_mut() = status;
        response
    })
}

fn quick(head: u64) -> Limits {
    Limits { head_max: millis(head), ..Limits::default() }
}

fn body_limits(bytes_per_second_min: u32, grace: Duration, total_max: Duration) -> Limits {
    let rate = Rate { bytes_per_second_min, grace };
    Limits { body: BodyLimits { bytes_max: 1 << 20, rate, total_max }, ..Limits::default() }
}

/// Sends `bytes` one by one until all are sent or the server closes.
async fn dribble(client: &mut Client, bytes: &[u8], every: Duration) {
    for byte in bytes {
        // paced: this client is slow, that is its part.
        tokio::time::sleep(every).await;
        if client.tcp.write_all(&[*byte]).await.is_err() {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_half_a_head_and_a_dribbled_head_end_at_the_deadline() {
    let server = Server::start(reading(), quick(300));
    let began = Instant::now();
    let silent = async { server.connect().await.until_closed().await };
    let half = async {
        let mut client = server.connect().await;
        client.send("GET / HTTP/1.1\r\nhost: te").await;
        client.until_closed().await
    };
    let dribbled = async {
        let mut client = server.connect().await;
        let head = format!("GET / HTTP/1.1\r\nhost: {}\r\n\r\n", "a".repeat(1000));
        dribble(&mut client, head.as_bytes(), millis(20)).await;
        client.until_closed().await
    };
    let (silent, half, dribbled) = in_time(async { tokio::join!(silent, half, dribbled) }).await;
    assert!(silent.is_empty());
    for told in [half, dribbled] {
        assert!(told.is_empty() || told.starts_with(b"HTTP/1.1 408 "), "{}", String::from_utf8_lossy(&told));
    }
    let took = began.elapsed();
    assert!(took >= millis(300), "closed early, after {took:?}");
    assert!(took < millis(3000), "closed late, after {took:?}");
    assert_eq!(server.stats.ended(Reason::Head), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_second_head_ends_at_the_head_limit_and_an_idle_connection_at_its_own() {
    let limits = Limits { idle_max: millis(1500), ..quick(200) };
    let server = Server::start(reading(), limits);
    let (mut half, mut idle) = (server.connect().await, server.connect().await);
    assert_eq!(half.get("/").await.status, 200);
    assert_eq!(idle.get("/").await.status, 200);
    let began = Instant::now();
    half.send("GET / HT").await;
    half.until_closed().await;
    let half_took = began.elapsed();
    idle.until_closed().await;
    let idle_took = began.elapsed();
    assert!(half_took >= millis(200) && half_took < millis(1400), "half a head took {half_took:?}");
    assert!(idle_took >= millis(1450), "idle took {idle_took:?}");
    assert_eq!((server.stats.ended(Reason::Head), server.stats.ended(Reason::Idle)), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stalled_body_is_answered_and_cut_off_after_the_grace() {
    let server = Server::start(reading(), body_limits(1000, millis(300), Duration::from_secs(30)));
    let mut client = server.connect().await;
    let began = Instant::now();
    client.send("POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 100\r\n\r\nbegin").await;
    let response = client.response().await;
    assert_eq!((response.status, response.body.as_str()), (408, "TooSlow"));
    assert_eq!(response.header("connection"), Some("close"));
    assert!(began.elapsed() >= millis(300));
    client.until_closed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_below_the_rate_is_refused_and_one_above_is_read() {
    let server = Server::start(reading(), body_limits(200, millis(300), Duration::from_secs(30)));
    let post = "POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 60\r\n\r\n";
    let slow = async {
        let mut client = server.connect().await;
        client.send(post).await;
        dribble(&mut client, &[b'x'; 60], millis(25)).await;
        client.response().await
    };
    let steady = async {
        let mut client = server.connect().await;
        client.send(post).await;
        for _ in 0..6 {
            // paced: a client that takes its time, though not too much.
            tokio::time::sleep(millis(10)).await;
            client.send([b'x'; 10]).await;
        }
        client.response().await
    };
    let (slow, steady) = tokio::join!(slow, steady);
    assert_eq!((slow.status, slow.body.as_str()), (408, "TooSlow"));
    assert_eq!((steady.status, steady.body.as_str()), (200, "60 bytes"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_keeps_coming_still_has_to_end_in_time() {
    let server = Server::start(reading(), body_limits(1, Duration::from_secs(5), millis(400)));
    let mut client = server.connect().await;
    client.send("POST / HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n").await;
    let began = Instant::now();
    dribble(&mut client, "1\r\nx\r\n".repeat(20).as_bytes(), millis(10)).await;
    let response = client.response().await;
    assert_eq!((response.status, response.body.as_str()), (408, "Timeout { total_max: 400ms }"));
    assert!(began.elapsed() >= millis(390));
}

#[tokio::test(flavor = "multi_thread")]
async fn work_that_takes_too_long_is_answered_503_and_the_connection_lives_on() {
    let limits = Limits { request_max: millis(200), ..Limits::default() };
    let service = service_fn(|request: Request<RequestBody>, _| async move {
        if request.uri().path() == "/stuck" {
            std::future::pending::<()>().await;
        }
        Response::new(ResponseBody::from("done"))
    });
    let server = Server::start(service, limits);
    let mut client = server.connect().await;
    let began = Instant::now();
    let overdue = client.get("/stuck").await;
    assert_eq!((overdue.status, overdue.header("retry-after")), (503, Some("1")));
    assert!(began.elapsed() >= millis(200));
    assert_eq!(client.get("/").await.body, "done");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_take_its_response_is_cut_off() {
    let limits = Limits { send: Rate { bytes_per_second_min: 1024, grace: millis(300) }, ..Limits::default() };
    let large = Bytes::from(vec![b'x'; 32 << 20]);
    let service = service_fn(move |request: Request<RequestBody>, _| {
        let large = large.clone();
        async move {
            Response::new(match request.uri().path() {
                "/full" => ResponseBody::Full(large),
                _ => ResponseBody::boxed(StreamBody::new(futures_util::stream::repeat_with(move || {
                    Ok::<_, std::io::Error>(Frame::data(large.slice(..65536)))
                }))),
            })
        }
    });
    let server = Server::start(service, limits);
    let (mut full, mut streamed) = (server.connect().await, server.connect().await);
    full.send("GET /full HTTP/1.1\r\nhost: test\r\n\r\n").await;
    streamed.send("GET /streamed HTTP/1.1\r\nhost: test\r\n\r\n").await;
    let began = Instant::now();
    eventually(|| server.stats.ended(Reason::SlowReader) == 2).await;
    assert!(began.elapsed() >= millis(250));
    eventually(|| server.stats.open() == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_streamed_response_whose_source_is_quiet_is_not_idle() {
    let limits = Limits {
        idle_max: millis(100),
        send: Rate { bytes_per_second_min: 1024, grace: millis(100) },
        request_max: millis(100),
        ..quick(100)
    };
    let (events, mut source) = tokio::sync::mpsc::channel::<Bytes>(1);
    let source = futures_util::stream::poll_fn(move |cx| source.poll_recv(cx));
    let source = std::sync::Mutex::new(Some(source));
    let service = service_fn(move |_: Request<RequestBody>, _| {
        use futures_util::StreamExt;
        let source = source.lock().expect("unpoisoned").take().expect("one request");
        let frames = source.map(|event| Ok::<_, std::io::Error>(Frame::data(event)));
        std::future::ready(Response::new(ResponseBody::boxed(StreamBody::new(frames))))
    });
    let server = Server::start(service, limits);
    let mut client = server.connect().await;
    client.send("GET /events HTTP/1.0\r\nhost: test\r\n\r\n").await;
    events.send(Bytes::from_static(b"first,")).await.expect("taken");
    // paced: the source is quiet for several times each limit.
    tokio::time::sleep(millis(700)).await;
    events.send(Bytes::from_static(b"last")).await.expect("taken");
    drop(events);
    let all = client.until_closed().await;
    assert!(all.ends_with(b"first,last"), "{}", String::from_utf8_lossy(&all));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_slow_clients_are_closed_at_the_deadline_and_a_fast_one_does_not_notice() {
    const SLOW: usize = 1000;
    let server = Server::start(reading(), quick(2000));
    let mut fast = server.connect().await;
    assert_eq!(fast.get("/").await.status, 200);
    let mut slow = join_all((0..SLOW).map(|_| server.connect())).await;
    let began = Instant::now();
    for client in &mut slow {
        client.send("GET / HTTP/1.1\r\nhost:").await;
    }
    let mut slowest = Duration::ZERO;
    for _ in 0..200 {
        let asked = Instant::now();
        assert_eq!(fast.get("/").await.status, 200);
        slowest = slowest.max(asked.elapsed());
    }
    assert!(server.stats.open() > SLOW as u64 / 2, "the slow ones were there all the while");
    assert!(slowest < millis(500), "the fast client waited {slowest:?}");
    join_all(slow.iter_mut().map(Client::until_closed)).await;
    assert!(began.elapsed() < millis(8000), "the last slow one left after {:?}", began.elapsed());
    assert_eq!(server.stats.ended(Reason::Head), SLOW as u64);
    assert_eq!(fast.get("/").await.status, 200);
    eventually(|| server.stats.open() == 1).await;
}
