//! `loadtest check`: do the platform's caches lie?
//!
//! Writers change keys, each time with a value never used before; readers read them; every operation is recorded with
//! its times ([`history`]); at the end the whole history is judged ([`verdict`]).

pub mod history;
pub mod timeline;
pub mod verdict;

mod answer;
mod driver;
mod subject;
mod summary;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use clap::{Args, ValueEnum};
use tokio::sync::oneshot;

use crate::http::Edge;
use crate::report;

pub use driver::Record;
pub use summary::Summary;

/// What is written and read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// A person's profile.
    Profile,
    /// A product.
    Product,
    /// A post.
    Post,
}

/// Options of `loadtest check`.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Base URL of an edge; repeat it, and sessions are shared out among them, and some go to any at random
    #[arg(long = "base", value_name = "URL", default_value = "http://127.0.0.1:8000")]
    pub bases: Vec<Edge>,
    /// What to write and read; the keys are shared out among the kinds
    #[arg(long = "kind", value_enum, value_delimiter = ',', default_values = ["profile", "product", "post"])]
    pub kinds: Vec<Kind>,
    /// Number of keys
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub keys: u32,
    /// Sessions that write; after each acknowledged write they read it back
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub writers: u16,
    /// Sessions that read
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub readers: u16,
    /// Writes per second of all writers together; 0 writes as fast as the answers come
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    pub writes_per_second: u32,
    /// Reads per second of all readers together; 0 reads as fast as the answers come
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    pub reads_per_second: u32,
    /// End after this many answered reads (32 bytes of memory each)
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    pub reads: u64,
    /// End after this long even if the reads are not done
    #[arg(long, default_value = "10m", value_parser = report::parse_duration)]
    pub duration_max: Duration,
    /// Deadline of each request; what is not answered by then has an unknown outcome
    #[arg(long, default_value = "10s", value_parser = report::parse_duration)]
    pub deadline: Duration,
    /// Seed of the choice of keys and edges
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Turn the verdict round: exit 0 only if violations were found (for builds sabotaged on purpose)
    #[arg(long)]
    pub expect_violations: bool,
    /// Write the result as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

impl Options {
    /// The most connections that its sessions open.
    pub fn connections_max(&self) -> u64 {
        u64::from(self.readers + self.writers) * self.bases.len() as u64
    }
}

/// Runs the check and prints its result; true if it is the wished one.
///
/// # Errors
/// If the keys cannot be prepared, or the result cannot be written.
pub async fn run(options: &Options) -> anyhow::Result<bool> {
    let stamp = report::Stamp::now();
    crate::process::allow_open_files(options.connections_max() + 64)?;
    let record = driver::drive(options).await?;
    let summary = Summary::new(stamp, options, &record);
    print!("{summary}");
    if let Some(path) = &options.json {
        report::write_json(path, &summary)?;
    }
    Ok(summary.passed)
}

/// Runs the check and returns its result without printing, for tests.
///
/// # Errors
/// If the keys cannot be prepared.
pub async fn judge(options: &Options) -> anyhow::Result<Summary> {
    let stamp = report::Stamp::now();
    let record = driver::drive(options).await?;
    Ok(Summary::new(stamp, options, &record))
}

/// Runs the check beside something else, and returns its result: it says when it is `prepared`, waits until it `may_begin`, and ends when it is `stopped` or
/// when its time is up. It tells nothing meanwhile.
///
/// # Errors
/// If the keys cannot be prepared.
pub async fn judge_beside(
    options: &Options,
    prepared: oneshot::Sender<()>,
    may_begin: oneshot::Receiver<()>,
    stopped: Arc<AtomicBool>,
) -> anyhow::Result<Summary> {
    let preparation = driver::prepare(options).await?;
    // Whoever waits for it may have gone: then it is not let begin, and there is nothing to judge.
    let heard = prepared.send(()).is_ok() && may_begin.await.is_ok();
    anyhow::ensure!(heard, "the load did not begin");
    let stamp = report::Stamp::now();
    let record = driver::observe(options, preparation, &driver::Watch { stopped, tells: false }).await?;
    Ok(Summary::new(stamp, options, &record))
}
