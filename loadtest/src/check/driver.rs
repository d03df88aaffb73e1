//! Sessions that read and write, and record what they saw.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::Options;
use super::history::{History, Key, Nanos, Outcome, Read, Seen, Session, Value};
use super::subject::{self, Subject};
use crate::http::{Edge, Error, Labelled, Link, Response};

/// After a failed exchange a session waits this long, so that a dead server is not hammered.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(20);

/// Everything that a check saw.
#[derive(Debug, Default)]
pub struct Record {
    /// Reads that were answered, and all writes.
    pub history: History,
    /// Operations that are not in the history, or not with a known outcome.
    pub failures: Failures,
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
    /// Answers that the check cannot judge: unexpected statuses, no version, version and `ETag` at odds.
    pub answers_unusable: u64,
    /// What was wrong with the first unusable answer.
    pub unusable_first: Option<String>,
}

/// What the sessions of a run share.
struct Shared {
    subjects: Vec<Subject>,
    edges: Vec<Edge>,
    deadline: Duration,
    reads_wanted: u64,
    started: Instant,
    reads_done: AtomicU64,
    writes_done: AtomicU64,
    stopped: AtomicBool,
    record: Mutex<Record>,
}

/// Prepares the keys, runs all sessions until the reads are done or the time is up, and reads every key once more.
pub async fn drive(options: &Options) -> anyhow::Result<Record> {
    let mut record = Record::default();
    let subjects = subject::prepare(options, &mut record.history).await?;
    let shared = Arc::new(Shared {
        subjects,
        edges: options.bases.clone(),
        deadline: options.deadline,
        reads_wanted: options.reads,
        started: Instant::now(),
        reads_done: AtomicU64::new(0),
        writes_done: AtomicU64::new(0),
        stopped: AtomicBool::new(false),
        record: Mutex::new(record),
    });
    let mut sessions = tokio::task::JoinSet::new();
    for session in 0..options.writers {
        let pace = pace_of_one(options);
        sessions.spawn(Actor::new(&shared, session, options.seed).write_until_stopped(pace));
    }
    for session in options.writers..options.writers + options.readers {
        sessions.spawn(Actor::new(&shared, session, options.seed).read_until_stopped());
    }
    shared.watch(options.duration_max).await;
    while let Some(ended) = sessions.join_next().await {
        ended?;
    }
    let last = Actor::new(&shared, options.writers + options.readers, options.seed);
    last.read_everything().await;

    let mut record = std::mem::take(&mut *shared.record.lock());
    record.elapsed = shared.started.elapsed();
    Ok(record)
}

fn pace_of_one(options: &Options) -> Option<Duration> {
    let per_second = f64::from(options.writes_per_second) / f64::from(options.writers);
    (per_second > 0.0).then(|| Duration::from_secs_f64(1.0 / per_second))
}

impl Shared {
    fn now(&self) -> Nanos {
        u64::try_from(self.started.elapsed().as_nanos()).expect("a run ends within 500 years")
    }

    /// Reports each second, and stops the sessions when the run is done.
    async fn watch(&self, duration_max: Duration) {
        let mut ticks = tokio::time::interval(Duration::from_millis(50));
        let mut reported = (0, 0);
        while !self.stopped.load(Ordering::Relaxed) {
            ticks.tick().await;
            let elapsed = self.started.elapsed();
            if elapsed >= duration_max {
                self.stopped.store(true, Ordering::Relaxed);
            }
            if elapsed.as_secs() > reported.0 {
                let reads = self.reads_done.load(Ordering::Relaxed);
                let writes = self.writes_done.load(Ordering::Relaxed);
                eprintln!("{:>4} s  {reads} reads (+{}), {writes} writes", elapsed.as_secs(), reads - reported.1);
                reported = (elapsed.as_secs(), reads);
            }
        }
    }
}

/// One session: its connections, one to each edge, and its dice.
struct Actor {
    shared: Arc<Shared>,
    session: Session,
    links: Vec<Link>,
    rng: ChaCha8Rng,
}

impl Actor {
    fn new(shared: &Arc<Shared>, session: Session, seed: u64) -> Self {
        let links = shared.edges.iter().map(|edge| Link::new(edge.clone(), shared.deadline)).collect();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(u64::from(session) + 1);
        Self { shared: Arc::clone(shared), session, links, rng }
    }

    async fn read_until_stopped(mut self) {
        while !self.shared.stopped.load(Ordering::Relaxed) {
            let key = self.random_key();
            self.read(key).await;
        }
    }

    async fn write_until_stopped(mut self, pace: Option<Duration>) {
        let mut ticks = pace.map(tokio::time::interval);
        while !self.shared.stopped.load(Ordering::Relaxed) {
            if let Some(ticks) = &mut ticks {
                ticks.tick().await;
            }
            let key = self.random_key();
            if self.write(key).await {
                self.read(key).await;
            }
        }
    }

    /// Reads every key at every edge: what was acknowledged must still be there.
    async fn read_everything(mut self) {
        let keys = Key::try_from(self.shared.subjects.len()).expect("keys are counted in 32 bits");
        for edge in 0..self.links.len() {
            for key in 0..keys {
                self.read_at(key, edge).await;
            }
        }
    }

    fn random_key(&mut self) -> Key {
        let keys = Key::try_from(self.shared.subjects.len()).expect("keys are counted in 32 bits");
        self.rng.random_range(0..keys)
    }

    fn random_edge(&mut self) -> usize {
        if self.links.len() == 1 { 0 } else { self.rng.random_range(0..self.links.len()) }
    }

    async fn read(&mut self, key: Key) {
        let edge = self.random_edge();
        self.read_at(key, edge).await;
    }

    async fn read_at(&mut self, key: Key, edge: usize) {
        let request = self.shared.subjects[key as usize].read_at(edge);
        let begun = self.shared.now();
        let answer = match self.links[edge].exchange(request).await {
            Ok(response) => judge_read(&response),
            Err(_) => ReadAnswer::Unanswered,
        };
        let failed = matches!(answer, ReadAnswer::Refused | ReadAnswer::Unanswered);
        self.note_read(key, begun, answer);
        if failed {
            tokio::time::sleep(PAUSE_AFTER_FAILURE).await;
        }
    }

    fn note_read(&self, key: Key, begun: Nanos, answer: ReadAnswer) {
        let mut record = self.shared.record.lock();
        match answer {
            ReadAnswer::Seen(seen) => {
                record.history.read(Read { session: self.session, key, begun, seen });
                drop(record);
                let done = self.shared.reads_done.fetch_add(1, Ordering::Relaxed) + 1;
                if done >= self.shared.reads_wanted {
                    self.shared.stopped.store(true, Ordering::Relaxed);
                }
            }
            ReadAnswer::Refused => record.failures.reads_refused += 1,
            ReadAnswer::Unanswered => record.failures.reads_unanswered += 1,
            ReadAnswer::Unusable(why) => record.failures.note_unusable(why),
        }
    }

    /// Writes a new value; true if that was acknowledged.
    async fn write(&mut self, key: Key) -> bool {
        let edge = self.random_edge();
        let begun = self.shared.now();
        let value = self.shared.record.lock().history.begin_write(key, begun);
        let request = self.shared.subjects[key as usize].write(value, &self.shared.edges[edge]);
        let answer = match self.links[edge].exchange(&request).await {
            Ok(response) => judge_write(&response),
            // What was never sent was never written.
            Err(Error::Connect(_)) => WriteAnswer::Refused,
            Err(_) => WriteAnswer::Unknown,
        };
        let at = self.shared.now();
        self.shared.writes_done.fetch_add(1, Ordering::Relaxed);
        if let WriteAnswer::Acknowledged { version } = answer {
            self.shared.record.lock().history.end_write(value, Outcome::Acknowledged { version, at });
            return true;
        }
        self.note_unacknowledged(value, answer);
        tokio::time::sleep(PAUSE_AFTER_FAILURE).await;
        false
    }

    fn note_unacknowledged(&self, value: Value, answer: WriteAnswer) {
        let mut record = self.shared.record.lock();
        match answer {
            WriteAnswer::Refused => record.history.end_write(value, Outcome::Refused),
            WriteAnswer::Unusable(why) => record.failures.note_unusable(why),
            WriteAnswer::Unknown | WriteAnswer::Acknowledged { .. } => {}
        }
    }
}

impl Failures {
    fn note_unusable(&mut self, why: String) {
        self.answers_unusable += 1;
        self.unusable_first.get_or_insert(why);
    }
}

enum ReadAnswer {
    Seen(Seen),
    Refused,
    Unanswered,
    Unusable(String),
}

enum WriteAnswer {
    Acknowledged { version: u64 },
    Refused,
    Unknown,
    Unusable(String),
}

fn judge_read(response: &Response<'_>) -> ReadAnswer {
    thread_local! {
        static FINDER: memchr::memmem::Finder<'static> = Value::finder();
    }
    match response.status() {
        200 => match subject::version_of(response) {
            Ok(version) => {
                let value = FINDER.with(|finder| Value::find(response.body(), finder));
                let labelled_stale = response.labelled() == Labelled::Stale;
                ReadAnswer::Seen(Seen::Version { version, value, labelled_stale })
            }
            Err(why) => ReadAnswer::Unusable(why),
        },
        404 | 410 => ReadAnswer::Seen(Seen::Missing),
        429 | 500..=599 => ReadAnswer::Refused,
        status => ReadAnswer::Unusable(format!("a read was answered {status}")),
    }
}

/// A 4xx says that nothing was written; 408 and 5xx leave it open.
fn judge_write(response: &Response<'_>) -> WriteAnswer {
    match response.status() {
        200 => match subject::version_of(response) {
            Ok(version) => WriteAnswer::Acknowledged { version },
            Err(why) => WriteAnswer::Unusable(why),
        },
        408 | 500..=599 => WriteAnswer::Unknown,
        409 | 412 | 429 => WriteAnswer::Refused,
        status => WriteAnswer::Unusable(format!("a write was answered {status}")),
    }
}
