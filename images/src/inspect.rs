//! What an image is, by its headers: what a decoder would be in for, and whether it may.

use crate::{Error, Format, Kind, Limits, Model, Orientation, format, limit::Measure, sniff};

/// What an image is, before it is decoded. That there is one means that the limits allow it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspected {
    /// The format, by content.
    pub format: Format,
    /// Pixels in a row, as stored: [`Inspected::upright_size`] is what people see.
    pub width: u32,
    /// Rows, as stored.
    pub height: u32,
    /// How to turn it.
    pub orientation: Orientation,
    /// Frames of an animation; 1 of a still. Only the first is decoded.
    pub frames: u32,
    /// Passes of a progressive JPEG; 1 of all else.
    pub scans: u32,
    /// What a pixel is made of.
    pub model: Model,
    /// Whether pixels may be transparent. Whether any is shows when it is decoded.
    pub has_alpha: bool,
    /// Bits a sample: 1 to 16.
    pub bits: u8,
    /// The colour profile that is embedded, within its limit; it may be nonsense.
    pub profile: Option<Vec<u8>>,
    /// Size of the file.
    pub bytes: u64,
    /// Bytes that the decoder holds at its peak, with the pixels that it leaves.
    pub(crate) decoder_bytes: u64,
}

impl Inspected {
    /// Of a still with 8 bits of RGB, for a format to say what else it found.
    pub(crate) fn new(format: Format, (width, height): (u32, u32), bytes: usize) -> Self {
        Self {
            format,
            width,
            height,
            orientation: Orientation::UPRIGHT,
            frames: 1,
            scans: 1,
            model: Model::Rgb,
            has_alpha: false,
            bits: 8,
            profile: None,
            bytes: bytes as u64,
            decoder_bytes: 0,
        }
    }

    /// Width and height as people see it.
    #[must_use]
    pub const fn upright_size(&self) -> (u32, u32) {
        self.orientation.turned((self.width, self.height))
    }

    /// Pixels of the first frame.
    #[must_use]
    pub const fn pixels(&self) -> u64 {
        self.width as u64 * self.height as u64
    }

    /// Whether there is more than one frame.
    #[must_use]
    pub const fn is_animated(&self) -> bool {
        self.frames > 1
    }
}

/// Says what an image is. It reads headers and counts frames and scans; it decodes nothing, so a bomb costs what a look costs: a few milliseconds at
/// [`Limits::bytes_max`].
///
/// # Errors
/// [`Error::NotAnImage`], [`Error::Unsupported`]; [`Error::TooLarge`] with the first limit that is exceeded; [`Error::Truncated`] when the file ends before the
/// image does, [`Error::Malformed`] when its structure makes no sense.
pub fn inspect(bytes: &[u8], limits: &Limits) -> Result<Inspected, Error> {
    let Kind::Image(format) = sniff(bytes) else { return Err(Error::NotAnImage) };
    limits.check(Measure::Bytes, bytes.len() as u64)?;
    let inspected = match format {
        Format::Jpeg => format::jpeg::inspect(bytes, limits),
        Format::Png => format::png::inspect(bytes, limits),
        Format::WebP => format::webp::inspect(bytes, limits),
        Format::Gif => format::gif::inspect(bytes, limits),
        Format::Avif => format::avif::inspect(bytes, limits),
    }?;
    limits.check(Measure::MemoryBytes, inspected.memory_bytes(crate::Encoding::WebP))?;
    Ok(inspected)
}
