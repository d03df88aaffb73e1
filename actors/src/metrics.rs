//! What the actors count. docs/metrics.md is generated from what is served.

mod cluster;

use crate::{node::Node, snapshot::Snapshot};
use parking_lot::Mutex;
use prometheus::{
    GaugeVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    core::{Collector, Desc},
    proto::MetricFamily,
};
use protocol::{Kind, Timestamp};
use std::{
    collections::BTreeMap,
    sync::{
        Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

/// Counters that the hot path touches are plain atomics, one cache line a kind and result, and become families when they are collected.
#[repr(align(64))]
#[derive(Default)]
struct Line(AtomicU64);

/// How reads of one kind were answered since the process began.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reads {
    /// Of what.
    pub kind: Kind,
    /// From memory.
    pub hits: u64,
    /// Among these, from what another node's owner lent.
    pub loans: u64,
    /// Not from memory.
    pub misses: u64,
    /// Loads and queries that owners sent to the store.
    pub loads: u64,
}

/// What one request read: each thing once, though it is looked for again in each round of fetching.
#[derive(Default)]
pub(crate) struct Tally {
    /// A bit for each kind of which something is counted: most requests read two or three kinds.
    kinds: u32,
    hits: [u32; Kind::TABLE],
    misses: [u32; Kind::TABLE],
    loans: [u32; Kind::TABLE],
}

const _: () = assert!(Kind::TABLE <= u32::BITS as usize, "a bit for each kind");

impl Tally {
    /// Memory had it.
    pub(crate) fn hit(&mut self, found: &Snapshot) {
        let index = self.index(found.key.kind);
        self.hits[index] += 1;
        self.loans[index] += u32::from(found.loan().is_some());
    }

    /// Memory did not have it.
    pub(crate) fn miss(&mut self, kind: Kind) {
        let index = self.index(kind);
        self.misses[index] += 1;
    }

    fn index(&mut self, kind: Kind) -> usize {
        self.kinds |= 1 << kind.index();
        kind.index()
    }
}

/// The counters of a node's actors.
pub struct Metrics {
    hits: [Line; Kind::TABLE],
    misses: [Line; Kind::TABLE],
    loans: [Line; Kind::TABLE],
    loads: [Line; Kind::TABLE],
    fallbacks: [Line; Kind::TABLE],
    conflicts: IntCounterVec,
    outbox_rows: IntGaugeVec,
    outbox_oldest: GaugeVec,
    /// By database: when this node last saw that nothing of what others wrote waited. Empty while that is not for it to heed.
    caught_up: Mutex<BTreeMap<&'static str, Instant>>,
    restarts: IntCounterVec,
    foreign_writes: IntCounterVec,
    errands: IntCounterVec,
    checkouts: IntCounterVec,
    warmed: IntCounterVec,
    moves: IntCounterVec,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        // Every series is there from the start, at 0: an alert on a first occurrence needs the one before it.
        let counters = |name, help| {
            let counters = IntCounterVec::new(Opts::new(name, help), &["strategy"]).expect("a valid name");
            Kind::ALL.iter().for_each(|kind| counters.with_label_values(&[kind.name()]).inc_by(0));
            counters
        };
        let warmed = Opts::new(
            "cache_warmed_total",
            "Entities that were warm again at the price of a version: sent ahead by the last owner of their slot (`hand_off`), or kept in Redis (`second_level`).",
        );
        let warmed = IntCounterVec::new(warmed, &["source"]).expect("a valid name");
        ["hand_off", "second_level"].iter().for_each(|source| warmed.with_label_values(&[source]).inc_by(0));
        let moves = Opts::new(
            "live_moves_total",
            "Keys of which this node's owners said to another node, which watches them for its clients, that they moved: `heard`, or `unheard`, which are said again.",
        );
        let moves = IntCounterVec::new(moves, &["outcome"]).expect("a valid name");
        ["heard", "unheard"].iter().for_each(|outcome| moves.with_label_values(&[outcome]).inc_by(0));
        Self {
            warmed,
            moves,
            hits: std::array::from_fn(|_| Line::default()),
            misses: std::array::from_fn(|_| Line::default()),
            loans: std::array::from_fn(|_| Line::default()),
            loads: std::array::from_fn(|_| Line::default()),
            fallbacks: std::array::from_fn(|_| Line::default()),
            conflicts: counters("write_conflicts_total", "Writes decided again because their key's version moved."),
            outbox_rows: IntGaugeVec::new(
                Opts::new(
                    "outbox_rows",
                    "Effects of commits that are not confirmed, at the last look (every 10 s; 1000 at most are seen).",
                ),
                &["database"],
            )
            .expect("a valid name"),
            outbox_oldest: GaugeVec::new(
                Opts::new(
                    "outbox_oldest_seconds",
                    "Age of the oldest effect that is not confirmed, at the last look: how far deliveries lag behind.",
                ),
                &["database"],
            )
            .expect("a valid name"),
            caught_up: Mutex::default(),
            errands: errands(),
            foreign_writes: IntCounterVec::new(
                Opts::new("foreign_writes_total", "PostgreSQL: notes of what others wrote that were heeded."),
                &["database"],
            )
            .expect("a valid name"),
            restarts: counters("owner_restarts_total", "Owner actors started again after one died."),
            checkouts: {
                let checkouts = IntCounterVec::new(
                    Opts::new(
                        "checkouts_total",
                        "Checkouts that were `confirmed` or `refused` to their buyers, and those `expired` that nobody drove to their end.",
                    ),
                    &["outcome"],
                );
                let checkouts = checkouts.expect("a valid name");
                ["confirmed", "refused", "expired"].iter().for_each(|outcome| checkouts.with_label_values(&[outcome]).inc_by(0));
                checkouts
            },
        }
    }

    /// Counts a read that memory answered.
    #[inline]
    pub(crate) fn hit(&self, found: &Snapshot) {
        let index = found.key.kind.index();
        self.hits[index].0.fetch_add(1, Ordering::Relaxed);
        if found.loan().is_some() {
            self.loans[index].0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts a read that memory could not answer.
    #[inline]
    pub(crate) fn miss(&self, kind: Kind) {
        self.misses[kind.index()].0.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts all that a request read.
    pub(crate) fn count(&self, read: &Tally) {
        let mut kinds = read.kinds;
        while kinds != 0 {
            let index = kinds.trailing_zeros() as usize;
            kinds &= kinds - 1;
            for (lines, counts) in [(&self.hits, &read.hits), (&self.misses, &read.misses), (&self.loans, &read.loans)] {
                if counts[index] > 0 {
                    lines[index].0.fetch_add(u64::from(counts[index]), Ordering::Relaxed);
                }
            }
        }
    }

    pub(crate) fn loads(&self, kind: Kind) {
        self.loads[kind.index()].0.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a read whose owner, another node's, did not answer: the store is asked.
    pub(crate) fn fallback(&self, kind: Kind) {
        self.fallbacks[kind.index()].0.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts entities that were not loaded, because somebody kept them: `hand_off` or `second_level`.
    pub(crate) fn warmed(&self, source: &str, entities: usize) {
        self.warmed.with_label_values(&[source]).inc_by(entities as u64);
    }

    /// Counts keys of which another node was told that they moved.
    pub(crate) fn moved(&self, is_heard: bool, keys: usize) {
        self.moves.with_label_values(&[if is_heard { "heard" } else { "unheard" }]).inc_by(keys as u64);
    }

    pub(crate) fn conflicts(&self, kind: Kind) {
        self.conflicts.with_label_values(&[kind.name()]).inc();
    }

    /// Notes what a look into an outbox found: how many rows, and when the oldest one was written.
    pub(crate) fn outbox(&self, database: &str, rows: usize, oldest: Option<Timestamp>) {
        self.outbox_rows.with_label_values(&[database]).set(i64::try_from(rows).unwrap_or(i64::MAX));
        let age_ms = oldest.map_or(0, |oldest| Timestamp::now().0.saturating_sub(oldest.0).max(0));
        self.outbox_oldest.with_label_values(&[database]).set(age_ms as f64 / 1e3);
    }

    /// This node is about to look for what others wrote.
    pub(crate) fn heeds(&self, database: &'static str) {
        self.caught_up.lock().entry(database).or_insert_with(Instant::now);
    }

    /// Nothing that others wrote waits.
    pub(crate) fn caught_up(&self, database: &'static str) {
        self.caught_up.lock().insert(database, Instant::now());
    }

    /// Another node looks for what others wrote.
    pub(crate) fn heeds_nothing(&self) {
        self.caught_up.lock().clear();
    }

    pub(crate) fn foreign_writes(&self, database: &str, notes: usize) {
        self.foreign_writes.with_label_values(&[database]).inc_by(notes as u64);
    }

    /// Counts a checkout that ended: `confirmed`, `refused`, or `expired` when nobody drove it to its end.
    pub(crate) fn checkout(&self, outcome: &str) {
        self.checkouts.with_label_values(&[outcome]).inc();
    }

    /// Counts an owner that was started again.
    pub fn restarted(&self, kind: Kind) {
        self.restarts.with_label_values(&[kind.name()]).inc();
    }

    /// Counts a try of an errand by what it came to: `done`, `failed`, `given_up`.
    pub(crate) fn errand(&self, task: store::Task, outcome: &str) {
        self.errands.with_label_values(&[task.name(), outcome]).inc();
    }

    /// How reads were answered, each kind on its own. Hits and misses are counted by many at once, so they need not be of the same instant.
    pub fn reads(&self) -> impl Iterator<Item = Reads> {
        let of = |lines: &[Line; Kind::TABLE], kind: Kind| lines[kind.index()].0.load(Ordering::Relaxed);
        Kind::ALL.iter().map(move |&kind| Reads {
            kind,
            hits: of(&self.hits, kind),
            loans: of(&self.loans, kind),
            misses: of(&self.misses, kind),
            loads: of(&self.loads, kind),
        })
    }

    /// How often `kind` was loaded or queried from the store.
    #[must_use]
    pub fn loads_of(&self, kind: Kind) -> u64 {
        self.loads[kind.index()].0.load(Ordering::Relaxed)
    }
}

/// Collects a node's figures for Prometheus.
pub struct NodeCollector {
    node: Weak<Node>,
    descs: Vec<Desc>,
}

impl NodeCollector {
    /// Registers the node's figures.
    ///
    /// # Errors
    /// When they are registered already.
    pub fn register(node: &std::sync::Arc<Node>, registry: &Registry) -> prometheus::Result<()> {
        for domain in node.stores.domains() {
            node.metrics.outbox(domain.database(), 0, None);
            node.metrics.foreign_writes(domain.database(), 0);
        }
        let collector = Self { node: std::sync::Arc::downgrade(node), descs: Vec::new() };
        let descs = collector.families().iter().map(describe).collect();
        registry.register(Box::new(Self { descs, ..collector }))
    }

    fn families(&self) -> Vec<MetricFamily> {
        let Some(node) = self.node.upgrade() else { return Vec::new() };
        let m = &node.metrics;
        let mut families = Vec::new();
        families.extend(by_kind("cache_hits_total", "Reads answered from memory, by strategy.", &m.hits));
        families.extend(by_kind("cache_misses_total", "Reads that memory could not answer, by strategy.", &m.misses));
        let help = "Reads of what another node owns that were answered from memory under its read lease, by strategy; also among the hits.";
        families.extend(by_kind("cache_loan_hits_total", help, &m.loans));
        families.extend(by_kind(
            "cache_loads_total",
            "Loads and queries that owners sent to the store, by strategy: below the misses where readers shared one.",
            &m.loads,
        ));
        let help = "Reads of what another node owns that the store answered, because that node did not.";
        families.extend(by_kind("fallback_reads_total", help, &m.fallbacks));
        let (entries, bytes) = node.snapshots.size();
        families.extend(gauge("cache_entries", "Warm entities.", entries as u64));
        families.extend(gauge("cache_bytes", "Bytes that warm entities and their pages take, estimated.", bytes));
        families.extend(cluster::slots(&node));
        families.extend(cluster::families(&node));
        families.extend(gauge(
            "people_inactive",
            "People whom this node hides from everybody, bans above all.",
            node.inactive.load().len() as u64,
        ));
        families.extend(dependencies(&node));
        families.extend(owners(&node));
        families.extend(m.conflicts.collect());
        families.extend(m.outbox_rows.collect());
        families.extend(m.outbox_oldest.collect());
        families.extend(lag(&node));
        families.extend(m.foreign_writes.collect());
        families.extend(m.restarts.collect());
        families.extend(m.errands.collect());
        families.extend(m.checkouts.collect());
        families.extend(m.warmed.collect());
        let help = "Keys that are watched for live updates: by `clients` of this node, and here by other `nodes` for theirs.";
        families.extend(gauges("live_watched_keys", help, "of", node.live.figures()));
        families.extend(m.moves.collect());
        families
    }
}

impl Collector for NodeCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.descs.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.families()
    }
}

/// Every series from the start, as above.
fn errands() -> IntCounterVec {
    let opts = Opts::new(
        "errands_total",
        "Tries of what is done for people behind their answers (mail): `done`, `failed` (will be tried again), `given_up`.",
    );
    let errands = IntCounterVec::new(opts, &["task", "outcome"]).expect("a valid name");
    for task in store::Task::ALL {
        ["done", "failed", "given_up"].iter().for_each(|outcome| errands.with_label_values(&[task.name(), outcome]).inc_by(0));
    }
    errands
}

fn describe(family: &MetricFamily) -> Desc {
    Desc::new(family.name().to_owned(), family.help().to_owned(), Vec::new(), Default::default()).expect("a valid name")
}

fn by_kind(name: &str, help: &str, lines: &[Line; Kind::TABLE]) -> Vec<MetricFamily> {
    let counters = IntCounterVec::new(Opts::new(name, help), &["strategy"]).expect("a valid name");
    for kind in Kind::ALL {
        counters.with_label_values(&[kind.name()]).inc_by(lines[kind.index()].0.load(Ordering::Relaxed));
    }
    counters.collect()
}

fn gauge(name: &str, help: &str, value: u64) -> Vec<MetricFamily> {
    let gauge = IntGauge::new(name, help).expect("a valid name");
    gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
    gauge.collect()
}

fn gauges(name: &str, help: &str, label: &str, values: impl IntoIterator<Item = (&'static str, usize)>) -> Vec<MetricFamily> {
    let gauges = IntGaugeVec::new(Opts::new(name, help), &[label]).expect("a valid name");
    for (value, count) in values {
        gauges.with_label_values(&[value]).set(i64::try_from(count).unwrap_or(i64::MAX));
    }
    gauges.collect()
}

fn counter(name: &str, help: &str, value: u64) -> Vec<MetricFamily> {
    let counter = IntCounter::new(name, help).expect("a valid name");
    counter.inc_by(value);
    counter.collect()
}

fn dependencies(node: &Node) -> Vec<MetricFamily> {
    let up = IntGaugeVec::new(
        Opts::new(
            "dependency_up",
            "Whether a database (`database:users`, …), object storage (`object_storage`) or Redis (`redis`) was well at the last look, every second.",
        ),
        &["dependency"],
    );
    let up = up.expect("a valid name");
    for (name, condition) in node.dependencies.conditions().iter() {
        up.with_label_values(&[name]).set(i64::from(condition.healthy));
    }
    up.collect()
}

fn owners(node: &Node) -> Vec<MetricFamily> {
    let vector = |name, help| IntGaugeVec::new(Opts::new(name, help), &["strategy"]).expect("a valid name");
    let living = vector("owner_actors", "Owner actors that live.");
    let inflight = vector("owner_mailbox_messages", "Messages in the mailboxes and in the care of owner actors, all of a kind together.");
    let fullest = vector("owner_mailbox_fullest_messages", "The most messages that one owner actor has in its mailbox and in its care.");
    let set = |gauge: &IntGaugeVec, kind: Kind, value: usize| {
        gauge.with_label_values(&[kind.name()]).set(i64::try_from(value).unwrap_or(i64::MAX));
    };
    for (kind, load) in node.region.load(node.limits.owner_inflight_max) {
        set(&living, kind, load.owners);
        set(&inflight, kind, load.messages);
        set(&fullest, kind, load.fullest);
    }
    let help = "How many messages one owner actor may have (`owner.mailbox_in_flight_max`); beyond, requests are refused.";
    let limit = gauge("owner_mailbox_messages_max", help, node.limits.owner_inflight_max as u64);
    [living.collect(), inflight.collect(), fullest.collect(), limit].into_iter().flatten().collect()
}

/// How far the look at what others wrote lags behind.
fn lag(node: &Node) -> Vec<MetricFamily> {
    let help = "PostgreSQL: how long ago the node that heeds what others wrote had heeded all of it; 0 at the other nodes.";
    let lag = GaugeVec::new(Opts::new("foreign_writes_lag_seconds", help), &["database"]).expect("a valid name");
    let caught_up = node.metrics.caught_up.lock();
    for domain in node.stores.domains() {
        let since = caught_up.get(domain.database()).map_or(0.0, |at| at.elapsed().as_secs_f64());
        lag.with_label_values(&[domain.database()]).set(since);
    }
    lag.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The one series of a family.
    fn value(family: &impl Collector) -> f64 {
        family.collect()[0].get_metric()[0].get_gauge().get_value()
    }

    #[test]
    fn the_age_of_an_outbox_is_that_of_its_oldest_row() {
        let metrics = Metrics::new();
        metrics.outbox("users", 2, Some(Timestamp::now().plus_ms(-90_000)));
        assert_eq!(value(&metrics.outbox_rows), 2.0);
        assert!((90.0..100.0).contains(&value(&metrics.outbox_oldest)));
        metrics.outbox("users", 1, Some(Timestamp::now().plus_ms(5_000)));
        assert_eq!(value(&metrics.outbox_oldest), 0.0, "another node's clock is ahead");
        metrics.outbox("users", 0, None);
        assert_eq!((value(&metrics.outbox_rows), value(&metrics.outbox_oldest)), (0.0, 0.0));
    }
}
