//! Certificates that the binary makes: those that need them can use them, and nobody else can read what is secret.

use crate::server::binary;
use links::{Config, Cookie, Files, Incoming, Limits, Links, Serve, StartError};
use protocol::envelope::Answer;
use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Stdio};
use tempfile::TempDir;
use uuid::Uuid;

/// Makes certificates; gives whether it succeeded, and what it said.
fn certs(folder: &Path, arguments: &[&str]) -> (bool, String) {
    let output = binary().arg("certs").arg(folder).args(arguments).stdout(Stdio::piped()).output().expect("it starts");
    (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

fn read(folder: &Path, file: &str) -> String {
    fs::read_to_string(folder.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

struct Nobody;

impl Serve for Nobody {
    async fn call(&self, _: Incoming) -> Answer {
        Answer::Confirmed
    }

    async fn probe(&self) -> bool {
        false
    }
}

/// Starts the links of a node with what is in a folder, which refuses what other nodes would not believe.
async fn start(folder: &Path, name: &str) -> Result<Links, StartError> {
    let config = Config {
        boot: Uuid::now_v7(),
        name: name.to_owned(),
        listen: ([127, 0, 0, 1], 0).into(),
        files: Files::within(folder),
        cookie: Cookie::parse(&read(folder, "cookie")).expect("a cookie"),
        limits: Limits::default(),
        wires: Config::WIRES,
    };
    Ok(Links::start(config, Nobody, None).await?.0)
}

#[tokio::test]
async fn nodes_start_with_what_was_made_and_renewal_keeps_the_authority() {
    let place = TempDir::new().expect("a folder");
    let folder = place.path().join("certs");
    let (done, said) = certs(&folder, &["node-1", "node-2.nodes.svc"]);
    assert!(done && said.contains("new authority") && said.contains("node-2.nodes.svc is valid until "), "{said}");
    for node in ["node-1", "node-2.nodes.svc"] {
        start(&folder.join(node), node).await.expect(node).stop().await;
    }
    assert!(start(&folder.join("node-1"), "node-3").await.is_err(), "the certificate is another node's");
    assert_eq!(read(&folder, "node-1/cookie"), read(&folder, "authority/cookie"));

    let (authority, first) = (read(&folder, "authority/ca.crt"), [read(&folder, "node-1/tls.crt"), read(&folder, "node-1/tls.key")]);
    let (done, said) = certs(&folder, &["node-1", "--days", "3"]);
    assert!(done && !said.contains("new authority"), "{said}");
    let second = [read(&folder, "node-1/tls.crt"), read(&folder, "node-1/tls.key")];
    assert!(first.iter().zip(&second).all(|(first, second)| first != second), "another certificate, with another key");
    assert_eq!((read(&folder, "authority/ca.crt"), read(&folder, "node-2.nodes.svc/ca.crt")), (authority.clone(), authority));
    start(&folder.join("node-1"), "node-1").await.expect("the renewed one").stop().await;
}

#[test]
fn only_the_owner_reads_what_is_secret() {
    let place = TempDir::new().expect("a folder");
    assert!(certs(place.path(), &["node-1"]).0);
    let mode =
        |file: &str| fs::metadata(place.path().join(file)).unwrap_or_else(|error| panic!("{file}: {error}")).permissions().mode() & 0o777;
    for secret in ["authority/ca.key", "authority/cookie", "node-1/tls.key", "node-1/cookie"] {
        assert_eq!(mode(secret), 0o600, "{secret}");
    }
    assert_eq!((mode("authority"), mode("node-1")), (0o700, 0o700));
    assert!(!place.path().join("node-1/ca.key").exists(), "the authority's key stays where it is");
}

#[test]
fn names_that_no_certificate_can_carry_are_refused_before_anything_is_made() {
    let place = TempDir::new().expect("a folder");
    for name in ["10.0.0.1", "../outside", "Node", "authority"] {
        let (done, said) = certs(place.path(), &["node-1", name]);
        assert!(!done && said.contains("cannot be the name of a node"), "{name}: {said}");
    }
    assert_eq!(fs::read_dir(place.path()).expect("a folder").count(), 0);
}
