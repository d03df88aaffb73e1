//! Runs many seeds, or one with everything that happens in it. Exit status: 0 nothing was found, 1 something was.

use clap::Parser;
use simulation::{Sabotage, Scenario, run, search};
use std::process::ExitCode;
use std::time::Instant;

/// Simulated clusters under simulated faults
#[derive(Parser)]
#[command(name = "simulate", version, max_term_width = 120)]
struct Options {
    /// How many seeds to run
    #[arg(long, default_value_t = 10_000)]
    seeds: u64,
    /// The first of them
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// Run this seed alone, and print everything that happens
    #[arg(long)]
    replay: Option<u64>,
    /// Scenarios in which statements are late all the time, instead of mixed ones
    #[arg(long)]
    late: bool,
    /// Scenarios in which nodes come and go, and nothing else is wrong
    #[arg(long, conflicts_with = "late")]
    moving: bool,
    /// Scenarios in which nodes lose each other and keep the databases, which are slow
    #[arg(long, conflicts_with_all = ["late", "moving"])]
    apart: bool,
    /// Take a safeguard away
    #[arg(long, value_parser = sabotage)]
    sabotage: Option<Sabotage>,
}

fn sabotage(name: &str) -> Result<Sabotage, String> {
    let names: Vec<_> = Sabotage::ALL.into_iter().map(Sabotage::name).collect();
    Sabotage::ALL.into_iter().find(|sabotage| sabotage.name() == name).ok_or_else(|| format!("one of {}", names.join(", ")))
}

fn main() -> ExitCode {
    let Options { seeds, first, replay, late, moving, apart, sabotage } = Options::parse();
    let scenario = match (late, moving, apart) {
        (true, ..) => Scenario::late,
        (_, true, _) => Scenario::moving,
        (.., true) => Scenario::apart,
        _ => Scenario::random,
    };
    if let Some(seed) = replay {
        return show(&scenario(seed), sabotage);
    }
    let since = Instant::now();
    let searched = search(scenario, first..first.saturating_add(seeds), sabotage);
    let [reads, writes, unknown] = searched.ops;
    println!(
        "{} runs in {:.1} s: {} steps, {reads} reads, {writes} writes, {unknown} unanswered; {} nodes died of two lost renewals in a row; after the last fault, all served within {} ms, settled within {} ms",
        searched.runs,
        since.elapsed().as_secs_f64(),
        searched.steps,
        searched.unlucky,
        searched.recovery.served_ms,
        searched.recovery.settled_ms
    );
    match searched.found {
        None => ExitCode::SUCCESS,
        Some(found) => {
            println!("seed {}: {}\nto see it happen: --replay {}", found.seed, found.violation, found.seed);
            ExitCode::FAILURE
        }
    }
}

fn show(scenario: &Scenario, sabotage: Option<Sabotage>) -> ExitCode {
    let outcome = run(scenario, sabotage, true);
    outcome.trace.iter().for_each(|line| println!("{line}"));
    println!("{scenario:#?}");
    match outcome.violation {
        None => ExitCode::SUCCESS,
        Some(violation) => {
            println!("seed {}: {violation}", scenario.seed);
            ExitCode::FAILURE
        }
    }
}
