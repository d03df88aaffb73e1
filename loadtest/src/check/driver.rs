//! Sessions that read and write, and record what they saw.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::Options;
use super::answer::{ReadAnswer, WriteAnswer};
use super::history::{History, Key, Nanos, Outcome, Read, Session, Value};
use super::subject::{self, Subject};
use super::timeline::{Access, Attempt, Ending, Timeline};
use crate::http::{Edge, Link};

/// After a failed exchange a session waits this long, so that a dead server is not hammered.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(20);
/// For so long nobody goes to an edge that refused a connection or let a deadline pass, if there is another one: what stands before several edges
/// does as much.
const EDGE_SKIPPED_NS: Nanos = 500_000_000;
/// What is said when all is made and the sessions begin: scripts wait for it.
const PREPARED: &str = "the check begins";

/// Everything that a check saw.
#[derive(Debug, Default)]
pub struct Record {
    /// Reads that were answered, and all writes.
    pub history: History,
    /// Operations that are not in the history, or not with a known outcome.
    pub failures: Failures,
    /// Who waited for how long, and what they were answered.
    pub timeline: Timeline,
    /// From the first operation to the last.
    pub elapsed: Duration,
}

/// Operations that ended without an answer to judge.
#[derive(Clone, Debug, Default)]
pub struct Failures {
    /// Reads answered 5xx or 429.
    pub reads_refused: u64,
    /// Reads whose connection broke or whose deadline passed.
    pub reads_unanswered: u64,
    /// Reads and writes that were not sent, because nobody accepted the connection.
    pub not_connected: u64,
    /// Answers that the check cannot judge: unexpected statuses, no version, version and `ETag` at odds.
    pub answers_unusable: u64,
    /// What was wrong with the first unusable answer.
    pub unusable_first: Option<String>,
}

/// What the sessions of a run share.
struct Shared {
    subjects: Vec<Subject>,
    edges: Vec<Edge>,
    /// Until when each edge is skipped.
    skipped_until: Vec<AtomicU64>,
    deadline: Duration,
    reads_wanted: u64,
    started: Instant,
    reads_done: AtomicU64,
    writes_done: AtomicU64,
    stopped: Arc<AtomicBool>,
    record: Mutex<Record>,
}

/// The keys of a check, each with its first value.
pub(super) struct Preparation {
    record: Record,
    subjects: Vec<Subject>,
}

/// Who may end a check before its time, and whether it tells how far it is.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    /// Set, and all sessions end.
    pub(super) stopped: Arc<AtomicBool>,
    /// Whether a line is written each second.
    pub(super) tells: bool,
}

/// Prepares the keys, runs all sessions until the reads are done or the time is up, and reads every key once more.
pub(super) async fn drive(options: &Options) -> anyhow::Result<Record> {
    let preparation = prepare(options).await?;
    eprintln!("{PREPARED}");
    observe(options, preparation, &Watch { stopped: Arc::default(), tells: true }).await
}

/// Makes the keys.
pub(super) async fn prepare(options: &Options) -> anyhow::Result<Preparation> {
    let mut record = Record { timeline: Timeline::new(options.bases.len()), ..Record::default() };
    let subjects = subject::prepare(options, &mut record.history).await?;
    Ok(Preparation { record, subjects })
}

/// Runs all sessions until the reads are done, the time is up or somebody ends it, and reads every key once more.
pub(super) async fn observe(options: &Options, preparation: Preparation, watch: &Watch) -> anyhow::Result<Record> {
    let shared = Arc::new(Shared {
        subjects: preparation.subjects,
        edges: options.bases.clone(),
        skipped_until: options.bases.iter().map(|_| AtomicU64::new(0)).collect(),
        deadline: options.deadline,
        reads_wanted: options.reads,
        started: Instant::now(),
        reads_done: AtomicU64::new(0),
        writes_done: AtomicU64::new(0),
        stopped: Arc::clone(&watch.stopped),
        record: Mutex::new(preparation.record),
    });
    let mut sessions = tokio::task::JoinSet::new();
    for session in 0..options.writers {
        let pace = pace_of_one(options.writes_per_second, options.writers);
        sessions.spawn(Actor::new(&shared, session, options.seed).write_until_stopped(pace));
    }
    for session in options.writers..options.writers + options.readers {
        let pace = pace_of_one(options.reads_per_second, options.readers);
        sessions.spawn(Actor::new(&shared, session, options.seed).read_until_stopped(pace));
    }
    shared.watch(options.duration_max, watch.tells).await;
    while let Some(ended) = sessions.join_next().await {
        ended?;
    }
    shared.record.lock().timeline.close(shared.now());
    let last = Actor::new(&shared, options.writers + options.readers, options.seed);
    last.read_everything().await;

    let mut record = std::mem::take(&mut *shared.record.lock());
    record.elapsed = shared.started.elapsed();
    Ok(record)
}

fn pace_of_one(all_per_second: u32, sessions: u16) -> Option<Duration> {
    let per_second = f64::from(all_per_second) / f64::from(sessions);
    (per_second > 0.0).then(|| Duration::from_secs_f64(1.0 / per_second))
}

fn ticks(pace: Option<Duration>) -> Option<tokio::time::Interval> {
    let mut ticks = pace.map(tokio::time::interval);
    if let Some(ticks) = &mut ticks {
        // What was not sent while one waited is not sent all at once afterwards.
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    }
    ticks
}

impl Shared {
    fn now(&self) -> Nanos {
        u64::try_from(self.started.elapsed().as_nanos()).expect("a run ends within 500 years")
    }

    /// Reports each second if it should, and stops the sessions when the run is done.
    async fn watch(&self, duration_max: Duration, tells: bool) {
        let mut ticks = tokio::time::interval(Duration::from_millis(50));
        let mut reported = (0, 0);
        while !self.stopped.load(Ordering::Relaxed) {
            ticks.tick().await;
            let elapsed = self.started.elapsed();
            if elapsed >= duration_max {
                self.stopped.store(true, Ordering::Relaxed);
            }
            if tells && elapsed.as_secs() > reported.0 {
                let reads = self.reads_done.load(Ordering::Relaxed);
                let writes = self.writes_done.load(Ordering::Relaxed);
                eprintln!("{:>4} s  {reads} reads (+{}), {writes} writes", elapsed.as_secs(), reads - reported.1);
                reported = (elapsed.as_secs(), reads);
            }
        }
    }
}

/// One session: its connections, one to each edge, its dice, and the edge that it stays with.
struct Actor {
    shared: Arc<Shared>,
    session: Session,
    links: Vec<Link>,
    rng: ChaCha8Rng,
    /// Most sessions stay with one edge as long as it is there, so that load is offered at each, whatever becomes of the others. The rest go to any, and
    /// may not go back in time between them.
    home: Option<usize>,
}

impl Actor {
    fn new(shared: &Arc<Shared>, session: Session, seed: u64) -> Self {
        let links = shared.edges.iter().map(|edge| Link::new(edge.clone(), shared.deadline)).collect();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(u64::from(session) + 1);
        let edges = shared.edges.len();
        let home = Some(usize::from(session) % (edges + 1)).filter(|home| *home < edges && edges > 1);
        Self { shared: Arc::clone(shared), session, links, rng, home }
    }

    async fn read_until_stopped(mut self, pace: Option<Duration>) {
        let mut ticks = ticks(pace);
        let mut again = None;
        while !self.shared.stopped.load(Ordering::Relaxed) {
            if let Some(ticks) = &mut ticks {
                ticks.tick().await;
            }
            let (key, edge) = again.take().unwrap_or_else(|| (self.random_key(), self.choose_edge()));
            let ending = self.read_at(key, edge).await;
            again = asks_again(ending).then_some((key, edge));
        }
    }

    async fn write_until_stopped(mut self, pace: Option<Duration>) {
        let mut ticks = ticks(pace);
        let mut again = None;
        while !self.shared.stopped.load(Ordering::Relaxed) {
            if let Some(ticks) = &mut ticks {
                ticks.tick().await;
            }
            let (key, edge) = again.take().unwrap_or_else(|| (self.random_key(), self.choose_edge()));
            let ending = self.write_at(key, edge).await;
            again = asks_again(ending).then_some((key, edge));
            if ending == Ending::Served {
                let edge = self.choose_edge();
                self.read_at(key, edge).await;
            }
        }
    }

    /// Reads every key at every edge that is there: what was acknowledged must still be there.
    async fn read_everything(mut self) {
        let keys = Key::try_from(self.shared.subjects.len()).expect("keys are counted in 32 bits");
        for edge in 0..self.links.len() {
            for key in 0..keys {
                if self.read_at(key, edge).await == Ending::NotConnected {
                    break;
                }
            }
        }
    }

    fn random_key(&mut self) -> Key {
        let keys = Key::try_from(self.shared.subjects.len()).expect("keys are counted in 32 bits");
        self.rng.random_range(0..keys)
    }

    /// Home, or any edge that is not skipped at the moment; any at all if all are.
    fn choose_edge(&mut self) -> usize {
        if self.links.len() == 1 {
            return 0;
        }
        let now = self.shared.now();
        let is_there = |edge: &usize| self.shared.skipped_until[*edge].load(Ordering::Relaxed) <= now;
        if let Some(home) = self.home.filter(is_there) {
            return home;
        }
        let there: Vec<usize> = (0..self.links.len()).filter(is_there).collect();
        let count = if there.is_empty() { self.links.len() } else { there.len() };
        let drawn = self.rng.random_range(0..count);
        there.get(drawn).copied().unwrap_or(drawn)
    }

    async fn read_at(&mut self, key: Key, edge: usize) -> Ending {
        let attempt = Attempt { access: Access::Read, key, edge, begun: self.shared.now() };
        self.shared.record.lock().timeline.begin(&attempt);
        let request = self.shared.subjects[key as usize].read_at(edge);
        let answer = ReadAnswer::of(self.links[edge].exchange(request).await);
        let ending = answer.ending();
        self.note_read(&attempt, answer);
        self.after(edge, ending).await
    }

    fn note_read(&self, attempt: &Attempt, answer: ReadAnswer) {
        let mut record = self.shared.record.lock();
        record.timeline.end(attempt, answer.ending(), self.shared.now());
        match answer {
            ReadAnswer::Seen(seen) => {
                record.history.read(Read { session: self.session, key: attempt.key, begun: attempt.begun, seen });
                drop(record);
                let done = self.shared.reads_done.fetch_add(1, Ordering::Relaxed) + 1;
                if done >= self.shared.reads_wanted {
                    self.shared.stopped.store(true, Ordering::Relaxed);
                }
            }
            ReadAnswer::Refused(_) => record.failures.reads_refused += 1,
            ReadAnswer::Unanswered(Ending::NotConnected) => record.failures.not_connected += 1,
            ReadAnswer::Unanswered(_) => record.failures.reads_unanswered += 1,
            ReadAnswer::Unusable(why) => record.failures.note_unusable(why),
        }
    }

    async fn write_at(&mut self, key: Key, edge: usize) -> Ending {
        let attempt = Attempt { access: Access::Write, key, edge, begun: self.shared.now() };
        let value = {
            let mut record = self.shared.record.lock();
            record.timeline.begin(&attempt);
            record.history.begin_write(key, attempt.begun)
        };
        let request = self.shared.subjects[key as usize].write(value, &self.shared.edges[edge]);
        let answer = WriteAnswer::of(self.links[edge].exchange(&request).await);
        let ending = answer.ending();
        self.note_write(&attempt, value, answer);
        self.after(edge, ending).await
    }

    fn note_write(&self, attempt: &Attempt, value: Value, answer: WriteAnswer) {
        let at = self.shared.now();
        self.shared.writes_done.fetch_add(1, Ordering::Relaxed);
        let mut record = self.shared.record.lock();
        record.timeline.end(attempt, answer.ending(), at);
        match answer {
            WriteAnswer::Acknowledged { version } => record.history.end_write(value, Outcome::Acknowledged { version, at }),
            WriteAnswer::Refused(ending) => {
                record.history.end_write(value, Outcome::Refused);
                record.failures.not_connected += u64::from(ending == Ending::NotConnected);
            }
            WriteAnswer::Unusable(why) => record.failures.note_unusable(why),
            WriteAnswer::Unknown(_) => {}
        }
    }

    /// What a session does about an attempt's ending before it goes on.
    async fn after(&self, edge: usize, ending: Ending) -> Ending {
        if matches!(ending, Ending::NotConnected | Ending::TimedOut) {
            self.shared.skipped_until[edge].store(self.shared.now() + EDGE_SKIPPED_NS, Ordering::Relaxed);
        }
        if ending != Ending::Served {
            tokio::time::sleep(PAUSE_AFTER_FAILURE).await;
        }
        ending
    }
}

/// Whoever is refused asks again, for the same and at the same edge; whoever got no answer goes elsewhere.
fn asks_again(ending: Ending) -> bool {
    matches!(ending, Ending::Refused(_))
}

impl Failures {
    fn note_unusable(&mut self, why: String) {
        self.answers_unusable += 1;
        self.unusable_first.get_or_insert(why);
    }
}
