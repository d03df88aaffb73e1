//! `loadtest hits`: how much of a load do the caches answer, and what is that worth?
//!
//! The platform is started on a data directory of its own, filled, and loaded; its own counters say the rest. Once as it is, and once with nothing
//! kept (`cache.enabled=false`), on the same data with the same requests.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::herd::UNAWAITED;
use crate::platform::{self, Platform, Start};
use crate::prometheus::Selector;
use crate::report::{self, Stamp};
use crate::run::{self, Population};

/// With the caches as they are, or with nothing kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cache {
    /// As it is.
    On,
    /// Nothing is kept.
    Off,
}

/// Options of `loadtest hits`.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// The platform's binary
    #[arg(long, value_name = "LETS-CONNECT")]
    pub platform: PathBuf,
    /// A further setting for it, `section.name=value`
    #[arg(long = "set", value_name = "SETTING")]
    pub settings: Vec<String>,
    /// What to compare
    #[arg(long, value_enum, value_delimiter = ',', default_values = ["on", "off"])]
    pub cache: Vec<Cache>,
    /// The least hit rate of a strategy, else exit 1: `user>90%`
    #[arg(long = "expect", value_name = "RULE", value_parser = Floor::parse)]
    pub floors: Vec<Floor>,
    /// Core of the platform
    #[arg(long)]
    pub server_core: Option<usize>,
    /// The load; its edges and thresholds are not looked at
    #[command(flatten)]
    pub load: run::Options,
}

/// The least hit rate that a strategy must have.
#[derive(Clone, Debug, PartialEq)]
pub struct Floor {
    strategy: String,
    percent: f64,
}

impl Floor {
    fn parse(text: &str) -> Result<Self, String> {
        let parts = text.split_once('>').and_then(|(strategy, rest)| Some((strategy, rest.strip_suffix('%')?.parse().ok()?)));
        let (strategy, percent) = parts.filter(|(strategy, _)| !strategy.is_empty()).ok_or("expected a rule such as user>90%")?;
        Ok(Self { strategy: strategy.to_owned(), percent })
    }
}

/// What one run came to.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// How.
    pub cache: Cache,
    /// Lookups in memory, and those that it answered, by strategy; of those that were looked up at all.
    pub strategies: BTreeMap<String, Lookups>,
    /// Statements that the store carried out for one request.
    pub queries_per_request: f64,
    /// What clients saw.
    pub load: run::Summary,
}

/// Lookups in memory.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct Lookups {
    pub hits: u64,
    pub misses: u64,
}

impl Lookups {
    fn percent(self) -> f64 {
        self.hits as f64 * 100.0 / (self.hits + self.misses).max(1) as f64
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    stamp: Stamp,
    passed: bool,
    runs: Vec<Run>,
}

/// Measures, prints, and says whether every floor held.
///
/// # Errors
/// If the platform does not start, or cannot be filled.
pub async fn run(options: &Options) -> anyhow::Result<bool> {
    let stamp = Stamp::now();
    crate::process::allow_open_files(u64::from(options.load.connections) + 64)?;
    let data = tempfile::tempdir().context("making a data directory")?;
    let mut population = None;
    let mut runs = Vec::new();
    for cache in &options.cache {
        let mut settings = options.settings.clone();
        settings.extend((*cache == Cache::Off).then(|| "cache.enabled=false".to_owned()));
        let binary = &options.platform;
        let start = Start { name: "platform", binary, data_dir: data.path(), core: options.server_core, settings: &settings };
        let platform = Platform::start(&start).await?;
        runs.push(measure(*cache, &platform, &mut population, &options.load).await?);
        platform.stop().await?;
    }
    let broken = |floor: &&Floor| !runs.iter().filter(|run| run.cache == Cache::On).all(|run| held(floor, run));
    let broken: Vec<_> = options.floors.iter().filter(broken).collect();
    let summary = Summary { stamp, passed: broken.is_empty(), runs };
    print!("{}", show(&summary.runs));
    for Floor { strategy, percent } in broken {
        println!("BROKEN  {strategy}>{percent}%");
    }
    if let Some(file) = &options.load.json {
        report::write_json(file, &summary)?;
    }
    Ok(summary.passed)
}

fn held(floor: &Floor, run: &Run) -> bool {
    run.strategies.get(&floor.strategy).is_some_and(|lookups| lookups.percent() >= floor.percent)
}

async fn measure(cache: Cache, platform: &Platform, known: &mut Option<Population>, load: &run::Options) -> anyhow::Result<Run> {
    let mut load = run::Options { bases: vec![platform.gateway.clone()], ..load.clone() };
    let population = match known {
        Some(population) => population,
        None => known.insert(Population::obtain(&load).await.context("filling the platform")?),
    };
    // What is warm when it begins is what a while of the same load left so, and that is not counted.
    let warming = run::Options { duration: load.warmup, warmup: Duration::ZERO, seed: load.seed.wrapping_add(1), ..load.clone() };
    load.warmup = Duration::ZERO;
    run::measure_on(&warming, population).await?;
    let before = Figures::read(platform).await?;
    let summary = run::measure_on(&load, population).await?;
    let after = Figures::read(platform).await?;
    let strategies = after.hits.iter().filter_map(|(strategy, hits)| {
        let lookups =
            Lookups { hits: hits - before.hits.get(strategy)?, misses: after.misses.get(strategy)? - before.misses.get(strategy)? };
        (lookups.hits + lookups.misses > 0).then(|| (strategy.clone(), lookups))
    });
    let queries = after.queries - before.queries;
    Ok(Run {
        cache,
        strategies: strategies.collect(),
        queries_per_request: queries as f64 / summary.total.arrivals.max(1) as f64,
        load: summary,
    })
}

/// What the platform has counted.
struct Figures {
    hits: BTreeMap<String, u64>,
    misses: BTreeMap<String, u64>,
    queries: u64,
}

impl Figures {
    async fn read(platform: &Platform) -> anyhow::Result<Self> {
        let text = platform::metrics(&platform.admin).await?;
        let series = |name: &str| name.parse::<Selector>().expect("a selector").series(&text);
        let counts = |name| series(name).into_iter().map(|(strategy, count)| (strategy, count as u64)).collect();
        let asked =
            series("store_queries_total").into_iter().filter(|(name, _)| !UNAWAITED.iter().any(|unawaited| name.ends_with(unawaited)));
        let queries = asked.chain(series("store_commits_total")).map(|(_, count)| count as u64).sum();
        Ok(Self { hits: counts("cache_hits_total"), misses: counts("cache_misses_total"), queries })
    }
}

fn show(runs: &[Run]) -> String {
    let mut text = String::new();
    for run in runs.iter().filter(|run| run.cache == Cache::On) {
        let row = |(strategy, lookups): (&String, &Lookups)| {
            vec![strategy.clone(), (lookups.hits + lookups.misses).to_string(), format!("{:.1} %", lookups.percent())]
        };
        let rows: Vec<_> = run.strategies.iter().map(row).collect();
        text += &report::table(&["strategy", "lookups", "hit rate"], &rows);
        text += "\n";
    }
    let name = |cache: Cache| if cache == Cache::On { "on" } else { "off" };
    let us = |us: u64| report::show_us(us as f64);
    let mut rows = Vec::new();
    for run in runs {
        let all = std::iter::once(&run.load.total).chain(&run.load.operations);
        rows.extend(all.map(|figures| {
            let errors = figures.arrivals - figures.answered;
            let queries = if figures.operation == "all" { format!("{:.2}", run.queries_per_request) } else { String::new() };
            vec![figures.operation.clone(), name(run.cache).to_owned(), us(figures.p50_us), us(figures.p95_us), errors.to_string(), queries]
        }));
    }
    // Of one operation, on and off stand beside each other.
    rows.sort_by(|a, b| (a[0] != "all", &a[0]).cmp(&(b[0] != "all", &b[0])));
    text += &report::table(&["operation", "cache", "p50", "p95", "errors", "queries/request"], &rows);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_floor_names_a_strategy_and_a_share() {
        assert_eq!(Floor::parse("user>90%"), Ok(Floor { strategy: "user".to_owned(), percent: 90.0 }));
        for bad in ["", "user", ">90%", "user>90", "user>many%"] {
            assert!(Floor::parse(bad).is_err(), "{bad}");
        }
        assert!((Lookups { hits: 9, misses: 1 }.percent() - 90.0).abs() < 1e-9);
        assert!(Lookups { hits: 0, misses: 0 }.percent() < 1e-9);
    }
}
