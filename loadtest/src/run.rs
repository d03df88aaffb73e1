//! `loadtest run`: an open-loop driver.
//!
//! Requests are due at a rate that is given beforehand, whether the server keeps up or not, and latency counts from the moment a request
//! was due. A closed loop sends less while the server stalls, and so hides the stall from its own percentiles
//! (coordinated omission); this one does not.

mod arrival;
mod beside;
mod driver;
mod fresh;
mod photo;
mod plan;
pub(crate) mod population;
mod request;
mod scenario;
mod shape;
mod spotlight;
mod summary;
mod tally;
mod threshold;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum as _};

use crate::http::Edge;
use crate::{check, report};

pub use driver::{Load, drive};
pub use plan::Plan;
pub use population::Population;
pub use scenario::{Operation, Scenario};
pub use shape::{Shape, Spacing};
pub use spotlight::Spotlight;
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
    /// Instead of a constant rate: from one to another over the duration, evenly (100..2000)
    #[arg(long, value_name = "FROM..TO", value_parser = shape::parse_ramp, conflicts_with_all = ["rate", "steps"])]
    pub ramp: Option<Shape>,
    /// Instead of a constant rate: one after another, each for an equal part of the duration (100,200,400)
    #[arg(long, value_name = "A,B,C", value_parser = shape::parse_steps, conflicts_with = "rate")]
    pub steps: Option<Shape>,
    /// How arrivals keep to the rate: even, or poisson (independent of each other, as those of many people are)
    #[arg(long, value_name = "SPACING", default_value = "even")]
    pub arrivals: Spacing,
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
    /// Run the history checker beside the load, at the same edges; what it finds is part of the result
    #[arg(long)]
    pub check: bool,
    /// Reads per second of the checker
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub check_reads_per_second: u32,
    /// Writes per second of the checker
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub check_writes_per_second: u32,
    /// Number of the checker's keys
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub check_keys: u32,
    /// Write no progress each second
    #[arg(long)]
    pub quiet: bool,
    /// Write the result as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

impl Options {
    /// The rate over time.
    pub fn shape(&self) -> Shape {
        let constant = || Shape::Constant { rate_per_s: f64::from(self.rate) };
        self.ramp.clone().or_else(|| self.steps.clone()).unwrap_or_else(constant)
    }

    /// What the checker beside the load does: it goes on as long as the load.
    fn beside(&self) -> check::Options {
        check::Options {
            bases: self.bases.clone(),
            kinds: check::Kind::value_variants().to_vec(),
            keys: self.check_keys,
            writers: 4,
            readers: 16,
            writes_per_second: self.check_writes_per_second,
            reads_per_second: self.check_reads_per_second,
            reads: u64::MAX,
            duration_max: self.warmup + self.duration,
            deadline: self.deadline,
            seed: self.seed,
            expect_violations: false,
            json: None,
        }
    }
}

/// Runs the load and prints its result; true if every threshold held, and the checker found nothing.
///
/// # Errors
/// If the data cannot be prepared, or the result cannot be written.
pub async fn run(options: &Options) -> anyhow::Result<bool> {
    let checked = if options.check { options.beside().connections_max() } else { 0 };
    crate::process::allow_open_files(u64::from(options.connections) + checked + 64)?;
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
        shape: options.shape(),
        spacing: options.arrivals,
        warmup: options.warmup,
        duration: options.duration,
        requests_max: options.requests_max,
        connections: usize::from(options.connections),
        backlog_max: options.backlog_max as usize,
        deadline: options.deadline,
        seed: options.seed,
        tells: !options.quiet,
    };
    let mut checker = if options.check { Some(beside::Checker::prepare(options.beside()).await?) } else { None };
    let begins = || {
        if let Some(checker) = &mut checker {
            checker.begin();
        }
    };
    let tally = drive(plan, &load, begins).await;
    // Whatever the load came to, the checker is not left behind.
    let checked = match checker {
        Some(checker) => Some(checker.end().await?),
        None => None,
    };
    Ok(Summary::new(stamp, options, &tally?, checked))
}
