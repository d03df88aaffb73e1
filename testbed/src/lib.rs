//! The real servers that tests run against: PostgreSQL is started by whoever needs it first, shared, and gone when nobody needs it any more; Redis,
//! what speaks S3, and Varnish are each test's own.

pub mod postgres;
pub mod redis;
pub mod s3;
pub mod varnish;

use std::{
    net::TcpListener,
    process::{Child, Command, Output},
};

/// A port that was free just now.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port()
}

pub(crate) fn signal(process: &Child, signal: &str) {
    succeed(Command::new("kill").args([signal, &process.id().to_string()]).output().expect("kill starts"), "kill");
}

#[track_caller]
pub(crate) fn succeed(output: Output, what: &str) -> String {
    assert!(output.status.success(), "{what}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
