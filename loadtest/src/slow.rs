//! `loadtest slow`: a thousand clients that dawdle, and one that does not.
//!
//! Slow clients hold connections by sending almost nothing, or by never reading. The server must close each at a deadline,
//! and a fast client must not notice them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use parking_lot::Mutex;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use serde_json::json;
use socket2::SockRef;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::api::{Api, path};
use crate::http::{Edge, Request};
use crate::platform;
use crate::prometheus::Selector;
use crate::report::{self, Stamp};
use crate::run::population::register;
use crate::run::{Load, Operation, Plan, Shape, Spacing, Tally, drive};
use crate::text;

/// The pause between two bytes of a dawdling client.
const PAUSE: Duration = Duration::from_secs(1);
/// Slow clients arrive over this time, lest all deadlines fall on one moment.
const ARRIVAL_SPREAD: Duration = Duration::from_secs(4);
/// The pause between two requests of a client that never reads.
const ASK_PAUSE: Duration = Duration::from_millis(50);
/// Its receive buffer. With the usual one, and the loopback's segments of 64 KiB, the kernel takes thousands of answers off
/// the server's hands before the server is left with one: that would be a flood, and not what is tested here.
const UNREAD_ANSWER_BYTES: usize = 4096;
/// The segments that it asks for: those of an Ethernet. The server's kernel sizes its send buffer by them.
const SEGMENT_BYTES: u32 = 1460;

/// How a client dawdles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Manner {
    /// Connects and says nothing
    Silent,
    /// Sends its request's head one byte a second
    Head,
    /// Announces a body and sends it one byte a second
    Body,
    /// Asks again and again and never reads an answer
    Reader,
}

/// Options of `loadtest slow`.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Base URL
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8000")]
    pub base: Edge,
    /// Base URL of the admin listener, to watch the server's memory
    #[arg(long, value_name = "URL")]
    pub admin: Option<Edge>,
    /// The metric that says how much memory the server has
    #[arg(long, default_value = "process_memory_rss_bytes")]
    pub metric: Selector,
    /// Slow clients
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u16).range(1..=20_000))]
    pub clients: u16,
    /// How they dawdle; shared out evenly
    #[arg(long = "manner", value_enum, value_delimiter = ',', default_values = ["silent", "head", "body", "reader"])]
    pub manners: Vec<Manner>,
    /// Each slow client must be closed within this time
    #[arg(long, default_value = "45s", value_parser = report::parse_duration)]
    pub closed_within: Duration,
    /// Requests per second of the fast client
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub rate: u32,
    /// How long the fast client runs alone, and how long beside the slow ones
    #[arg(long, default_value = "10s", value_parser = report::parse_duration)]
    pub duration: Duration,
    /// The fast client's p99 (of its median second) beside slow clients may be this many times its p99 alone, or 5 ms more
    #[arg(long, default_value_t = 2.0)]
    pub p99_ratio_max: f64,
    /// Write the result as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// How one manner of slow client fared.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Closed {
    /// How they dawdled.
    pub manner: Manner,
    /// How many there were.
    pub clients: usize,
    /// How many were not closed in time.
    pub left_open: usize,
    /// Seconds until the first was closed.
    pub first_s: Option<f64>,
    /// Seconds until the last was closed.
    pub last_s: Option<f64>,
}

/// The result.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Where and when.
    pub stamp: Stamp,
    /// All closed in time, no error and no delay for the fast client.
    pub passed: bool,
    /// Each manner.
    pub slow: Vec<Closed>,
    /// The fast client's p99 in its median second alone, in µs.
    pub p99_alone_us: u64,
    /// The fast client's p99 in its median second beside slow clients, in µs.
    pub p99_beside_us: u64,
    /// The fast client's errors, both times.
    pub errors: u64,
    /// The server's memory before and at its greatest, in bytes.
    pub memory_bytes: Option<(f64, f64)>,
}

/// Runs it and prints the result; true if it passed.
///
/// # Errors
/// If the fast client cannot be prepared.
pub async fn run(options: &Options) -> anyhow::Result<bool> {
    crate::process::allow_open_files(u64::from(options.clients) + 128)?;
    let summary = measure(options).await?;
    print!("{summary}");
    if let Some(file) = &options.json {
        report::write_json(file, &summary)?;
    }
    Ok(summary.passed)
}

/// Runs it and returns the result without printing it.
///
/// # Errors
/// If the fast client cannot be prepared.
pub async fn measure(options: &Options) -> anyhow::Result<Summary> {
    let stamp = Stamp::now();
    let person = register(&options.base, 1).await?.pop().context("registered")?;
    let bio = text::prose(&mut ChaCha8Rng::seed_from_u64(5), 220);
    Api::new(&options.base, Duration::from_secs(30)).put_profile(&person, &json!({"bio": bio})).await?;
    let request = Request::get(path::profile(&person.id));
    eprintln!("the fast client alone");
    let alone = fast(options, &request).await?;
    let memory_before = memory(options).await?;
    eprintln!("the fast client beside {} slow ones", options.clients);
    let clients = tokio::spawn(all_slow(options.clone(), request.clone()));
    let beside = fast(options, &request).await?;
    let memory_at_height = watch_memory(options, &clients).await?;
    let slow = clients.await?;
    let (p99_alone_us, p99_beside_us) = (p99_of_median_second(&alone), p99_of_median_second(&beside));
    let errors = alone.total().errors() + beside.total().errors();
    let bearable_us = (p99_alone_us as f64 * options.p99_ratio_max).max(p99_alone_us as f64 + 5000.0);
    let all_closed = slow.iter().all(|closed| closed.left_open == 0);
    Ok(Summary {
        stamp,
        passed: all_closed && errors == 0 && p99_beside_us as f64 <= bearable_us,
        slow,
        p99_alone_us,
        p99_beside_us,
        errors,
        memory_bytes: memory_before.zip(memory_at_height),
    })
}

async fn fast(options: &Options, request: &Request) -> anyhow::Result<Tally> {
    let plan = Plan::uniform(Operation::Profile, std::slice::from_ref(request), std::slice::from_ref(&options.base))?;
    let load = Load {
        shape: Shape::Constant { rate_per_s: f64::from(options.rate) },
        spacing: Spacing::Even,
        warmup: Duration::from_secs(1),
        duration: options.duration,
        requests_max: u64::MAX,
        connections: 8,
        backlog_max: 10_000,
        deadline: Duration::from_secs(10),
        seed: 1,
        tells: true,
    };
    drive(plan, &load, || {}).await
}

/// The p99 of a typical second, in µs. One bad second of the machine is none of the slow clients' doing; if they hurt, they
/// hurt for as long as they are there. The warm-up and the last, broken second are left out.
fn p99_of_median_second(tally: &Tally) -> u64 {
    let whole = tally.series.get(1..tally.series.len().saturating_sub(1)).unwrap_or_default();
    let mut seconds: Vec<u64> = whole.iter().filter(|second| second.ended > 0).map(|second| second.p99_us).collect();
    seconds.sort_unstable();
    seconds.get(seconds.len() / 2).copied().unwrap_or_else(|| tally.total().percentile_us(99.0))
}

async fn memory(options: &Options) -> anyhow::Result<Option<f64>> {
    let Some(admin) = &options.admin else { return Ok(None) };
    Ok(options.metric.sum(&platform::metrics(admin).await?))
}

/// The greatest memory seen while slow clients are left.
async fn watch_memory(options: &Options, clients: &tokio::task::JoinHandle<Vec<Closed>>) -> anyhow::Result<Option<f64>> {
    let mut greatest = memory(options).await?;
    while !clients.is_finished() {
        tokio::time::sleep(Duration::from_millis(200)).await;
        greatest = memory(options).await?.zip(greatest).map(|(now, greatest)| now.max(greatest));
    }
    Ok(greatest)
}

/// How a client dawdled, and after what time it was closed, if it was.
type Closing = (Manner, Option<Duration>);

/// Runs all slow clients until each is closed or given up.
async fn all_slow(options: Options, request: Request) -> Vec<Closed> {
    let closings: Arc<Mutex<Vec<Closing>>> = Arc::default();
    let mut clients = tokio::task::JoinSet::new();
    for number in 0..usize::from(options.clients) {
        let manner = options.manners[number % options.manners.len()];
        let (edge, request, closings) = (options.base.clone(), request.encode(&options.base), Arc::clone(&closings));
        let patience = options.closed_within;
        let arrives_after = ARRIVAL_SPREAD.mul_f64(number as f64 / f64::from(options.clients));
        clients.spawn(async move {
            tokio::time::sleep(arrives_after).await;
            let began = Instant::now();
            let closed = tokio::time::timeout(patience, dawdle(&edge, manner, &request)).await;
            closings.lock().push((manner, closed.ok().map(|()| began.elapsed())));
        });
    }
    while clients.join_next().await.is_some() {}
    let closings = closings.lock();
    let mut manners = options.manners.clone();
    manners.sort_unstable();
    manners.dedup();
    manners.into_iter().map(|manner| Closed::of(manner, &closings)).collect()
}

impl Closed {
    fn of(manner: Manner, closings: &[Closing]) -> Self {
        let of_manner = || closings.iter().filter(|(each, _)| *each == manner).map(|(_, closed)| *closed);
        let times = || of_manner().flatten().map(|time| time.as_secs_f64());
        Self {
            manner,
            clients: of_manner().count(),
            left_open: of_manner().filter(Option::is_none).count(),
            first_s: times().reduce(f64::min),
            last_s: times().reduce(f64::max),
        }
    }
}

/// Dawdles until the server ends the connection. A refused connection is one that was ended at once.
async fn dawdle(edge: &Edge, manner: Manner, request: &[u8]) {
    let Ok(stream) = connect(edge, manner).await else { return };
    let host = edge.authority();
    match manner {
        Manner::Silent => trickle(stream, b"", b"").await,
        Manner::Head => {
            trickle(stream, b"", &format!("GET /health HTTP/1.1\r\nhost: {host}\r\nx-slow: {}", "a".repeat(8192)).into_bytes()).await
        }
        Manner::Body => {
            let head = format!(
                "POST {}{} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\ncontent-length: 8192\r\n\r\n",
                edge.prefix(),
                path::REGISTER
            );
            trickle(stream, head.as_bytes(), &[b' '; 8192]).await;
        }
        Manner::Reader => ask_without_reading(stream, request).await,
    }
}

async fn connect(edge: &Edge, manner: Manner) -> std::io::Result<TcpStream> {
    let address = edge.address();
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if manner == Manner::Reader {
        let socket = SockRef::from(&socket);
        socket.set_recv_buffer_size(UNREAD_ANSWER_BYTES)?;
        socket.set_tcp_mss(SEGMENT_BYTES)?;
    }
    socket.connect(address).await
}

/// Sends the beginning at once and the rest byte by byte, and returns when the server has ended the connection.
async fn trickle(stream: TcpStream, beginning: &[u8], rest: &[u8]) {
    let (mut reading, mut writing) = stream.into_split();
    let ended = async {
        let mut bytes = [0; 4096];
        while matches!(reading.read(&mut bytes).await, Ok(1..)) {}
    };
    let sending = async {
        let _ = writing.write_all(beginning).await;
        for byte in rest {
            tokio::time::sleep(PAUSE).await;
            if writing.write_all(&[*byte]).await.is_err() {
                break;
            }
        }
        // Only the other future tells the end: a write may succeed into a closed connection.
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = ended => {}
        () = sending => {}
    }
}

/// Sends requests, and waits for room when the server takes no more; returns when the server has reset the connection.
async fn ask_without_reading(mut stream: TcpStream, request: &[u8]) {
    while stream.write_all(request).await.is_ok() {
        tokio::time::sleep(ASK_PAUSE).await;
    }
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let seconds = |time: Option<f64>| time.map_or("–".to_owned(), |time| format!("{time:.1} s"));
        let row = |closed: &Closed| {
            let Closed { manner, clients, left_open, first_s, last_s } = closed;
            let name = format!("{manner:?}").to_lowercase();
            vec![name, clients.to_string(), left_open.to_string(), seconds(*first_s), seconds(*last_s)]
        };
        let rows: Vec<Vec<String>> = self.slow.iter().map(row).collect();
        write!(f, "{}", report::table(&["slow clients", "clients", "left open", "first closed", "last closed"], &rows))?;
        let shown = |us: u64| report::show_us(us as f64);
        writeln!(
            f,
            "fast client: p99 of the median second {} alone, {} beside them, {} errors",
            shown(self.p99_alone_us),
            shown(self.p99_beside_us),
            self.errors
        )?;
        if let Some((before, height)) = self.memory_bytes {
            writeln!(f, "server memory: {:.1} MiB before, {:.1} MiB at its greatest", before / 1048576.0, height / 1048576.0)?;
        }
        writeln!(f, "{}", if self.passed { "PASS" } else { "FAIL" })
    }
}
