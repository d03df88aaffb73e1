//! Clients that take their time do not take it from others.

use crate::{
    http::{Client, get, post, put},
    server::{Server, server_of},
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;
use std::{
    io::{Read, Write},
    net::TcpStream,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

const SLOW: usize = 1000;
const HEADER_TIMEOUT: Duration = Duration::from_secs(1);

/// Lets this process open so many files.
fn allow_files(count: u64) {
    let limit = getrlimit(Resource::Nofile);
    assert!(limit.maximum.is_none_or(|maximum| maximum >= count), "the test needs {count} open files: raise `ulimit -Hn`");
    if limit.current.is_some_and(|current| current < count) {
        setrlimit(Resource::Nofile, Rlimit { current: Some(count), maximum: limit.maximum }).expect("within the hard limit");
    }
}

/// Opens connections that send half a head, and says when each began.
fn half_heads(server: &Server, count: usize) -> Vec<(TcpStream, Instant)> {
    let open = |_| {
        let mut slow = TcpStream::connect(server.addr("gateway")).expect("accepted");
        let began = Instant::now();
        slow.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\nx-slow: ").expect("taken");
        slow.set_read_timeout(Some(crate::http::PATIENCE)).expect("a socket");
        (slow, began)
    };
    (0..count).map(open).collect()
}

/// Reads and writes, over and over, until told to stop; gives how often, and the longest that an answer took.
fn ordinary_client(mut client: Client, stop: Arc<AtomicBool>) -> thread::JoinHandle<(usize, Duration)> {
    let ada = client.register("ada");
    thread::spawn(move || {
        let (mut count, mut longest) = (0, Duration::ZERO);
        while !stop.load(Ordering::Relaxed) {
            let began = Instant::now();
            client.call(&get(format!("/api/user/profile/{}", ada.id))).ok(200);
            client.call(&put(format!("/api/user/profile/{}", ada.id), json!({"bio": "x"})).by(&ada)).ok(200);
            (count, longest) = (count + 2, longest.max(began.elapsed()));
        }
        (count, longest)
    })
}

#[test]
fn a_thousand_half_requests_are_let_go_and_hold_up_nobody() {
    allow_files(4096);
    let server = Server::with(&["http.header_timeout_s=1"]);
    let stop = Arc::new(AtomicBool::new(false));
    let ordinary = ordinary_client(server.gateway(), stop.clone());
    let slow = half_heads(&server, SLOW);
    for (mut slow, began) in slow {
        let mut rest = Vec::new();
        if let Err(error) = slow.read_to_end(&mut rest) {
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}");
        }
        assert!(rest.is_empty() || rest.starts_with(b"HTTP/1.1 408 "), "{}", String::from_utf8_lossy(&rest));
        let lived = began.elapsed();
        // Connections are looked at every eighth of the limit; the rest is for a busy machine.
        assert!(lived >= HEADER_TIMEOUT - Duration::from_millis(50) && lived < 4 * HEADER_TIMEOUT, "{lived:?}");
    }
    stop.store(true, Ordering::Relaxed);
    let (count, longest) = ordinary.join().expect("every request was answered");
    assert!(count >= 10 && longest < Duration::from_secs(3), "{count} requests, the longest pair in {longest:?}");
    let metrics = server.client("admin").call(&get("/metrics")).text();
    assert!(metrics.contains(&format!("http_connections_ended_total{{reason=\"head\"}} {SLOW}\n")), "{metrics}");
}

/// A shell allows 256 or 1024 open files as a rule, and more on request: the server asks.
#[test]
fn connections_are_not_bounded_by_the_shells_default() {
    const SOFT: usize = 256;
    allow_files(4096);
    let directory = TempDir::new().expect("a directory");
    let server = server_of(directory.path(), &["http.header_timeout_s=30"]);
    let mut limited = Command::new("bash");
    limited
        .current_dir(directory.path())
        .arg("-c")
        .arg(format!("ulimit -Sn {SOFT} && exec \"$0\" \"$@\""))
        .arg(server.get_program())
        .args(server.get_args());
    limited.stderr(std::process::Stdio::piped());
    let server = Server::spawn(limited, directory);
    let slow = half_heads(&server, 2 * SOFT);
    server.gateway().call(&get("/health")).ok(200);
    drop(slow);
}

/// The time that a write has at its owner begins when it was read, however slowly it came.
#[test]
fn a_slow_body_costs_a_request_none_of_its_time() {
    let server = Server::with(&["owner.request_deadline_ms=1000"]);
    let mut client = server.gateway();
    let ada = client.register("ada");
    let request = post("/api/content/posts", json!({"content": "word by word"})).by(&ada).header("expect", "100-continue");
    client.send(request.head().as_bytes()).expect("sent");
    assert_eq!(client.interim().expect("in work"), 100);
    let (first, rest) = request.body().split_at(10);
    client.send(first).expect("sent");
    assert!(client.is_silent_for(Duration::from_millis(1300)), "the server waits");
    client.send(rest).expect("sent");
    client.answer("POST").expect("an answer").ok(201);
}
