//! What is shown while a picture is on its way: a blur of it, and its colour.

use crate::{
    Error, Stop,
    bitmap::Bitmap,
    encode::{Encoding, encode},
    resize,
};
use base64::{Engine, prelude::BASE64_STANDARD};

/// Pixels a side of the blur.
const SIDE: u32 = 20;
/// At twenty pixels nobody sees the difference to a better one; it is a hundred bytes instead of three.
const QUALITY: u8 = 20;

/// A colour of sRGB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour {
    /// Red.
    pub r: u8,
    /// Green.
    pub g: u8,
    /// Blue.
    pub b: u8,
}

/// The picture within 20 × 20 pixels as an address, `data:image/webp;base64,…` of some 200 bytes, for browsers to scale up.
pub(crate) fn blur(upright: &Bitmap, stop: Stop<'_>) -> Result<String, Error> {
    let smaller = resize::to(upright, resize::fit(upright.size(), SIDE))?;
    let file = encode(smaller.as_ref().unwrap_or(upright), Encoding::WebP, QUALITY, stop)?;
    Ok(format!("data:image/webp;base64,{}", BASE64_STANDARD.encode(file)))
}

/// The colour that most pixels are near: the middle of the fullest of 16 × 16 × 16 boxes, of equally full ones the darkest. Pixels that are more transparent than not
/// do not count, unless there are no others.
pub(crate) fn dominant(bitmap: &Bitmap) -> Colour {
    let mut boxes = vec![0_u32; 16 * 16 * 16];
    let index = |pixel: &[u8]| usize::from(pixel[0] >> 4) << 8 | usize::from(pixel[1] >> 4) << 4 | usize::from(pixel[2] >> 4);
    let pixels = || bitmap.samples.chunks_exact(bitmap.channels());
    let is_seen = |pixel: &&[u8]| pixel.get(3).is_none_or(|alpha| *alpha >= 128);
    pixels().filter(is_seen).for_each(|pixel| boxes[index(pixel)] += 1);
    if boxes.iter().all(|count| *count == 0) {
        pixels().for_each(|pixel| boxes[index(pixel)] += 1);
    }
    let fullest = (0..boxes.len()).rev().max_by_key(|index| boxes[*index]).unwrap_or(0);
    let middle = |level: usize| (level as u8 & 15) << 4 | 8;
    Colour { r: middle(fullest >> 8), g: middle(fullest >> 4), b: middle(fullest) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn colour(has_alpha: bool, samples: &[u8]) -> Colour {
        let channels = if has_alpha { 4 } else { 3 };
        dominant(&Bitmap::new((samples.len() / channels) as u32, 1, has_alpha, samples.to_vec()).expect("a bitmap"))
    }

    #[test]
    fn the_dominant_colour_is_where_most_pixels_are() {
        assert_eq!(colour(false, &[250, 250, 250, 30, 100, 200, 20, 110, 199]), Colour { r: 24, g: 104, b: 200 });
        assert_eq!(colour(false, &[255, 255, 255, 0, 0, 0]), Colour { r: 8, g: 8, b: 8 });
        // What cannot be seen does not count, unless nothing can.
        assert_eq!(colour(true, &[0, 0, 0, 0, 0, 0, 0, 10, 255, 0, 0, 200]), Colour { r: 248, g: 8, b: 8 });
        assert_eq!(colour(true, &[0, 0, 255, 0]), Colour { r: 8, g: 8, b: 248 });
    }

    #[test]
    fn the_blur_is_a_small_address() {
        let bitmap = Bitmap::new(600, 400, false, (0..240_000_u32).flat_map(|at| [(at % 600 / 3) as u8, (at / 1000) as u8, 99]).collect());
        let address = blur(&bitmap.expect("a bitmap"), &|| false).expect("no error");
        let file = BASE64_STANDARD.decode(address.strip_prefix("data:image/webp;base64,").expect("an address")).expect("base64");
        let size = crate::inspect(&file, &crate::Limits::default()).expect("an image").upright_size();
        assert!(size == (20, 13) && address.len() < 400, "{size:?} {}", address.len());
    }
}
