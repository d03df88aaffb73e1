//! How the process starts, refuses to, and ends.

use crate::{
    http::{get, post, text},
    server::{Process, Server, binary, eventually, server_of},
};
use rustix::process::Signal;
use serde_json::json;
use std::{
    net::TcpStream,
    process::{Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

#[test]
fn a_request_in_flight_is_finished_before_the_process_ends() {
    for signal in [Signal::TERM, Signal::INT] {
        let server = Server::with(&["http.drain_timeout_s=20"]);
        let (mut busy, mut idle) = (server.gateway(), server.gateway());
        let ada = busy.register("ada");
        idle.call(&get("/health")).ok(200);
        let request = post("/api/content/posts", json!({"content": "on the way"})).by(&ada).header("expect", "100-continue");
        busy.send(request.head().as_bytes()).expect("sent");
        assert_eq!(busy.interim().expect("in work"), 100);

        let asked = Instant::now();
        server.process.signal(signal);
        server.process.wait_for("asked to stop");
        assert!(idle.until_closed().is_empty(), "who asked for nothing is let go");
        let address = server.addr("gateway");
        eventually("nobody new is let in", || TcpStream::connect(address).is_err());

        busy.send(request.body()).expect("sent");
        let answer = busy.answer("POST").expect("an answer");
        let id = text(&answer.ok(201)["id"]);
        assert_eq!(answer.header("connection"), Some("close"));
        let Server { process, data, .. } = server;
        let (status, said) = process.ended();
        assert_eq!(status.code(), Some(0), "{said}");
        assert!(asked.elapsed() < Duration::from_secs(20), "it waits for nothing else");
        let server = Server::on(data, &[]);
        server.gateway().call(&get(format!("/api/content/posts/{id}"))).ok(200);
    }
}

#[test]
fn a_request_that_does_not_end_is_cut_off_at_the_drain_deadline() {
    let server = Server::with(&["http.drain_timeout_s=1"]);
    let mut busy = server.gateway();
    let ada = busy.register("ada");
    let request = post("/api/content/posts", json!({"content": "never sent"})).by(&ada).header("expect", "100-continue");
    busy.send(request.head().as_bytes()).expect("sent");
    assert_eq!(busy.interim().expect("in work"), 100);
    let asked = Instant::now();
    server.process.signal(Signal::TERM);
    let (status, said) = server.process.ended();
    let took = asked.elapsed();
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(took >= Duration::from_secs(1) && took < Duration::from_secs(8), "{took:?}");
    assert!(said.contains("\"lets_connect.aborted\":1"), "it says so: {said}");
}

#[test]
fn a_data_directory_is_of_one_process_at_a_time() {
    let server = Server::start();
    let ada = server.gateway().register("ada");
    let data = server.data.path().join("data");
    for command in [&["serve"][..], &["migrate"], &["demo", "--bulk", "--users", "1"]] {
        let mut other = server_of(server.data.path(), &[]);
        other.args(command);
        let (status, said) = Process::spawn(other).ended();
        assert_eq!(status.code(), Some(1), "{command:?}: {said}");
        for part in ["in use", &format!("pid {}", server.process.id()), &data.display().to_string()] {
            assert!(said.contains(part), "{command:?}: {part} is missing: {said}");
        }
        assert!(!said.contains("panicked") && !said.contains("listening"), "{said}");
    }
    server.gateway().call(&get("/api/user/me").by(&ada)).ok(200);
}

#[test]
fn a_port_in_use_is_named() {
    let server = Server::start();
    let address = server.addr("shop").to_string();
    let other = TempDir::new().expect("a directory");
    let (status, said) = Process::spawn(server_of(other.path(), &[&format!("listen.content={address}")])).ended();
    assert_eq!(status.code(), Some(1), "{said}");
    for part in ["cannot listen", &address, "content", "in use"] {
        assert!(said.contains(part), "{part} is missing: {said}");
    }
    assert_eq!(said.lines().count(), 1, "one line says it: {said}");
    assert!(!other.path().join("data").exists(), "nothing was begun");
}

#[test]
fn all_faults_of_a_configuration_are_told_at_once() {
    let directory = TempDir::new().expect("a directory");
    let file = directory.path().join("faulty.toml");
    std::fs::write(&file, "[http]\nbody_bytes_max = 1\ncolour = \"red\"\n[nonsense]\nx = 1\n").expect("written");
    for command in ["serve", "check-config", "migrate"] {
        let mut command_line = binary();
        command_line.current_dir(directory.path()).arg("--config").arg(&file).env("LETS_CONNECT_LOG_FORMAT", "loud");
        command_line.args([command, "--set", "listen.admin=0.0.0.0:0", "--set", "nothing"]);
        let (status, said) = Process::spawn(command_line).ended();
        assert_eq!(status.code(), Some(2), "{command}: {said}");
        assert!(said.contains("6 faults"), "{command}: {said}");
        for part in ["body_bytes_max", "http.colour", "nonsense", "LETS_CONNECT_LOG_FORMAT", "admin_token", "--set", "faulty.toml:2:"] {
            assert!(said.contains(part), "{part} is missing: {said}");
        }
    }
    assert_eq!(std::fs::read_dir(directory.path()).expect("a directory").count(), 1, "nothing was begun");
    // Usage is another fault with the same code.
    for line in [&["sever"][..], &["--listen-port-base", "65530"], &["serve", "--port", "1"]] {
        let mut command = binary();
        let (status, said) = Process::spawn({
            command.args(line);
            command
        })
        .ended();
        assert_eq!(status.code(), Some(2), "{line:?}: {said}");
    }
}

#[test]
fn a_directory_that_cannot_be_used_is_named() {
    let directory = TempDir::new().expect("a directory");
    let file = directory.path().join("data");
    std::fs::write(&file, "no directory").expect("written");
    let (status, said) = Process::spawn(server_of(directory.path(), &[])).ended();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("cannot be used") && said.contains(&file.display().to_string()), "{said}");
}

/// `lets-connect config | head` ends as well as any tool's output does.
#[test]
fn a_reader_that_leaves_early_is_no_fault() {
    for arguments in [&["config"][..], &["config", "--docs"], &["version"], &["check-config"]] {
        let mut command: Command = binary();
        command.args(arguments).stdout(Stdio::piped());
        let directory = TempDir::new().expect("a directory");
        let mut child = command.current_dir(directory.path()).spawn().expect("it starts");
        drop(child.stdout.take());
        let ended = child.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!((ended.status.code(), said.as_ref()), (Some(0), ""), "{arguments:?}");
    }
}

/// It is read where the kernel says so of a process (proc(5)).
#[cfg(target_os = "linux")]
#[test]
fn the_process_does_without_huge_pages() {
    let server = Server::with(&[]);
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.process.id())).expect("a process");
    assert!(status.lines().any(|line| line.split_whitespace().eq(["THP_enabled:", "0"])), "{status}");
}
