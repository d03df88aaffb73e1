//! Who may have a stream, how many, and what ends one.

use super::{Events, Socket, Stream, publish};
use crate::{
    http::{PATIENCE, get, post},
    refusal::refused,
    server::{Server, eventually},
};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Instant,
};
use tungstenite::Message;

#[test]
fn a_socket_says_who_it_is_by_its_first_message() {
    let server = Server::start();
    let (mut client, addr) = (server.gateway(), server.addr("gateway"));
    let ada = client.register("ada");
    let mut socket = Socket::ask(addr, &[]).unwrap_or_else(|_| panic!("anybody may ask"));
    socket.say(&json!({ "token": ada.token }));
    socket.expect("hello");
    let own = publish(&mut client, &ada, "public");
    socket.expect_post(&own);
    let never = "A".repeat(ada.token.len());
    for first in [json!({ "token": never }), json!({ "token": "nonsense" }), json!({ "subscribe": [] }), json!([])] {
        let mut socket = Socket::ask(addr, &[]).unwrap_or_else(|_| panic!("anybody may ask"));
        socket.say(&first);
        assert_eq!(socket.closed(), (4401, "unauthenticated".to_owned()), "{first}");
    }
    let (mut silent, asked) = (Socket::ask(addr, &[]).unwrap_or_else(|_| panic!("anybody may ask")), Instant::now());
    assert_eq!(silent.closed().0, 4401);
    assert!(asked.elapsed() < PATIENCE / 2, "it does not wait for long");
    assert_eq!(Socket::ask(addr, &[("authorization", "Bearer nonsense")]).map(drop).map_err(|(status, _)| status), Err(401));
}

#[test]
fn only_the_platforms_pages_open_a_socket_in_a_browser() {
    let server = Server::with(&["gateway.cors_origins=https://app.example"]);
    let (mut client, addr) = (server.gateway(), server.addr("gateway"));
    let ada = client.register("ada");
    let login = json!({ "email": "ada@example.org", "password": "a long password", "cookie": true });
    let origin = format!("http://localhost:{}", addr.port());
    let opened = client.call(&post("/api/user/login", login).header("origin", &origin));
    let cookie = opened.header("set-cookie").and_then(|cookie| cookie.split(';').next()).expect("a cookie").to_owned();
    let bearer = format!("Bearer {}", ada.token);
    for (headers, expected) in [
        (vec![("cookie", cookie.as_str()), ("origin", &origin)], Ok(())),
        (vec![("cookie", cookie.as_str()), ("origin", "https://app.example")], Ok(())),
        (vec![("cookie", cookie.as_str()), ("origin", "https://evil.example")], Err(403)),
        (vec![("cookie", cookie.as_str()), ("origin", "null")], Err(403)),
        (vec![("cookie", cookie.as_str())], Err(403)),
        (vec![("origin", "https://evil.example")], Err(403)),
        (vec![("authorization", &bearer), ("origin", "https://evil.example")], Err(403)),
        (vec![("authorization", &bearer)], Ok(())),
    ] {
        let asked = Socket::ask(addr, &headers).map(drop).map_err(|(status, body)| {
            assert!(body.contains("cross_site"), "{body}");
            status
        });
        assert_eq!(asked, expected, "{headers:?}");
    }
    refused(&client.call(&get("/api/live").by(&ada)), 400, "invalid_header");
    refused(&client.call(&get("/api/live/events")), 401, "unauthenticated");
    refused(&client.call(&get("/api/live/events?post=x").by(&ada)), 400, "invalid_query");
    refused(&client.call(&get("/api/live/nothing").by(&ada)), 404, "unknown_route");
}

#[test]
fn streams_are_bounded_and_places_are_free_again() {
    let server = Server::with(&["live.streams_max=3", "live.streams_per_person_max=2"]);
    let (mut client, addr) = (server.gateway(), server.addr("gateway"));
    let [ada, bob, eve] = ["ada", "bob", "eve"].map(|name| client.register(name));
    let first = Events::open(addr, &ada, "");
    let mut second = Socket::open(addr, &ada);
    refused(&client.call(&get("/api/live/events").by(&ada)), 409, "limit_reached");
    let mut late = Socket::ask(addr, &[]).unwrap_or_else(|_| panic!("there is room"));
    late.say(&json!({ "token": ada.token }));
    assert_eq!(late.closed(), (4409, "limit_reached".to_owned()));
    let _third = Events::open(addr, &bob, "");
    refused(&client.call(&get("/api/live/events").by(&eve)), 503, "overloaded");
    drop(first);
    eventually("a place is free", || client.call(&get("/api/live/events").by(&eve)).status == 200);
    // One stream tells of so many things, and says so.
    let id = publish(&mut client, &ada, "public");
    let posts: Vec<_> = (0..101).map(|_| json!({ "post": uuid::Uuid::now_v7() })).collect();
    for lot in posts.chunks(50) {
        second.say(&json!({ "subscribe": lot }));
        lot.iter().for_each(|_| drop(second.until("error")));
    }
    second.say(&json!({ "subscribe": [{ "post": id }] }));
    second.until("post.changed");
}

#[test]
fn garbage_ends_its_own_stream_at_most() {
    let server = Server::start();
    let (mut client, addr) = (server.gateway(), server.addr("gateway"));
    let ada = client.register("ada");
    let mut socket = Socket::open(addr, &ada);
    for garbage in ["", "{", "[]", "null", r#"{"subscribe":[{"user":"x"}]}"#, r#"{"token":"again"}"#, "\u{0}\u{1f600}"] {
        socket.socket.send(Message::text(garbage)).expect("sent");
        assert_eq!(socket.expect("error")["code"], "malformed_body", "{garbage}");
    }
    let own = publish(&mut client, &ada, "public");
    socket.expect_post(&own);
    socket.socket.send(Message::binary(vec![0; 100])).expect("sent");
    assert_eq!(socket.closed(), (1008, "garbage".to_owned()));
    let mut socket = Socket::open(addr, &ada);
    socket.socket.send(Message::text("x".repeat(9000))).expect("sent");
    assert_eq!(socket.closed().0, 1008);
    // Bytes that are no frames at all.
    for seed in 0..50_u8 {
        let mut socket = Socket::open(addr, &ada);
        let noise: Vec<u8> = (0..200_u8).map(|at| at.wrapping_mul(seed.wrapping_mul(37).wrapping_add(101)) ^ seed).collect();
        let wire: &mut TcpStream = socket.socket.get_mut();
        wire.write_all(&noise).expect("sent");
        wire.shutdown(std::net::Shutdown::Write).expect("a socket");
        let mut rest = Vec::new();
        // It may be reset, which ends it as well.
        let _ = wire.read_to_end(&mut rest);
    }
    let mut socket = Socket::open(addr, &ada);
    let own = publish(&mut client, &ada, "public");
    socket.expect_post(&own);
    let said = server.process.said().join("\n");
    assert!(!said.contains("panicked"), "{said}");
}

#[test]
fn a_client_that_gives_no_sign_of_life_is_ended() {
    let server = Server::with(&["live.ping_s=1"]);
    let (mut client, addr) = (server.gateway(), server.addr("gateway"));
    let ada = client.register("ada");
    // A socket that is read answers pings, and lives.
    let mut lively = Socket::open(addr, &ada);
    let mut silent = Socket::open(addr, &ada);
    let began = Instant::now();
    let wire = silent.socket.get_mut();
    wire.set_read_timeout(Some(PATIENCE)).expect("a socket");
    let mut rest = Vec::new();
    eventually("it is ended", || {
        assert!(lively.next(std::time::Duration::from_millis(100)).is_none(), "nothing is new");
        wire.set_read_timeout(Some(std::time::Duration::from_millis(10))).expect("a socket");
        let mut bytes = [0; 1024];
        match wire.read(&mut bytes) {
            Ok(0) => true,
            Ok(count) => {
                rest.extend(&bytes[..count]);
                false
            }
            Err(error) => !matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut),
        }
    });
    assert!(began.elapsed() < PATIENCE / 2 && String::from_utf8_lossy(&rest).contains(r#""reason":"slow""#));
    let own = publish(&mut client, &ada, "public");
    lively.expect_post(&own);
    let metrics = server.client("admin").call(&get("/metrics")).text();
    assert!(metrics.contains(r#"live_streams_ended_total{reason="slow"} 1"#), "{metrics}");
    assert!(metrics.contains(r#"live_streams{transport="websocket"} 1"#), "{metrics}");
}

#[test]
fn idle_streams_hold_no_place_of_requests() {
    let server = Server::with(&[
        "http.requests_in_flight_max=2",
        "http.keep_alive_idle_s=1",
        "http.request_timeout_s=5",
        "owner.request_deadline_ms=3000",
        "live.ping_s=3600",
    ]);
    let (mut client, addr) = (server.gateway(), server.addr("gateway"));
    let ada = client.register("ada");
    let mut streams: Vec<Box<dyn Stream>> = Vec::new();
    for _ in 0..4 {
        streams.push(Box::new(Events::open(addr, &ada, "")));
        streams.push(Box::new(Socket::open(addr, &ada)));
    }
    // Nor do they end as idle connections or long requests do.
    let began = Instant::now();
    let is_over = || began.elapsed() > std::time::Duration::from_secs(7);
    eventually("longer than a request may take", is_over);
    let own = publish(&mut server.gateway(), &ada, "public");
    streams.iter_mut().for_each(|stream| drop(stream.expect_post(&own)));
}

#[test]
fn a_node_that_stops_tells_its_clients_to_come_back() {
    let server = Server::with(&["http.drain_timeout_s=20"]);
    let (mut client, addr) = (server.gateway(), server.addr("gateway"));
    let ada = client.register("ada");
    let (mut events, mut socket) = (Events::open(addr, &ada, ""), Socket::open(addr, &ada));
    let asked = Instant::now();
    server.process.signal(Signal::TERM);
    let end: Value = events.until("end");
    assert_eq!(end["reason"], "restart");
    assert_eq!(socket.closed(), (1012, "restart".to_owned()));
    let (status, said) = server.process.ended();
    assert!(status.success() && asked.elapsed() < PATIENCE / 2, "{said}");
}

/// What an address names is looked at as what a message names is: for each a read is counted, and there is an end to it.
#[test]
fn what_an_address_asks_for_is_bounded_and_counted() {
    let server = Server::with(&["rate.read_per_s=1", "rate.read_burst=30"]);
    let mut client = server.gateway();
    let ada = client.register("ada");
    let events = |count: usize| {
        let ids: Vec<_> = (0..count).map(|id| format!("{id:032x}")).collect();
        format!("/api/live/events?post={}", ids.join(","))
    };
    assert_eq!(client.call(&get(events(101)).by(&ada)).ok(400)["code"], "invalid_query");
    // Nothing is looked at for a head alone.
    assert_eq!(client.call(&get(events(100)).by(&ada).method("HEAD")).status, 200);
    assert_eq!(client.call(&get(events(50)).by(&ada)).ok(429)["code"], "too_many_requests");
}

/// Each costs an answer.
#[test]
fn a_client_that_pings_without_end_is_ended() {
    let server = Server::start();
    let ada = server.gateway().register("ada");
    let mut socket = Socket::open(server.addr("gateway"), &ada);
    for _ in 0..200 {
        // It may be ended before the last one.
        let _ = socket.socket.write(Message::Ping(vec![0; 8].into()));
    }
    let _ = socket.socket.flush();
    assert_eq!(socket.closed(), (4429, "too_many_requests".to_owned()));
}
