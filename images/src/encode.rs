//! Pixels of ours into files.

use crate::{Error, Stop, bitmap::Bitmap, pipeline::check};
use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};

/// A format that variants are made in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Encoding {
    /// Lossy, with alpha: the default.
    #[default]
    WebP,
    /// Progressive, without alpha: what is transparent is white.
    Jpeg,
    /// Lossless.
    Png,
    /// Smallest and slowest; with alpha.
    Avif,
}

impl Encoding {
    /// The extension, and the name in metadata.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::WebP => "webp",
            Self::Jpeg => "jpeg",
            Self::Png => "png",
            Self::Avif => "avif",
        }
    }

    /// The media type.
    #[must_use]
    pub const fn mime(self) -> &'static str {
        match self {
            Self::WebP => "image/webp",
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Avif => "image/avif",
        }
    }

    /// Bytes that the encoder holds for each pixel at its peak, beside the pixels themselves.
    pub(crate) const fn encoder_bytes_a_pixel(self) -> u64 {
        match self {
            // ARGB, planes, and the output before it is coded, which is more the more there is to see.
            Self::WebP => 4 + 2 + 3,
            // Coefficients of three planes at most half of which are chroma, and white beneath.
            Self::Jpeg => 3 + 4,
            // The output, which may be as large as the input, and grows by doubling.
            Self::Png => 4 * 2,
            // Planes of 16 bits with their references, and the state of every block.
            Self::Avif => 48,
        }
    }

    /// As before, for alpha that is not opaque. WebP codes it without loss, for which it remembers where each pixel was seen before.
    pub(crate) const fn alpha_bytes_a_pixel(self) -> u64 {
        match self {
            Self::WebP => 48,
            Self::Jpeg => 3,
            Self::Png => 0,
            Self::Avif => 24,
        }
    }

    /// Pixels with alpha that are encoded; the full size of a larger picture is the original. A screen of 4K has eight megapixels.
    pub(crate) const fn alpha_pixels_max(self) -> u64 {
        match self {
            Self::WebP => 8_500_000,
            Self::Jpeg | Self::Png => u64::MAX,
            Self::Avif => 8_500_000,
        }
    }
}

/// Encodes, by a quality of 1 to 100 on the scale of WebP; PNG has none.
///
/// # Errors
/// [`Error::Encoder`]; [`Error::Cancelled`]; [`Error::Unsupported`] for AVIF where that is not built in.
pub(crate) fn encode(bitmap: &Bitmap, encoding: Encoding, quality: u8, stop: Stop<'_>) -> Result<Vec<u8>, Error> {
    check(stop)?;
    match encoding {
        Encoding::WebP => webp(bitmap, quality, stop),
        Encoding::Jpeg => jpeg(bitmap, quality),
        Encoding::Png => png(bitmap),
        Encoding::Avif => avif(bitmap, quality),
    }
}

/// Lets libwebp ask every few rows whether to go on.
struct Hook<'a>(Stop<'a>);

impl webpx::Stop for Hook<'_> {
    fn check(&self) -> Result<(), webpx::StopReason> {
        if (self.0)() { Err(webpx::StopReason::Cancelled) } else { Ok(()) }
    }
}

/// Method 4 of 6, as most of the web does: method 2 takes half the time and 4 % more bytes (docs/images.md).
fn webp(bitmap: &Bitmap, quality: u8, stop: Stop<'_>) -> Result<Vec<u8>, Error> {
    let Bitmap { width, height, has_alpha, ref samples } = *bitmap;
    let encoder =
        if has_alpha { webpx::Encoder::new_rgba(samples, width, height) } else { webpx::Encoder::new_rgb(samples, width, height) };
    encoder
        .quality(quality.into())
        .method(4)
        .encode(Hook(stop))
        .map_err(|error| if stop() { Error::Cancelled } else { Error::encoder(error) })
}

fn jpeg(bitmap: &Bitmap, quality: u8) -> Result<Vec<u8>, Error> {
    let flat;
    let samples = if bitmap.has_alpha {
        flat = bitmap.on_white();
        &flat
    } else {
        &bitmap.samples
    };
    let (width, height) = (u16::try_from(bitmap.width).map_err(Error::encoder)?, u16::try_from(bitmap.height).map_err(Error::encoder)?);
    let mut file = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut file, quality);
    encoder.set_sampling_factor(jpeg_encoder::SamplingFactor::F_2_2);
    encoder.set_progressive(true);
    encoder.set_optimized_huffman_tables(true);
    encoder.encode(samples, width, height, jpeg_encoder::ColorType::Rgb).map_err(Error::encoder)?;
    Ok(file)
}

fn png(bitmap: &Bitmap) -> Result<Vec<u8>, Error> {
    let kind = if bitmap.has_alpha { ExtendedColorType::Rgba8 } else { ExtendedColorType::Rgb8 };
    let mut file = Vec::new();
    PngEncoder::new(&mut file).write_image(&bitmap.samples, bitmap.width, bitmap.height, kind).map_err(Error::encoder)?;
    Ok(file)
}

/// Speed 10 of 10, on one thread: the caller has as many at work as it has cores.
#[cfg(feature = "avif")]
fn avif(bitmap: &Bitmap, quality: u8) -> Result<Vec<u8>, Error> {
    use rgb::FromSlice;
    let (width, height) = (bitmap.width as usize, bitmap.height as usize);
    let encoder = ravif::Encoder::new()
        .with_quality(avif_quality(quality))
        .with_alpha_quality(avif_quality(quality))
        .with_speed(10)
        .with_num_threads(Some(1));
    let encoded = if bitmap.has_alpha {
        encoder.encode_rgba(ravif::Img::new(bitmap.samples.as_rgba(), width, height))
    } else {
        encoder.encode_rgb(ravif::Img::new(bitmap.samples.as_rgb(), width, height))
    };
    Ok(encoded.map_err(Error::encoder)?.avif_file)
}

/// The quality of AVIF that looks like one of WebP (docs/images.md).
#[cfg(feature = "avif")]
fn avif_quality(quality: u8) -> f32 {
    f32::from(quality) - 2.0
}

#[cfg(not(feature = "avif"))]
fn avif(_: &Bitmap, _: u8) -> Result<Vec<u8>, Error> {
    Err(Error::Unsupported { what: "AVIF" })
}
