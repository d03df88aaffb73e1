//! What `lets-connect doctor` says of what a server depends on.

use crate::{
    server::{Server, binary},
    store::{Data, Store},
};
use serde_json::Value;
use std::{fs, net::TcpListener, process::Stdio};

/// Findings, as programs read them, and the exit code.
fn look(data: &Data, settings: &[&str]) -> (Vec<Value>, i32) {
    let mut command = binary();
    command.current_dir(data.path()).args(["doctor", "--json", "--data-dir"]).arg(data.path().join("data"));
    if !settings.iter().any(|setting| setting.starts_with("listen.")) {
        command.args(["--listen-port-base", "0"]);
    }
    data.point(&mut command);
    for setting in settings {
        command.args(["--set", setting]);
    }
    let output = command.stdout(Stdio::piped()).output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!said.contains("hidden-password"), "{said}");
    let document: Value = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"));
    (document["findings"].as_array().expect("findings").clone(), output.status.code().expect("it ends"))
}

#[track_caller]
fn finds(findings: &[Value], level: &str, subject: &str, part: &str) {
    let is_it = |finding: &&Value| {
        let said = format!("{} {}", finding["found"].as_str().unwrap_or_default(), finding["remedy"].as_str().unwrap_or_default());
        finding["level"] == level && finding["subject"].as_str().is_some_and(|named| named.contains(subject)) && said.contains(part)
    };
    assert!(findings.iter().any(|finding| is_it(&finding)), "no {level} of {subject} with {part:?} in {findings:#?}");
}

#[test]
fn a_new_embedded_instance_is_well_also_while_it_is_served() {
    let data = Store::Sqlite.empty();
    let (findings, code) = look(&data, &[]);
    assert_eq!(code, 0, "{findings:#?}");
    finds(&findings, "ok", "data directory", "will be made");
    finds(&findings, "ok", "SQLite shop", "migrations are due");
    finds(&findings, "ok", "mail", "files");
    let server = Server::on(data, &[]);
    let (findings, code) = look(&server.data, &[]);
    assert_eq!(code, 0, "{findings:#?}");
    finds(&findings, "ok", "lock", &format!("process {} uses", server.process.id()));
    finds(&findings, "ok", "SQLite users", "in use");
    let data = server.stop();
    let (findings, code) = look(&data, &[]);
    assert_eq!(code, 0, "{findings:#?}");
    finds(&findings, "ok", "SQLite users", "whole");
}

#[test]
fn what_is_broken_is_a_fault_with_what_to_do() {
    let data = Server::start().stop();
    let users = data.path().join("data/users.db");
    let mut bytes = fs::read(&users).expect("readable");
    // Pages behind the first one, which says what the file is.
    let length = bytes.len();
    bytes[length / 2..].fill(7);
    fs::write(&users, bytes).expect("writable");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let gateway = format!("listen.gateway={}", taken.local_addr().expect("an address"));
    let smtp = "mail.smtp_url=smtp://someone:hidden-password@127.0.0.1:1";
    let (findings, code) = look(&data, &[&gateway, smtp]);
    assert_eq!(code, 2, "{findings:#?}");
    finds(&findings, "fault", "SQLite users", "restore");
    finds(&findings, "fault", "listener gateway", "taken by another program");
    finds(&findings, "warning", "mail", "mail.smtp_url");
    let (findings, code) = look(&data, &["http.connections_max=0"]);
    assert_eq!(code, 2);
    finds(&findings, "fault", "configuration", "connections_max");
}

#[test]
fn a_database_on_a_server_is_looked_at_from_every_side() {
    let data = Store::Postgres.empty();
    let (findings, code) = look(&data, &[]);
    assert_eq!(code, 2);
    finds(&findings, "fault", "PostgreSQL", "does not exist");
    let server = Server::on(data, &[]);
    let databases = server.data.databases.as_ref().expect("on PostgreSQL");
    let (findings, code) = look(&server.data, &[]);
    // The tests' server is quick and not durable, and its role may do everything.
    assert_eq!(code, 1, "{findings:#?}");
    finds(&findings, "ok", "PostgreSQL users", "at this release's schema");
    finds(&findings, "ok", "instance lease", &format!("process {} on ", server.process.id()));
    finds(&findings, "warning", "PostgreSQL shop", "fsync");
    finds(&findings, "warning", "PostgreSQL users", "may change the schema");
    let (findings, _) = look(&server.data, &["postgres.connections_max=1000"]);
    finds(&findings, "warning", "PostgreSQL 127.0.0.1", "max_connections");

    databases.sql("content", &["UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'post_public'::regclass"]);
    databases.sql("shop", &["DELETE FROM schema_migration WHERE version = 8"]);
    let (findings, _) = look(&server.data, &[]);
    finds(&findings, "warning", "PostgreSQL content", "post_public");
    finds(&findings, "warning", "PostgreSQL shop", "lets-connect migrate");

    // A role that may do nothing yet.
    let role = format!("{}_app", databases.name("users"));
    testbed::postgres::Server::shared().sql("postgres", &[&format!("CREATE ROLE \"{role}\" LOGIN")]);
    databases.sql("users", &[&format!("GRANT SELECT ON schema_migration, instance_lease TO \"{role}\"")]);
    let url = databases.url().replace("postgres@", &format!("{role}:hidden-password@"));
    let (findings, code) = look(&server.data, &[&format!("postgres.url={url}?sslmode=disable")]);
    assert_eq!(code, 2);
    finds(&findings, "fault", "PostgreSQL users", &format!("--grant {role}"));
}

#[test]
fn redis_is_looked_at_and_may_be_away() {
    let redis = testbed::redis::Server::own();
    let data = Server::on(Store::Postgres.empty(), &[]).stop();
    let (findings, _) = look(&data, &[&format!("redis.url={}", redis.url())]);
    finds(&findings, "ok", "Redis", "answered in");
    let (findings, code) = look(&data, &["redis.url=redis://:hidden-password@127.0.0.1:1/"]);
    assert_eq!(code, 1);
    finds(&findings, "warning", "Redis", "redis.url");
}

#[test]
fn object_storage_is_looked_at() {
    let storage = testbed::s3::Server::own();
    let data = Store::Sqlite.empty();
    let look = |url: &str| look(&data, &[&format!("media.storage_url={url}"), "media.storage_timeout_ms=3000"]);
    let (findings, code) = look(&storage.bucket("media"));
    assert_eq!(code, 0, "{findings:#?}");
    finds(&findings, "ok", "object storage", "answers");
    for url in [storage.bucket_by("secret", "missing"), storage.bucket_by("hidden-password", "media")] {
        let (findings, code) = look(&url);
        assert_eq!(code, 2, "{findings:#?}");
        finds(&findings, "fault", "object storage", "media.storage_url");
    }
}

#[test]
fn a_nodes_credentials_are_looked_at() {
    let data = Store::Postgres.empty();
    let folder = data.path().join("certificates");
    let made = binary().arg("certs").arg(&folder).arg("node-1").status().expect("it starts");
    assert!(made.success());
    let settings = |name: &str| {
        let folder = folder.join("node-1");
        ["cluster.listen=127.0.0.1:0".to_owned(), format!("cluster.name={name}"), format!("cluster.credentials={}", folder.display())]
    };
    let look = |settings: &[String]| look(&data, &settings.iter().map(String::as_str).collect::<Vec<_>>()).0;
    finds(&look(&settings("node-1")), "ok", "cluster credentials", "node-1 can show them");
    finds(&look(&settings("node-1")), "warning", "object storage", "this node's alone");
    finds(&look(&settings("node-2")), "fault", "cluster credentials", "the certificate cannot be used by this node");
    std::fs::remove_file(folder.join("node-1/cookie")).expect("it was there");
    finds(&look(&settings("node-1")), "fault", "cluster credentials", "cookie");
}
