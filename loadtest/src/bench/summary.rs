//! The result of a benchmark, for people and for programs.

use serde::Serialize;

use super::round::{Bench, Entry};
use super::sample::Sample;
use super::statistic::Spread;
use super::{FloorHeaders, Options};
use crate::report::{self, Stamp};

/// The result of a benchmark.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Where and when.
    pub stamp: Stamp,
    /// How often each target was measured.
    pub rounds: u16,
    /// Seconds for which a round measured each target.
    pub seconds: f64,
    /// Seconds of the slices in which the targets took turns.
    pub slice_seconds: f64,
    /// Slices in which something else took more than a twentieth of the cores' time, time and again.
    pub slices_disturbed: u32,
    /// Keep-alive connections.
    pub connections: u16,
    /// Whether the floors send the headers of what they are compared with.
    pub floor_has_same_headers: bool,
    /// Every target, floors included.
    pub targets: Vec<Row>,
}

/// One target's figures over all rounds.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// The target.
    pub name: String,
    /// Mean size of its bodies.
    pub body_bytes: f64,
    /// CPU time of the server's process per request, in µs.
    pub server_cpu_us: Spread,
    /// Requests answered per second.
    pub requests_per_second: Spread,
    /// How busy the server's process kept its core, 0 to 1.
    pub server_busy: Spread,
    /// How busy the load generator kept its core, 0 to 1.
    pub client_busy: Spread,
    /// Store queries per request, where they are counted.
    pub store_queries: Option<f64>,
    /// What it is compared with.
    pub compared_to: Option<String>,
    /// Requests per core, of those of what it is compared with: the ratio of the two CPU times in each round, inverted.
    pub share: Option<Spread>,
    /// Every measurement.
    pub samples: Vec<Sample>,
}

impl Summary {
    /// Sums up the samples, which are by entry, then by round.
    pub fn new(stamp: Stamp, options: &Options, bench: &Bench, samples: &[Vec<Sample>]) -> Self {
        let rows = bench.entries.iter().zip(samples).filter_map(|(entry, own)| {
            let compared = entry.compare_to.map(|other| (&bench.entries[other], samples[other].as_slice()));
            Row::new(entry, own, compared)
        });
        Self {
            stamp,
            rounds: options.rounds,
            seconds: options.duration.as_secs_f64(),
            slice_seconds: options.slice.as_secs_f64(),
            slices_disturbed: samples.iter().flatten().map(|sample| sample.slices_disturbed).sum(),
            connections: options.connections,
            floor_has_same_headers: options.floor_headers == FloorHeaders::Same,
            targets: rows.collect(),
        }
    }
}

impl Row {
    fn new(entry: &Entry, samples: &[Sample], compared: Option<(&Entry, &[Sample])>) -> Option<Self> {
        let spread = |figure: fn(&Sample) -> f64| Spread::of(samples.iter().map(figure));
        let share = compared
            .and_then(|(_, other)| Spread::of(samples.iter().zip(other).map(|(own, other)| other.server_cpu_us / own.server_cpu_us)));
        Some(Self {
            name: entry.name.clone(),
            body_bytes: entry.body_bytes,
            server_cpu_us: spread(|sample| sample.server_cpu_us)?,
            requests_per_second: spread(|sample| sample.requests_per_second)?,
            server_busy: spread(|sample| sample.server_busy)?,
            client_busy: spread(|sample| sample.client_busy)?,
            store_queries: entry.store_queries,
            compared_to: compared.map(|(other, _)| other.name.clone()),
            share,
            samples: samples.to_vec(),
        })
    }

    fn cells(&self) -> Vec<String> {
        let percent = |spread: Spread| {
            let scaled = Spread { median: spread.median * 100.0, min: spread.min * 100.0, max: spread.max * 100.0 };
            format!("{} %", scaled.show(1))
        };
        vec![
            self.name.clone(),
            format!("{:.0}", self.body_bytes),
            self.server_cpu_us.show(2),
            format!("{:.0}", self.requests_per_second.median),
            format!("{:.0} %", self.server_busy.median * 100.0),
            format!("{:.0} %", self.client_busy.median * 100.0),
            self.store_queries.map_or("–".to_owned(), |queries| format!("{queries:.2}")),
            self.share.map_or("–".to_owned(), percent),
        ]
    }
}

const HEADS: [&str; 8] = [
    "target",
    "body bytes",
    "server CPU µs/request",
    "requests/s",
    "server busy",
    "client busy",
    "store queries/request",
    "requests per core, of hyper's",
];

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { stamp, rounds, seconds, slice_seconds, connections, .. } = self;
        writeln!(f, "{} · {} · `{}`", stamp.started_at, stamp.machine, stamp.command)?;
        writeln!(
            f,
            "{rounds} rounds of {seconds} s for each target, in turns of {slice_seconds} s; {connections} connections in a closed loop; \
             median (least–greatest)\n"
        )?;
        let rows: Vec<Vec<String>> = self.targets.iter().map(Row::cells).collect();
        writeln!(f, "{}", report::table(&HEADS, &rows))?;
        writeln!(f, "- server CPU µs/request: user and kernel time of the server's process, all its threads, per answered request.")?;
        writeln!(f, "- busy: CPU time by elapsed time of that process. Where the client is busier than the server, the client limits")?;
        writeln!(f, "  requests/s; CPU per request is then a little high, because an idle server sleeps and wakes more often.")?;
        writeln!(f, "- store queries/request: counted by the server over 300 requests before the rounds.")?;
        let headers = if self.floor_has_same_headers { "and the same headers" } else { "and only a content-type" };
        writeln!(f, "- requests per core, of hyper's: CPU of raw hyper with a constant body of that size {headers}, divided by CPU of")?;
        writeln!(f, "  the target, in the same round; median of the rounds' ratios.")?;
        if self.slices_disturbed > 0 {
            writeln!(f, "- {} slices were disturbed by other processes even when repeated.", self.slices_disturbed)?;
        }
        if self.targets.iter().any(|row| row.samples.iter().any(|sample| sample.coarse)) {
            writeln!(f, "- some samples come from the clock of 10 ms ticks, because a thread of the server ended meanwhile.")?;
        }
        Ok(())
    }
}
