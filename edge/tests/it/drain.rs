//! Capacity, and the end of a server.

use std::sync::Arc;
use std::time::{Duration, Instant};

use edge::server::{Drained, Limits, ListenerSpec, Reason, RequestBody, Reserved, ResponseBody, Service, service_fn};
use http::{Request, Response};
use tokio::net::TcpStream;
use tokio::sync::{Notify, Semaphore};

use crate::wire::{Server, eventually, in_time, millis, plain_spec};

/// Work that begins when it is asked for and ends when the test says so; `/now` does not wait.
#[derive(Clone)]
struct Gate {
    begun: Arc<Notify>,
    open: Arc<Semaphore>,
}

impl Gate {
    fn new() -> Self {
        Self { begun: Arc::default(), open: Arc::new(Semaphore::new(0)) }
    }

    fn service(&self) -> impl Service {
        let gate = self.clone();
        service_fn(move |request: Request<RequestBody>, _| {
            let gate = gate.clone();
            async move {
                if request.uri().path() != "/now" {
                    gate.begun.notify_one();
                    gate.open.acquire().await.expect("never closed").forget();
                }
                Response::new(ResponseBody::from("done"))
            }
        })
    }
}

fn drain_max(drain_max: Duration) -> Limits {
    Limits { drain_max, ..Limits::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_beyond_the_cap_is_told_so_and_served_once_there_is_room() {
    let spec = ListenerSpec { connections_max: 2, ..plain_spec() };
    let server = Server::start_spec(Gate::new().service(), Limits::default(), spec);
    let (mut first, mut second) = (server.connect().await, server.connect().await);
    assert_eq!(first.get("/now").await.status, 200);
    assert_eq!(second.get("/now").await.status, 200);
    let mut third = server.connect().await;
    let refusal = third.response().await;
    assert_eq!((refusal.status, refusal.header("retry-after")), (503, Some("1")));
    third.until_closed().await;
    assert_eq!((server.stats.refused(), server.stats.accepted()), (1, 2));
    drop(first);
    eventually(|| server.stats.open() == 1).await;
    assert_eq!(server.connect().await.get("/now").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn draining_finishes_what_is_in_flight_and_closes_the_rest() {
    let gate = Gate::new();
    let mut server = Server::start(gate.service(), drain_max(Duration::from_secs(15)));
    let (mut busy, mut idle) = (server.connect().await, server.connect().await);
    assert_eq!(idle.get("/now").await.header("connection"), None);
    busy.send("GET /slow HTTP/1.1\r\nhost: test\r\n\r\n").await;
    in_time(gate.begun.notified()).await;
    server.stop();
    idle.until_closed().await;
    eventually(|| server.stats.open() == 1).await;
    let refused = in_time(TcpStream::connect(server.addr)).await;
    assert_eq!(refused.expect_err("no listener").kind(), std::io::ErrorKind::ConnectionRefused);
    gate.open.add_permits(1);
    let response = busy.response().await;
    assert_eq!((response.status, response.header("connection")), (200, Some("close")));
    assert_eq!(server.drained().await, Drained { aborted: 0 });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_on_its_way_when_the_drain_begins_is_still_answered() {
    let mut server = Server::start(Gate::new().service(), drain_max(Duration::from_secs(15)));
    let mut fresh = server.connect().await;
    let mut half = server.connect().await;
    half.send("GET /now HTTP/1.1\r\n").await;
    eventually(|| server.stats.accepted() == 2).await;
    server.stop();
    eventually(|| std::net::TcpStream::connect(server.addr).is_err()).await;
    for (client, rest) in [(&mut fresh, "GET /now HTTP/1.1\r\nhost: test\r\n\r\n"), (&mut half, "host: test\r\n\r\n")] {
        client.send(rest).await;
        let response = client.response().await;
        assert_eq!((response.status, response.header("connection")), (200, Some("close")));
    }
    assert_eq!(server.drained().await, Drained { aborted: 0 });
}

#[tokio::test(flavor = "multi_thread")]
async fn until_it_drains_whoever_asks_is_answered_and_asked_to_go() {
    let mut server = Server::start(Gate::new().service(), Limits { farewell: millis(1_000), ..Limits::default() });
    let (mut known, mut idle) = (server.connect().await, server.connect().await);
    assert_eq!(known.get("/now").await.header("connection"), None);
    assert_eq!(idle.get("/now").await.header("connection"), None);
    server.stop();
    let mut asked = 0;
    while let Ok(tcp) = std::net::TcpStream::connect(server.addr) {
        drop(tcp);
        let response = server.connect().await.get("/now").await;
        assert_eq!(response.status, 200);
        asked += usize::from(response.header("connection") == Some("close"));
        if asked == 1 {
            let response = known.get("/now").await;
            assert_eq!((response.status, response.header("connection")), (200, Some("close")));
            known.until_closed().await;
        }
        if asked > 3 {
            break;
        }
    }
    assert!(asked > 3, "it goes on for a while");
    // Who asks nothing is not cut off before the drain.
    idle.until_closed().await;
    assert_eq!(server.drained().await, Drained { aborted: 0 });
}

#[tokio::test(flavor = "multi_thread")]
async fn draining_aborts_at_the_deadline_what_does_not_finish() {
    let gate = Gate::new();
    let mut server = Server::start(gate.service(), drain_max(millis(400)));
    let mut busy = server.connect().await;
    busy.send("GET /slow HTTP/1.1\r\nhost: test\r\n\r\n").await;
    in_time(gate.begun.notified()).await;
    let began = Instant::now();
    server.stop();
    assert!(busy.until_closed().await.is_empty(), "no answer");
    assert!(began.elapsed() >= millis(400));
    let stats = Arc::clone(&server.stats);
    assert_eq!(server.drained().await, Drained { aborted: 1 });
    assert_eq!((stats.open(), stats.ended(Reason::Drain)), (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_never_asked_does_not_hold_up_the_drain() {
    let mut server = Server::start(Gate::new().service(), drain_max(Duration::from_secs(15)));
    let mut silent = server.connect().await;
    eventually(|| server.stats.accepted() == 1).await;
    let began = Instant::now();
    server.stop();
    silent.until_closed().await;
    assert_eq!(server.drained().await, Drained { aborted: 0 });
    assert!(began.elapsed() < Duration::from_secs(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_dropped_leaves_no_connection_behind() {
    let gate = Gate::new();
    let server = Server::start(gate.service(), Limits::default());
    let mut busy = server.connect().await;
    busy.send("GET /slow HTTP/1.1\r\nhost: test\r\n\r\n").await;
    in_time(gate.begun.notified()).await;
    let stats = Arc::clone(&server.stats);
    server.abort();
    busy.until_closed().await;
    eventually(|| stats.open() == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_reserved_refuses_whoever_comes_before_it_listens() {
    let reserved = Reserved::take(vec![plain_spec()]).expect("a free port");
    let addr = reserved.local_addrs().next().expect("one");
    assert_eq!(TcpStream::connect(addr).await.expect_err("nobody listens").kind(), std::io::ErrorKind::ConnectionRefused);
    let bound = reserved.listen().expect("it is ours");
    assert!(TcpStream::connect(addr).await.is_ok());
    assert_eq!(bound.local_addrs().collect::<Vec<_>>(), [addr]);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_listeners_are_bound_or_none_and_each_tells_its_place() {
    let service =
        service_fn(
            |_: Request<RequestBody>, peer| async move { Response::new(ResponseBody::from(format!("{} {}", peer.listener, peer.tls))) },
        );
    let bound = Reserved::take(vec![plain_spec(), plain_spec()]).and_then(Reserved::listen).expect("free ports");
    let addrs: Vec<_> = bound.local_addrs().collect();
    // Bound and not served: connections queue, none is answered.
    let mut early = crate::wire::Client::connect(addrs[1]).await;
    early.send("GET / HTTP/1.1\r\nhost: test\r\n\r\n").await;
    let taken = ListenerSpec { name: "user".into(), addr: addrs[0], ..plain_spec() };
    let error = Reserved::take(vec![plain_spec(), taken]).and_then(Reserved::listen).expect_err("the port is taken");
    assert_eq!(error.to_string(), format!("cannot listen on {} for user", addrs[0]));
    let serving = tokio::spawn(bound.serve(service, Limits::default(), std::future::pending()));
    assert_eq!(early.response().await.body, "1 false");
    assert_eq!(crate::wire::Client::connect(addrs[0]).await.get("/").await.body, "0 false");
    serving.abort();
}
