//! Waiting without sleeping.

use std::{
    future::Future,
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// Beyond this a test fails instead of hanging. It is far above anything that is waited for, and below the deadline of a harness' request: what is
/// refused within it was not refused by its deadline.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Holds calls until it is opened, and tells how many came.
#[derive(Clone)]
pub struct Gate {
    came: watch::Sender<usize>,
    open: watch::Sender<bool>,
}

impl Gate {
    pub fn new() -> Self {
        Self { came: watch::Sender::new(0), open: watch::Sender::new(false) }
    }

    /// Waits here until the gate is open.
    pub async fn pass(&self) {
        self.came.send_modify(|count| *count += 1);
        self.open.subscribe().wait_for(|open| *open).await.expect("the gate outlives its visitors");
    }

    /// Waits until so many calls came.
    pub async fn came(&self, count: usize) {
        within("calls at the gate", self.came.subscribe().wait_for(|came| *came >= count)).await.expect("the gate lives");
    }

    pub fn open(&self) {
        self.open.send_replace(true);
    }
}

/// The future's outcome, which must come within [`PATIENCE`].
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(outcome) => outcome,
        Err(_) => panic!("{what}: waited for longer than {PATIENCE:?}"),
    }
}

/// Asks again and again until the answer is yes.
pub async fn eventually<F: Future<Output = bool>>(what: &str, mut check: impl FnMut() -> F) {
    let begun = Instant::now();
    while !check().await {
        assert!(begun.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        tokio::task::yield_now().await;
    }
}
