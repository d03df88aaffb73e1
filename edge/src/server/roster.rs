//! The open connections of a server: who they are, when they are looked at, and when the last one is gone.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use parking_lot::Mutex;
use tokio::sync::{Notify, OwnedSemaphorePermit};

use super::limits::Limits;
use super::verdict::{Reason, Track};
use super::vitals::{Order, Stage, Vitals};

/// Counts what happened to connections since the server was bound.
#[derive(Debug, Default)]
pub struct Stats {
    pub(super) accepted: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) accept_failures: AtomicU64,
    open: AtomicU64,
    ended: [AtomicU64; Reason::ALL.len()],
}

impl Stats {
    /// Connections accepted and served, those of now included.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Relaxed)
    }

    /// Connections refused because their listener was full.
    pub fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    /// Failures to accept, for example for want of file descriptors.
    pub fn accept_failures(&self) -> u64 {
        self.accept_failures.load(Relaxed)
    }

    /// Connections open now, upgraded ones included.
    pub fn open(&self) -> u64 {
        self.open.load(Relaxed)
    }

    /// Connections that the server ended for that reason.
    pub fn ended(&self, reason: Reason) -> u64 {
        self.ended[reason as usize].load(Relaxed)
    }
}

/// The open connections.
#[derive(Debug)]
pub(super) struct Roster {
    members: Mutex<Members>,
    emptied: Notify,
    stats: Arc<Stats>,
}

#[derive(Debug, Default)]
struct Members {
    by_id: HashMap<u64, Member>,
    next_id: u64,
}

#[derive(Debug)]
struct Member {
    vitals: Arc<Vitals>,
    track: Track,
}

impl Roster {
    pub(super) fn new(stats: Arc<Stats>) -> Self {
        Self { members: Mutex::default(), emptied: Notify::new(), stats }
    }

    /// Enters a connection that was just accepted. It counts as open, and occupies its listener's permit, until the membership is
    /// dropped.
    pub(super) fn join(self: &Arc<Self>, vitals: &Arc<Vitals>, limits: &Limits, permit: OwnedSemaphorePermit) -> Membership {
        let mut members = self.members.lock();
        let id = members.next_id;
        members.next_id += 1;
        let stage = vitals.stage();
        members.by_id.insert(id, Member { vitals: Arc::clone(vitals), track: Track::new(stage, Instant::now(), limits) });
        self.stats.accepted.fetch_add(1, Relaxed);
        self.stats.open.fetch_add(1, Relaxed);
        Membership { roster: Arc::clone(self), id, _permit: permit }
    }

    /// Looks at every connection and ends those beyond a deadline. 10,000 connections take about half a millisecond.
    pub(super) fn sweep(&self, limits: &Limits, drain_began: Option<Instant>) {
        let now = Instant::now();
        for member in self.members.lock().by_id.values_mut() {
            let sample = member.vitals.sample();
            if sample.order == Order::Close {
                continue;
            }
            if let Some(verdict) = member.track.judge(sample, now, limits, drain_began) {
                self.stats.ended[verdict.reason as usize].fetch_add(1, Relaxed);
                if verdict.reason == Reason::Head && sample.stage == Stage::Http1 && sample.is_head_begun {
                    member.vitals.miss_head();
                }
                member.vitals.give(verdict.order);
            }
        }
    }

    /// Asks every connection to finish what it has in flight and to close.
    pub(super) fn ask_all_to_leave(&self) {
        for member in self.members.lock().by_id.values() {
            member.vitals.give(Order::Leave);
        }
    }

    /// Closes every connection and tells how many of them had not been told yet.
    pub(super) fn close_all(&self) -> usize {
        let members = self.members.lock();
        let mut count = 0;
        for member in members.by_id.values() {
            if member.vitals.order() != Order::Close {
                count += 1;
                member.vitals.give(Order::Close);
            }
        }
        self.stats.ended[Reason::Drain as usize].fetch_add(count as u64, Relaxed);
        count
    }

    /// Waits until no connection is open.
    pub(super) async fn emptied(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.members.lock().by_id.is_empty() {
                return;
            }
            emptied.await;
        }
    }
}

/// A connection's place in the roster and in its listener's count.
#[derive(Debug)]
pub(super) struct Membership {
    roster: Arc<Roster>,
    id: u64,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Membership {
    fn drop(&mut self) {
        let mut members = self.roster.members.lock();
        members.by_id.remove(&self.id);
        self.roster.stats.open.fetch_sub(1, Relaxed);
        if members.by_id.is_empty() {
            self.roster.emptied.notify_waiters();
        }
    }
}
