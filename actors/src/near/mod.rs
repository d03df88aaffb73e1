//! Entities that many read through other nodes are kept there, too, under read leases: so what is hot scales with the edges, and a read of it stays as
//! fresh as asking its owner.
//!
//! * [`grant`]: the owner's side. It counts what is asked for by others, lends what is hot for a second at most, and never beyond its own lease, so that whoever
//!   owns the slot next need not know. Before anything newer is committed, published or confirmed, it calls back what it lent, and waits until each holder confirmed, or its
//!   lease ended. While it does, it lends nothing of the key.
//! * [`hold`]: the holder's side. It counts a lease from before it asked, and keeps no answer to a question that it asked before it was called back. What is
//!   read much is asked for again before its lease ends; what is not, ends with it.
//!
//! Why nothing older is answered than what anybody was told: an answer is lent only after the loan is noted, and of what was published when it was noted or
//! later. What replaces it is published only by a message of the owner's actor that first forbade loans of the key, and then looked for them. [ADR 0014](../../../docs/adr/0014-read-leases.md).

mod grant;
mod hold;

pub use grant::Closed;
pub(crate) use grant::Grants;
pub use hold::Loan;
pub(crate) use hold::{Holdings, Question};

/// How long a holder may answer from what it was given, in milliseconds from before it asked.
pub const LEASE_MS: u16 = 1_000;

/// Whether entities of a kind are lent. What is pushed into a feed changes it without a word that could be waited for, and nobody but its viewer reads it.
pub(crate) const fn is_lent(kind: protocol::Kind) -> bool {
    !matches!(kind, protocol::Kind::Feed)
}
