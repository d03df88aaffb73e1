//! The frame between nodes: one opaque, versioned type, encoded with postcard (docs/adr/0005).

use crate::{
    command::{Command, Idempotency, Query, Reply},
    error::Refusal,
    key::Key,
    principal::Principal,
    slot::{Epoch, Slot},
    view::View,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The version of the frame that this release writes. It reads this one and the one before.
pub const WIRE_VERSION: u16 = 1;
/// The largest frame. Image bytes never travel in frames.
pub const FRAME_BYTES_MAX: usize = 256 * 1024;

/// A request from one node's region to another's.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Envelope {
    /// [`WIRE_VERSION`] of the sender. First, so that a reader can tell before it reads on.
    pub wire: u16,
    /// The membership view by which the sender chose the receiver.
    pub view: u64,
    /// The owner key. Its kind and slot choose the owner actor.
    pub key: Key,
    /// The slot, as the sender computed it: a mismatch means that the nodes disagree on the hash.
    pub slot: Slot,
    /// The epoch at which the sender believes the slot is owned; 0 when it does not know.
    pub epoch: Epoch,
    /// Milliseconds left when the frame was sent. No clock is shared, so a span travels, not an instant.
    pub deadline_ms: u32,
    /// W3C trace context: version 00 trace id, parent id and flags.
    pub trace: Option<Trace>,
    /// On whose behalf.
    pub principal: Principal,
    /// What is asked.
    pub body: Body,
}

/// A W3C trace context.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Trace {
    /// The trace's id, not zero.
    pub trace_id: u128,
    /// The caller's span.
    pub parent_id: u64,
    /// Bit 0: sampled.
    pub flags: u8,
}

/// What a request asks of an owner.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Body {
    /// The entity's main view, no older than `version_min`.
    View {
        /// 0 for any.
        version_min: u64,
    },
    /// A part or page of the entity.
    Query(Query),
    /// A write.
    Write {
        /// What to do.
        command: Command,
        /// The version that the client insists on.
        if_match: Option<u64>,
        /// The client's idempotency key.
        idempotency: Option<Idempotency>,
    },
    /// Another owner's commit touched the key: forget what is older, then confirm.
    Changed(Change),
}

/// What a commit of another owner did to a key.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Change {
    /// The key reached this version.
    Version(u64),
    /// A post belongs into these feeds. Cold feeds need nothing.
    Push {
        /// The post.
        post: Uuid,
    },
}

/// A node's answer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Answer {
    /// To [`Body::View`] and [`Body::Query`].
    View(View),
    /// To [`Body::Write`].
    Reply(Reply),
    /// To [`Body::Changed`].
    Confirmed,
    /// It was not done.
    Refused(Refusal),
    /// The receiver does not own the slot; it knows this view.
    NotOwner {
        /// The receiver's membership view.
        view: u64,
    },
}

/// Why a frame could not be read.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// Longer than [`FRAME_BYTES_MAX`].
    #[error("frame of {0} bytes is over the limit")]
    TooLarge(usize),
    /// Of a wire version that this release does not read.
    #[error("wire version {0} is not readable here")]
    Version(u16),
    /// Not a frame.
    #[error("malformed frame")]
    Malformed(#[from] postcard::Error),
    /// The slot does not belong to the key.
    #[error("slot {0:?} is not the key's")]
    Slot(Slot),
}

impl Envelope {
    /// Writes the frame.
    ///
    /// # Errors
    /// When it would be over [`FRAME_BYTES_MAX`].
    pub fn encode(&self) -> Result<Vec<u8>, FrameError> {
        let bytes = postcard::to_stdvec(self)?;
        if bytes.len() > FRAME_BYTES_MAX { Err(FrameError::TooLarge(bytes.len())) } else { Ok(bytes) }
    }

    /// Reads a frame. Any bytes are safe to give.
    ///
    /// # Errors
    /// When the frame is too large, of an unknown version, malformed, or its slot is not its key's.
    pub fn decode(bytes: &[u8]) -> Result<Self, FrameError> {
        if bytes.len() > FRAME_BYTES_MAX {
            return Err(FrameError::TooLarge(bytes.len()));
        }
        let (wire, _) = postcard::take_from_bytes::<u16>(bytes)?;
        if wire != WIRE_VERSION {
            return Err(FrameError::Version(wire));
        }
        let envelope: Self = postcard::from_bytes(bytes)?;
        if envelope.slot != envelope.key.slot() {
            return Err(FrameError::Slot(envelope.slot));
        }
        Ok(envelope)
    }
}
