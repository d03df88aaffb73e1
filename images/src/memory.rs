//! What an image costs, before anybody pays: so that a pool can be bounded by bytes instead of by guesses.

use crate::{Encoding, Inspected};

/// Beside what goes with the picture's pixels: code, tables, and the sizes between the full one and the thumbnail.
const BASE_BYTES: u64 = 32 << 20;

impl Inspected {
    /// Bytes at the peak of everything that is done with the image in this encoding, the file itself included. It is a bound for images of usual content, not
    /// an average (docs/images.md). What the decoder had counts together with what the encoder has: allocators do not give back at once.
    #[must_use]
    pub const fn memory_bytes(&self, encoding: Encoding) -> u64 {
        let pixel = 3 + self.has_alpha as u64;
        let turned = if self.orientation.exif() == 1 { 0 } else { pixel };
        let alpha = if self.has_alpha { min(self.pixels(), encoding.alpha_pixels_max()) * encoding.alpha_bytes_a_pixel() } else { 0 };
        self.decoder_bytes + self.pixels() * (turned + encoding.encoder_bytes_a_pixel()) + alpha + self.bytes + BASE_BYTES
    }
}

const fn min(one: u64, other: u64) -> u64 {
    if one < other { one } else { other }
}
