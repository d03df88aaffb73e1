//! The servers of a benchmark, and the rounds in which they are measured.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use bytes::Bytes;

use super::closed_loop::{Load, Measured, Method, measure};
use super::floor::is_automatic;
use super::sample::Sample;
use super::standard::Standard;
use super::target::{FLOOR, Process, Target, Targets};
use super::{FloorHeaders, Options};
use crate::api::Api;
use crate::http::{Edge, Request};
use crate::platform::{self, await_ready};
use crate::process::Server;

/// Of targets with many paths so many answers are looked at for the size of the body.
const PROBES_MAX: usize = 100;
/// Requests over which the store's queries are counted, before the rounds.
const QUERY_PROBES: usize = 300;

/// A slice is measured again if something else took more than this share of the two cores' time: it would have taken the
/// caches, too.
const FOREIGN_SHARE_MAX: f64 = 0.05;
/// How often a slice is measured before it is taken as it is, and counted as disturbed.
const SLICE_ATTEMPTS_MAX: u32 = 4;

/// Targets that can be measured, and the servers that they are on.
pub struct Bench {
    /// In the order of the report.
    pub entries: Vec<Entry>,
    /// Ended when the benchmark is.
    _servers: Vec<Server>,
    _standard: Option<Standard>,
}

/// One target, ready to be measured.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What the report calls it.
    pub name: String,
    /// What is sent.
    pub load: Load,
    /// The mean size of its bodies.
    pub body_bytes: f64,
    /// Store queries per request, where the server counts them.
    pub store_queries: Option<f64>,
    /// The index of the entry that it is compared with.
    pub compare_to: Option<usize>,
}

struct Probed {
    status: u16,
    headers: Vec<(String, String)>,
    body_bytes: f64,
}

impl Bench {
    /// Starts all servers, prepares the platform's data, looks at an answer of each target, and starts its floor.
    pub async fn prepare(options: &Options) -> anyhow::Result<Self> {
        let mut bench = Self { entries: Vec::new(), _servers: Vec::new(), _standard: None };
        if let Some(binary) = &options.platform {
            let standard = Standard::start(binary, options).await?;
            for (target, server) in standard.targets() {
                bench.add(&target, &server.gateway, server.pid(), options).await?;
                let queries = count_queries(&target, &server.gateway, &server.admin, options).await?;
                // A floor stands before its target, which is always the last.
                bench.entries.last_mut().context("a target was just added")?.store_queries = Some(queries);
            }
            bench._standard = Some(standard);
        }
        if let Some(path) = &options.targets {
            bench.add_listed(&Targets::read(path)?, options).await?;
        }
        if bench.entries.is_empty() {
            bail!("there is nothing to measure");
        }
        Ok(bench)
    }

    async fn add_listed(&mut self, listed: &Targets, options: &Options) -> anyhow::Result<()> {
        let mut running = Vec::new();
        for process in &listed.processes {
            let edge: Edge = process.base.parse().map_err(anyhow::Error::msg)?;
            let pid = match process.pid {
                Some(pid) => pid,
                None => self.start(process, &edge, options).await?,
            };
            running.push((process.name.clone(), edge, pid));
        }
        for target in &listed.targets {
            let process = running.iter().find(|(name, ..)| *name == target.process);
            let (_, edge, pid) = process.context("the list was checked when it was read")?;
            self.add(target, edge, *pid, options).await?;
        }
        for target in &listed.targets {
            let Some(other) = target.compare_to.as_ref().filter(|other| *other != FLOOR) else { continue };
            let index = |name: &str| self.entries.iter().position(|entry| entry.name == name);
            if let (Some(this), Some(that)) = (index(&target.name), index(other)) {
                self.entries[this].compare_to = Some(that);
            }
        }
        Ok(())
    }

    async fn start(&mut self, process: &Process, edge: &Edge, options: &Options) -> anyhow::Result<u32> {
        let (program, arguments) = process.command.split_first().context("a process has a command or a pid")?;
        let mut command = Command::new(program);
        command.args(arguments).envs(&process.env).stdin(Stdio::null()).stdout(Stdio::null());
        let mut server = Server::start(&process.name, command, Some(options.server_core))?;
        await_ready(&mut server, edge, &process.ready).await?;
        let pid = server.pid();
        self._servers.push(server);
        Ok(pid)
    }

    async fn add(&mut self, target: &Target, edge: &Edge, pid: u32, options: &Options) -> anyhow::Result<()> {
        let requests = target.requests();
        let probed = probe(edge, &requests).await.with_context(|| format!("target {}", target.name))?;
        let compare_to = match target.compare_to.as_deref() {
            Some(FLOOR) => Some(self.add_floor(&target.name, &probed, options)?),
            _ => None,
        };
        let requests = requests.iter().map(|request| request.encode(edge)).collect();
        let load = Load { edge: edge.clone(), pid, requests, status: probed.status, turn: Arc::default() };
        let (name, body_bytes) = (target.name.clone(), probed.body_bytes);
        self.entries.push(Entry { name, load, body_bytes, store_queries: None, compare_to });
        Ok(())
    }

    /// Starts raw hyper with the size and the headers of an answer, and returns its entry's index.
    fn add_floor(&mut self, of: &str, probed: &Probed, options: &Options) -> anyhow::Result<usize> {
        let mut command = Command::new(std::env::current_exe().context("finding this program")?);
        let body_bytes = probed.body_bytes.round();
        command.args(["floor", "--body-bytes", &body_bytes.to_string()]).stdin(Stdio::null()).stdout(Stdio::piped());
        let kept = |(name, _): &&(String, String)| match options.floor_headers {
            FloorHeaders::Same => !is_automatic(name),
            FloorHeaders::Minimal => name == "content-type",
        };
        for (name, value) in probed.headers.iter().filter(kept) {
            command.arg("--header").arg(format!("{name}: {value}"));
        }
        let mut server = Server::start(format!("floor of {of}"), command, Some(options.server_core))?;
        let stdout = server.child_mut().stdout.take().context("the floor's output is a pipe")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).context("reading the floor's address")?;
        let address: std::net::SocketAddr = line.trim().parse().with_context(|| format!("the floor said {line:?}"))?;
        let edge = Edge::from(address);
        let requests = [Request::get("/").encode(&edge)].into_iter().collect();
        let load = Load { edge, pid: server.pid(), requests, status: 200, turn: Arc::default() };
        self._servers.push(server);
        let name = format!("hyper, {body_bytes} bytes");
        self.entries.push(Entry { name, load, body_bytes, store_queries: None, compare_to: None });
        Ok(self.entries.len() - 1)
    }

    /// Measures every entry in every round; the result is by entry, then by round.
    pub async fn measure(&self, options: &Options) -> anyhow::Result<Vec<Vec<Sample>>> {
        let slices = options.duration.div_duration_f64(options.slice).ceil().max(1.0) as usize;
        let mut samples = vec![Vec::new(); self.entries.len()];
        for round in 1..=options.rounds {
            let mut measured = vec![(Measured::default(), 0); self.entries.len()];
            for slice in 0..slices {
                // To and fro, so that whatever grows or fades in a round does the same to all.
                let there = 0..self.entries.len();
                let order: Vec<usize> = if slice % 2 == 0 { there.collect() } else { there.rev().collect() };
                for index in order {
                    let (slice, disturbed) = self.entries[index].measure_slice(options).await?;
                    measured[index].0 += slice;
                    measured[index].1 += u32::from(disturbed);
                }
            }
            for (index, (measured, slices_disturbed)) in measured.into_iter().enumerate() {
                let sample = Sample::new(measured, slices_disturbed);
                eprintln!("round {round}/{}  {:<28} {sample}", options.rounds, self.entries[index].name);
                samples[index].push(sample);
            }
        }
        Ok(samples)
    }
}

impl Entry {
    /// Measures one slice, again if something else took too much of the cores meanwhile; true if that did not help.
    async fn measure_slice(&self, options: &Options) -> anyhow::Result<(Measured, bool)> {
        let method = Method {
            connections: usize::from(options.connections),
            warmup: options.warmup,
            duration: options.slice,
            server_core: options.server_core,
            client_core: options.client_core,
        };
        for attempt in 1.. {
            let slice = measure(&self.load, method).await.with_context(|| format!("measuring {}", self.name))?;
            let disturbed = slice.requests == 0 || slice.foreign_share() > FOREIGN_SHARE_MAX;
            if !disturbed || attempt == SLICE_ATTEMPTS_MAX {
                ensure!(slice.requests > 0, "{} answered not one request in {:?}", self.name, options.slice);
                return Ok((slice, disturbed));
            }
        }
        unreachable!("the last attempt returns")
    }
}

/// Asks for some of the paths and returns what they have in common; their statuses must be one.
async fn probe(edge: &Edge, requests: &[Request]) -> anyhow::Result<Probed> {
    let mut api = Api::new(edge, Duration::from_secs(10));
    let mut probed: Option<Probed> = None;
    let looked_at = requests.len().min(PROBES_MAX);
    for request in (0..looked_at).map(|probe| &requests[spread(probe, looked_at, requests.len())]) {
        let answer = api.call(request).await?;
        let share = answer.body.len() as f64 / looked_at as f64;
        match &mut probed {
            None if answer.status >= 400 => {
                bail!("answered {}: {}", answer.status, String::from_utf8_lossy(&answer.body));
            }
            None => probed = Some(Probed { status: answer.status, headers: answer.headers, body_bytes: share }),
            Some(probed) if probed.status != answer.status => bail!("answered both {} and {}", probed.status, answer.status),
            Some(probed) => probed.body_bytes += share,
        }
    }
    probed.context("a target has at least one path")
}

/// The index of a probe, so that all of them are spread over a list.
fn spread(probe: usize, probes: usize, list: usize) -> usize {
    probe * list / probes
}

/// How many store queries a request makes, once warm: shows that a cached read is one, and a miss is a miss.
async fn count_queries(target: &Target, edge: &Edge, admin: &Edge, options: &Options) -> anyhow::Result<f64> {
    let encoded: Vec<Bytes> = target.requests().iter().map(|request| request.encode(edge)).collect();
    let mut link = crate::http::Link::new(edge.clone(), Duration::from_secs(10));
    let count = async || anyhow::Ok(options.metric.sum(&platform::metrics(admin).await?).unwrap_or(0.0));
    let before = count().await?;
    for turn in 0..QUERY_PROBES {
        link.exchange(&encoded[spread(turn, QUERY_PROBES, encoded.len())]).await?;
    }
    Ok((count().await? - before) / QUERY_PROBES as f64)
}
