//! The real servers that tests run against: PostgreSQL is started by whoever needs it first, shared, and gone when nobody needs it any more; Redis,
//! what speaks S3, Varnish, and what takes traces are each test's own.

pub mod otlp;
pub mod postgres;
pub mod redis;
pub mod s3;
pub mod varnish;

use std::{
    net::TcpListener,
    process::{self, Child, Command, Output},
    sync::atomic::{AtomicU32, Ordering},
};

/// A port for a server that starts in a moment, or in some seconds. It is none of those that the system gives to clients (from 32768 on), which would take
/// it meanwhile, and none of another test's: each process has ports of its own, by its number, and hands none of them out twice.
pub(crate) fn free_port() -> u16 {
    const PORTS: (u32, u32) = (20_000, 12_000);
    const EACH: u32 = 12;
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    let (first, count) = PORTS;
    let mut ports = (0..count)
        .map(|_| first + (process::id() * EACH + GIVEN.fetch_add(1, Ordering::Relaxed)) % count)
        .filter_map(|port| u16::try_from(port).ok());
    ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).expect("a port")
}

pub(crate) fn signal(process: &Child, signal: &str) {
    succeed(Command::new("kill").args([signal, &process.id().to_string()]).output().expect("kill starts"), "kill");
}

#[track_caller]
pub(crate) fn succeed(output: Output, what: &str) -> String {
    assert!(output.status.success(), "{what}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
