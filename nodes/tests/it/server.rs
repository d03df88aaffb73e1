//! The server under test: the binary in a process of its own, with data of its own, on ports that the system chose.

use crate::{
    http::{Client, PATIENCE},
    store::Data,
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Condvar, Mutex},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// What makes tests quick, and is not what they test.
const SETTINGS: [&str; 6] = [
    "account.argon2_memory_kib=64",
    "account.argon2_iterations=1",
    "log.format=json",
    "rate.read_per_s=0",
    "rate.write_per_s=0",
    "rate.search_per_s=0",
];

/// Ways in which feeds are put together: pushed and all in memory; pulled from authors who have a follower; hardly anything in memory.
pub const FEEDS: [&[&str]; 3] = [&[], &["feed.pull_threshold_followers=1"], &["feed.inbox_ids_max=16", "cache.bytes_max=1MiB"]];

/// The binary, away from the configuration of whoever runs the tests.
pub fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lets-connect"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("LETS_CONNECT_")) {
        command.env_remove(name);
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

/// The binary as a server of `directory`, on free ports, with more settings.
pub fn server_of(directory: &Path, settings: &[&str]) -> Command {
    let mut command = binary();
    // No file of the working directory is read either.
    command.current_dir(directory).arg("--data-dir").arg(directory.join("data")).args(["--listen-port-base", "0"]);
    for setting in SETTINGS.iter().chain(settings) {
        command.args(["--set", setting]);
    }
    command
}

/// Fails where a test must not go on waiting.
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        // paced: between two looks at the condition.
        thread::sleep(Duration::from_millis(2));
    }
}

/// A process and what it says.
pub struct Process {
    child: Child,
    log: Arc<Log>,
    reading: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Log {
    said: Mutex<Said>,
    grew: Condvar,
}

#[derive(Default)]
struct Said {
    lines: Vec<String>,
    ended: bool,
}

impl Process {
    pub fn spawn(mut command: Command) -> Self {
        let mut child = command.spawn().expect("the binary starts");
        let log = Arc::<Log>::default();
        let (stderr, said) = (child.stderr.take().expect("piped"), log.clone());
        let reading = thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                said.add(Some(line));
            }
            said.add(None);
        });
        Self { child, log, reading: Some(reading) }
    }

    /// Waits until a line holds `part`.
    #[track_caller]
    pub fn wait_for(&self, part: &str) -> String {
        let found = |said: &Said| said.lines.iter().find(|line| line.contains(part)).cloned();
        let waiting = |said: &mut Said| found(said).is_none() && !said.ended;
        let said = self.log.said.lock().expect("no panic");
        let (said, _) = self.log.grew.wait_timeout_while(said, PATIENCE, waiting).expect("no panic");
        found(&said).unwrap_or_else(|| panic!("nothing of {part:?} in\n{}", said.lines.join("\n")))
    }

    /// All that it said so far.
    pub fn said(&self) -> Vec<String> {
        self.log.said.lock().expect("no panic").lines.clone()
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("it lives");
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end; gives its status, and all that it said.
    #[track_caller]
    pub fn ended(mut self) -> (ExitStatus, String) {
        let mut status = None;
        eventually("the process ends", || {
            status = self.child.try_wait().expect("it can be waited for");
            status.is_some()
        });
        self.reading.take().expect("read once").join().expect("no panic");
        (status.expect("it ended"), self.said().join("\n"))
    }
}

impl Log {
    fn add(&self, line: Option<String>) {
        let mut said = self.said.lock().expect("no panic");
        match line {
            Some(line) => said.lines.push(line),
            None => said.ended = true,
        }
        self.grew.notify_all();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended, which is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A running server.
pub struct Server {
    pub process: Process,
    addresses: BTreeMap<String, SocketAddr>,
    // Last: it outlives the process.
    pub data: Data,
}

impl Server {
    pub fn start() -> Self {
        Self::with(&[])
    }

    pub fn with(settings: &[&str]) -> Self {
        Self::on(TempDir::new().expect("a directory"), settings)
    }

    /// Serves these data.
    pub fn on(data: impl Into<Data>, settings: &[&str]) -> Self {
        let data = data.into();
        Self::spawn(data.server(settings), data)
    }

    /// Starts a command that serves these data.
    pub fn spawn(command: Command, data: impl Into<Data>) -> Self {
        Self::started(Process::spawn(command), data)
    }

    /// Waits until a process serves.
    pub fn started(process: Process, data: impl Into<Data>) -> Self {
        process.wait_for("\"message\":\"serving ");
        let addresses = process.said().iter().filter_map(|line| listening(line)).collect();
        Self { process, addresses, data: data.into() }
    }

    pub fn addr(&self, listener: &str) -> SocketAddr {
        self.addresses[listener]
    }

    /// The listeners that it has.
    pub fn listeners(&self) -> impl Iterator<Item = &str> {
        self.addresses.keys().map(String::as_str)
    }

    /// A client of a listener.
    pub fn client(&self, listener: &str) -> Client {
        Client::new(self.addr(listener))
    }

    /// A client of the gateway.
    pub fn gateway(&self) -> Client {
        self.client("gateway")
    }

    /// Kills it on the spot (SIGKILL: it can do nothing more), and gives its data.
    pub fn kill(self) -> Data {
        self.process.signal(Signal::KILL);
        let Self { process, data, .. } = self;
        process.ended();
        data
    }

    /// Asks it to stop, as a platform does, and gives its data when it ended well.
    #[track_caller]
    pub fn stop(self) -> Data {
        self.process.signal(Signal::TERM);
        let Self { process, data, .. } = self;
        let (status, said) = process.ended();
        assert!(status.success(), "{status}\n{said}");
        data
    }
}

fn listening(line: &str) -> Option<(String, SocketAddr)> {
    let event: Value = serde_json::from_str(line).ok().filter(|event: &Value| event["message"] == "listening")?;
    let address = event["lets_connect.address"].as_str()?.parse().ok()?;
    Some((event["lets_connect.listener"].as_str()?.to_owned(), address))
}
