//! Who may be called what.

use super::{PASSWORD, refused, registration};
use crate::{http::post, server::Server};
use serde_json::{Value, json};

#[test]
fn names_that_pass_for_others_are_refused() {
    let server = Server::start();
    let mut client = server.gateway();
    let mut register = |username: &str, email: &str| {
        client.call(&post("/api/user/register", json!({ "username": username, "email": email, "password": PASSWORD })))
    };
    register("ada", "Ada@Example.ORG").ok(201);
    refused(&register("ADA", "other@example.org"), 409, "username_taken");
    refused(&register("other", "aDA@exaMple.org"), 409, "email_taken");
    for reserved in ["admin", "Ad.Min", "root", "Support"] {
        refused(&register(reserved, "x@example.org"), 409, "username_taken");
    }
    // A Cyrillic а, a fullwidth a, a joiner that cannot be seen, a space.
    for alike in ["\u{430}da", "\u{ff41}da", "a\u{200d}da", "ada ", ".ada", "ad"] {
        refused(&register(alike, "x@example.org"), 400, "invalid_field");
    }
    for address in ["x", "x@", "@x", "x y@z", "x@y\r\nbcc: z@z", "x@\u{fc}.example"] {
        refused(&register("carol", address), 400, "invalid_field");
    }
}

#[test]
fn passwords_are_judged_by_length_alone() {
    let server = Server::start();
    let mut client = server.gateway();
    let mut register = |name: &str, password: &str| {
        let mut body = registration(name);
        body["password"] = Value::from(password);
        client.call(&post("/api/user/register", body))
    };
    for (number, password) in ["password", "        ", "ＱＵＥＲＴＺＵＩ", "🦀🦀🦀🦀🦀🦀🦀🦀", &"x".repeat(256)].into_iter().enumerate()
    {
        register(&format!("person{number}"), password).ok(201);
    }
    for password in ["seven77", "🦀🦀🦀🦀🦀🦀🦀", &"x".repeat(257)] {
        refused(&register("other", password), 400, "invalid_field");
    }
}

/// The answer to a registration holds a token, so it is not what an Idempotency-Key has kept: a repetition signs in anew.
#[test]
fn a_repeated_registration_stores_no_token() {
    let server = Server::start();
    let mut client = server.gateway();
    let register = post("/api/user/register", registration("ada")).key("once");
    let (first, second) = (client.call(&register).ok(201), client.call(&register).ok(201));
    assert_eq!(first["user"]["id"], second["user"]["id"]);
    assert_ne!(first["token"], second["token"]);
    let directory = server.stop();
    for file in std::fs::read_dir(directory.path().join("data")).expect("a directory") {
        let path = file.expect("an entry").path();
        if path.is_dir() {
            continue;
        }
        let bytes = std::fs::read(path).expect("readable");
        for token in [&first["token"], &second["token"]] {
            let token = token.as_str().expect("a token").as_bytes();
            assert!(!bytes.windows(token.len()).any(|window| window == token));
        }
    }
}
