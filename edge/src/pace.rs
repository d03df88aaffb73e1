//! How fast refusals are made.
//!
//! A refusal costs a fifth of so small a work as a changed profile, and most of that is the connection's. Answered at once, a crowd that asks again at
//! once takes the whole processor with being refused, and next to nothing of what there is room for gets done (docs/performance.md has the figures). So
//! refusals have a share of the processor. Within it they are made at once; beyond it they wait for their turn, and those who asked wait with them,
//! instead of asking again.

use std::num::NonZero;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// So many may come at once before any waits: what a moment of bad luck brings.
const AT_ONCE: Duration = Duration::from_millis(50);

/// The longest that a refusal waits: of more than that, nobody has anything.
const WAIT_MAX: Duration = Duration::from_secs(1);

/// Turns of refusals: the generic cell rate algorithm (ITU-T I.371), without lock.
pub(crate) struct Pace {
    since: Instant,
    each_ns: u64,
    /// When, in nanoseconds since `since`, all who have a turn have had it.
    taken_until: AtomicU64,
}

impl Pace {
    /// So many a second for each core that this process may use.
    pub(crate) fn new(per_core_s: u32, since: Instant) -> Self {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        Self::of(u64::from(per_core_s).saturating_mul(cores as u64), since)
    }

    fn of(per_s: u64, since: Instant) -> Self {
        let each_ns = 1_000_000_000 / per_s.max(1);
        Self { since, each_ns, taken_until: AtomicU64::new(0) }
    }

    /// How long a refusal of now has to wait: zero as a rule, and a second at most.
    pub(crate) fn turn(&self, now: Instant) -> Duration {
        let now = nanoseconds(now.saturating_duration_since(self.since));
        let last = now + nanoseconds(AT_ONCE + WAIT_MAX);
        let next = |taken_until: u64| Some(taken_until.max(now).saturating_add(self.each_ns).min(last));
        let (Ok(before) | Err(before)) = self.taken_until.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        Duration::from_nanos(before.saturating_sub(now + nanoseconds(AT_ONCE)))
    }
}

/// Nanoseconds of a span; 584 years at most.
fn nanoseconds(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_within_the_pace_is_refused_at_once() {
        let since = Instant::now();
        let pace = Pace::of(16_000, since);
        let waits = (0..32_000).map(|number| pace.turn(since + Duration::from_micros(number * 1_000_000 / 16_000)));
        assert_eq!(waits.max(), Some(Duration::ZERO));
    }

    #[test]
    fn of_a_crowd_each_waits_for_a_turn_of_its_own_and_a_second_at_most() {
        let since = Instant::now();
        let pace = Pace::of(8_000, since);
        let waits: Vec<_> = (0..20_000).map(|_| pace.turn(since)).collect();
        // 50 ms' worth at once, then one each eighth of a millisecond.
        assert_eq!(waits.iter().filter(|wait| wait.is_zero()).count(), 401);
        assert_eq!(waits[401], Duration::from_micros(125));
        assert_eq!(waits[4_400], Duration::from_millis(500));
        assert_eq!(waits.last(), Some(&Duration::from_secs(1)));
        // They were too many for their turns, and those who come afterwards do not wait for that.
        assert_eq!(pace.turn(since + Duration::from_millis(1_100)), Duration::ZERO);
    }
}
