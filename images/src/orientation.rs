//! How a camera was held. Pixels are stored as the sensor read them; this says how to turn them.

use crate::bitmap::Bitmap;

/// One of the eight ways of EXIF, 1 (upright) to 8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Orientation(u8);

impl Orientation {
    /// As it is stored.
    pub const UPRIGHT: Self = Self(1);

    /// By the number of EXIF; any other than 1 to 8 is upright, as viewers have it.
    #[must_use]
    pub const fn from_exif(number: u8) -> Self {
        if matches!(number, 1..=8) { Self(number) } else { Self::UPRIGHT }
    }

    /// The number of EXIF.
    #[must_use]
    pub const fn exif(self) -> u8 {
        self.0
    }

    /// Whether width and height change places.
    #[must_use]
    pub const fn swaps_sides(self) -> bool {
        self.0 >= 5
    }

    /// From a block of EXIF, with or without the six bytes that JPEG puts in front of it.
    pub(crate) fn from_exif_block(block: &[u8]) -> Self {
        let block = block.strip_prefix(b"Exif\0\0").unwrap_or(block);
        let orientation = image::metadata::Orientation::from_exif_chunk(block);
        orientation.map_or(Self::UPRIGHT, |orientation| Self::from_exif(orientation.to_exif()))
    }

    /// A block of EXIF (without the six bytes) that says this, and nothing else: what is left of a camera's when a file is served as it was sent.
    pub(crate) fn exif_block(self) -> [u8; 26] {
        // Big-endian TIFF, one directory at 8 with one entry: tag 0x0112, type SHORT, count 1.
        let mut block = *b"MM\0\x2A\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\0\0\0\0\0\0\0";
        block[19] = self.0;
        block
    }

    /// A width and a height after turning.
    #[must_use]
    pub const fn turned(self, (width, height): (u32, u32)) -> (u32, u32) {
        if self.swaps_sides() { (height, width) } else { (width, height) }
    }

    /// The picture upright; `None` if it is already.
    pub(crate) fn upright(self, bitmap: &Bitmap) -> Option<Bitmap> {
        if self == Self::UPRIGHT {
            return None;
        }
        let samples = if bitmap.has_alpha { self.turn::<4>(bitmap) } else { self.turn::<3>(bitmap) };
        let (width, height) = self.turned((bitmap.width, bitmap.height));
        Some(Bitmap { width, height, has_alpha: bitmap.has_alpha, samples })
    }

    /// Pixel (x, y) of the result is the one at `origin + x * right + y * down` of the source.
    fn turn<const CHANNELS: usize>(self, bitmap: &Bitmap) -> Vec<u8> {
        let (pixels, _) = bitmap.samples.as_chunks::<CHANNELS>();
        let (width, height) = (bitmap.width as isize, bitmap.height as isize);
        let (last_column, last_row) = (width - 1, (height - 1) * width);
        let (origin, right, down) = match self.0 {
            2 => (last_column, -1, width),
            3 => (last_column + last_row, -1, -width),
            4 => (last_row, 1, -width),
            5 => (0, width, 1),
            6 => (last_row, -width, 1),
            7 => (last_column + last_row, -width, -1),
            8 => (last_column, width, -1),
            _ => (0, 1, width),
        };
        let (to_width, to_height) = self.turned((bitmap.width, bitmap.height));
        let mut samples = vec![0; bitmap.samples.len()];
        let (targets, _) = samples.as_chunks_mut::<CHANNELS>();
        // Rows of the one are columns of the other: tiles keep what is near in both in the processor's cache.
        const TILE: usize = 16;
        let (to_width, to_height) = (to_width as usize, to_height as usize);
        for top in (0..to_height).step_by(TILE) {
            for left in (0..to_width).step_by(TILE) {
                for y in top..(top + TILE).min(to_height) {
                    let mut from = origin + y as isize * down + left as isize * right;
                    for target in &mut targets[y * to_width..][left..(left + TILE).min(to_width)] {
                        *target = pixels[from as usize];
                        from += right;
                    }
                }
            }
        }
        samples
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A picture of 3 × 2 with the letters of a word, and what it looks like when turned.
    fn turned(number: u8, has_alpha: bool) -> (u32, u32, String) {
        let channels = if has_alpha { 4 } else { 3 };
        let samples = b"abcdef".iter().flat_map(|letter| vec![*letter; channels]).collect();
        let bitmap = Bitmap { width: 3, height: 2, has_alpha, samples };
        let bitmap = Orientation::from_exif(number).upright(&bitmap).unwrap_or(bitmap);
        let letters = bitmap.samples.chunks(channels).map(|pixel| {
            assert!(pixel.iter().all(|sample| *sample == pixel[0]));
            char::from(pixel[0])
        });
        (bitmap.width, bitmap.height, letters.collect())
    }

    #[test]
    fn all_eight_ways() {
        let expected = [
            (1, (3, 2, "abcdef")),
            (2, (3, 2, "cbafed")),
            (3, (3, 2, "fedcba")),
            (4, (3, 2, "defabc")),
            (5, (2, 3, "adbecf")),
            (6, (2, 3, "daebfc")),
            (7, (2, 3, "fcebda")),
            (8, (2, 3, "cfbead")),
            (0, (3, 2, "abcdef")),
            (9, (3, 2, "abcdef")),
        ];
        for (number, (width, height, letters)) in expected {
            for has_alpha in [false, true] {
                assert_eq!(turned(number, has_alpha), (width, height, letters.to_owned()), "{number}");
            }
        }
    }

    #[test]
    fn a_block_says_what_it_was_made_of() {
        for number in 1..=8 {
            let block = Orientation::from_exif(number).exif_block();
            assert_eq!(Orientation::from_exif_block(&block).exif(), number);
            assert_eq!(Orientation::from_exif_block(&[b"Exif\0\0", block.as_slice()].concat()).exif(), number);
        }
        assert_eq!(Orientation::from_exif_block(b"MM\0\x2A\0\0\0\xFF"), Orientation::UPRIGHT);
    }
}
