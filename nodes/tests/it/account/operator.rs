//! The command line: the first admin, and rescue.

use super::{PASSWORD, is_open, login, refused};
use crate::{
    http::{get, items, put, text},
    server::{Server, binary},
};
use serde_json::json;
use std::{
    io::Write,
    path::Path,
    process::{Output, Stdio},
};
use tempfile::TempDir;

/// Runs `lets-connect user …` on the files of a directory, with that standard input.
fn user(directory: &Path, arguments: &[&str], input: &str) -> Output {
    let mut command = binary();
    command.current_dir(directory).arg("user").args(arguments).arg("--data-dir").arg(directory.join("data"));
    command.args(["--set", "account.argon2_memory_kib=64", "--set", "account.argon2_iterations=1"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the binary starts");
    // A command that asks for nothing may have ended by now.
    let _ = child.stdin.take().expect("piped").write_all(input.as_bytes());
    child.wait_with_output().expect("it ends")
}

#[track_caller]
fn done(output: &Output) -> String {
    let (said, complaint) = (String::from_utf8_lossy(&output.stdout).into_owned(), String::from_utf8_lossy(&output.stderr).into_owned());
    assert!(output.status.success(), "{said}{complaint}");
    said
}

#[track_caller]
fn complaint(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn the_first_admin_comes_from_the_command_line() {
    let directory = TempDir::new().expect("a directory");
    let create = ["create-admin", "--username", "admin", "--email", "admin@example.org"];
    assert!(complaint(&user(directory.path(), &create, "short\n")).contains("8 to 256 characters"));
    assert!(complaint(&user(directory.path(), &create, "")).contains("standard input"));
    let said = done(&user(directory.path(), &create, &format!("{PASSWORD}\n")));
    assert!(said.contains("admin is an admin") && !said.contains(PASSWORD), "{said}");
    assert!(complaint(&user(directory.path(), &create, &format!("{PASSWORD}\n"))).contains("user role"));

    let server = Server::on(directory, &[]);
    let mut client = server.gateway();
    let opened = client.call(&login("admin", PASSWORD)).ok(200);
    assert_eq!((&opened["user"]["role"], &opened["user"]["username"]), (&json!("admin"), &json!("admin")));
    let token = text(&opened["token"]);
    let sessions = client.call(&get("/api/user/sessions").token(&token)).ok(200);
    assert_eq!(items(&sessions).len(), 1, "none was left open by the command");
    let ada = client.register("ada");
    client.call(&put(format!("/api/user/users/{}/role", ada.id), json!({"role": "moderator"})).token(&token)).ok(200);
    let log = client.call(&get("/api/user/audit").token(&token)).ok(200);
    let entries: Vec<_> = items(&log).iter().map(|entry| (text(&entry["action"]), entry["actorId"].is_null())).collect();
    assert_eq!(
        entries,
        [("user.role".to_owned(), false), ("user.role".to_owned(), true)],
        "newest first, the command line's without an actor"
    );
}

#[test]
fn accounts_are_rescued_banned_and_ranked_while_no_server_runs() {
    let server = Server::start();
    let ada = server.gateway().register("ada");
    let refusal = complaint(&user(server.data.path(), &["ban", "ada"], ""));
    assert!(refusal.contains("in use by another process") && refusal.contains("while no server runs"), "{refusal}");
    let directory = server.stop();

    assert!(complaint(&user(directory.path(), &["ban", "nobody"], "")).contains("nobody has the name"));
    done(&user(directory.path(), &["reset-password", "ADA@example.org"], "another password\r\n"));
    done(&user(directory.path(), &["role", "Ada", "moderator"], ""));
    let server = Server::on(directory, &[]);
    let mut client = server.gateway();
    assert!(!is_open(&mut client, &ada), "her sessions were ended");
    refused(&client.call(&login("ada", PASSWORD)), 401, "bad_credentials");
    let opened = client.call(&login("ada", "another password")).ok(200);
    assert_eq!(opened["user"]["role"], "moderator");
    let directory = server.stop();

    done(&user(directory.path(), &["ban", &ada.id, "--reason", "spam"], ""));
    let server = Server::on(directory, &[]);
    let mut client = server.gateway();
    refused(&client.call(&get("/api/user/me").token(&text(&opened["token"]))), 401, "unauthenticated");
    refused(&client.call(&login("ada", "another password")), 401, "bad_credentials");
    refused(&client.call(&get(format!("/api/user/profile/{}", ada.id))), 404, "not_found");
    let directory = server.stop();

    done(&user(directory.path(), &["unban", "ada"], ""));
    let server = Server::on(directory, &[]);
    server.gateway().call(&login("ada", "another password")).ok(200);
}
