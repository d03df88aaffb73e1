//! Mail: into files, over SMTP, and across a crash.

use super::PASSWORD;
use crate::{
    http::post,
    server::{Server, eventually},
};
use serde_json::json;
use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::mpsc,
    thread,
};

/// The texts of the mails that were written for the operator, oldest first.
pub fn written(directory: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(directory.join("data/mail")) else { return Vec::new() };
    let mut paths: Vec<_> =
        entries.map(|entry| entry.expect("an entry").path()).filter(|p| p.extension().is_some_and(|e| e == "eml")).collect();
    paths.sort();
    for path in &paths {
        assert_eq!(fs::metadata(path).expect("a file").permissions().mode() & 0o777, 0o600, "mail holds tokens");
    }
    paths.iter().map(|path| fs::read_to_string(path).expect("text")).collect()
}

/// Waits for a mail of that subject.
#[track_caller]
pub fn wait_for(directory: &Path, subject: &str) -> String {
    let mut found = None;
    eventually(&format!("a mail: {subject}"), || {
        found = written(directory).into_iter().rev().find(|mail| mail.contains(&format!("Subject: {subject}")));
        found.is_some()
    });
    found.expect("just found")
}

/// The token in a mail.
#[track_caller]
pub fn token_of(mail: &str) -> String {
    let (_, rest) = mail.split_once("/reset-password#token=").unwrap_or_else(|| panic!("no token in\n{mail}"));
    rest.chars().take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).collect()
}

/// An SMTP server that takes whatever comes, and hands each mail over with its envelope.
fn smtp_server() -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("smtp://{}", listener.local_addr().expect("bound"));
    let (tell, mails) = mpsc::channel();
    thread::spawn(move || {
        for wire in listener.incoming().map_while(Result::ok) {
            let mut lines = BufReader::new(wire.try_clone().expect("a socket")).lines().map_while(Result::ok);
            let say = |line: &str| (&wire).write_all(format!("{line}\r\n").as_bytes());
            let (mut mail, mut spoken) = (String::new(), say("220 here"));
            while let (Ok(()), Some(line)) = (&spoken, lines.next()) {
                spoken = match line.split(' ').next().unwrap_or_default() {
                    "DATA" => {
                        let said = say("354 go on");
                        mail.extend(lines.by_ref().take_while(|line| line != ".").map(|line| line + "\n"));
                        let _ = tell.send(std::mem::take(&mut mail));
                        said.and_then(|()| say("250 taken"))
                    }
                    "QUIT" => break,
                    _ => {
                        mail += &(line.clone() + "\n");
                        say("250 well")
                    }
                };
            }
        }
    });
    (url, mails)
}

#[test]
fn mail_leaves_by_smtp() {
    let (url, mails) = smtp_server();
    let server = Server::with(&[
        &format!("mail.smtp_url={url}"),
        "mail.from=The Platform <post@connect.example>",
        "gateway.public_url=https://connect.example",
    ]);
    let mut client = server.gateway();
    client.register("ada");
    client.call(&post("/api/user/password/forgot", json!({"email": "ADA@example.org"}))).ok(202);
    let mail = mails.recv_timeout(crate::http::PATIENCE).expect("a mail");
    for part in [
        "MAIL FROM:<post@connect.example>",
        "RCPT TO:<ada@example.org>",
        "Subject: Set a new password",
        "From: \"The Platform\" <post@connect.example>",
    ] {
        assert!(mail.contains(part), "{part} in\n{mail}");
    }
    assert!(mail.contains("https://connect.example/reset-password#token="), "{mail}");
    let reset = json!({ "token": token_of(&mail), "newPassword": "another password" });
    client.call(&post("/api/user/password/reset", reset)).ok(204);
    assert!(server.process.said().iter().all(|line| !line.contains(&token_of(&mail)) && !line.contains(PASSWORD)));
    assert_eq!(written(server.data.path()), [""; 0], "no mail is kept beside");
}

#[test]
fn a_mail_that_was_asked_for_survives_a_kill() {
    // A mail server that takes connections and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("mail.smtp_url=smtp://{}", silent.local_addr().expect("bound"));
    let server = Server::with(&[&url]);
    server.gateway().register("ada");
    server.gateway().call(&post("/api/user/password/forgot", json!({"email": "ada@example.org"}))).ok(202);
    silent.set_nonblocking(true).expect("a socket");
    let mut held = None;
    eventually("the mail is on its way", || {
        held = silent.accept().ok();
        held.is_some()
    });
    let server = Server::on(server.kill(), &[]);
    let mail = wait_for(server.data.path(), "Set a new password");
    let reset = json!({ "token": token_of(&mail), "newPassword": "another password" });
    server.gateway().call(&post("/api/user/password/reset", reset)).ok(204);
}

#[test]
fn a_mail_server_that_is_away_fails_no_request() {
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound");
    let server = Server::with(&[&format!("mail.smtp_url=smtp://{closed}")]);
    let mut client = server.gateway();
    client.register("ada");
    client.call(&post("/api/user/password/forgot", json!({"email": "ada@example.org"}))).ok(202);
    let line = server.process.wait_for("an errand failed; it will be tried again");
    assert!(line.contains("mail_reset") && !line.contains("ada@example.org"), "{line}");
    let shown = server.client("admin").call(&crate::http::get("/metrics")).text();
    assert!(shown.contains("errands_total{outcome=\"failed\",task=\"mail_reset\"} 1"), "{shown}");
}
