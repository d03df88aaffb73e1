//! A server under test, and clients that speak raw bytes to it.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use edge::server::{Drained, Limits, ListenerSpec, Reserved, Service, Stats};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Longer than anything here takes: a test that meets it hangs, and fails.
const PATIENCE: Duration = Duration::from_secs(20);

pub fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Ends a test that hangs.
pub async fn in_time<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.expect("done in time")
}

/// Waits until a condition holds that nothing announces.
pub async fn eventually(mut condition: impl FnMut() -> bool) {
    in_time(async {
        while !condition() {
            // paced: between two looks at what nothing announces.
            tokio::time::sleep(millis(2)).await;
        }
    })
    .await;
}

pub struct Server {
    pub addr: SocketAddr,
    pub stats: Arc<Stats>,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<Drained>,
}

impl Server {
    pub fn start<S: Service>(service: S, limits: Limits) -> Self {
        Self::start_spec(service, limits, plain_spec())
    }

    pub fn start_spec<S: Service>(service: S, limits: Limits, spec: ListenerSpec) -> Self {
        let bound = Reserved::take(vec![spec]).and_then(Reserved::listen).expect("a free port");
        let addr = bound.local_addrs().next().expect("one listener");
        let stats = bound.stats();
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(bound.serve(service, limits, async {
            let _ = stopped.await;
        }));
        Self { addr, stats, stop: Some(stop), serving }
    }

    pub async fn connect(&self) -> Client {
        Client::connect(self.addr).await
    }

    /// Tells the server to drain.
    pub fn stop(&mut self) {
        let stop = self.stop.take().expect("stopped once");
        stop.send(()).expect("still serving");
    }

    pub async fn drained(self) -> Drained {
        in_time(self.serving).await.expect("served without a panic")
    }

    /// Drops the serving future without a drain.
    pub fn abort(self) {
        self.serving.abort();
    }
}

pub fn plain_spec() -> ListenerSpec {
    ListenerSpec { name: "test".into(), addr: ([127, 0, 0, 1], 0).into(), connections_max: 4096, tls: None }
}

pub struct Client {
    pub tcp: TcpStream,
}

impl Client {
    pub async fn connect(addr: SocketAddr) -> Self {
        let tcp = in_time(TcpStream::connect(addr)).await.expect("accepted");
        Self { tcp }
    }

    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        in_time(self.tcp.write_all(bytes.as_ref())).await.expect("the server takes input");
    }

    /// Reads one response with a declared length.
    pub async fn response(&mut self) -> Response {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let byte = in_time(self.tcp.read_u8()).await.expect("a response's head");
            head.push(byte);
        }
        let mut response = Response::parse(&head);
        let length = response.header("content-length").map_or(0, |length| length.parse().expect("a length"));
        let mut body = vec![0; length];
        in_time(self.tcp.read_exact(&mut body)).await.expect("a response's body");
        response.body = String::from_utf8(body).expect("text");
        response
    }

    /// Sends a request without a body and reads its response.
    pub async fn get(&mut self, path: &str) -> Response {
        self.send(format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n")).await;
        self.response().await
    }

    /// Reads what the server still sends until it closes, orderly or not.
    pub async fn until_closed(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        let _ = in_time(self.tcp.read_to_end(&mut rest)).await;
        rest
    }
}

#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Response {
    pub fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n").expect("a whole head");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        Self { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
    }
}
