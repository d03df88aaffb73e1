//! What other nodes' owners lent to this one.

use super::LEASE_MS;
use parking_lot::Mutex;
use protocol::Key;
use std::{
    hash::{BuildHasher, RandomState},
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
};
use store::lease::now_ms;

/// Recalls of different keys meet in one of so many.
const SHARDS: usize = 64;
/// What is read while so little of its lease is left is asked for again.
const RENEW_AT_MS: u64 = LEASE_MS as u64 / 3;

/// A lease on what another node's owner published.
pub struct Loan {
    until_ms: u64,
    /// How often it was answered from.
    answered: AtomicU32,
    is_renewed: AtomicBool,
}

impl Loan {
    /// Whether it may be answered from now.
    #[must_use]
    pub fn holds(&self) -> bool {
        now_ms() < self.until_ms
    }

    /// Counts an answer; `true` if it is time to ask for it again, which whoever is told has to do.
    pub(crate) fn answer(&self) -> bool {
        self.answered.fetch_add(1, Ordering::Relaxed);
        // Most of the time it is not, and then nothing is written that others read.
        now_ms() + RENEW_AT_MS >= self.until_ms
            && !self.is_renewed.load(Ordering::Relaxed)
            && !self.is_renewed.swap(true, Ordering::Relaxed)
    }

    /// How often it was answered from since this was last asked.
    pub(crate) fn take_answered(&self) -> u32 {
        self.answered.swap(0, Ordering::Relaxed)
    }

    /// How many milliseconds of it are left.
    pub(crate) fn left_ms(&self) -> u64 {
        self.until_ms.saturating_sub(now_ms())
    }
}

/// When something was asked for: an answer that comes after a recall is not kept.
pub(crate) struct Question {
    at_ms: u64,
    recalls: u64,
}

/// What keeps answers apart from recalls that overtook them.
pub(crate) struct Holdings {
    recalls: Box<[Mutex<u64>]>,
    hasher: RandomState,
}

impl Holdings {
    pub(crate) fn new() -> Self {
        Self { recalls: (0..SHARDS).map(|_| Mutex::new(0)).collect(), hasher: RandomState::new() }
    }

    fn shard(&self, key: &Key) -> &Mutex<u64> {
        &self.recalls[self.hasher.hash_one(key) as usize % SHARDS]
    }

    /// To be called before the owner is asked.
    pub(crate) fn ask(&self, key: &Key) -> Question {
        Question { at_ms: now_ms(), recalls: *self.shard(key).lock() }
    }

    /// Has `keep` keep the answer under its lease, if it still may be.
    pub(crate) fn keep(&self, key: &Key, question: &Question, lease_ms: u16, keep: impl FnOnce(Loan)) {
        let recalls = self.shard(key).lock();
        if *recalls == question.recalls {
            let until_ms = question.at_ms + u64::from(lease_ms.min(LEASE_MS));
            keep(Loan { until_ms, answered: AtomicU32::new(0), is_renewed: AtomicBool::new(false) });
        }
    }

    /// Has `forget` forget what is kept of a key; answers to what was asked before are not kept either.
    pub(crate) fn recall(&self, key: &Key, forget: impl FnOnce()) {
        let mut recalls = self.shard(key).lock();
        *recalls += 1;
        forget();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::Kind;
    use uuid::Uuid;

    fn kept(holdings: &Holdings, key: &Key, question: &Question) -> Option<Loan> {
        let mut kept = None;
        holdings.keep(key, question, LEASE_MS, |loan| kept = Some(loan));
        kept
    }

    #[test]
    fn what_was_asked_for_before_a_recall_is_not_kept_after_it() {
        let (holdings, key) = (Holdings::new(), Key::new(Kind::User, Uuid::from_u128(1)));
        let before = holdings.ask(&key);
        assert!(kept(&holdings, &key, &before).is_some_and(|loan| loan.holds()));
        holdings.recall(&key, || {});
        assert!(kept(&holdings, &key, &before).is_none());
        assert!(kept(&holdings, &key, &holdings.ask(&key)).is_some());
    }

    #[test]
    fn a_loan_is_asked_for_again_by_one_reader_shortly_before_it_ends() {
        let loan = |left: u64| Loan { until_ms: now_ms() + left, answered: AtomicU32::new(0), is_renewed: AtomicBool::new(false) };
        let fresh = loan(60_000);
        assert!(!fresh.answer() && fresh.take_answered() == 1 && fresh.take_answered() == 0);
        let old = loan(RENEW_AT_MS);
        assert_eq!((old.answer(), old.answer()), (true, false));
        assert!(!loan(0).holds());
    }
}
