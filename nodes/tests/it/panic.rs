//! An owner actor that panics: who notices, and what it costs. These need a build with deliberate defects (`--features sabotage`).

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
}

fn start(data: Data, settings: &[&str]) -> Server {
    let mut command = data.server(settings);
    command.env("LETS_CONNECT_SABOTAGE", "panic-on-word");
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
