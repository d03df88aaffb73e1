//! `loadtest run`: an open-loop driver.
//!
//! Requests are due at a constant rate, whether the server keeps up or not, and latency counts from the moment a request
//! was due. A closed loop sends less while the server stalls, and so hides the stall from its own percentiles
//! (coordinated omission); this one does not.

mod arrival;
mod driver;
mod plan;
pub(crate) mod population;
mod scenario;
mod summary;
mod tally;
mod threshold;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::http::Edge;
use crate::report;

pub use driver::{Load, drive};
pub use plan::Plan;
pub use population::Population;
pub use scenario::{Operation, Scenario};
pub use summary::Summary;
pub use tally::Tally;
pub use threshold::Threshold;

/// Options of `loadtest run`.
#[derive(Args, Clone, Debug)]
#[group(id = "load")]
pub struct Options {
    /// The mix of requests
    #[arg(value_enum)]
    pub scenario: Scenario,
    /// Base URL of an edge; repeat it, and connections are shared out among them
    #[arg(long = "base", value_name = "URL", default_value = "http://127.0.0.1:8000")]
    pub bases: Vec<Edge>,
    /// Arrivals per second
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub rate: u32,
    /// How long arrivals are measured
    #[arg(long, default_value = "30s", value_parser = report::parse_duration)]
    pub duration: Duration,
    /// How long arrivals come before they are measured
    #[arg(long, default_value = "5s", value_parser = report::parse_duration)]
    pub warmup: Duration,
    /// The most arrivals, warm-up included
    #[arg(long, default_value_t = 10_000_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    pub requests_max: u64,
    /// Keep-alive connections
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=20_000))]
    pub connections: u16,
    /// Arrivals that may wait for a free connection; further ones are dropped and count as errors
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub backlog_max: u32,
    /// Deadline of each request, from when it is sent
    #[arg(long, default_value = "10s", value_parser = report::parse_duration)]
    pub deadline: Duration,
    /// Exponent of the Zipf distribution of keys; 0 is uniform
    #[arg(long, default_value_t = 1.0)]
    pub zipf: f64,
    /// Seed of the choice of requests and keys
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// What must hold, else exit 1: `p99<50ms`, `max<1s`, `errors<1%`, or of one operation: `feed:p99<80ms`
    #[arg(long = "threshold", value_name = "RULE", default_value = "errors<1%")]
    pub thresholds: Vec<Threshold>,
    /// Read the public people, posts and products of a running instance instead of making some
    #[arg(long)]
    pub existing: bool,
    /// People to register (with --existing: viewers)
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub people: u32,
    /// Posts to publish (with --existing: to find)
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub posts: u32,
    /// Products to offer (with --existing: to find)
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub products: u32,
    /// People whom each person follows
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(0..=1000))]
    pub follows: u32,
    /// Write the result as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// Runs the load and prints its result; true if every threshold held.
///
/// # Errors
/// If the data cannot be prepared, or the result cannot be written.
pub async fn run(options: &Options) -> anyhow::Result<bool> {
    crate::process::allow_open_files(u64::from(options.connections) + 64)?;
    let summary = measure(options).await?;
    print!("{summary}");
    if let Some(path) = &options.json {
        report::write_json(path, &summary)?;
    }
    Ok(summary.passed)
}

/// Runs the load and returns its result without printing it.
///
/// # Errors
/// If the data cannot be prepared.
pub async fn measure(options: &Options) -> anyhow::Result<Summary> {
    let population = Population::obtain(options).await?;
    measure_on(options, &population).await
}

/// Runs the load on a population that was obtained before.
///
/// # Errors
/// If a connection cannot be opened, or the population has nothing for a part of the mix.
pub async fn measure_on(options: &Options, population: &Population) -> anyhow::Result<Summary> {
    let stamp = report::Stamp::now();
    let plan = Plan::new(options.scenario.mix(), population, options)?;
    let load = Load {
        rate: f64::from(options.rate),
        warmup: options.warmup,
        duration: options.duration,
        requests_max: options.requests_max,
        connections: usize::from(options.connections),
        backlog_max: options.backlog_max as usize,
        deadline: options.deadline,
        seed: options.seed,
    };
    let tally = drive(plan, &load).await?;
    Ok(Summary::new(stamp, options, &tally))
}
