//! The command line of the load tools. Exit status: 0 the result is the wished one, 1 it is not, 2 it could not be had.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use loadtest::{bench, check, flood, herd, hits, race, run, slow};

/// What the platform uses too: raw hyper must not lose by its allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Load, proof and measurement for the platform, over HTTP only
#[derive(Parser)]
#[command(name = "loadtest", version, max_term_width = 120)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Sends a mix of requests at a rate that is given; latency counts from when each was due
    Run(run::Options),
    /// Checks by a history of reads and writes that no read misses an acknowledged write
    Check(check::Options),
    /// Measures server CPU time per request beside raw hyper
    Bench(bench::Options),
    /// Sends more than a server can do, and measures from when each was sent how it answers and refuses
    Flood(flood::Options),
    /// Serves a constant body with raw hyper
    Floor(bench::floor::Options),
    /// Lets a thousand readers ask for one cold key at once
    Herd(herd::Options),
    /// Measures by the platform's own counters how much of a load its caches answer, and what that is worth
    Hits(hits::Options),
    /// Lets a thousand buyers race for ten items
    Race(race::Options),
    /// Lets a thousand clients dawdle beside a fast one
    Slow(slow::Options),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Floor(options) => bench::floor::run(&options).map(|()| true),
        command => on_one_thread(command),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(fault) => {
            eprintln!("loadtest: {fault:#}");
            ExitCode::from(2)
        }
    }
}

/// One thread drives all connections: on a small machine the other cores are the server's.
fn on_one_thread(command: Command) -> anyhow::Result<bool> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match command {
            Command::Run(options) => run::run(&options).await,
            Command::Check(options) => check::run(&options).await,
            Command::Bench(options) => bench::run(&options).await,
            Command::Flood(options) => flood::run(&options).await,
            Command::Herd(options) => herd::run(&options).await,
            Command::Hits(options) => hits::run(&options).await,
            Command::Race(options) => race::run(&options).await,
            Command::Slow(options) => slow::run(&options).await,
            Command::Floor(_) => unreachable!("the floor has a runtime of its own"),
        }
    })
}
