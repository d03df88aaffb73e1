//! What can become of a call.

use protocol::{envelope::FrameError, error::ErrorCode};

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// There is no link to this node now. Nothing was sent.
    #[error("there is no link to the node")]
    NotLinked,
    /// As many calls are under way, or as many bytes waiting, as one peer may cost. Nothing was sent.
    #[error("the link to the node is at its limit")]
    Overloaded,
    /// The time was up before anything was sent.
    #[error("the time was up")]
    Expired,
    /// The frame cannot be sent. Nothing was.
    #[error("the frame cannot be sent")]
    Frame(#[source] FrameError),
    /// The link broke while the answer was waited for.
    #[error("the link broke")]
    Broken,
    /// No answer came in time.
    #[error("no answer came in time")]
    TimedOut,
    /// The answer cannot be read.
    #[error("the answer cannot be read")]
    Answer(#[source] FrameError),
}

impl LinkError {
    /// Whether the call may have been carried out, or may still be. If not, it was not and will not.
    #[must_use]
    pub const fn is_outcome_unknown(&self) -> bool {
        matches!(self, Self::Broken | Self::TimedOut | Self::Answer(_))
    }

    /// What whoever made the request is told; `is_write` says whether a repetition without an idempotency key could do something twice.
    #[must_use]
    pub const fn code(&self, is_write: bool) -> ErrorCode {
        match self {
            Self::NotLinked => ErrorCode::Unavailable,
            Self::Overloaded => ErrorCode::Overloaded,
            Self::Expired => ErrorCode::Expired,
            Self::Frame(_) => ErrorCode::Internal,
            Self::Broken | Self::TimedOut | Self::Answer(_) if is_write => ErrorCode::OutcomeUnknown,
            Self::Broken | Self::Answer(_) => ErrorCode::Unavailable,
            Self::TimedOut => ErrorCode::Expired,
        }
    }
}
