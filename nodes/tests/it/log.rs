//! What the log says: one object a line, by names that whoever takes logs knows, and nothing that people write or keep secret.

use crate::{
    http::{Request, get, post, put, text},
    server::{Server, eventually},
};
use serde_json::{Map, Value, json};
use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

/// Of the Elastic Common Schema 8.11, what is said.
const SCHEMA: [&str; 15] = [
    "@timestamp",
    "ecs.version",
    "error.message",
    "error.stack_trace",
    "error.type",
    "event.duration",
    "http.request.method",
    "http.response.status_code",
    "log.level",
    "log.logger",
    "message",
    "service.name",
    "service.version",
    "span.id",
    "trace.id",
];
/// Of OpenTelemetry's conventions, where the schema has no name: the route, and what a database was asked.
const CONVENTIONS: [&str; 2] = ["http.route", "db."];
/// Whose.
const EMAIL: &str = "ada@example.org";
/// What has a name of ours.
const OURS: &str = "lets_connect.";

fn lines(server: &Server) -> Vec<Map<String, Value>> {
    let said = server.process.said();
    said.iter().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no object: {line}"))).collect()
}

#[test]
fn every_line_is_an_object_with_known_names_and_tells_nothing_of_what_people_write() {
    let server = Server::with(&["log.filter=debug"]);
    let mut client = server.gateway();
    let ada = client.register("ada");
    let bio = json!({ "bio": "Poetical science." });
    client.call(&put(format!("/api/user/profile/{}", ada.id), bio).by(&ada)).ok(200);
    client.call(&post("/api/content/posts", json!({ "content": "Analytical engine" })).by(&ada)).ok(201);
    client.call(&get("/api/user/search?q=ada")).ok(200);
    client.call(&post("/api/user/login", json!({ "email": EMAIL, "password": "wrong and secret" }))).ok(401);

    let lines = lines(&server);
    assert!(lines.len() > 10, "{lines:#?}");
    let is_known = |name: &str| SCHEMA.contains(&name) || name.starts_with(OURS) || CONVENTIONS.iter().any(|known| name.starts_with(known));
    for line in &lines {
        for must in ["@timestamp", "log.level", "message", "ecs.version", "service.name", "service.version", "log.logger"] {
            assert!(line[must].is_string(), "{must} of {line:?}");
        }
        let unknown: Vec<_> = line.keys().filter(|name| !is_known(name)).collect();
        assert!(unknown.is_empty(), "{unknown:?} in {line:?}");
        let written = Value::from(line.clone()).to_string();
        for secret in ["Poetical", "Analytical", "wrong and secret", &ada.token, EMAIL] {
            assert!(!written.contains(secret), "{secret} in {written}");
        }
    }
}

/// With the client's id, or with one that refusals tell, its lines are found.
#[test]
fn an_operator_hears_of_each_request_by_its_trace_for_as_long_as_it_is_asked_for() {
    let server = Server::start();
    let (mut client, mut admin) = (server.gateway(), server.client("admin"));
    let answered = || lines(&server).into_iter().filter(|line| line["message"] == "answered").collect::<Vec<_>>();
    client.call(&get("/api/content/posts/search?q=quiet")).ok(200);
    assert!(answered().is_empty(), "nobody asked for it");

    let filter = admin.call(&Request::new("PUT", "/log?filter=info,edge::access=debug")).ok(200);
    assert!(text(&filter["filter"]).contains("edge::access=debug"), "{filter}");
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let traceparent = format!("00-{trace}-00f067aa0ba902b7-00");
    client.call(&get("/api/content/posts/search?q=loud").header("traceparent", &traceparent)).ok(200);
    eventually("the line is there", || !answered().is_empty());
    let line = &answered()[0];
    assert_eq!((&line["trace.id"], &line["http.request.method"]), (&json!(trace), &json!("GET")), "{line:?}");
    assert_eq!((&line["http.route"], &line["http.response.status_code"]), (&json!("/api/content/posts/search"), &json!(200)), "{line:?}");
    assert!(line["event.duration"].as_u64().is_some_and(|nanoseconds| nanoseconds > 1000), "{line:?}");

    admin.call(&Request::new("PUT", "/log?filter=info")).ok(200);
    client.call(&get("/api/content/posts/search?q=quiet")).ok(200);
    assert_eq!(answered().len(), 1);
}

#[test]
fn what_is_logged_is_changed_by_tools_alone_and_only_to_what_is_a_filter() {
    let server = Server::with(&["listen.admin_token=s3cret-s3cret-s3cret-s3cret-s3cret"]);
    let mut admin = server.client("admin");
    let change = |filter: &str| Request::new("PUT", format!("/log?filter={filter}")).token("s3cret-s3cret-s3cret-s3cret-s3cret");
    admin.call(&Request::new("PUT", "/log?filter=trace")).ok(401);
    admin.call(&change("debug").header("origin", "http://localhost:8010")).ok(403);
    let refused = admin.call(&change("edge=loud")).ok(400);
    assert!(text(&refused["detail"]).contains("a level (error, warn"), "{refused}");
    admin.call(&Request::new("PUT", "/log").token("s3cret-s3cret-s3cret-s3cret-s3cret")).ok(400);
    let filter = admin.call(&get("/log").token("s3cret-s3cret-s3cret-s3cret-s3cret")).ok(200);
    assert_eq!(text(&filter["filter"]), "info", "nothing of it was done");
    server.gateway().call(&Request::new("PUT", "/log?filter=trace")).ok(404);
}

/// Under load, where the time goes is seen by the names of what works; and nobody has it done by a page that an operator looks at.
#[test]
fn an_operator_sees_where_the_time_goes() {
    let server = Server::start();
    let mut admin = server.client("admin");
    for refused in ["?seconds=0", "?seconds=600", "?seconds=soon"] {
        admin.call(&get(format!("/profile/cpu{refused}"))).ok(400);
    }
    admin.call(&get("/profile/cpu?seconds=1").header("origin", "http://localhost:8010")).ok(403);
    let until = AtomicBool::new(false);
    let profile = thread::scope(|scope| {
        scope.spawn(|| {
            let mut client = server.gateway();
            while !until.load(Ordering::Relaxed) {
                client.call(&get("/api/content/posts/search?q=engine")).ok(200);
            }
        });
        let profile = admin.call(&get("/profile/cpu?seconds=2"));
        until.store(true, Ordering::Relaxed);
        profile
    });
    assert_eq!(profile.status, 200, "{profile}");
    let stacks = profile.text();
    let is_a_stack = |line: &str| line.rsplit_once(' ').is_some_and(|(stack, count)| stack.contains(';') && count.parse::<u64>().is_ok());
    assert!(stacks.lines().all(is_a_stack), "{stacks}");
    assert!(stacks.lines().any(|line| line.starts_with("worker;") && line.contains("edge::")), "{stacks}");
}
