//! Accounts, as their people and those who are after them would find them.

mod guess;
mod leaving;
mod mail;
mod operator;
mod password;
mod registration;
mod session;

use crate::http::{Answer, Client, Person, Request, post, text};
use serde_json::{Value, json};

const PASSWORD: &str = "a long password";

#[track_caller]
fn refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status, text(&answer.json()["code"]).as_str()), (status, code), "{answer}");
}

fn login(name: &str, password: &str) -> Request {
    post("/api/user/login", json!({ "email": format!("{name}@example.org"), "password": password }))
}

/// Opens a session, as another client than the last.
#[track_caller]
fn sign_in(client: &mut Client, name: &str, user_agent: &str) -> Person {
    let opened = client.call(&login(name, PASSWORD).header("user-agent", user_agent)).ok(200);
    Person { id: text(&opened["user"]["id"]), token: text(&opened["token"]) }
}

/// Whether the session is open, as its next request finds.
fn is_open(client: &mut Client, person: &Person) -> bool {
    let answer = client.call(&crate::http::get("/api/user/me").by(person));
    assert!(matches!(answer.status, 200 | 401), "{answer}");
    answer.status == 200
}

fn registration(name: &str) -> Value {
    json!({ "username": name, "email": format!("{name}@example.org"), "password": PASSWORD })
}
