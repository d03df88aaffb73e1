//! An owner actor that panics, or hangs: who notices, and what it costs. These need a build with deliberate defects (`--features sabotage`).

use crate::{
    http::{Client, Person, get, post, put, text},
    refusal::refused,
    server::{Server, eventually},
    store::{Data, Store, on_both_stores},
};
use serde_json::json;
use std::time::{Duration, Instant};

on_both_stores! {
    a_panic_costs_the_request_that_caused_it_and_nothing_else,
    beyond_the_restarts_that_are_borne_the_process_says_that_it_is_ill_and_keeps_what_it_acknowledged,
    a_runtime_whose_threads_are_blocked_answers_no_probe,
    an_owner_that_hangs_fails_liveness_while_the_rest_is_served,
}

fn start(data: Data, settings: &[&str]) -> Server {
    let mut command = data.server(settings);
    command.env("LETS_CONNECT_SABOTAGE", "panic-on-word,hang-on-word");
    Server::spawn(command, data)
}

/// Has the owner of a person's profile panic.
#[track_caller]
fn panic(client: &mut Client, person: &Person) {
    let began = Instant::now();
    let request = put(format!("/api/user/profile/{}", person.id), json!({"bio": "sabotage-panic"})).by(person);
    refused(&client.call(&request), 503, "outcome_unknown");
    assert!(began.elapsed() < Duration::from_secs(3), "at once, not at the deadline of 6 s: {:?}", began.elapsed());
}

/// Waits until the tree shows that owners of people were restarted so often.
#[track_caller]
fn restarted(admin: &mut Client, count: u64) {
    eventually("the owner is restarted", || {
        let tree = admin.call(&get("/tree")).ok(200);
        let children = tree["children"].as_array().expect("children");
        children.iter().any(|child| child["name"] == "owners/user" && child["restarts"] == count)
    });
}

fn a_panic_costs_the_request_that_caused_it_and_nothing_else(store: Store) {
    let server = start(store.empty(), &[]);
    let (mut client, mut admin) = (server.gateway(), server.client("admin"));
    let ada = client.register("ada");
    let profile = format!("/api/user/profile/{}", ada.id);
    client.call(&put(profile.clone(), json!({"bio": "before"})).by(&ada)).ok(200);
    for count in 1..=3 {
        panic(&mut client, &ada);
        restarted(&mut admin, count);
        assert_eq!(client.call(&get(profile.clone())).ok(200)["bio"], "before");
        assert_eq!(client.call(&get("/health")).status, 200);
    }
    client.call(&put(profile.clone(), json!({"bio": "after"})).by(&ada)).ok(200);
    assert_eq!(client.call(&get(profile)).ok(200)["bio"], "after");
    assert!(admin.call(&get("/metrics")).text().contains("owner_restarts_total{strategy=\"user\"} 3"));
    let said = server.process.said();
    assert!(said.iter().any(|line| line.contains("starting it again")), "the log says so");
    assert!(!said.concat().contains("sabotage-panic"), "what people write is not in the log");
}

fn beyond_the_restarts_that_are_borne_the_process_says_that_it_is_ill_and_keeps_what_it_acknowledged(store: Store) {
    let server = start(store.empty(), &["supervision.owner_restarts_max=2"]);
    let mut client = server.gateway();
    let ada = client.register("ada");
    let written = post("/api/content/posts", json!({"content": "kept"})).by(&ada);
    let written = text(&client.call(&written).ok(201)["id"]);
    let profile = format!("/api/user/profile/{}", ada.id);
    client.call(&put(profile.clone(), json!({"bio": "kept"})).by(&ada)).ok(200);
    for count in 1..=2 {
        panic(&mut client, &ada);
        restarted(&mut server.client("admin"), count);
    }
    assert_eq!(client.call(&get("/health")).status, 200);
    panic(&mut client, &ada);
    eventually("liveness fails", || client.call(&get("/health")).status == 503);
    assert_eq!(client.call(&get("/health")).json()["status"], "unhealthy");
    // Whoever runs the process replaces it; it still ends well.
    let server = start(server.stop(), &[]);
    let mut client = server.gateway();
    assert_eq!(client.call(&get(profile)).ok(200)["bio"], "kept");
    assert_eq!(client.call(&get(format!("/api/content/posts/{written}"))).ok(200)["content"], "kept");
    client.call(&get("/api/user/me").by(&ada)).ok(200);
}

/// Has the owner of a person's profile block its thread for five seconds.
fn hang(server: &Server, person: &Person) -> Client {
    let mut client = server.gateway();
    let request = put(format!("/api/user/profile/{}", person.id), json!({"bio": "sabotage-hang"})).by(person);
    client.send(&request.bytes()).expect("it listens");
    client
}

fn a_runtime_whose_threads_are_blocked_answers_no_probe(store: Store) {
    let server = start(store.empty(), &["node.worker_threads=1"]);
    let ada = server.gateway().register("ada");
    let mut probe = server.client("admin");
    let mut hanging = hang(&server, &ada);
    let request = get("/health");
    eventually("the probe is not answered", || {
        probe.send(&request.bytes()).expect("it listens");
        probe.is_silent_for(Duration::from_secs(1)) || probe.answer("GET").is_err()
    });
    // The one before was perhaps about to be answered when the thread was blocked, and its time was over then. This one comes while it is.
    let mut probe = server.client("admin");
    probe.send(&request.bytes()).expect("it listens");
    assert_eq!(probe.answer("GET").expect("an answer when the thread is free").status, 200);
    assert_eq!(hanging.answer("PUT").expect("an answer").status, 200);
}

/// The shard of a person's owner, of 64 on a node.
fn shard(admin: &mut Client, person: &str) -> u64 {
    admin.call(&get(format!("/inspect/user/{person}"))).ok(200)["slot"].as_u64().expect("a slot") % 64
}

fn an_owner_that_hangs_fails_liveness_while_the_rest_is_served(store: Store) {
    let server = start(store.empty(), &["node.worker_threads=4"]);
    let (mut client, mut admin) = (server.gateway(), server.client("admin"));
    // The owner that liveness asks.
    let asked = shard(&mut admin, "00000000-0000-0000-0000-000000000000");
    let mut people = (0..).map(|number| client.register(&format!("person{number}")));
    let ada = people.find(|person| shard(&mut admin, &person.id) == asked).expect("there is no last one");
    assert_eq!(admin.call(&get("/health")).status, 200);
    let mut hanging = hang(&server, &ada);
    let mut client = server.gateway();
    eventually("liveness fails", || admin.call(&get("/health")).status == 503);
    assert_eq!(client.call(&get("/health/ready")).status, 200, "readiness is not for that");
    client.call(&get("/api/shop/public/products")).ok(200);
    eventually("it is well again", || admin.call(&get("/health")).status == 200);
    assert_eq!(hanging.answer("PUT").expect("an answer").status, 200);
}
