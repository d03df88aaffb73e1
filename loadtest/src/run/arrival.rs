//! When requests are due, and who hands them out.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::Semaphore;

use super::plan::Draw;

/// One request that is due.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// When it should be sent; latency counts from here.
    pub due: Instant,
    /// What to send.
    pub draw: Draw,
    /// False during the warm-up.
    pub measured: bool,
}

/// Arrivals that wait for a free connection, bounded.
#[derive(Debug)]
pub struct Backlog {
    waiting: Mutex<VecDeque<Arrival>>,
    /// One permit per waiting arrival; a permit without one tells a connection that no more will come.
    ready: Semaphore,
    arrivals_max: usize,
}

impl Backlog {
    /// A backlog for at most this many waiting arrivals.
    pub fn new(arrivals_max: usize) -> Self {
        Self { waiting: Mutex::default(), ready: Semaphore::new(0), arrivals_max }
    }

    /// Adds an arrival; false if the backlog is full and the arrival was dropped.
    pub fn push(&self, arrival: Arrival) -> bool {
        let mut waiting = self.waiting.lock();
        if waiting.len() >= self.arrivals_max {
            return false;
        }
        waiting.push_back(arrival);
        drop(waiting);
        self.ready.add_permits(1);
        true
    }

    /// Tells `takers` that nothing more will be added.
    pub fn close(&self, takers: usize) {
        self.ready.add_permits(takers);
    }

    /// Waits for the next arrival; `None` once all were taken and the backlog was closed.
    pub async fn next(&self) -> Option<Arrival> {
        self.ready.acquire().await.expect("the semaphore is never closed").forget();
        self.waiting.lock().pop_front()
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.waiting.lock().len()
    }
}

/// A constant rate: when the n-th request of a run is due.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    /// Arrivals per second.
    pub rate: f64,
    /// The time before arrivals are measured.
    pub warmup: Duration,
    /// The time in which they are.
    pub duration: Duration,
    /// The most arrivals.
    pub requests_max: u64,
}

impl Schedule {
    /// When arrival `number` is due, from the beginning of the run; `None` after the last.
    pub fn due(&self, number: u64) -> Option<Duration> {
        let due = Duration::try_from_secs_f64(number as f64 / self.rate).ok()?;
        (number < self.requests_max && due < self.warmup + self.duration).then_some(due)
    }
}

/// Hands arrivals to the backlog at their times, on a thread of its own: tokio's timer ticks once a millisecond, a sleeping
/// thread wakes within some 60 µs. Calls `dropped` for arrivals that found the backlog full.
pub fn pace(schedule: Schedule, began: Instant, backlog: &Arc<Backlog>, mut draw: impl FnMut() -> Draw, mut dropped: impl FnMut(Arrival)) {
    for number in 0.. {
        let Some(after) = schedule.due(number) else { return };
        let due = began + after;
        let early = due.saturating_duration_since(Instant::now());
        if !early.is_zero() {
            std::thread::sleep(early);
        }
        let arrival = Arrival { due, draw: draw(), measured: after >= schedule.warmup };
        if !backlog.push(arrival) {
            dropped(arrival);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Edge, Request};
    use crate::run::{Operation, Plan};
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;

    fn schedule() -> Schedule {
        Schedule { rate: 100.0, warmup: Duration::from_secs(1), duration: Duration::from_secs(2), requests_max: 1000 }
    }

    #[test]
    fn arrivals_keep_their_rate_and_their_bounds() {
        let schedule = schedule();
        assert_eq!(schedule.due(0), Some(Duration::ZERO));
        assert_eq!(schedule.due(150), Some(Duration::from_millis(1500)));
        assert_eq!(schedule.due(300), None);
        assert_eq!(Schedule { requests_max: 150, ..schedule }.due(150), None);
    }

    #[tokio::test]
    async fn a_full_backlog_drops_and_a_closed_one_ends() {
        let edge = Edge::from(std::net::SocketAddr::from(([127, 0, 0, 1], 80)));
        let plan = Plan::uniform(Operation::Profile, &[Request::get("/")], &[edge]).unwrap();
        let draw = plan.draw(&mut ChaCha8Rng::seed_from_u64(1));
        let arrival = Arrival { due: Instant::now(), draw, measured: true };
        let backlog = Backlog::new(2);
        assert_eq!([backlog.push(arrival), backlog.push(arrival), backlog.push(arrival)], [true, true, false]);
        backlog.close(1);
        assert!(backlog.next().await.is_some());
        assert!(backlog.next().await.is_some());
        assert!(backlog.next().await.is_none());
    }
}
