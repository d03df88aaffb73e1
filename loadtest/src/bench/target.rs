//! What a benchmark compares, as a TOML file says it.
//!
//! ```toml
//! [[process]]
//! name = "peer"
//! command = ["./peer", "--port", "9001"]
//! base = "http://127.0.0.1:9001"
//! ready = "/health"
//!
//! [[target]]
//! name = "peer: profile"
//! process = "peer"
//! paths = ["/profile/1"]
//! headers = { authorization = "Bearer …" }
//! compare_to = "floor"
//! ```

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, bail};
use serde::Deserialize;

use super::floor::parse_header;
use crate::http::{Edge, Request};

/// The name that `compare_to` uses for raw hyper with the target's own body size and headers.
pub const FLOOR: &str = "floor";

/// A list of processes and of targets on them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Targets {
    /// Servers.
    #[serde(default, rename = "process")]
    pub processes: Vec<Process>,
    /// What is asked of them.
    #[serde(default, rename = "target")]
    pub targets: Vec<Target>,
}

/// A server, started by the benchmark or running already.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Process {
    /// What targets call it.
    pub name: String,
    /// The program and its arguments; without it the server must run, and `pid` name it.
    #[serde(default)]
    pub command: Vec<String>,
    /// Environment variables for the command.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// The process id of a server that runs already. Pin it yourself.
    pub pid: Option<u32>,
    /// Where it answers.
    pub base: String,
    /// The path that answers 200 once it is ready.
    #[serde(default = "root")]
    pub ready: String,
}

/// One kind of request to one server.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// What the report calls it.
    pub name: String,
    /// The name of its process.
    pub process: String,
    /// Paths that are requested in turn.
    pub paths: Vec<String>,
    /// Headers of each request.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Another target, or `floor`.
    pub compare_to: Option<String>,
}

fn root() -> String {
    "/".to_owned()
}

impl Targets {
    /// Reads a file.
    ///
    /// # Errors
    /// If it cannot be read, or says something that cannot be meant.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("in {}", path.display()))
    }

    /// Reads a text.
    ///
    /// # Errors
    /// As [`Targets::read`].
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let targets: Self = toml::from_str(text)?;
        for process in &targets.processes {
            process.base.parse::<Edge>().map_err(|fault| anyhow::anyhow!("process {}: {fault}", process.name))?;
            if process.command.is_empty() == process.pid.is_none() {
                bail!("process {} needs either a command or a pid", process.name);
            }
        }
        for target in &targets.targets {
            targets.check(target).with_context(|| format!("target {}", target.name))?;
        }
        Ok(targets)
    }

    fn check(&self, target: &Target) -> anyhow::Result<()> {
        if !self.processes.iter().any(|process| process.name == target.process) {
            bail!("there is no process {:?}", target.process);
        }
        if target.paths.is_empty() || !target.paths.iter().all(|path| path.starts_with('/')) {
            bail!("paths must be given, and begin with a slash");
        }
        if target.paths.iter().any(|path| path.bytes().any(|byte| byte <= b' ' || byte == 0x7f)) {
            bail!("a path holds a space or a control character");
        }
        for (name, value) in &target.headers {
            parse_header(&format!("{name}: {value}")).map_err(anyhow::Error::msg)?;
        }
        let names = self.targets.iter().map(|other| other.name.as_str());
        if target.name == FLOOR || names.clone().filter(|name| *name == target.name).count() > 1 {
            bail!("the name is taken");
        }
        match &target.compare_to {
            Some(other) if other != FLOOR && !names.clone().any(|name| name == other) => {
                bail!("there is no target {other:?} to compare to")
            }
            _ => Ok(()),
        }
    }
}

impl Target {
    /// The requests to send in turn.
    pub fn requests(&self) -> Vec<Request> {
        let with_headers =
            |path: &String| self.headers.iter().fold(Request::get(path), |request, (name, value)| request.header(name, value));
        self.paths.iter().map(with_headers).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        [[process]]
        name = "p"
        command = ["p"]
        base = "http://127.0.0.1:1"
        [[target]]
        name = "a"
        process = "p"
        paths = ["/x"]
        headers = { authorization = "Bearer t" }
        compare_to = "floor"
        [[target]]
        name = "b"
        process = "p"
        paths = ["/y"]
        compare_to = "a"
    "#;

    #[test]
    fn reads_processes_and_targets() {
        let targets = Targets::parse(GOOD).unwrap();
        assert_eq!(targets.processes[0].ready, "/");
        let edge = "http://127.0.0.1:1".parse().unwrap();
        let request = targets.targets[0].requests()[0].encode(&edge);
        assert_eq!(request, "GET /x HTTP/1.1\r\nhost: 127.0.0.1:1\r\nauthorization: Bearer t\r\n\r\n");
    }

    #[test]
    fn refuses_what_cannot_be_meant() {
        let changes = [
            ("command = [\"p\"]", "command = []"),
            ("http://127.0.0.1:1", "https://127.0.0.1:1"),
            ("process = \"p\"", "process = \"q\""),
            ("\"/x\"", "\"x\""),
            ("\"/x\"", "\"/x y\""),
            ("Bearer t", "Bearer\\nt"),
            ("compare_to = \"a\"", "compare_to = \"c\""),
            ("name = \"b\"", "name = \"a\""),
            ("name = \"b\"", "name = \"floor\""),
            ("paths = [\"/y\"]", "path = [\"/y\"]"),
        ];
        for (from, to) in changes {
            assert!(GOOD.contains(from));
            assert!(Targets::parse(&GOOD.replace(from, to)).is_err(), "{to} was accepted");
        }
    }
}
