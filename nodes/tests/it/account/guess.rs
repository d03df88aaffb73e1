//! Who guesses passwords waits, and keeps nobody else out.

use super::{PASSWORD, login, refused, registration};
use crate::{
    http::{Answer, Client, Request, post, put},
    server::Server,
};
use serde_json::json;

/// A server behind a proxy on loopback, which says who asks.
fn server(settings: &[&str]) -> Server {
    Server::with(&[&["http.trusted_proxies=127.0.0.1, ::1", "rate.sign_in_per_min=0"], settings].concat())
}

fn from(address: &str, request: Request) -> Request {
    request.header("x-forwarded-for", address)
}

#[track_caller]
fn waits(answer: &Answer) -> u64 {
    refused(answer, 429, "too_many_requests");
    answer.header("retry-after").and_then(|seconds| seconds.parse().ok()).unwrap_or_else(|| panic!("{answer}"))
}

#[track_caller]
fn fail(client: &mut Client, address: &str, name: &str, times: usize) {
    for _ in 0..times {
        refused(&client.call(&from(address, login(name, "a wrong password"))), 401, "bad_credentials");
    }
}

#[test]
fn who_fails_too_often_waits_and_nobody_else() {
    let server = server(&[]);
    let mut client = server.gateway();
    client.register("ada");
    client.register("bob");
    // It makes no difference whether there is such an account.
    for name in ["ada", "nobody"] {
        fail(&mut client, "203.0.113.1", name, 10);
        let seconds = waits(&client.call(&from("203.0.113.1", login(name, "a wrong password"))));
        assert!((1..=31).contains(&seconds), "{seconds}");
    }
    waits(&client.call(&from("203.0.113.1", login("ADA", PASSWORD))));
    client.call(&from("203.0.113.1", login("bob", PASSWORD))).ok(200);
    client.call(&from("203.0.113.2", login("ada", PASSWORD))).ok(200);
    // An invented origin does not help: what the proxy itself saw counts.
    waits(&client.call(&from("198.51.100.7, 203.0.113.1", login("ada", PASSWORD))));
}

#[test]
fn a_success_is_forgiven_what_was_before() {
    let server = server(&[]);
    let mut client = server.gateway();
    client.register("ada");
    for _ in 0..4 {
        fail(&mut client, "203.0.113.1", "ada", 9);
        client.call(&from("203.0.113.1", login("ada", PASSWORD))).ok(200);
    }
}

#[test]
fn an_address_that_tries_everybody_waits() {
    let server = server(&["account.failures_per_address_max=12"]);
    let mut client = server.gateway();
    client.register("ada");
    for n in 0..12 {
        fail(&mut client, "2001:db8:1:1::1", &format!("person{n}"), 1);
    }
    // Its neighbour is the same customer of the same provider.
    waits(&client.call(&from("2001:db8:1:1::2", login("ada", PASSWORD))));
    waits(&client.call(&from("2001:db8:1:1::1", post("/api/user/register", registration("new")))));
    client.call(&from("2001:db8:1:2::1", login("ada", PASSWORD))).ok(200);
    for n in 0..12 {
        client.call(&from("203.0.113.9", post("/api/user/register", registration(&format!("new{n}"))))).ok(201);
    }
    waits(&client.call(&from("203.0.113.9", post("/api/user/register", registration("one-more")))));
}

#[test]
fn nobody_can_lock_a_person_out_of_where_they_are_at_home() {
    let server = server(&["account.failures_per_address_max=12"]);
    let mut client = server.gateway();
    client.call(&from("203.0.113.50", post("/api/user/register", registration("ada")))).ok(201);
    for n in 0..12 {
        fail(&mut client, &format!("198.51.{n}.1"), "ada", 1);
    }
    // Guesses from everywhere: a stranger who knows the password waits, too, but not a neighbour of an open session.
    waits(&client.call(&from("192.0.2.1", login("ada", PASSWORD))));
    client.call(&from("203.0.113.77", login("ada", PASSWORD))).ok(200);
    // And a new password can be had from anywhere.
    client.call(&from("192.0.2.1", post("/api/user/password/forgot", json!({"email": "ada@example.org"})))).ok(202);
}

#[test]
fn a_stolen_session_cannot_guess_the_password() {
    let server = server(&[]);
    let mut client = server.gateway();
    let ada = client.register("ada");
    let change = |current: &str| put("/api/user/password", json!({"currentPassword": current, "newPassword": "another password"})).by(&ada);
    for _ in 0..10 {
        refused(&client.call(&change("a wrong password")), 401, "bad_credentials");
    }
    waits(&client.call(&change(PASSWORD)));
}
