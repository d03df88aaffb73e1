//! Whether the stores are still this process's own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Until when this process may answer from its memory what it read of its stores. Cheap to clone and to ask.
///
/// Behind a lock that ends with the process, such as a data directory's, it always holds. Behind a lease in a database it holds for a while after
/// each renewal, judged by this machine's own clock since it started: that one also goes on while the machine sleeps, and nobody sets it.
#[derive(Debug, Clone)]
pub struct Lease {
    until_ms: Arc<AtomicU64>,
    /// From when on it held last: all that was read before then was the truth then.
    renewed_ms: Arc<AtomicU64>,
}

const ALWAYS: u64 = u64::MAX;

impl Lease {
    /// Never ends.
    #[must_use]
    pub fn always() -> Self {
        Self { until_ms: Arc::new(AtomicU64::new(ALWAYS)), renewed_ms: Arc::default() }
    }

    /// Does not hold until it is renewed.
    #[must_use]
    pub fn ended() -> Self {
        Self { until_ms: Arc::default(), renewed_ms: Arc::default() }
    }

    /// Whether it holds now.
    #[must_use]
    pub fn holds(&self) -> bool {
        let until = self.until_ms.load(Ordering::Acquire);
        until == ALWAYS || now_ms() < until
    }

    /// For how many milliseconds it holds from now on; very many if it always does.
    #[must_use]
    pub fn left_ms(&self) -> u64 {
        self.until_ms.load(Ordering::Acquire).saturating_sub(now_ms())
    }

    /// If it held once and does not now: for how long nobody can tell whether what is in memory is still the truth.
    #[must_use]
    pub fn lapsed(&self) -> Option<Duration> {
        let renewed = self.renewed_ms.load(Ordering::Acquire);
        (renewed > 0 && !self.holds()).then(|| Duration::from_millis(now_ms().saturating_sub(renewed)))
    }

    /// Holds for `length` from `began` on, an instant of [`now_ms`].
    pub fn renew(&self, began_ms: u64, length: Duration) {
        self.renewed_ms.store(began_ms, Ordering::Release);
        self.until_ms.store(began_ms + millis(length), Ordering::Release);
    }

    /// Holds no longer.
    pub fn end(&self) {
        self.renewed_ms.store(0, Ordering::Release);
        self.until_ms.store(0, Ordering::Release);
    }
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// This machine's time since it started, in milliseconds, its sleep included where the system counts that.
#[must_use]
pub fn now_ms() -> u64 {
    #[cfg(target_os = "linux")]
    const CLOCK: rustix::time::ClockId = rustix::time::ClockId::Boottime;
    #[cfg(not(target_os = "linux"))]
    const CLOCK: rustix::time::ClockId = rustix::time::ClockId::Monotonic;
    let now = rustix::time::clock_gettime(CLOCK);
    u64::try_from(now.tv_sec).unwrap_or(0) * 1000 + u64::try_from(now.tv_nsec).unwrap_or(0) / 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_holds_for_its_length_from_before_it_was_asked_for() {
        assert!(Lease::always().holds());
        let lease = Lease::ended();
        assert!(!lease.holds());
        let shared = lease.clone();
        lease.renew(now_ms(), Duration::from_secs(60));
        assert!(shared.holds());
        lease.renew(now_ms().saturating_sub(60_000), Duration::from_secs(60));
        assert!(!shared.holds(), "an answer that came late is worth nothing");
        lease.renew(now_ms(), Duration::from_secs(60));
        lease.end();
        assert!(!shared.holds());
    }
}
