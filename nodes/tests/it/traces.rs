//! Traces, as what takes OTLP is told of them: one request is one tree, over as many nodes as work on it, down to the statements.

use crate::{
    cluster::{Cluster, count, owns},
    http::{Request, get, post, put, text},
    server::{Server, eventually},
};
use serde_json::json;
use std::net::TcpListener;
use testbed::otlp::{Collector, Span};

/// A request that comes with a trace of its caller's.
fn in_trace(request: Request, trace: &str, flags: &str) -> Request {
    request.header("traceparent", &format!("00-{trace}-00f067aa0ba902b7-{flags}"))
}

/// The span of that name, and the names of those that it is within, from the outside in.
fn path_to<'s>(spans: &'s [Span], found: &'s Span) -> Vec<&'s str> {
    let mut path = vec![&*found.name];
    let mut at = found;
    while let Some(parent) = spans.iter().find(|span| span.id == at.parent) {
        path.insert(0, &parent.name);
        at = parent;
    }
    path
}

/// Whether the whole way is there, so that the outermost span's parent is the caller's.
fn is_whole(spans: &[Span]) -> bool {
    let is_known = |span: &Span| span.parent == "00f067aa0ba902b7" || spans.iter().any(|other| other.id == span.parent);
    !spans.is_empty() && spans.iter().any(|span| span.name.contains(" /api/")) && spans.iter().all(is_known)
}

fn has_statement(spans: &[Span], words: &str) -> bool {
    spans.iter().any(|span| span.attributes.get("db.query.text").is_some_and(|sql| sql.contains(words)))
}

#[test]
fn a_request_over_two_nodes_is_one_tree_with_its_statements() {
    let collector = Collector::start(None);
    let url = format!("traces.url=grpc://{}", collector.grpc());
    let cluster = Cluster::with(2, &[&url, "traces.one_in=0", "traces.trust_proxies=true", "http.trusted_proxies=127.0.0.1"]);
    let mut edges = cluster.edges();
    let ada = edges[0].register("ada");
    let profile = format!("/api/user/profile/{}", ada.id);
    // Whoever asks the node that does not own her goes through the one that does.
    let elsewhere = usize::from(owns(&cluster.nodes[0], "user", &ada.id));
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let change = in_trace(put(&profile, json!({ "bio": "Poetical science, 1843." })).by(&ada), trace, "01");
    let changed = edges[elsewhere].call(&change);
    let response = changed.header("traceresponse").expect("the client learns what was taken").to_owned();
    changed.ok(200);
    assert!(response.starts_with(&format!("00-{trace}-")) && response.ends_with("-01"), "{response}");

    let spans = collector.wait(trace, |spans| is_whole(spans) && has_statement(spans, "UPDATE person"));
    let update = spans.iter().find(|span| has_statement(std::slice::from_ref(span), "UPDATE person")).expect("it was waited for");
    let path = path_to(&spans, update);
    let expected = ["PUT /api/user/profile/:userId", "ask write user", "serve write user", "write user", "commit", "commit users"];
    assert_eq!(path, expected, "{spans:#?}");
    let node = |span: &Span| span.resource["service.instance.id"].clone();
    let outermost = spans.iter().find(|span| span.name == expected[0]).expect("it is on the path");
    assert_ne!(node(outermost), node(update), "the statement was sent by the owner's node");
    assert_eq!(outermost.parent, "00f067aa0ba902b7", "it is part of the caller's");
    assert_eq!(outermost.attributes["http.response.status_code"], "200");
    let told: Vec<_> = spans.iter().flat_map(|span| span.attributes.values()).collect();
    assert!(told.iter().all(|value| !value.contains("Poetical")), "what people write is not told: {told:#?}");
}

#[test]
fn one_node_tells_over_http_of_what_memory_answers_and_of_what_it_does_not() {
    let collector = Collector::start(Some("s3cret"));
    let url = format!("traces.url=http://s3cret@{}", collector.http());
    let server = Server::with(&[&url, "traces.one_in=1"]);
    let mut client = server.gateway();
    let ada = client.register("ada");
    let profile = format!("/api/user/profile/{}", ada.id);
    client.call(&get(&profile)).ok(200);
    let (warm, trace) = (client.call(&get(&profile)), |response: &str| response[3..35].to_owned());
    let warm = trace(warm.header("traceresponse").expect("it is taken"));
    let spans = collector.wait(&warm, |spans| !spans.is_empty());
    assert_eq!(spans.len(), 1, "memory answers, and nobody is asked: {spans:#?}");
    assert!(spans[0].parent.is_empty() && spans[0].name == "GET /api/user/profile/:userId");

    let written = client.call(&post("/api/content/posts", json!({ "content": "Hello" })).by(&ada));
    let written = trace(written.header("traceresponse").expect("it is taken"));
    let is_written =
        |spans: &[Span]| spans.iter().any(|span| span.name == "commit content") && spans.iter().any(|span| span.parent.is_empty());
    let spans = collector.wait(&written, is_written);
    let commit = spans.iter().find(|span| span.name == "commit content").expect("it was waited for");
    assert_eq!(path_to(&spans, commit), ["POST /api/content/posts", "write timeline", "commit", "commit content"]);
    assert_eq!(commit.attributes["db.system.name"], "sqlite");
}

#[test]
fn a_stranger_cannot_have_traces_taken_and_still_finds_its_own_id() {
    let collector = Collector::start(None);
    let url = format!("traces.url=grpc://{}", collector.grpc());
    // A proxy is trusted for addresses, and passes on what its clients say.
    let server = Server::with(&[&url, "traces.one_in=0", "http.trusted_proxies=127.0.0.1"]);
    let mut client = server.gateway();
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let refused = client.call(&in_trace(get("/api/user/profile/00000000-0000-4000-8000-000000000000"), trace, "01"));
    assert!(refused.header("traceresponse").is_none());
    assert_eq!(text(&refused.ok(404)["traceId"]), trace);
    server.stop();
    assert!(collector.spans().is_empty(), "what was left to send was sent when it ended: {:#?}", collector.spans());
}

#[test]
fn a_refusal_for_want_of_room_tells_the_id_of_the_trace_that_is_taken() {
    let collector = Collector::start(None);
    let url = format!("traces.url=grpc://{}", collector.grpc());
    let server = Server::with(&[&url, "traces.one_in=1", "http.requests_in_flight_max=1"]);
    let (mut busy, mut other) = (server.gateway(), server.gateway());
    let ada = busy.register("ada");
    let request = post("/api/content/posts", json!({ "content": "Hello" })).by(&ada);
    let waiting = request.clone().header("expect", "100-continue");
    busy.send(waiting.head().as_bytes()).expect("sent");
    assert_eq!(busy.interim().expect("in work"), 100);
    let refused = other.call(&request);
    let response = refused.header("traceresponse").expect("it is taken").to_owned();
    let trace = text(&refused.ok(503)["traceId"]);
    assert_eq!(response[3..35], trace);
    let spans = collector.wait(&trace, |spans| !spans.is_empty());
    assert_eq!(spans[0].attributes["http.response.status_code"], "503");
    busy.send(waiting.body()).expect("sent");
    busy.answer("POST").expect("an answer").ok(201);
}

/// A collector that is away, or does not know the token, costs no request anything; what is lost is counted and told once.
#[test]
fn what_nobody_takes_is_lost_and_counted() {
    let collector = Collector::start(Some("s3cret"));
    let url = format!("traces.url=grpc://wrong@{}", collector.grpc());
    let server = Server::with(&[&url, "traces.one_in=1"]);
    let mut client = server.gateway();
    client.register("ada");
    eventually("what is lost is counted", || count(&server, "traces_spans_lost_total", "") > 0);
    assert_eq!(count(&server, "traces_spans_sent_total", ""), 0);
    assert!(collector.spans().is_empty());
    let told = server.process.said().iter().filter(|line| line.contains("traces are not taken")).count();
    assert_eq!(told, 1, "it is told once");
}

/// One that takes connections and never answers is no better than one that is away.
#[test]
fn a_collector_that_hangs_is_given_up_and_what_has_no_room_meanwhile_is_counted() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    for scheme in ["http", "grpc"] {
        let url = format!("traces.url={scheme}://{}", listener.local_addr().expect("an address"));
        let server = Server::with(&[&url, "traces.one_in=1", "traces.timeout_ms=200", "traces.queue_max=512"]);
        let mut client = server.gateway();
        let ada = client.register("ada");
        for _ in 0..1500 {
            client.call(&get(format!("/api/user/profile/{}", ada.id))).ok(200);
        }
        eventually("what was not taken is counted", || count(&server, "traces_spans_lost_total", "") >= 1500);
        assert!(server.process.said().iter().any(|line| line.contains("traces are not taken")), "it is told");
    }
}
