//! `loadtest flood`: more than a server can do, and how it refuses the rest.
//!
//! Requests come from a file, are due at a constant rate or all at once, and each is sent on a connection of its own that
//! has nothing else to do: whatever time an answer takes is the server's, from the moment its request was sent. What is due
//! while no connection is free is not sent, and counted apart: it is the driver's, not the server's.

mod tally;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use clap::Args;
use http::Method;
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::Value;

use crate::http::{Connection, Edge, Request};
use crate::report::{self, Stamp};

pub use tally::{Ending, Summary, Tally};

/// How often is looked at what is due.
const TICK: Duration = Duration::from_millis(1);
/// Connections that are opened at a time, before anything is sent: more would overrun the server's backlog.
const OPENED_AT_A_TIME: usize = 100;
/// The most requests that a file may hold.
const REQUESTS_MAX: usize = 100_000;

/// Options of `loadtest flood`.
#[derive(Args, Clone, Debug)]
#[group(id = "flood")]
pub struct Options {
    /// Base URL
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8000")]
    pub base: Edge,
    /// What is sent, in turn: a JSON array of {"method", "path", "token"?, "body"?}
    #[arg(long, value_name = "FILE")]
    pub requests: PathBuf,
    /// Requests per second
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub rate: u32,
    /// Send so many at once instead, and again as many when all of them are answered
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=50_000))]
    pub at_once: Option<u32>,
    /// For how long requests are sent
    #[arg(long, default_value = "5s", value_parser = report::parse_duration)]
    pub duration: Duration,
    /// Connections, each with one request at a time (with --at-once: as many as that)
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..=50_000))]
    pub connections: u32,
    /// Deadline of each request
    #[arg(long, default_value = "30s", value_parser = report::parse_duration)]
    pub deadline: Duration,
    /// Write the result as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// A request as the file has it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    method: String,
    path: String,
    token: Option<String>,
    body: Option<Value>,
}

impl Written {
    fn encode(self, edge: &Edge) -> anyhow::Result<Bytes> {
        ensure!(self.path.starts_with('/'), "{:?} is no path: it begins with /", self.path);
        let method: Method = self.method.parse().with_context(|| format!("{:?} is no method", self.method))?;
        let request = Request::new(method, self.path);
        let request = self.token.iter().fold(request, |request, token| request.bearer(token));
        Ok(self.body.iter().fold(request, Request::json).encode(edge))
    }
}

/// Reads the file: at least one request.
fn requests(options: &Options) -> anyhow::Result<Vec<Bytes>> {
    let place = || format!("reading {}", options.requests.display());
    let text = std::fs::read(&options.requests).with_context(place)?;
    let written: Vec<Written> = serde_json::from_slice(&text).with_context(place)?;
    ensure!(!written.is_empty() && written.len() <= REQUESTS_MAX, "a file holds 1 to {REQUESTS_MAX} requests, not {}", written.len());
    written.into_iter().map(|each| each.encode(&options.base)).collect()
}

/// Floods and prints the result; true if anything was answered.
///
/// # Errors
/// If the requests cannot be read, a connection cannot be opened, or the result cannot be written.
pub async fn run(options: &Options) -> anyhow::Result<bool> {
    let summary = measure(options).await?;
    print!("{summary}");
    if let Some(path) = &options.json {
        report::write_json(path, &summary)?;
    }
    Ok(summary.answered > 0)
}

/// Floods and returns the result without printing it.
///
/// # Errors
/// If the requests cannot be read, or a connection cannot be opened.
pub async fn measure(options: &Options) -> anyhow::Result<Summary> {
    let stamp = Stamp::now();
    let connections = options.at_once.unwrap_or(options.connections);
    crate::process::allow_open_files(u64::from(connections) + 64)?;
    let flood = Arc::new(Flood {
        edge: options.base.clone(),
        deadline: options.deadline,
        requests: requests(options)?,
        idle: Mutex::new(opened(&options.base, connections as usize).await?),
        tally: Mutex::default(),
    });
    // Who waits for the flood to begin reads this.
    eprintln!("the flood begins");
    let (began, busy) = (Instant::now(), crate::process::thread_cpu());
    match options.at_once {
        Some(_) => in_waves(&flood, options.duration).await,
        None => at_a_rate(&flood, options).await,
    }
    let took = began.elapsed();
    let busy_share = crate::process::thread_cpu().saturating_sub(busy).as_secs_f64() / took.as_secs_f64();
    let tally = std::mem::take(&mut *flood.tally.lock());
    Ok(Summary::new(stamp, &tally, took.min(options.duration.max(Duration::from_millis(1))), busy_share))
}

struct Flood {
    edge: Edge,
    deadline: Duration,
    requests: Vec<Bytes>,
    idle: Mutex<Vec<Connection>>,
    tally: Mutex<Tally>,
}

async fn opened(edge: &Edge, count: usize) -> anyhow::Result<Vec<Connection>> {
    let mut connections = Vec::with_capacity(count);
    while connections.len() < count {
        let few = OPENED_AT_A_TIME.min(count - connections.len());
        let opening = futures_util::future::try_join_all((0..few).map(|_| Connection::open(edge)));
        connections.extend(opening.await.with_context(|| format!("connecting to {edge}"))?);
    }
    Ok(connections)
}

/// How many requests are due so long after the beginning.
fn due(rate: u32, elapsed: Duration) -> u64 {
    (f64::from(rate) * elapsed.as_secs_f64()) as u64
}

async fn at_a_rate(flood: &Arc<Flood>, options: &Options) {
    let began = Instant::now();
    let mut sending = tokio::task::JoinSet::new();
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let mut number = 0;
    while began.elapsed() < options.duration {
        let tick = ticks.tick().await;
        flood.tally.lock().own_delay(tick.elapsed());
        while number < due(options.rate, began.elapsed().min(options.duration)) {
            flood.send(number, &mut sending);
            number += 1;
        }
        while sending.try_join_next().is_some() {}
    }
    flood.tally.lock().close_interval();
    while sending.join_next().await.is_some() {}
}

async fn in_waves(flood: &Arc<Flood>, duration: Duration) {
    let began = Instant::now();
    let mut number = 0;
    while number == 0 || began.elapsed() < duration {
        let mut sending = tokio::task::JoinSet::new();
        let count = flood.idle.lock().len();
        if count == 0 {
            return;
        }
        for _ in 0..count {
            flood.send(number, &mut sending);
            number += 1;
        }
        while sending.join_next().await.is_some() {}
        flood.tally.lock().waves += 1;
    }
}

impl Flood {
    /// Sends one request on a connection that is free.
    fn send(self: &Arc<Self>, number: u64, sending: &mut tokio::task::JoinSet<()>) {
        let Some(connection) = self.idle.lock().pop() else {
            self.tally.lock().record(Ending::NotSent, Duration::ZERO);
            return;
        };
        let flood = Arc::clone(self);
        sending.spawn(async move { flood.exchange(connection, number).await });
    }

    async fn exchange(&self, mut connection: Connection, number: u64) {
        let request = &self.requests[usize::try_from(number).unwrap_or(0) % self.requests.len()];
        let sent = Instant::now();
        let outcome = tokio::time::timeout(self.deadline, connection.exchange(request)).await;
        let ending = match outcome {
            Ok(Ok(response)) => Ending::of(response.status(), || response.headers().iter().any(|(name, _)| name == "retry-after")),
            _ => Ending::Unanswered,
        };
        self.tally.lock().record(ending, sent.elapsed());
        if ending == Ending::Unanswered || connection.is_spent() {
            let Ok(Ok(another)) = tokio::time::timeout(self.deadline, Connection::open(&self.edge)).await else { return };
            connection = another;
        }
        self.idle.lock().push(connection);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge() -> Edge {
        Edge::from(std::net::SocketAddr::from(([127, 0, 0, 1], 80)))
    }

    #[test]
    fn what_is_due_follows_the_rate() {
        let at = |ms| due(2000, Duration::from_millis(ms));
        assert_eq!([at(0), at(1), at(500), at(5000)], [0, 2, 1000, 10_000]);
    }

    #[test]
    fn requests_are_read_as_they_are_written() {
        let read = |text: &str| serde_json::from_str::<Written>(text).map_err(anyhow::Error::new).and_then(|each| each.encode(&edge()));
        let bytes = read(r#"{"method": "PUT", "path": "/x", "token": "t", "body": {"a": 1}}"#).unwrap();
        assert!(bytes.starts_with(b"PUT /x HTTP/1.1\r\n") && bytes.ends_with(b"\r\n\r\n{\"a\":1}"));
        for bad in [
            r#"{"method": "GET", "path": "x"}"#,
            r#"{"method": "G T", "path": "/x"}"#,
            r#"{"path": "/x"}"#,
            r#"{"method": "GET", "path": "/", "x": 1}"#,
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
