//! What a read of another node's entity costs at the `Client`, beside a bare call of ractor_cluster, which has no TLS, bounds, deadlines, frame, lease or
//! tenure; and beside a call through a link, which is the part of it that is not about entities.
//!
//! ```sh
//! cargo run --release -p lets-connect-actors --example hop [ROUNDS [WORKERS]]
//! ```
//!
//! Each kind is two processes of this program, with as many runtime threads as `WORKERS` says (2). All are there all the time, and take turns under each
//! load. Processor time is that of both processes, without what they use when nothing is asked; where calls are begun by the clock, that includes the
//! clock. The two nodes are real ones, an edge and an owner, on a PostgreSQL of their own; the owner has what it is asked for in memory.

mod bare;
mod link;
mod node;
mod process;

#[path = "../../../links/tests/it/authority.rs"]
mod authority;

use process::{Figures, Load, Pair};
use std::num::NonZero;

// As the binary's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Of an answer's body: a small profile.
const ANSWER_BYTES: usize = 500;
/// What all processes of a pair know.
const COOKIE: &str = "a cookie of the benchmark, long enough";

const ROUNDS: usize = 5;
const WORKERS: usize = 2;
const LOADS: [Load; 4] = [Load::Callers(1), Load::PerSecond(600), Load::Callers(16), Load::Callers(256)];

/// A kind's name, and how its two processes are started.
type Kind = (&'static str, fn(usize) -> Pair);
const KINDS: [Kind; 3] = [("bare", bare::start), ("link", link::start), ("client", node::start)];

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let words: Vec<_> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["child", workers, kind, ref rest @ ..] => {
            let workers = workers.parse().expect("a number");
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build().expect("a runtime");
            runtime.block_on(async {
                match (kind, rest) {
                    ("bare", [name, port]) => bare::run(name, port).await,
                    ("link", [folder, name, boot]) => link::run(folder, name, boot).await,
                    ("client", [folder, name, url]) => node::run(folder, name, url).await,
                    _ => panic!("no such child"),
                }
            });
        }
        ref numbers => match numbers.iter().map(|word| word.parse()).collect::<Result<Vec<NonZero<usize>>, _>>().as_deref() {
            Ok([]) => measure(ROUNDS, WORKERS),
            Ok([rounds]) => measure(rounds.get(), WORKERS),
            Ok([rounds, workers]) => measure(rounds.get(), workers.get()),
            _ => eprintln!("hop [ROUNDS [WORKERS]]"),
        },
    }
}

/// Of each load and kind: its rounds.
type Measured = [[Vec<Figures>; KINDS.len()]; LOADS.len()];

fn measure(rounds: usize, workers: usize) {
    let mut pairs = KINDS.map(|(_, start)| start(workers));
    let mut measured = Measured::default();
    // The first round warms up, and is thrown away.
    for round in 0..=rounds {
        for (load, kinds) in LOADS.into_iter().zip(&mut measured) {
            for (pair, figures) in pairs.iter_mut().zip(kinds) {
                let seen = pair.measure(load);
                if round > 0 {
                    figures.push(seen);
                }
            }
        }
    }
    println!("{rounds} rounds, {workers} runtime threads a process; median (least–greatest); per call, of both processes together\n");
    println!("| load | kind | calls/s | p50, µs | p99, µs | CPU, µs | CPU of bare ones | threads parked |");
    println!("|---|---|---|---|---|---|---|---|");
    for (load, kinds) in LOADS.into_iter().zip(&measured) {
        for ((name, _), figures) in KINDS.into_iter().zip(kinds) {
            let of = |figure: fn(&Figures) -> f64| figures.iter().map(figure).collect::<Vec<_>>();
            let ratios = figures.iter().zip(&kinds[0]).map(|(figures, bare)| figures.cpu_us / bare.cpu_us).collect();
            println!(
                "| {load} | {name} | {} | {} | {} | {} | {} | {} |",
                spread(of(|figures| figures.calls_per_s), 0),
                spread(of(|figures| figures.p50_us), 0),
                spread(of(|figures| figures.p99_us), 0),
                spread(of(|figures| figures.cpu_us), 1),
                spread(ratios, 2),
                spread(of(|figures| figures.parked), 1),
            );
            let strayed: f64 = figures.iter().map(|figures| figures.strayed).sum();
            if strayed > 0.0 {
                eprintln!("{load}, {name}: {strayed} were not answered by whom they are about");
            }
        }
    }
}

fn spread(mut figures: Vec<f64>, digits: usize) -> String {
    figures.sort_by(f64::total_cmp);
    let (median, least, greatest) = (figures[figures.len() / 2], figures[0], figures[figures.len() - 1]);
    format!("{median:.digits$} ({least:.digits$}–{greatest:.digits$})")
}
