//! What can be wrong with an image, and whose fault it is.

use crate::limit::Measure;

/// Why there is no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The content is none of the formats that are decoded, whatever its name says. The upload can be kept as an attachment, not as an image.
    #[error("the content is not an image that can be processed")]
    NotAnImage,
    /// An image, of a kind that is not decoded. It has to be converted before it is uploaded.
    #[error("{what} is not supported")]
    Unsupported {
        /// The kind, in words for people.
        what: &'static str,
    },
    /// It would cost more than one image may. A smaller one is accepted.
    #[error("{found} {} are more than {max}", measure.noun())]
    TooLarge {
        /// What it has too much of.
        measure: Measure,
        /// How many it has.
        found: u64,
        /// How many it may have.
        max: u64,
    },
    /// The file ends before the image does: it was cut off on its way, and has to be sent again.
    #[error("the image is cut off")]
    Truncated,
    /// The file breaks the rules of its format.
    #[error("the image is damaged: {reason}")]
    Malformed {
        /// The decoder's words; safe for strangers, and bounded.
        reason: String,
    },
    /// The caller asked to stop.
    #[error("the work was cancelled")]
    Cancelled,
    /// An encoder failed on pixels of ours: memory is short, or there is a defect. It may succeed when it is tried again.
    #[error("the image could not be encoded: {reason}")]
    Encoder {
        /// The encoder's words.
        reason: String,
    },
}

/// Bytes of a decoder's words that are kept.
const REASON_BYTES_MAX: usize = 200;

impl Error {
    /// Whether another file would help: what HTTP answers with 4xx.
    #[must_use]
    pub const fn is_of_the_file(&self) -> bool {
        !matches!(self, Self::Cancelled | Self::Encoder { .. })
    }

    pub(crate) fn malformed(reason: impl ToString) -> Self {
        Self::Malformed { reason: bounded(reason.to_string()) }
    }

    pub(crate) fn encoder(reason: impl ToString) -> Self {
        Self::Encoder { reason: bounded(reason.to_string()) }
    }
}

fn bounded(mut reason: String) -> String {
    reason.truncate(reason.floor_char_boundary(REASON_BYTES_MAX));
    reason
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_to_do_and_not_too_much() {
        let large = Error::TooLarge { measure: Measure::Pixels, found: 60, max: 50 };
        assert_eq!(large.to_string(), "60 pixels are more than 50");
        assert!(large.is_of_the_file() && !Error::Cancelled.is_of_the_file() && !Error::encoder("no memory").is_of_the_file());
        let Error::Malformed { reason } = Error::malformed("é".repeat(1000)) else { panic!() };
        assert_eq!(reason, "é".repeat(100));
    }
}
