//! Decoded pixels.

use crate::Error;

/// Pixels in sRGB, 8 bits a sample, row by row without gaps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bitmap {
    /// In pixels; never 0.
    pub width: u32,
    /// In pixels; never 0.
    pub height: u32,
    /// Whether a pixel is RGBA, not premultiplied, rather than RGB.
    pub has_alpha: bool,
    /// `width * height` pixels.
    pub samples: Vec<u8>,
}

impl Bitmap {
    /// Of samples that a decoder made.
    ///
    /// # Errors
    /// [`Error::Malformed`] when there are more or fewer than the sides ask for.
    pub fn new(width: u32, height: u32, has_alpha: bool, samples: Vec<u8>) -> Result<Self, Error> {
        let bitmap = Self { width, height, has_alpha, samples };
        let expected = (u64::from(width) * u64::from(height)).saturating_mul(bitmap.channels() as u64);
        if expected == 0 || bitmap.samples.len() as u64 != expected {
            return Err(Error::malformed("it has another number of pixels than it says"));
        }
        Ok(bitmap)
    }

    /// Samples a pixel.
    pub const fn channels(&self) -> usize {
        if self.has_alpha { 4 } else { 3 }
    }

    /// Width and height.
    pub const fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// Without an alpha channel that hides nothing: a quarter less memory, and faster in all that follows.
    pub fn without_idle_alpha(mut self) -> Self {
        let (pixels, _) = self.samples.as_chunks::<4>();
        if !self.has_alpha || pixels.iter().any(|pixel| pixel[3] != u8::MAX) {
            return self;
        }
        let count = pixels.len();
        for pixel in 0..count {
            self.samples.copy_within(pixel * 4..pixel * 4 + 3, pixel * 3);
        }
        self.samples.truncate(count * 3);
        self.samples.shrink_to_fit();
        self.has_alpha = false;
        self
    }

    /// The picture on white, for what cannot show alpha.
    pub fn on_white(&self) -> Vec<u8> {
        let (pixels, _) = self.samples.as_chunks::<4>();
        let over_white =
            |sample: u8, alpha: u8| ((u16::from(sample) * u16::from(alpha) + 255 * (255 - u16::from(alpha)) + 127) / 255) as u8;
        pixels.iter().flat_map(|[r, g, b, a]| [over_white(*r, *a), over_white(*g, *a), over_white(*b, *a)]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_samples_is_what_the_sides_say() {
        assert!(Bitmap::new(2, 1, false, vec![0; 6]).is_ok());
        for (width, height, has_alpha) in [(2, 1, true), (1, 1, false), (0, 1, false), (u32::MAX, u32::MAX, true)] {
            assert!(Bitmap::new(width, height, has_alpha, vec![0; 6]).is_err());
        }
    }

    #[test]
    fn idle_alpha_goes_and_alpha_that_hides_stays() {
        let idle = Bitmap::new(2, 1, true, vec![1, 2, 3, 255, 4, 5, 6, 255]).expect("a bitmap");
        assert_eq!(idle.without_idle_alpha(), Bitmap::new(2, 1, false, vec![1, 2, 3, 4, 5, 6]).expect("a bitmap"));
        let hides = Bitmap::new(2, 1, true, vec![1, 2, 3, 255, 4, 5, 6, 254]).expect("a bitmap");
        assert_eq!(hides.clone().without_idle_alpha(), hides);
    }

    #[test]
    fn what_is_transparent_is_white_without_alpha() {
        let bitmap = Bitmap::new(3, 1, true, vec![10, 20, 30, 255, 10, 20, 30, 0, 0, 100, 200, 128]).expect("a bitmap");
        assert_eq!(bitmap.on_white(), [10, 20, 30, 255, 255, 255, 127, 177, 227]);
    }
}
