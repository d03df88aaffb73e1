//! Passwords: changed, forgotten, set anew.

use super::{PASSWORD, is_open, login, mail, refused, sign_in};
use crate::{
    http::{post, put},
    server::Server,
};
use serde_json::json;

#[test]
fn a_new_password_ends_every_other_session() {
    let server = Server::start();
    let mut client = server.gateway();
    let here = client.register("ada");
    let elsewhere = sign_in(&mut client, "ada", "elsewhere");
    let change = |current: &str, new: &str| put("/api/user/password", json!({"currentPassword": current, "newPassword": new})).by(&here);
    refused(&client.call(&change("a wrong password", "another password")), 401, "bad_credentials");
    refused(&client.call(&change(PASSWORD, "short")), 400, "invalid_field");
    refused(&client.call(&change(PASSWORD, &"x".repeat(257))), 400, "invalid_field");
    assert!(is_open(&mut client, &elsewhere), "nothing has changed");

    client.call(&change(PASSWORD, "another password")).ok(204);
    assert!(is_open(&mut client, &here) && !is_open(&mut client, &elsewhere));
    refused(&client.call(&login("ada", PASSWORD)), 401, "bad_credentials");
    client.call(&login("ada", "another password")).ok(200);
    let mail = mail::wait_for(server.data.path(), "Your password was changed");
    assert!(mail.contains("To: ada@example.org") && !mail.contains("another password"), "{mail}");
}

#[test]
fn a_forgotten_password_is_set_anew_by_mail_once() {
    let server = Server::start();
    let mut client = server.gateway();
    let ada = client.register("ada");
    client.register("bob");
    let forgot = |email: &str| post("/api/user/password/forgot", json!({ "email": email }));
    let (known, unknown) = (client.call(&forgot("ada@example.org")), client.call(&forgot("nobody@example.org")));
    assert_eq!(known.status, 202);
    assert_eq!((known.status, known.lasting_headers(), &known.body), (unknown.status, unknown.lasting_headers(), &unknown.body));
    refused(&client.call(&forgot("no address")), 400, "invalid_field");

    let token = mail::token_of(&mail::wait_for(server.data.path(), "Set a new password"));
    let reset = |token: &str, new: &str| post("/api/user/password/reset", json!({ "token": token, "newPassword": new }));
    for wrong in ["", "nonsense", &ada.token, &"A".repeat(token.len()), &token[1..]] {
        refused(&client.call(&reset(wrong, "another password")), 400, "bad_token");
    }
    refused(&client.call(&reset(&token, "short")), 400, "invalid_field");
    assert!(is_open(&mut client, &ada), "asking ends nothing");
    client.call(&reset(&token, "another password")).ok(204);
    assert!(!is_open(&mut client, &ada));
    refused(&client.call(&reset(&token, "a third password")), 400, "bad_token");
    refused(&client.call(&login("ada", PASSWORD)), 401, "bad_credentials");
    client.call(&login("ada", "another password")).ok(200);
    client.call(&login("bob", PASSWORD)).ok(200);

    let mails = mail::written(server.data.path());
    assert!(mails.iter().all(|mail| mail.contains("To: ada@example.org")), "nobody else was written to");
    assert!(server.process.said().iter().all(|line| !line.contains(&token)), "the token is in the log");
    // No token is stored, not even while it works; this one had to wait for its mail to be sent.
    let directory = server.stop();
    for file in ["users.db", "users.db-wal"] {
        let bytes = std::fs::read(directory.path().join("data").join(file)).unwrap_or_default();
        assert!(!bytes.windows(token.len()).any(|window| window == token.as_bytes()), "the token is in {file}");
    }
}

#[test]
fn asking_again_at_once_leaves_the_first_token_good() {
    let server = Server::start();
    let mut client = server.gateway();
    client.register("ada");
    let forgot = post("/api/user/password/forgot", json!({"email": "ada@example.org"}));
    client.call(&forgot).ok(202);
    let token = mail::token_of(&mail::wait_for(server.data.path(), "Set a new password"));
    client.call(&forgot).ok(202);
    client.call(&forgot).ok(202);
    // One address has no more mail sent to the same account, and hears of it.
    let answer = client.call(&forgot);
    refused(&answer, 429, "too_many_requests");
    client.call(&post("/api/user/password/reset", json!({ "token": token, "newPassword": "another password" }))).ok(204);
}
