//! The connections that send what is due.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

use super::Operation;
use super::arrival::{Arrival, Backlog, Schedule, pace};
use super::plan::{Draw, Plan};
use super::shape::{Shape, Spacing};
use super::tally::{Ending, Second, Tally};
use crate::http::{Error, Link, Response};
use crate::report;

/// For so long a connection whose edge is not there goes to another one: what stands before several edges does as much.
const DETOUR: Duration = Duration::from_millis(500);
/// When nobody accepts a connection, this one waits so long before it tries again: what is due meanwhile is taken up by others, or waits.
const PAUSE: Duration = Duration::from_millis(20);

/// How much is sent, for how long, over what.
#[derive(Clone, Debug)]
pub struct Load {
    /// The rate of arrivals over time.
    pub shape: Shape,
    /// How they keep to it.
    pub spacing: Spacing,
    /// Time before arrivals are measured.
    pub warmup: Duration,
    /// Time in which they are.
    pub duration: Duration,
    /// The most arrivals, warm-up included.
    pub requests_max: u64,
    /// Keep-alive connections, shared out among the plan's edges.
    pub connections: usize,
    /// The most arrivals that wait for a connection.
    pub backlog_max: usize,
    /// Deadline of a request, from when it is sent.
    pub deadline: Duration,
    /// Seed of the draws.
    pub seed: u64,
    /// Whether a line is written each second.
    pub tells: bool,
}

struct Shared {
    plan: Plan,
    backlog: Arc<Backlog>,
    tally: Mutex<Tally>,
}

/// Opens the connections, calls `begins`, sends the load and returns what was measured. Writes a line of progress each second.
///
/// # Errors
/// If a connection cannot be opened before the run begins.
pub async fn drive(plan: Plan, load: &Load, begins: impl FnOnce()) -> anyhow::Result<Tally> {
    let mut connections = Vec::with_capacity(load.connections);
    for number in 0..load.connections {
        let edge = number % plan.edges().len();
        let mut link = Link::new(plan.edges()[edge].clone(), load.deadline);
        link.connect().await.map_err(|fault| anyhow::Error::new(fault).context(format!("connecting to {}", plan.edges()[edge])))?;
        connections.push(Sender { home: edge, link, deadline: load.deadline, detour: None, pauses: false });
    }
    let backlog = Arc::new(Backlog::new(load.backlog_max));
    let shared = Arc::new(Shared { plan, backlog, tally: Mutex::default() });
    let mut senders = tokio::task::JoinSet::new();
    for sender in connections {
        senders.spawn(send_what_is_due(Arc::clone(&shared), sender));
    }
    begins();
    let began = Instant::now();
    let progress = tokio::spawn(end_seconds(Arc::clone(&shared), began, load.tells));
    let pacer = start_pacer(&shared, load, began);
    let paced = tokio::task::spawn_blocking(move || pacer.join()).await?;
    paced.map_err(|_| anyhow::anyhow!("the pacing thread panicked"))?;
    shared.backlog.close(load.connections);
    while let Some(ended) = senders.join_next().await {
        ended?;
    }
    progress.abort();
    let mut tally = std::mem::take(&mut *shared.tally.lock());
    tally.end_second();
    Ok(tally)
}

fn start_pacer(shared: &Arc<Shared>, load: &Load, began: Instant) -> std::thread::JoinHandle<()> {
    let curve = load.shape.curve(load.warmup, load.duration);
    let schedule = Schedule { curve, spacing: load.spacing, warmup: load.warmup, requests_max: load.requests_max };
    let shared = Arc::clone(shared);
    let mut rng = ChaCha8Rng::seed_from_u64(load.seed);
    std::thread::spawn(move || {
        let chance = rng.clone();
        let draw = || shared.plan.draw(&mut rng);
        let offered = |arrival: Arrival, after: Duration, found_room: bool| {
            shared.tally.lock().offer(after);
            if !found_room {
                shared.note(arrival, Ending::Dropped);
            }
        };
        pace(&schedule, began, &shared.backlog, chance, draw, offered);
    })
}

impl Shared {
    fn note(&self, arrival: Arrival, ending: Ending) {
        let operation = self.plan.operation(arrival.draw);
        self.tally.lock().record(operation, ending, arrival.due.elapsed(), arrival.measured, arrival.step);
    }
}

/// One connection, and the one that takes its place while its edge is not there.
struct Sender {
    home: usize,
    link: Link,
    deadline: Duration,
    detour: Option<Detour>,
    /// Nobody accepted a connection.
    pauses: bool,
}

struct Detour {
    edge: usize,
    link: Link,
    until: Instant,
}

impl Sender {
    /// Sends through the connection's own edge; if nobody accepts a connection there, through the next one that does.
    async fn send(&mut self, plan: &Plan, draw: Draw) -> Ending {
        let operation = plan.operation(draw);
        if let Some(detour) = self.detour.as_mut().filter(|detour| Instant::now() < detour.until) {
            return ending(operation, detour.link.exchange(&plan.encoded(draw, detour.edge)).await);
        }
        let outcome = self.link.exchange(&plan.encoded(draw, self.home)).await;
        if !matches!(outcome, Err(Error::Connect(_))) {
            self.detour = None;
            return ending(operation, outcome);
        }
        for step in 1..plan.edges().len() {
            let edge = (self.home + step) % plan.edges().len();
            let mut link = Link::new(plan.edges()[edge].clone(), self.deadline);
            if link.connect().await.is_ok() {
                let ending = ending(operation, link.exchange(&plan.encoded(draw, edge)).await);
                self.detour = Some(Detour { edge, link, until: Instant::now() + DETOUR });
                return ending;
            }
        }
        self.pauses = true;
        Ending::Unanswered
    }
}

async fn send_what_is_due(shared: Arc<Shared>, mut sender: Sender) {
    while let Some(arrival) = shared.backlog.next().await {
        if arrival.measured {
            shared.tally.lock().record_wait(arrival.due.elapsed());
        }
        let ending = sender.send(&shared.plan, arrival.draw).await;
        shared.note(arrival, ending);
        if std::mem::take(&mut sender.pauses) {
            tokio::time::sleep(PAUSE).await;
        }
    }
}

fn ending(operation: Operation, answer: Result<Response<'_>, Error>) -> Ending {
    match answer.map(|response| response.status()) {
        Ok(200..=399) => Ending::Answered,
        Ok(409) if operation.may_be_declined() => Ending::Declined,
        Ok(429 | 503) => Ending::Refused,
        Ok(_) => Ending::Failed,
        Err(_) => Ending::Unanswered,
    }
}

/// Closes each second of the series when it is over.
async fn end_seconds(shared: Arc<Shared>, began: Instant, tells: bool) {
    let second = Duration::from_secs(1);
    let mut ticks = tokio::time::interval_at((began + second).into(), second);
    loop {
        ticks.tick().await;
        let second = shared.tally.lock().end_second();
        if tells {
            eprintln!("{}", progress(&second, shared.backlog.len()));
        }
    }
}

/// What is told of a second. Scripts read it: they wait for the first second, and for lines with a p99.
fn progress(second: &Second, waiting: usize) -> String {
    format!(
        "{:>4} s  offered {:>6}  answered {:>6}  errors {:>4}  p50 {:>8}  p99 {:>8}  waiting {waiting}",
        second.second + 1,
        second.offered,
        second.ended - second.errors,
        second.errors,
        report::show_us(second.p50_us as f64),
        report::show_us(second.p99_us as f64),
    )
}
