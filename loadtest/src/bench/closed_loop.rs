//! One measurement: a number of connections that each send the next request as soon as the last was answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use bytes::Bytes;

use crate::http::{Connection, Edge};
use crate::process::{CpuReading, core_idle_ns};

/// What a measurement sends to whom.
#[derive(Clone, Debug)]
pub struct Load {
    /// The server.
    pub edge: Edge,
    /// Its process.
    pub pid: u32,
    /// Sent in turn, by all connections together.
    pub requests: Arc<[Bytes]>,
    /// What each must be answered.
    pub status: u16,
    /// Whose turn it is. One measurement goes on where the last ended: from the beginning each time, the first requests of a
    /// long list would soon be warm.
    pub turn: Arc<AtomicUsize>,
}

/// How a measurement is made.
#[derive(Clone, Copy, Debug)]
pub struct Method {
    /// Keep-alive connections, one request at a time on each.
    pub connections: usize,
    /// Time before the measurement.
    pub warmup: Duration,
    /// Time of the measurement.
    pub duration: Duration,
    /// The core of the server.
    pub server_core: usize,
    /// The core of the load generator.
    pub client_core: usize,
}

/// What was measured, in one piece or in several added up.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Measured {
    /// Requests answered.
    pub requests: u64,
    /// Time of the measurement.
    pub elapsed_ns: u64,
    /// CPU time of the server's process, user and kernel.
    pub server_ns: u64,
    /// CPU time of the load generator.
    pub client_ns: u64,
    /// Time that something else took from the two cores.
    pub foreign_ns: u64,
    /// The server's CPU time comes from the clock of 10 ms ticks.
    pub coarse: bool,
}

impl std::ops::AddAssign for Measured {
    fn add_assign(&mut self, other: Self) {
        self.requests += other.requests;
        self.elapsed_ns += other.elapsed_ns;
        self.server_ns += other.server_ns;
        self.client_ns += other.client_ns;
        self.foreign_ns += other.foreign_ns;
        self.coarse |= other.coarse;
    }
}

impl Measured {
    /// The share of the two cores' time that something else took, 0 to 1.
    pub fn foreign_share(&self) -> f64 {
        self.foreign_ns as f64 / (2.0 * self.elapsed_ns as f64)
    }
}

#[derive(Default)]
struct Shared {
    answered: AtomicU64,
    stopped: AtomicBool,
}

/// Measures once.
///
/// # Errors
/// If a connection fails or an answer has another status: a figure about errors would be none.
pub async fn measure(load: &Load, method: Method) -> anyhow::Result<Measured> {
    let mut connections = Vec::with_capacity(method.connections);
    for _ in 0..method.connections {
        connections.push(Connection::open(&load.edge).await.with_context(|| format!("connecting to {}", load.edge))?);
    }
    let shared = Arc::new(Shared::default());
    let mut senders = tokio::task::JoinSet::new();
    for connection in connections {
        senders.spawn(send(connection, load.clone(), Arc::clone(&shared)));
    }
    tokio::time::sleep(method.warmup).await;
    let before = Reading::take(load.pid, method, &shared)?;
    tokio::time::sleep(method.duration).await;
    let after = Reading::take(load.pid, method, &shared)?;
    shared.stopped.store(true, Ordering::Relaxed);
    let deadline = Instant::now() + Duration::from_secs(10);
    while let Ok(Some(ended)) = tokio::time::timeout_at(deadline.into(), senders.join_next()).await {
        ended??;
    }
    if !senders.is_empty() {
        bail!("{} connections to {} got no answer within 10 s", senders.len(), load.edge);
    }
    after.since(&before)
}

async fn send(mut connection: Connection, load: Load, shared: Arc<Shared>) -> anyhow::Result<()> {
    while !shared.stopped.load(Ordering::Relaxed) {
        let turn = load.turn.fetch_add(1, Ordering::Relaxed) % load.requests.len();
        let response = connection.exchange(&load.requests[turn]).await.with_context(|| format!("exchanging with {}", load.edge))?;
        if response.status() != load.status {
            bail!("{} answered {} where {} was due", load.edge, response.status(), load.status);
        }
        shared.answered.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

struct Reading {
    at: Instant,
    answered: u64,
    server: CpuReading,
    client: CpuReading,
    server_core_idle_ns: u64,
    client_core_idle_ns: u64,
}

impl Reading {
    fn take(pid: u32, method: Method, shared: &Shared) -> anyhow::Result<Self> {
        Ok(Self {
            at: Instant::now(),
            answered: shared.answered.load(Ordering::Relaxed),
            server: CpuReading::take(pid)?,
            client: CpuReading::take(std::process::id())?,
            server_core_idle_ns: core_idle_ns(method.server_core)?,
            client_core_idle_ns: core_idle_ns(method.client_core)?,
        })
    }

    fn since(&self, earlier: &Self) -> anyhow::Result<Measured> {
        let requests = self.answered - earlier.answered;
        let elapsed_ns = u64::try_from((self.at - earlier.at).as_nanos())?;
        let server = self.server.since(&earlier.server);
        let client = self.client.since(&earlier.client);
        let foreign = |own_ns: u64, idle_ns: u64| elapsed_ns.saturating_sub(own_ns + idle_ns);
        let foreign_ns = foreign(server.cpu_ns, self.server_core_idle_ns - earlier.server_core_idle_ns)
            + foreign(client.cpu_ns, self.client_core_idle_ns - earlier.client_core_idle_ns);
        Ok(Measured { requests, elapsed_ns, server_ns: server.cpu_ns, client_ns: client.cpu_ns, foreign_ns, coarse: server.coarse })
    }
}
