//! Starts nodes as processes and talks to them.

use crate::{
    authority::Authority,
    node::{ARGUMENTS, MARK},
};
use protocol::envelope::{WIRE_VERSION, WIRE_VERSION_MIN};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::SocketAddr,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Arc, Condvar, Mutex},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use uuid::Uuid;

/// Longer than anything takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

const COOKIE: &str = "a cookie of the tests, which is long enough";

/// A cluster's authority, and a folder for its nodes.
pub struct Cluster {
    pub authority: Authority,
    folder: TempDir,
}

/// How a node is started.
pub struct Options {
    pub cookie: &'static str,
    pub wires: RangeInclusive<u16>,
}

impl Default for Options {
    fn default() -> Self {
        Self { cookie: COOKIE, wires: WIRE_VERSION_MIN..=WIRE_VERSION }
    }
}

impl Cluster {
    pub fn new() -> Self {
        Self { authority: Authority::new(), folder: tempfile::tempdir().expect("a folder") }
    }

    /// Where the files of a node are.
    pub fn folder(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts a node that knows nobody.
    pub fn node(&self, name: &str) -> Node {
        self.node_with(name, &Options::default())
    }

    pub fn node_with(&self, name: &str, options: &Options) -> Node {
        if !self.folder(name).exists() {
            self.authority.equip(&self.folder(name), name);
        }
        Node::start(&self.folder(name), name, options)
    }

    /// Starts nodes, tells each of all, and waits until all are linked.
    pub fn linked<const N: usize>(&self, names: [&str; N]) -> [Node; N] {
        let nodes = names.map(|name| self.node(name));
        let all: Vec<_> = nodes.iter().map(Node::member).collect();
        for node in &nodes {
            node.members(&all);
        }
        for node in &nodes {
            for other in nodes.iter().filter(|other| other.boot != node.boot) {
                node.wait_for(&format!("linked {}", other.boot));
            }
        }
        nodes
    }
}

/// A node's process. It is killed when this is dropped.
pub struct Node {
    pub name: String,
    pub boot: Uuid,
    pub listens: SocketAddr,
    process: Child,
    input: Mutex<(ChildStdin, u64)>,
    said: Arc<Said>,
}

#[derive(Default)]
struct Said {
    lines: Mutex<Vec<String>>,
    grew: Condvar,
}

impl Node {
    fn start(folder: &Path, name: &str, options: &Options) -> Self {
        let boot = Uuid::now_v7();
        let (oldest, newest) = (options.wires.start().to_string(), options.wires.end().to_string());
        let folder = folder.to_str().expect("a path in UTF-8");
        let arguments = [folder, name, &boot.to_string(), options.cookie, &oldest, &newest].join("\n");
        let mut process = Command::new(std::env::current_exe().expect("this program"))
            .args(["node::node", "--exact", "--nocapture", "--test-threads=1"])
            .env(ARGUMENTS, arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a process");
        let (input, output) = (process.stdin.take().expect("piped"), process.stdout.take().expect("piped"));
        let said = Arc::new(Said::default());
        let hears = Arc::clone(&said);
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if let Some(line) = line.strip_prefix(MARK) {
                    hears.lines.lock().expect("unpoisoned").push(line.to_owned());
                    hears.grew.notify_all();
                }
            }
        });
        let mut node =
            Self { name: name.to_owned(), boot, listens: ([0, 0, 0, 0], 0).into(), process, input: Mutex::new((input, 0)), said };
        node.listens = node.wait_for("listens ").parse().expect("an address");
        node
    }

    /// As others are told of it.
    pub fn member(&self) -> String {
        self.member_at(self.listens)
    }

    /// As others are told of it who are to reach it elsewhere.
    pub fn member_at(&self, address: SocketAddr) -> String {
        format!("{}={}@{address}", self.boot, self.name)
    }

    pub fn members(&self, members: &[String]) {
        self.ask(&format!("members # {}", members.join(" ")));
    }

    /// Says something to which there is no answer.
    pub fn tell(&self, line: &str) {
        writeln!(self.input.lock().expect("unpoisoned").0, "{line}").expect("the node listens");
    }

    /// Says something in which `#` stands for the number of the answer, which this is the beginning of.
    pub fn begin(&self, line: &str) -> String {
        let number = {
            let mut input = self.input.lock().expect("unpoisoned");
            input.1 += 1;
            format!("#{}", input.1)
        };
        self.tell(&line.replacen('#', &number, 1));
        format!("{number} ")
    }

    pub fn ask(&self, line: &str) -> String {
        self.wait_for(&self.begin(line))
    }

    /// Calls another node: bytes there, bytes back, the answer's pause and the deadline, in ms.
    pub fn call(&self, other: &Self, [request, answer, pause_ms, deadline_ms]: [u64; 4]) -> String {
        self.ask(&format!("call # {} {request} {answer} {pause_ms} {deadline_ms}", other.boot))
    }

    /// What follows `start` in a line that it said or says.
    pub fn wait_for(&self, start: &str) -> String {
        self.wait(start, PATIENCE).unwrap_or_else(|| panic!("{} did not say {start:?}, but {:?}", self.name, self.said.lines.lock()))
    }

    /// Likewise; `None` if it does not say it in time.
    pub fn wait(&self, start: &str, within: Duration) -> Option<String> {
        let deadline = Instant::now() + within;
        let mut lines = self.said.lines.lock().expect("unpoisoned");
        loop {
            if let Some(rest) = lines.iter().find_map(|line| line.strip_prefix(start)) {
                return Some(rest.to_owned());
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            lines = self.said.grew.wait_timeout(lines, left).expect("unpoisoned").0;
        }
    }

    /// Forgets what it said so far.
    pub fn forget(&self) {
        self.said.lines.lock().expect("unpoisoned").clear();
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).expect("the process is there");
    }

    /// Memory that the process holds, in bytes.
    pub fn memory_bytes(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).expect("the process is there");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
