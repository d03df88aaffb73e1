//! Starting the platform under test on a data directory and ports of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use crate::api::Api;
use crate::http::{Edge, Request};
use crate::process::{Server, free_ports};

/// How long the platform may take to answer that it is ready: an empty store is migrated first.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How long it may take to end after SIGTERM.
const STOP_WITHIN: Duration = Duration::from_secs(30);

/// Settings of every platform under test: one worker thread, like the floor; cheap password hashes, because preparing a
/// thousand accounts is not what is measured; quiet logs; limits that no single person meets.
const SETTINGS: &[&str] = &[
    "node.worker_threads=1",
    "account.argon2_memory_kib=8",
    "account.argon2_iterations=1",
    "account.hashing_queue_max=4096",
    "log.filter=warn",
    // One person asks for thousands. The limits are high, not off: counting is part of what a request costs.
    "rate.read_per_s=1000000",
    "rate.read_burst=1000000",
    "rate.write_per_s=1000000",
    "rate.write_burst=1000000",
    "listen.user=off",
    "listen.content=off",
    "listen.shop=off",
    "listen.media=off",
];

/// A platform process under test.
#[derive(Debug)]
pub struct Platform {
    server: Server,
    /// Where clients go.
    pub gateway: Edge,
    /// Where its metrics are.
    pub admin: Edge,
}

/// How to start it.
#[derive(Clone, Debug)]
pub struct Start<'a> {
    /// What it is called in reports.
    pub name: &'a str,
    /// The `lets-connect` binary.
    pub binary: &'a Path,
    /// An existing directory for its data.
    pub data_dir: &'a Path,
    /// The core that it is pinned to.
    pub core: Option<usize>,
    /// Further `section.name=value` settings; they override the usual ones.
    pub settings: &'a [String],
}

impl Platform {
    /// Starts the platform and waits until it is ready.
    ///
    /// # Errors
    /// If the binary cannot be run, or the platform is not ready within a minute.
    pub async fn start(start: &Start<'_>) -> anyhow::Result<Self> {
        let ports = free_ports(2)?;
        let address = |port: u16| format!("127.0.0.1:{port}");
        let mut command = Command::new(absolute(start.binary)?);
        command.arg("--data-dir").arg(start.data_dir).stdin(Stdio::null()).stdout(Stdio::null());
        let listen = [format!("listen.gateway={}", address(ports[0])), format!("listen.admin={}", address(ports[1]))];
        let usual = SETTINGS.iter().map(|setting| (*setting).to_owned());
        for setting in usual.chain(listen).chain(start.settings.iter().cloned()) {
            command.arg("--set").arg(setting);
        }
        // The environment of whoever runs the tool must not configure what is measured.
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("LETS_CONNECT_")) {
            command.env_remove(name);
        }
        let edge = |port: u16| Edge::from(std::net::SocketAddr::from(([127, 0, 0, 1], port)));
        let (gateway, admin) = (edge(ports[0]), edge(ports[1]));
        let mut server = Server::start(start.name, command, start.core)?;
        await_ready(&mut server, &gateway, "/health/ready").await?;
        Ok(Self { server, gateway, admin })
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.server.pid()
    }

    /// Asks it to end, and waits until it did.
    ///
    /// # Errors
    /// If it does not end within half a minute; it is killed then.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.server.stop(STOP_WITHIN).await
    }
}

fn absolute(binary: &Path) -> anyhow::Result<PathBuf> {
    binary.canonicalize().with_context(|| format!("there is no {}", binary.display()))
}

/// Waits until a server answers 200 on a path.
///
/// # Errors
/// If the process ends, or does not answer so within a minute.
pub async fn await_ready(server: &mut Server, edge: &Edge, path: &str) -> anyhow::Result<()> {
    let request = Request::get(path);
    let asked_from = Instant::now();
    while asked_from.elapsed() < READY_WITHIN {
        server.ensure_running()?;
        let answer = Api::new(edge, Duration::from_secs(5)).call(&request).await;
        if answer.is_ok_and(|answer| answer.status == 200) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    bail!("{} was not ready within {READY_WITHIN:?}", server.name())
}

/// Reads a listener's metrics.
///
/// # Errors
/// If it does not answer 200.
pub async fn metrics(admin: &Edge) -> anyhow::Result<String> {
    let answer = Api::new(admin, Duration::from_secs(10)).get("/metrics", None).await?;
    String::from_utf8(answer.body).context("metrics are text")
}
