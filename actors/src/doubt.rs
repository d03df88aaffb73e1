//! Until when an owner may answer what was there before a commit that is under way, and from when on others may answer what it made.
//!
//! Between the instant at which a commit becomes durable and the one at which its owner hears of it, the store is ahead of the owner's memory. That is
//! nobody's business while all ask the owner. But a node that the owner does not answer reads the store, and whoever reads there first and at the owner then
//! would see time go back. So both keep to a span: the owner answers what was there before for [`DOUBT_AFTER_MS`] from before the commit is sent, and
//! then has readers wait for what becomes of it; and what was read from the store instead of the owner is answered [`SETTLES_AFTER`] after it was
//! read. Whatever commit it shows was sent before then. Nothing is lent of the key meanwhile ([`crate::near`]).
//!
//! A slot on its way from one node to another is no reason to wait: whoever gave it up has no commit under way, and whoever gets it has readers wait for
//! each of its first commits, until everybody knows whose it is. See docs/adr/0018-in-doubt.md.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};
use store::lease::now_ms;

/// For how long a commit may be under way while what was there before is answered. Hardly any takes longer, and a read of the store waits for this.
const DOUBT_AFTER_MS: u64 = 50;

/// What was read from the store is answered so long after it was read: longer than [`DOUBT_AFTER_MS`] by any two clocks (`cluster::timing`), and rounding.
pub(crate) const SETTLES_AFTER: Duration = Duration::from_millis(DOUBT_AFTER_MS + DOUBT_AFTER_MS / 50 + 3);

/// Since when something newer may be stored than this.
#[derive(Default)]
pub(crate) struct Doubt {
    /// An instant of [`now_ms`], as far as 32 bits tell it; 0 if nothing newer is known of.
    from: AtomicU32,
}

impl Doubt {
    /// A commit is about to be sent. In a tenure that has just begun there is doubt at once ([`Ownership::is_young`](crate::ownership::Ownership)).
    pub(crate) fn begin(&self, is_young: bool) {
        self.begin_at(now_ms(), is_young);
    }

    fn begin_at(&self, now_ms: u64, is_young: bool) {
        let after_ms = if is_young { 0 } else { DOUBT_AFTER_MS };
        self.from.store(((now_ms + after_ms) as u32).max(1), Ordering::Release);
    }

    /// It wrote nothing.
    pub(crate) fn end(&self) {
        self.from.store(0, Ordering::Release);
    }

    /// Whether nobody may be answered this.
    pub(crate) fn holds(&self) -> bool {
        self.holds_at(now_ms)
    }

    /// The clock is asked only where there is something to doubt.
    fn holds_at(&self, now_ms: impl FnOnce() -> u64) -> bool {
        let from = self.from.load(Ordering::Acquire);
        // Half of what 32 bits tell is 24 days.
        from != 0 && (now_ms() as u32).wrapping_sub(from) < 1 << 31
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_about_to_be_replaced_is_answered_for_a_while() {
        let doubt = Doubt::default();
        assert!(!doubt.holds_at(|| 0) && !doubt.holds_at(|| u64::MAX));
        // Also where 32 bits begin anew.
        for begun in [0, 1, 1000, u64::from(u32::MAX) - 20, u64::from(u32::MAX) - DOUBT_AFTER_MS, 1 << 40] {
            doubt.begin_at(begun, false);
            assert!(!doubt.holds_at(|| begun) && !doubt.holds_at(|| begun + DOUBT_AFTER_MS - 1), "{begun}");
            assert!(doubt.holds_at(|| begun + DOUBT_AFTER_MS + 1) && doubt.holds_at(|| begun + 3_600_000), "{begun}");
        }
        doubt.begin_at(1000, true);
        assert!(doubt.holds_at(|| 1000));
        doubt.end();
        assert!(!doubt.holds_at(|| 1 << 40));
    }

    #[test]
    fn what_was_read_is_answered_later_than_that_by_any_two_clocks() {
        // The owner's clock is slow by 1 %, the reader's is fast by as much; each reads a millisecond too little.
        assert!(SETTLES_AFTER.as_millis() * 99 > u128::from(DOUBT_AFTER_MS + 1) * 101);
    }
}
