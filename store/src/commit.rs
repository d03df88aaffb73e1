//! The write protocol's one transaction.
//!
//! A store carries a [`Commit`] out in one transaction, in this order: refuse if the guard's epoch is not the slot's; refuse if the idempotency
//! key was used; raise the key's version by compare-and-set; write the rows, and what follows from them in rows of other keys, which are touched by
//! that; raise the versions of touched keys that have no row of their own; put their effects into the outbox; record the answer. A refusal leaves nothing behind.

use crate::StoreError;
use protocol::{Epoch, Idempotency, Key, Kind, Outcome, Slot, Timestamp, UserId, audit::Entry, found::FoundBy};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Proof that the writer owns the slot: a commit under an older epoch than the database's is refused, so a write that was delayed past a
/// take-over cannot land after the new owner loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guard {
    /// The owner key's slot.
    pub slot: Slot,
    /// The epoch at which the writer owns it.
    pub epoch: Epoch,
}

/// What the commit expects of its own key's version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// The key has a row, and the write states its next version: compared in the row.
    Row,
    /// The key has no row of its own, and must be at this version.
    Version(u64),
    /// The key has no row of its own, and the write commutes with others: the version is only raised.
    Any,
}

/// Another owner's key that the commit changes, or an effect that must follow it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Touch {
    /// The key's version is raised, and its owner must hear of it.
    Key(Key),
    /// As [`Self::Key`], of a list: one thing came into it, left it or moved there that is, or was, found so.
    Found(Key, FoundBy),
    /// Followers' feeds must get the post.
    FanOut {
        /// Who wrote it.
        author: UserId,
        /// What they wrote.
        post: Uuid,
    },
    /// Whether this person is active may have changed: every node must know before the writer is answered.
    Standing(UserId),
    /// What was done goes into the audit log: in this transaction where the log is in this database, else through the outbox.
    Audit(Box<Entry>),
    /// The thing that this case is about must be hidden, or shown, as the case says.
    Verdict(Uuid),
}

/// One write, whole.
#[derive(Debug, Clone)]
pub struct Commit<W> {
    /// Proof of ownership.
    pub guard: Guard,
    /// The owner's key.
    pub key: Key,
    /// Its expected version.
    pub expect: Expect,
    /// The client's idempotency key with the subject and the answer to record.
    pub record: Option<NewRecord>,
    /// What else it changes.
    pub touches: Vec<Touch>,
    /// The rows.
    pub write: W,
    /// When.
    pub now: Timestamp,
}

/// Any domain's write.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub enum Write {
    Users(crate::UsersWrite),
    Content(crate::ContentWrite),
    Shop(crate::ShopWrite),
    Media(crate::MediaWrite),
}

/// An idempotency record to make.
#[derive(Debug, Clone)]
pub struct NewRecord {
    /// Who asks.
    pub subject: UserId,
    /// Their key.
    pub idempotency: Idempotency,
    /// What the request will be answered, if it commits.
    pub outcome: Outcome,
    /// The answer's version.
    pub version: u64,
    /// The answer's body, JSON; it never holds a token.
    pub body: bytes::Bytes,
}

/// An idempotency record as it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Of path and body.
    pub fingerprint: [u8; 32],
    /// What the request was answered.
    pub outcome: Outcome,
    /// The answer's version.
    pub version: u64,
    /// The answer's body.
    pub body: bytes::Bytes,
    /// The write that made it: names its effects in the outbox.
    pub write: Uuid,
}

/// An effect that leaves a commit through the outbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// A key reached a version.
    Changed {
        /// Which.
        key: Key,
        /// At least this one.
        version: u64,
    },
    /// A post is to be put into followers' feeds.
    FanOut {
        /// Who wrote it.
        author: UserId,
        /// Which.
        post: Uuid,
    },
    /// Whether a person is active is to be asked of the store.
    Standing(UserId),
    /// Something was done, and belongs into the audit log.
    Audit {
        /// A kind of the database that the effect comes from.
        origin: Kind,
        /// What.
        entry: Box<Entry>,
    },
    /// The owner of the thing that this case is about is to be told what the case says. It does not say what that is: the effect may be delivered late,
    /// and the case is asked.
    Verdict(Uuid),
}

/// A row of the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outboxed {
    /// Confirms it.
    pub id: i64,
    /// The slot whose owner delivers it.
    pub slot: Slot,
    /// When its commit was begun.
    pub at: Timestamp,
    /// What is to be done.
    pub effect: Effect,
}

/// A note that somebody other than the platform wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignWrite {
    /// Names the note.
    pub id: i64,
    /// Whose state was written: a row's, or that of a key without one.
    pub key: Key,
    /// The row's version since; `None` where it is gone, or where the key has none.
    pub version: Option<u64>,
}

/// A commit that is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The own key's version after it.
    pub version: u64,
    /// What must be delivered before the writer is answered.
    pub effects: Vec<Outboxed>,
}

/// Why a commit did not happen, or may not have.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CommitError {
    /// The slot's epoch in the database is this other one. Nothing was written.
    #[error("fenced: the slot is at epoch {}", .0.0)]
    Fenced(Epoch),
    /// The key's version was not as expected. Nothing was written.
    #[error("the key's version moved")]
    Conflict,
    /// A unique value is taken. Nothing was written.
    #[error("{0} is taken")]
    Taken(&'static str),
    /// A limit on rows is reached. Nothing was written.
    #[error("the limit of {0} is reached")]
    Full(&'static str),
    /// A row that the write needs does not exist. Nothing was written.
    #[error("{0} does not exist")]
    Missing(&'static str),
    /// Everything already is as the write would make it. Nothing was written.
    #[error("nothing to change")]
    Unchanged,
    /// The idempotency key was used by a request that finished. Nothing was written.
    #[error("the idempotency key was used")]
    Replay(Box<Record>),
    /// Nothing was written, and a repetition may help.
    #[error("not written")]
    Unavailable(#[source] StoreError),
    /// It may or may not have been written.
    #[error("the outcome is unknown")]
    Unknown(#[source] StoreError),
}
