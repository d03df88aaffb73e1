//! How edges learn what callers spend at other edges.
//!
//! No request waits for it. An edge decides by what it knows; every [`EXCHANGE_EVERY`] it adds what its callers spent to their counts in Redis, and what all
//! edges spent comes back. A count is a time, as GCRA has it: how long it takes until everything is given back. Only how far that is ahead ever travels,
//! so no two machines have to agree on the time.
//!
//! **Most callers are never told of.** With N edges, whoever keeps within 1/(4 N) of rate and burst at one of them stays within a quarter of the limit at all of
//! them, whatever they do: their share. Only requests beyond it are told. With one edge nothing is.
//!
//! **How far beyond its limit a caller gets.** Let the limit be a burst b and a rate r, and an edge's exchange end λ after its last one began
//! (a fifth of a second, and Redis' answers). Until they hear of each other, N edges let N bursts through, which is then owed: in any time t it is at most
//!
//! ```text
//! (r t + N (b + r λ)) + (r t + b) / 4          requests that are told of, and shares
//! ```
//!
//! so in the long run 5/4 of the rate, and at one edge exactly the limit. Why the first part holds: let Q be the sum in Redis, in requests that are not
//! given back yet. From any moment on, M edges that tell of something take Q to no more than what is left of it by then and M (b + r λ), by induction on M.
//! Whoever tells last may be telling for the first time since that moment: then M - 1 edges told before, and it adds at most one burst and what came back in λ.
//! Or it told before and heard v: since then the M - 1 others added at most (M - 1)(b + r λ) to what is left of v, and it itself let no more through than b + r λ
//! without what is left of v. So Q never exceeds N (b + r λ), and what was told of in t is r t and what Q grew by.
//!
//! **Who keeps within the limit at all edges together is never refused for it**: what is told counts from its first request on, and what is learned from
//! when it was asked for, so no edge ever believes more to be spent than was. Redis can make it so, by lying, for the time of N bursts and N seconds: more is not
//! believed, and not kept.
//!
//! **Without Redis** — away, slow, emptied — each edge goes by what it has counted and learned, which is the limit at each edge: it is not divided by their
//! number, because most callers are at one edge only, and Redis' absence is not their fault.

use super::{Bucket, Caller, Class, Limiter, Spending, spend};
use actors::{
    Node,
    clock::by_the_clock,
    count::{Counts, SPENT_MAX, Spent},
    supervisor::Child,
};
use parking_lot::Mutex;
use std::{
    mem,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

/// From the end of an exchange to the next one.
pub const EXCHANGE_EVERY: Duration = Duration::from_millis(200);
/// Callers that wait to be told of, some 100 bytes each, and 5 µs of Redis' time; of a further one nobody is told before its first request after the next
/// exchange began.
pub const WAITING_MAX: usize = 8192;
/// An edge's share of a limit is the limit divided by the number of edges and by this.
const SHARES_PER_LIMIT: u64 = 4;
/// Longest that an exchange is thought to take, for the bound of what is believed.
const EXCHANGE_MAX: Duration = Duration::from_secs(1);

pub(super) struct Exchange {
    counts: Counts,
    edges: AtomicU32,
    waiting: Mutex<Vec<Waiting>>,
}

/// A caller whom others have to be told of.
struct Waiting {
    of: (Class, Caller),
    bucket: Bucket,
    spending: Arc<Spending>,
    /// When the first request came that has to be told.
    since: u64,
}

impl Exchange {
    pub(super) fn new(counts: Counts) -> Self {
        Self { counts, edges: AtomicU32::new(1), waiting: Mutex::default() }
    }

    /// Notes a request that was let through.
    pub(super) fn note(&self, now: u64, bucket: Bucket, of: (Class, Caller), spending: &Arc<Spending>) {
        let edges = self.edges.load(Ordering::Relaxed);
        let cost_of_share = bucket.cost.saturating_mul(SHARES_PER_LIMIT * u64::from(edges));
        if edges < 2 || spend(&spending.share_paid, now, cost_of_share, bucket.room).is_ok() {
            return;
        }
        if spending.untold.fetch_add(1, Ordering::Relaxed) == 0 {
            let mut waiting = self.waiting.lock();
            match waiting.len() < WAITING_MAX {
                true => waiting.push(Waiting { of, bucket, spending: spending.clone(), since: now }),
                false => spending.untold.store(0, Ordering::Relaxed),
            }
        }
    }
}

impl Waiting {
    fn spent(&self, requests: u32, asked: u64, most: u64) -> Spent {
        let (class, caller) = self.of;
        Spent {
            caller: format!("{} {caller}", class.name()),
            spent: Duration::from_nanos(self.bucket.cost.saturating_mul(requests.into())),
            age: Duration::from_nanos(asked.saturating_sub(self.since)),
            most: Duration::from_nanos(most),
        }
    }

    /// Believes that so much was spent when it was asked for; what came since, and is not told yet, is on top of it.
    fn learn(&self, asked: u64, ahead: Duration) {
        let since = self.bucket.cost.saturating_mul(self.spending.untold.load(Ordering::Relaxed).into());
        let paid = asked.saturating_add(super::nanos(ahead)).saturating_add(since);
        self.spending.paid.fetch_max(paid, Ordering::Relaxed);
    }
}

impl Limiter {
    /// Has it share its limits with so many edges, itself among them. It begins with one, which tells nobody anything.
    pub fn set_edges(&self, edges: usize) {
        if let Some(exchange) = &self.exchange {
            exchange.edges.store(u32::try_from(edges.max(1)).unwrap_or(u32::MAX), Ordering::Relaxed);
        }
    }

    /// Tells of what has to be told, and learns what others spent. What Redis does not answer is not told again: nobody knows whether it was added.
    pub async fn exchange(&self) {
        let Some(exchange) = &self.exchange else { return };
        let waiting = mem::take(&mut *exchange.waiting.lock());
        // At once, before anything is waited for: who is not in the queue has nothing untold, or would never be in it again.
        let told: Vec<_> = waiting.into_iter().map(|waiting| (waiting.spending.untold.swap(0, Ordering::Relaxed), waiting)).collect();
        let edges = exchange.edges.load(Ordering::Relaxed);
        for batch in told.chunks(SPENT_MAX) {
            let asked = self.time(Instant::now());
            let most = |waiting: &Waiting| waiting.bucket.room.saturating_add(super::nanos(EXCHANGE_MAX)).saturating_mul(edges.into());
            let spent: Vec<_> = batch.iter().map(|(requests, waiting)| waiting.spent(*requests, asked, most(waiting))).collect();
            let Some(ahead) = exchange.counts.spend(&spent).await else { return };
            for ((_, waiting), ahead) in batch.iter().zip(ahead) {
                waiting.learn(asked, ahead);
            }
        }
    }
}

/// The row of the supervision tree that exchanges, with as many edges as the node's cluster has; `None` where there is nothing that edges share.
#[must_use]
pub fn exchanger(limiter: &Arc<Limiter>, node: &Arc<Node>) -> Option<Child> {
    limiter.exchange.as_ref()?;
    let (limiter, node) = (limiter.clone(), node.clone());
    Some(by_the_clock("limits", EXCHANGE_EVERY, move |_| {
        let (limiter, node) = (limiter.clone(), node.clone());
        async move {
            limiter.set_edges(node.edges());
            limiter.exchange().await;
            EXCHANGE_EVERY
        }
    }))
}
