//! What a core is told, and what it wants done.

use crate::statement::{Answer, Statement, Ticket};
use crate::timing::Moment;
use crate::view::{Boot, Member, Roles};
use protocol::{Epoch, Slot};
use std::sync::Arc;

/// Who this node is.
#[derive(Clone, Debug)]
pub struct Identity {
    /// This life of it: an id that was never used before.
    pub boot: Boot,
    /// What it does.
    pub roles: Roles,
    /// Where and as whom others reach it; handed on as it is.
    pub address: Arc<str>,
    /// The number of slots: [`protocol::SLOTS`]. Simulations use fewer.
    pub slots: u16,
}

/// What happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// Time passed. Due at [`crate::Core::wake_at`] at the latest; earlier and more often is harmless, later costs only time.
    Woken,
    /// What became of a statement. Exactly one for each [`Action::Ask`].
    Answered {
        /// Which.
        ticket: Ticket,
        /// `None` if it failed, or if nobody knows because no answer came within [`crate::timing::RENEWAL_ANSWER_MAX_MS`] (a renewal) or
        /// [`crate::timing::STATEMENT_ANSWER_MAX_MS`] (any other). It may still be carried out.
        answer: Option<Answer>,
    },
    /// A node answered a probe, out of an owner actor's mailbox.
    ProbeAnswered {
        /// Who.
        boot: Boot,
        /// The number in the probe.
        round: u64,
    },
    /// A link to a node was established: it is probed at once.
    Linked {
        /// Whose.
        boot: Boot,
    },
    /// Another node knows this version of the view: from its announcement, or any frame of it.
    Heard {
        /// The version.
        view: u64,
    },
    /// Answers [`Action::HandOff`] of these slots: no commit of them is under way, and none will be begun at the epochs at which they were served. Told of
    /// together they are given up together.
    HandedOff {
        /// Which, and those epochs.
        slots: Vec<(Slot, Epoch)>,
    },
    /// An owner actor started anew, or the outcome of a commit is unknown: what may still land at this epoch has to be fenced. Answered by an
    /// [`Action::Serve`] at a higher one, or by [`Action::Stop`].
    Raise {
        /// Which slot.
        slot: Slot,
        /// The epoch that must be passed.
        epoch: Epoch,
    },
    /// A commit was refused by the guard, at a higher epoch than the one that is served. Answered as [`Event::Raise`] is: the epoch may be this node's own, on
    /// its way through the databases; or the slot is lost; or a database is ahead of the slot's row, having been another cluster's.
    Fenced {
        /// Which slot.
        slot: Slot,
        /// The epoch that the database has.
        epoch: Epoch,
    },
    /// Hand over everything and leave. On SIGTERM this comes after readiness went off and load balancers had their time.
    Drain,
}

/// What is to be done, in order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    /// Ask the store, and bring the answer.
    Ask {
        /// To be given back.
        ticket: Ticket,
        /// What.
        statement: Statement,
    },
    /// Send a probe through the link to this node, to be answered through the mailbox of one of its owner actors. Without a link, establish it. What is
    /// lost is lost.
    Probe {
        /// Whom.
        boot: Boot,
        /// To be given back.
        round: u64,
    },
    /// Tell every linked node that the view is at this version, so that it need not wait for its next renewal to learn that. What is lost is lost.
    Announce {
        /// The version.
        view: u64,
    },
    /// The nodes that are not dead: link to those, and no others.
    Members(Vec<Member>),
    /// The living owners of these slots changed: where the region sends what is asked. `None`: nobody is known, reads go to the store and writes wait.
    Route(Vec<(Slot, Option<Boot>)>),
    /// From memory may be answered before this instant of this node's clock, and not at it: looked at for every answer, after what is answered was
    /// read. That holds for everything that rests on memory alone, such as a write that finds nothing to change.
    Lease {
        /// The end.
        until: Moment,
    },
    /// The slot is this node's at this epoch, which every database has: loads and commits begin. If it was served before, what is in memory stays, and
    /// what was held up by [`Event::Raise`] goes on.
    Serve {
        /// Which.
        slot: Slot,
        /// The guard of its commits.
        epoch: Epoch,
    },
    /// Send what is warm to the next owner, then begin no more writes in the slot, finish those under way, call back what is lent of it, and say
    /// [`Event::HandedOff`]. Reads are answered from memory until it is stopped. After [`crate::timing::HAND_OFF_MAX_MS`] it is stopped in any case.
    HandOff {
        /// Which.
        slot: Slot,
        /// Who is going to have it, as it looks; `None` if nobody is there.
        to: Option<Boot>,
    },
    /// The slot is not this node's any more: drop what is in memory, and answer NotOwner. Carried out before anything that follows.
    Stop {
        /// Which.
        slot: Slot,
    },
    /// The node is no member any more, and serves nothing. A node that left goes on for a while with what it has in hand as an edge, and answers NotOwner
    /// to those who have not heard yet; one that is dead ends at once.
    Exit(Exit),
}

/// Why a node ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// It left as it was told to.
    Left,
    /// It is dead to the others. The process ends, and starts again as another boot.
    Dead,
}
