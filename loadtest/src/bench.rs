//! `loadtest bench`: server CPU time per request, side by side in one run.
//!
//! Every target is measured in turn, round after round, by the same closed loop on another core; each is compared, round
//! by round, with raw hyper answering a body of the same size under the same headers. README.md states the method.

mod closed_loop;
pub mod floor;
mod round;
mod sample;
mod standard;
mod statistic;
mod summary;
pub mod target;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::bail;
use clap::Args;

use crate::report;

pub use closed_loop::{Load, Measured, Method, measure};
pub use sample::Sample;
pub use statistic::Spread;
pub use summary::Summary;

/// Options of `loadtest bench`.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// The platform's binary: measure the standard set on it
    #[arg(long, value_name = "LETS-CONNECT", required_unless_present = "targets")]
    pub platform: Option<PathBuf>,
    /// A TOML file of processes and targets to measure, beside the standard set or without it
    #[arg(long, value_name = "FILE")]
    pub targets: Option<PathBuf>,
    /// Rounds; the ratios are taken in each
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub rounds: u16,
    /// Time for which a round measures each target, in slices
    #[arg(long, default_value = "3s", value_parser = report::parse_duration)]
    pub duration: Duration,
    /// Time of one slice; the targets take turns slice by slice
    #[arg(long, default_value = "300ms", value_parser = report::parse_duration)]
    pub slice: Duration,
    /// Time before each slice
    #[arg(long, default_value = "100ms", value_parser = report::parse_duration)]
    pub warmup: Duration,
    /// Keep-alive connections, one request at a time on each
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub connections: u16,
    /// Core of the servers
    #[arg(long, default_value_t = 0)]
    pub server_core: usize,
    /// Core of the load generator
    #[arg(long, default_value_t = 1)]
    pub client_core: usize,
    /// Headers of raw hyper's answers: those of the answer it is compared with, or content-type only
    #[arg(long, value_enum, default_value_t = FloorHeaders::Same)]
    pub floor_headers: FloorHeaders,
    /// With --platform: a path that an owner actor answers through its mailbox even when warm, measured as well;
    /// `{person}`, `{product}` and `{viewer}` stand for ids, and the viewer's token is sent along
    #[arg(long, value_name = "PATH", value_parser = parse_path, default_value = "/api/user/profile/{person}?via=owner")]
    pub mailbox_path: String,
    /// A header to send along with --mailbox-path
    #[arg(long, value_name = "HEADER", value_parser = floor::parse_header)]
    pub mailbox_header: Option<(http::HeaderName, http::HeaderValue)>,
    /// With --platform: a further setting for it, `section.name=value`
    #[arg(long = "set", value_name = "SETTING")]
    pub settings: Vec<String>,
    /// The metric that counts the platform's store queries
    #[arg(long, default_value = "store_queries_total")]
    pub metric: crate::prometheus::Selector,
    /// Write the result as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write the table as Markdown
    #[arg(long, value_name = "FILE")]
    pub markdown: Option<PathBuf>,
}

fn parse_path(text: &str) -> Result<String, String> {
    let sound = text.starts_with('/') && !text.bytes().any(|byte| byte <= b' ' || byte == 0x7f);
    sound.then(|| text.to_owned()).ok_or_else(|| "a path begins with a slash and holds no space".to_owned())
}

/// Which headers raw hyper sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum FloorHeaders {
    /// Those of the answer that it is compared with
    Same,
    /// Only content-type, and what hyper itself adds
    Minimal,
}

/// Runs the benchmark and prints its table.
///
/// # Errors
/// If there are not two cores, a server does not start, or any answer is not the expected one.
pub async fn run(options: &Options) -> anyhow::Result<bool> {
    if options.server_core == options.client_core {
        bail!("the load generator must not run on the server's core");
    }
    let stamp = report::Stamp::now();
    crate::process::allow_open_files(u64::from(options.connections) + 256)?;
    crate::process::pin_this_thread(options.client_core)?;
    let bench = round::Bench::prepare(options).await?;
    let samples = bench.measure(options).await?;
    let summary = Summary::new(stamp, options, &bench, &samples);
    print!("{summary}");
    if let Some(path) = &options.json {
        report::write_json(path, &summary)?;
    }
    if let Some(path) = &options.markdown {
        std::fs::write(path, summary.to_string())?;
    }
    Ok(true)
}
