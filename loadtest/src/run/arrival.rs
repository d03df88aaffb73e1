//! When requests are due, and who hands them out.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use tokio::sync::Semaphore;

use super::plan::Draw;
use super::shape::{Curve, Due, Spacing};

/// One request that is due.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// When it should be sent; latency counts from here.
    pub due: Instant,
    /// What to send.
    pub draw: Draw,
    /// False during the warm-up.
    pub measured: bool,
    /// Of a staircase, its step.
    pub step: Option<usize>,
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

/// When the requests of a run are due.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// The rate over time.
    pub curve: Curve,
    /// How arrivals keep to it.
    pub spacing: Spacing,
    /// The time before arrivals are measured.
    pub warmup: Duration,
    /// The most arrivals.
    pub requests_max: u64,
}

impl Schedule {
    /// When each arrival is due, from the beginning of the run, one after another. `rng` is asked only where chance has a say.
    pub fn arrivals(&self, mut rng: impl Rng) -> impl Iterator<Item = Due> {
        let mut expected = 0.0;
        (0..self.requests_max).map_while(move |number| {
            match self.spacing {
                Spacing::Even => expected = number as f64,
                // A Poisson process whose rate changes is one with rate 1 on the clock that the integral of the rate is.
                Spacing::Poisson => expected += rng.sample::<f64, _>(rand_distr::Exp1),
            }
            self.curve.due(expected)
        })
    }
}

/// Hands arrivals to the backlog at their times, on a thread of its own: tokio's timer ticks once a millisecond, a sleeping
/// thread wakes within some 60 µs. Tells `offered` of each, and whether it found room.
pub fn pace(
    schedule: &Schedule,
    began: Instant,
    backlog: &Arc<Backlog>,
    mut rng: ChaCha8Rng,
    mut draw: impl FnMut() -> Draw,
    mut offered: impl FnMut(Arrival, Duration, bool),
) {
    rng.set_stream(1);
    for Due { after, step } in schedule.arrivals(rng) {
        let due = began + after;
        let early = due.saturating_duration_since(Instant::now());
        if !early.is_zero() {
            std::thread::sleep(early);
        }
        let arrival = Arrival { due, draw: draw(), measured: after >= schedule.warmup, step };
        let found_room = backlog.push(arrival);
        offered(arrival, after, found_room);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Edge, Request};
    use crate::run::shape::Shape;
    use crate::run::{Operation, Plan};
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;

    fn schedule(spacing: Spacing) -> Schedule {
        let shape = Shape::Constant { rate_per_s: 100.0 };
        let curve = shape.curve(Duration::from_secs(1), Duration::from_secs(20));
        Schedule { curve, spacing, warmup: Duration::from_secs(1), requests_max: 100_000 }
    }

    fn arrivals(schedule: &Schedule) -> Vec<Duration> {
        schedule.arrivals(ChaCha8Rng::seed_from_u64(9)).map(|due| due.after).collect()
    }

    #[test]
    fn arrivals_keep_their_rate_and_their_bounds() {
        let even = arrivals(&schedule(Spacing::Even));
        assert_eq!((even.len(), even[0], even[150]), (2100, Duration::ZERO, Duration::from_millis(1500)));
        let bounded = Schedule { requests_max: 150, ..schedule(Spacing::Even) };
        assert_eq!(arrivals(&bounded).len(), 150);
    }

    #[test]
    fn chance_keeps_the_rate_and_not_the_distance() {
        let random = arrivals(&schedule(Spacing::Poisson));
        // 2100 are expected, give or take 46; of the distances 37 % are longer than the mean.
        assert!((1900..2300).contains(&random.len()), "{}", random.len());
        let long = random.windows(2).filter(|pair| pair[1] - pair[0] > Duration::from_millis(10)).count();
        assert!((0.32..0.42).contains(&(long as f64 / random.len() as f64)), "{long} of {}", random.len());
        assert_eq!(random, arrivals(&schedule(Spacing::Poisson)), "the same seed is the same run");
    }

    #[tokio::test]
    async fn a_full_backlog_drops_and_a_closed_one_ends() {
        let edge = Edge::from(std::net::SocketAddr::from(([127, 0, 0, 1], 80)));
        let plan = Plan::uniform(Operation::Profile, &[Request::get("/")], &[edge]).unwrap();
        let draw = plan.draw(&mut ChaCha8Rng::seed_from_u64(1));
        let arrival = Arrival { due: Instant::now(), draw, measured: true, step: None };
        let backlog = Backlog::new(2);
        assert_eq!([backlog.push(arrival), backlog.push(arrival), backlog.push(arrival)], [true, true, false]);
        backlog.close(1);
        assert!(backlog.next().await.is_some());
        assert!(backlog.next().await.is_some());
        assert!(backlog.next().await.is_none());
    }
}
