//! Smaller pictures, each from the next larger one.

use crate::{Error, bitmap::Bitmap};
use fast_image_resize::{
    FilterType, PixelTrait, ResizeAlg, ResizeOptions, Resizer,
    images::{TypedImage, TypedImageRef},
    pixels::{InnerPixel, U8x3, U8x4},
};

/// Width and height within a box of this side: in proportion, at least a pixel, and never enlarged.
pub(crate) fn fit((width, height): (u32, u32), side: u32) -> (u32, u32) {
    let longest = width.max(height);
    if longest <= side {
        return (width, height);
    }
    // To the nearest; in 64 bits no product overflows, and no result exceeds `side`.
    let scaled = |length: u32| {
        let scaled = (u64::from(length) * u64::from(side) + u64::from(longest) / 2) / u64::from(longest);
        u32::try_from(scaled).unwrap_or(side).max(1)
    };
    (scaled(width), scaled(height))
}

/// The picture in another size, by Lanczos' kernel of three lobes; transparent pixels do not bleed. `None` if it has that size.
///
/// # Errors
/// [`Error::Encoder`], which no picture causes.
pub(crate) fn to(bitmap: &Bitmap, (width, height): (u32, u32)) -> Result<Option<Bitmap>, Error> {
    if (width, height) == bitmap.size() {
        return Ok(None);
    }
    let mut target =
        Bitmap { width, height, has_alpha: bitmap.has_alpha, samples: vec![0; width as usize * height as usize * bitmap.channels()] };
    if bitmap.has_alpha { convolve::<U8x4>(bitmap, &mut target) } else { convolve::<U8x3>(bitmap, &mut target) }?;
    Ok(Some(target))
}

/// By type: by value, the library would be compiled for twenty kinds of pixels.
fn convolve<P: InnerPixel + PixelTrait>(from: &Bitmap, to: &mut Bitmap) -> Result<(), Error> {
    let source = TypedImageRef::<P>::from_buffer(from.width, from.height, &from.samples).map_err(Error::encoder)?;
    let mut target = TypedImage::<P>::from_buffer(to.width, to.height, &mut to.samples).map_err(Error::encoder)?;
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3));
    Resizer::new().resize_typed(&source, &mut target, &options).map_err(Error::encoder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_keep_the_proportion_and_are_never_enlarged() {
        assert_eq!(fit((4000, 3000), 1920), (1920, 1440));
        assert_eq!(fit((3000, 4000), 800), (600, 800));
        assert_eq!(fit((1001, 2000), 150), (75, 150));
        assert_eq!(fit((150, 90), 150), (150, 90));
        assert_eq!(fit((10, 20), 150), (10, 20));
        assert_eq!(fit((16_000, 3), 150), (150, 1));
        assert_eq!(fit((u32::MAX, u32::MAX), 150), (150, 150));
    }

    #[test]
    fn what_is_transparent_does_not_bleed() {
        // Left half opaque green, right half transparent red.
        let row: Vec<u8> = [[0, 200, 0, 255].repeat(40), [255, 0, 0, 0].repeat(40)].concat();
        let bitmap = Bitmap::new(80, 80, true, row.repeat(80)).expect("a bitmap");
        let smaller = to(&bitmap, (11, 11)).expect("no error").expect("smaller");
        let (pixels, _) = smaller.samples.as_chunks::<4>();
        assert!(pixels.iter().filter(|pixel| pixel[3] > 8).all(|pixel| pixel[0] <= 8 && pixel[1] >= 190), "{pixels:?}");
        assert_eq!(to(&smaller, (11, 11)).expect("no error"), None);
    }
}
