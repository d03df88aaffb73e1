//! One measurement: a number of connections that each send the next request as soon as the last was answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use bytes::Bytes;
use serde::Serialize;

use crate::http::{Connection, Edge};
use crate::process::CpuReading;

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
}

/// What was measured.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sample {
    /// Requests answered.
    pub requests: u64,
    /// Requests answered per second.
    pub requests_per_second: f64,
    /// CPU time of the server's process, user and kernel, per request in µs.
    pub server_cpu_us: f64,
    /// How busy the server's process kept its core, 0 to 1.
    pub server_busy: f64,
    /// How busy the load generator kept its own, 0 to 1.
    pub client_busy: f64,
    /// The server's CPU time comes from the clock of 10 ms ticks.
    pub coarse: bool,
}

#[derive(Default)]
struct Shared {
    answered: AtomicU64,
    next: AtomicUsize,
    stopped: AtomicBool,
}

/// Measures once.
///
/// # Errors
/// If a connection fails or an answer has another status: a figure about errors would be none.
pub async fn measure(load: &Load, method: Method) -> anyhow::Result<Sample> {
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
    let before = Reading::take(load.pid, &shared)?;
    tokio::time::sleep(method.duration).await;
    let after = Reading::take(load.pid, &shared)?;
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
        let turn = shared.next.fetch_add(1, Ordering::Relaxed) % load.requests.len();
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
}

impl Reading {
    fn take(pid: u32, shared: &Shared) -> anyhow::Result<Self> {
        Ok(Self {
            at: Instant::now(),
            answered: shared.answered.load(Ordering::Relaxed),
            server: CpuReading::take(pid)?,
            client: CpuReading::take(std::process::id())?,
        })
    }

    fn since(&self, earlier: &Self) -> anyhow::Result<Sample> {
        let requests = self.answered - earlier.answered;
        if requests == 0 {
            bail!("not one request was answered");
        }
        let elapsed_ns = (self.at - earlier.at).as_nanos() as f64;
        let server = self.server.since(&earlier.server);
        let client = self.client.since(&earlier.client);
        Ok(Sample {
            requests,
            requests_per_second: requests as f64 / elapsed_ns * 1e9,
            server_cpu_us: server.cpu_ns as f64 / 1e3 / requests as f64,
            server_busy: server.cpu_ns as f64 / elapsed_ns,
            client_busy: client.cpu_ns as f64 / elapsed_ns,
            coarse: server.coarse,
        })
    }
}
