//! What the core asks of the store, and what the store must keep to.
//!
//! The **cluster's database** holds three tables. Any store will do that keeps these semantics; the simulation's is the executable form of them.
//!
//! ```text
//! node(boot, born, roles, address, status, counter, round, accuses, moved)     one row a boot
//! slot(slot, owner → node, epoch, moved)                                       one row a slot, made beforehand, with epoch 0 and no owner
//! view(version)                                                                one row, version 0 at first
//! ```
//!
//! Every **domain database** holds `slot_epoch(slot, epoch)`, which each commit of an owner checks in its own transaction, in a way that a raise waits
//! for (docs/adr/0003).
//!
//! * Every statement is one transaction: it is carried out as a whole, at one instant between being sent and being answered, or not at all.
//! * A [`Change`] first locks the row of `view`, so changes happen one after another. If it changes anything, it raises `version` by one and stamps
//!   the rows that it touched with that version (`moved`).
//! * [`Statement::Renew`] takes no such lock: it touches one row of `node` only. The database's lock on that row puts it before or after a change
//!   that concerns the same node; if after, it sees what that one wrote.
//! * All are read from where they are written, never from a replica that lags.
//! * A statement may be carried out long after it was given up, or after its sender died. Each of them carries the state that it was decided on, and
//!   does nothing if that has moved.

use crate::view::{Boot, Member, Roles, SlotRow};
use protocol::{Epoch, Slot};
use std::sync::Arc;

/// Names one statement of a core, so that an answer that comes after it was given up cannot be taken for that of another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Ticket(pub u64);

/// What is asked. At most one of each variant is under way at a time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Statement {
    /// If the row of `boot` is there and not dead: raises its counter by one; answers [`Answer::Renewed`] with the view's version and the counters of
    /// those of `watched` that have a row. Else changes nothing and answers [`Answer::Refused`].
    ///
    /// It has a connection and a thread of its own: neither a full pool nor busy workers may cost the lease.
    Renew {
        /// The sender.
        boot: Boot,
        /// Up to [`crate::timing::WATCHED_MAX`] others.
        watched: Vec<Boot>,
    },
    /// Answers [`Answer::View`]: the rows of nodes and slots with `moved > since`, as they were at one instant with the version. Rows that were removed are not
    /// told of: they were dead.
    ReadView {
        /// The version that the reader has read.
        since: u64,
    },
    /// In each domain database: raises the epochs of these slots where they are lower, waiting for commits that passed the guard of an older one. Answers
    /// [`Answer::Raised`] once all databases are through. The databases need not be raised at one instant; a failure may leave some raised.
    RaiseEpochs(Vec<(Slot, Epoch)>),
    /// Changes the cluster's tables. Answers [`Answer::Changed`].
    Change(Change),
}

/// What is changed, and on which condition. "Active" is up or leaving.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// If the boot has no row: inserts one that is joining, with `born` = the new version of the view, counter and round 0. If it has: raises its counter,
    /// because a node whose answer was lost does not know yet that there is something to renew. Applied either way.
    Join {
        /// The sender.
        boot: Boot,
        /// What it does.
        roles: Roles,
        /// Where it is.
        address: Arc<str>,
    },
    /// If it is joining, and every node that is up is in `reached`: it is up.
    Rise {
        /// The sender.
        boot: Boot,
        /// Those that answered its probes.
        reached: Vec<Boot>,
    },
    /// If it is joining or up: it is leaving.
    Depart {
        /// The sender.
        boot: Boot,
    },
    /// If it is not dead: it is dead, having left.
    Leave {
        /// The sender, which serves nothing any more.
        boot: Boot,
    },
    /// If its counter is this, and it is not dead, or was voted out: it is dead by expiry.
    Expire {
        /// Who stands still.
        boot: Boot,
        /// Where.
        counter: u64,
    },
    /// If `by` is active and `round` is above the one in its row: notes both. Then each of `accused`, if it is active and if as many active nodes
    /// accuse it as are needed, is dead, voted out. Needed are two, or one where no more than two nodes are active. A node that died in this
    /// statement accuses nobody further.
    Accuse {
        /// The sender.
        by: Boot,
        /// Higher in each of its accusations, so that one which comes late does not replace a newer one.
        round: u64,
        /// All whom it cannot reach now; nobody takes the accusations back.
        accused: Vec<Boot>,
    },
    /// If both are active, accuse each other, and `elder` was born before `younger`: the younger one is dead, voted out.
    Settle {
        /// The sender.
        elder: Boot,
        /// Whom it cannot reach, and who cannot reach it.
        younger: Boot,
    },
    /// If `by` is active: takes each of these slots whose epoch is `seen` and which nobody owns, or `by` itself, or a node that is dead. Its owner
    /// is `by` then, and its epoch max(seen, above) + 1. Answers with the rows of all these slots as they are afterwards. Applied if any was taken.
    Claim {
        /// The sender.
        by: Boot,
        /// At most one for each slot.
        claims: Vec<Claim>,
    },
    /// Gives up each of these slots that `by` owns at this very epoch. If its heir is up, that one owns it then, at the next epoch, as if it had claimed it;
    /// else it has no owner any more, and its epoch stays. Answers with the rows of all these slots as they are afterwards. Applied if any was given up.
    Release {
        /// The sender.
        by: Boot,
        /// At most one for each slot.
        releases: Vec<Release>,
    },
    /// Removes the rows of these nodes that are dead and own no slot. Applied if there was any.
    Forget {
        /// Who.
        boots: Vec<Boot>,
    },
}

/// A slot that is to be claimed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Claim {
    /// Which.
    pub slot: Slot,
    /// The epoch of the row that the claim was decided on. It is what the claim is compared with: an owner is in the row for one epoch only.
    pub seen: Epoch,
    /// An epoch that must be passed, because a commit of doubtful outcome, a restarted owner or a database is at it.
    pub above: Epoch,
}

/// A slot that is to be given up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Release {
    /// Which.
    pub slot: Slot,
    /// The epoch at which it is owned.
    pub epoch: Epoch,
    /// Who should have it next, if it is known.
    pub heir: Option<Boot>,
}

/// What the store answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// To [`Statement::Renew`]: done.
    Renewed {
        /// The view's version.
        view: u64,
        /// The counters of others.
        counters: Vec<(Boot, u64)>,
    },
    /// To [`Statement::Renew`]: the row is dead, or gone.
    Refused,
    /// To [`Statement::ReadView`].
    View {
        /// The version.
        version: u64,
        /// The rows of nodes that were asked for, in any order.
        members: Vec<Member>,
        /// The rows of slots that were asked for.
        slots: Vec<SlotRow>,
    },
    /// To [`Statement::RaiseEpochs`]: no database is below the epochs that were asked for.
    Raised {
        /// Slots that a database was already above of, and the highest epoch that any has of it.
        higher: Vec<(Slot, Epoch)>,
    },
    /// To [`Statement::Change`].
    Changed {
        /// Whether its condition held. If not, nothing was changed.
        applied: bool,
        /// The view's version afterwards.
        view: u64,
        /// The rows that a claim or release asks for; else none.
        slots: Vec<SlotRow>,
    },
}
