//! Every span of the protocol, and the inequalities between them that it stands on.
//!
//! No clock is shared. Each node reads its own clock of the time since its machine started, which also counts the machine's sleep and which nobody
//! sets. All that is assumed of two such clocks is that they run equally fast, within [`DRIFT_PER_MILLE_MAX`].

/// An instant of one node's own clock, in milliseconds since its machine started, rounded down. Instants of two nodes cannot be compared.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Moment(pub u64);

impl Moment {
    /// The instant `span_ms` milliseconds later.
    #[must_use]
    pub const fn after(self, span_ms: u64) -> Self {
        Self(self.0.saturating_add(span_ms))
    }

    /// Milliseconds from `earlier` to this instant; 0 if it is not earlier.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// How much faster or slower than true time a node's clock may run: 1 %. Quartz is off by 0.01 %, and time services slew by at most 0.05 %.
pub const DRIFT_PER_MILLE_MAX: u64 = 10;

/// A node renews its row this long after it sent the renewal before, or as soon as that one was answered. Three in each lease: one may be lost.
pub const RENEWAL_EVERY_MS: u64 = 1_000;

/// What runs the core gives a renewal up after this time, and says that it was not answered. Short enough that a node whose renewal was lost gets
/// another one through before its counter stood still for [`STANDSTILL_MS`].
pub const RENEWAL_ANSWER_MAX_MS: u64 = 1_500;

/// The same for every other statement. They are larger, and only progress hangs on them.
pub const STATEMENT_ANSWER_MAX_MS: u64 = 2_000;

/// A statement that was refused or not answered is not repeated sooner.
pub const RETRY_AFTER_MS: u64 = 250;

/// A view is read at most this often by a node of a cluster of so many, in milliseconds: where many change at once, as after a death in a large cluster, one read
/// shows many changes. All nodes together read at most 200 times a second, up to a hundred of them; beyond, nobody waits longer than half a second. A
/// slot that moves waits for one of these: until its next owner knows, and the others do.
#[must_use]
pub const fn read_every_min_ms(members: usize) -> u64 {
    let each = 5 * members as u64;
    if each < READ_EVERY_MS.start {
        READ_EVERY_MS.start
    } else if each > READ_EVERY_MS.end {
        READ_EVERY_MS.end
    } else {
        each
    }
}

/// What [`read_every_min_ms`] is at least and at most.
const READ_EVERY_MS: std::ops::Range<u64> = 10..500;

/// For how long a node may answer from memory, counted from before it sent the renewal that succeeded.
pub const LEASE_MS: u64 = 3_000;

/// A node is dead by expiry when another one saw its counter stand still for this long.
pub const STANDSTILL_MS: u64 = 4_000;

/// What is watched begins anew when a node's own renewals are further apart than this: the database may have been away for everybody.
pub const RENEWAL_GAP_MAX_MS: u64 = 1_500;

/// A node that was voted out may have renewed just before. Its slots may be claimed this long after the claimant read of its death.
pub const CLAIM_WAIT_MS: u64 = 4_000;

/// How many others each node watches for expiry: the next ones on the ring of boot ids. They ride in the renewal, so the load on the database grows
/// with the number of nodes and not with its square. Clusters of up to nine watch everybody. Only when all watchers of a node fail with it
/// does its death take another [`STANDSTILL_MS`].
pub const WATCHED_MAX: usize = 8;

/// How often a node probes each of the others.
pub const PROBE_EVERY_MS: u64 = 500;

/// So many probes in a row without an answer make an elder node accuse a younger one: 2.5 s, beyond any delay that a working network has.
pub const MISSED_BY_ELDER: u32 = 5;

/// And a younger one an elder: later, so that of two nodes that lost each other the younger one ends, and not the one with the warmer memory.
pub const MISSED_BY_YOUNGER: u32 = 7;

/// Two nodes that accuse each other are judged by others first: whoever is cut off from all is voted out by two of them. Only if the two still accuse
/// each other after this time, longer than it takes others to accuse, does the younger one end.
pub const SETTLE_AFTER_MS: u64 = 1_500;

/// The core wants to be woken at least this often. It notices by then whatever has no instant of its own.
pub const LOOK_EVERY_MS: u64 = 200;

/// An owner moves at most one of so many of all slots at a time: what is moving takes no writes for a moment.
pub const MOVING_SHARE: usize = 16;

/// And begins to move some no sooner than this after it last did: between two lots others get the processors and the databases. All that a node owns is
/// moved in 1.6 s, if each lot is through by the time of the next one.
pub const MOVES_EVERY_MS: u64 = 100;

/// How long a slot that takes no more writes waits until the databases are raised for its next owner. That one sees to it, too: this only spares its readers
/// the wait, as a rule of some ten milliseconds.
pub const RAISED_AHEAD_MAX_MS: u64 = 500;

/// A slot whose owner actors do not finish their commits is given up after this time; the next owner's epoch fences what is left.
pub const HAND_OFF_MAX_MS: u64 = 5_000;

/// How long a node that leaves hands its slots over, before it gives up all that are left.
pub const LEAVING_HAND_OFF_MAX_MS: u64 = 20_000;

/// How long a node that leaves goes on trying to say so, before it just ends.
pub const LEAVING_MAX_MS: u64 = 25_000;

/// How long the row of a dead node without slots is kept, for people to see.
pub const REMEMBERED_MS: u64 = 60_000;

/// The shortest that a span by one clock can be, as milliseconds × 1000 of another one's.
const fn shortest(span_ms: u64) -> u64 {
    span_ms * (1000 - 2 * DRIFT_PER_MILLE_MAX)
}

// A span S by one clock lasts at least S/(1+d) of true time, and a lease L by another one at most L/(1−d). S·(1−2d) > L is sharper than what is needed,
// since (1−d)/(1+d) > 1−2d. What is left over is for whoever is slow between looking at the lease and answering.
const _: () = assert!(shortest(STANDSTILL_MS) > (LEASE_MS + LOOK_EVERY_MS) * 1000, "an expired node may still serve");
const _: () = assert!(shortest(CLAIM_WAIT_MS) > (LEASE_MS + LOOK_EVERY_MS) * 1000, "a node that was voted out may still serve");
// A renewal is sent, lost, given up, repeated and carried out before anybody may take the node for dead.
const _: () = assert!(RENEWAL_EVERY_MS + RENEWAL_ANSWER_MAX_MS + RETRY_AFTER_MS + LOOK_EVERY_MS < STANDSTILL_MS);
// A watcher whose renewal is lost notices the gap. An outage that is too short for that costs others one renewal at most.
const _: () = assert!(RENEWAL_GAP_MAX_MS < RENEWAL_ANSWER_MAX_MS + RETRY_AFTER_MS);
// A lost renewal does not end the lease.
const _: () = assert!(RENEWAL_EVERY_MS + RENEWAL_ANSWER_MAX_MS + RETRY_AFTER_MS < LEASE_MS);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_not_asked_more_by_more_nodes() {
        assert_eq!([0, 1, 3, 20, 100, 1000].map(read_every_min_ms), [10, 10, 15, 100, 500, 500]);
        assert!((2..=100).all(|members| members as u64 * 1000 / read_every_min_ms(members) <= 200));
    }

    #[test]
    fn spans_are_counted_from_the_earlier_instant() {
        assert_eq!(Moment(7).since(Moment(5)), 2);
        assert_eq!(Moment(5).since(Moment(7)), 0);
        assert_eq!(Moment(5).after(2), Moment(7));
    }
}
