//! Who is in the cluster, who owns which slot, and who may answer from memory: the decisions of one node, without I/O, clocks, threads or randomness.
//!
//! * [`core`]: the state machine. [`exchange`]: [`Event`]s and instants go in, [`Action`]s come out.
//! * [`statement`]: what it asks of the store, and what the store must keep to.
//! * [`view`]: what a node knows. [`placement`]: who should own a slot.
//! * `watch`, `probe`: whose counter stands still, and who cannot be reached. `ownership`: what is claimed, served, moved and given up.
//! * [`timing`]: every span, and the inequalities that the protocol stands on.
//!
//! Why two nodes never answer for one slot, and why no acknowledged write is lost: docs/adr/0009. That they do not is searched by simulation, in the
//! crate `simulation`.
//!
//! # What runs it
//!
//! One task, or thread, that owns the [`Core`]: it takes events from a queue, gives each to [`Core::handle`] with the time of this machine's clock since
//! its start (the one that counts sleep: `CLOCK_BOOTTIME`, in milliseconds, rounded down) *read before the call*, carries out the actions in order, and
//! sleeps until [`Core::wake_at`]. `now` is also when a statement counts as sent, so it is sent after the call. It must not do I/O itself, since an answer
//! that waits behind I/O is an answer that comes late.
//!
//! What is answered from memory is decided beside it, by whoever reads the snapshot: first the snapshot is read, then it is seen whether its incarnation
//! lives, whether the slot is served, and whether the clock is before the end of the lease, in this order.

pub mod core;
pub mod exchange;
mod ownership;
pub mod placement;
mod probe;
pub mod statement;
pub mod timing;
pub mod view;
mod watch;

pub use crate::core::Core;
pub use exchange::{Action, Event, Exit, Identity};
pub use statement::{Answer, Change, Claim, Release, Statement, Ticket};
pub use timing::Moment;
pub use view::{Boot, Death, Member, Roles, SlotRow, Status, View};
