//! Which bytes an address means, and whether they are there for everybody.

use super::{Media, away, permits};
use crate::client::Call;
use images::{Encoding, Variant};
use protocol::{ErrorCode, Fact, Key, Kind, Refusal, file::Content, file::ContentHash};
use std::{ops::Range, sync::Arc, time::Instant};
use store::objects::Name;
use tokio::sync::OwnedSemaphorePermit;

/// The unit in which bytes of answers are counted.
pub(super) const UNIT: u64 = 1 << 10;
/// What the file itself is called among its content's objects.
pub(super) const ORIGINAL: &str = "original";

/// What a variant is called among its content's objects.
pub(super) fn part_name(variant: Variant, encoding: Encoding) -> String {
    format!("{}.{}", variant.name(), encoding.name())
}

/// Bytes that a client may be sent, and how many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bytes {
    /// The file itself.
    Original,
    /// A variant of an image.
    Variant(Variant, Encoding),
}

impl Bytes {
    fn part(self) -> String {
        match self {
            Self::Original => ORIGINAL.to_owned(),
            Self::Variant(variant, encoding) => part_name(variant, encoding),
        }
    }
}

/// Content that was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// What it is.
    pub content: Content,
    /// Whether everybody may see it: somebody who is active shows it.
    pub is_open: bool,
}

impl Media {
    /// Looks for content that a file has.
    ///
    /// # Errors
    /// As [`crate::Client::view`].
    pub async fn find(&self, call: &Call, hash: ContentHash) -> Result<Found, Refusal> {
        let found = self.client.view(call, Key::new(Kind::Content, hash.id())).await?;
        let Fact::Content(content) = &found.view.fact else { return Err(ErrorCode::Internal.into()) };
        if content.hash != hash {
            return Err(ErrorCode::NotFound.into());
        }
        let inactive = self.client.node().inactive.load();
        let is_open = content.public_by.iter().any(|person| !inactive.contains(person));
        Ok(Found { content: Content::clone(content), is_open })
    }

    /// How many bytes there are. A variant that was never asked for is made first.
    ///
    /// # Errors
    /// `not_found` of variants of what is no image; `bad_image`; `overloaded`, `expired`, `unavailable`: a repetition may help.
    pub async fn measure(self: &Arc<Self>, content: &Content, bytes: Bytes, until: Instant) -> Result<u64, Refusal> {
        let part = bytes.part();
        let name = Name { hash: content.hash, folder: content.folder, part: &part };
        if let Some(size) = self.objects.size(name).await.map_err(|error| away(&error))? {
            return Ok(size);
        }
        let Bytes::Variant(variant, encoding) = bytes else { return Err(ErrorCode::NotFound.into()) };
        if !content.is_image {
            return Err(ErrorCode::NotFound.into());
        }
        self.variant(content, (variant, encoding), until).await?;
        self.objects.size(name).await.map_err(|error| away(&error))?.ok_or_else(|| ErrorCode::NotFound.into())
    }

    /// Reads bytes to be sent. They count against the bound of such bytes until the client has them.
    ///
    /// # Errors
    /// `not_found`; `overloaded`, `unavailable`.
    pub async fn read(&self, content: &Content, bytes: Bytes, range: Range<u64>) -> Result<bytes::Bytes, Refusal> {
        let held = permits(range.end - range.start, UNIT);
        let permit = self.serving.clone().try_acquire_many_owned(held).map_err(|_| ErrorCode::Overloaded)?;
        if range.is_empty() {
            return Ok(bytes::Bytes::new());
        }
        let part = bytes.part();
        let name = Name { hash: content.hash, folder: content.folder, part: &part };
        let found = self.objects.get(name, Some(range)).await.map_err(|error| away(&error))?.ok_or(ErrorCode::NotFound)?;
        Ok(bytes::Bytes::from_owner(Held { bytes: found, _permit: permit }))
    }
}

/// Bytes with what they count for.
struct Held {
    bytes: bytes::Bytes,
    _permit: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}
