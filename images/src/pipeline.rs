//! The stages from a file to its variants.

use crate::{
    Colour, Encoding, Error, Format, Inspected, Limits,
    bitmap::Bitmap,
    colour::{self, Raw},
    encode::encode,
    format, placeholder, resize,
};
use bytes::Bytes;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Asks whether to stop; it is called between stages, and every few rows of a large picture. An `AtomicBool` behind a closure will do.
pub type Stop<'a> = &'a (dyn Fn() -> bool + Send + Sync);

/// Goes on, unless the caller asked to stop.
pub(crate) fn check(stop: Stop<'_>) -> Result<(), Error> {
    if stop() { Err(Error::Cancelled) } else { Ok(()) }
}

/// A size that a picture is served in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Variant {
    /// Within 150 × 150 pixels.
    Thumbnail,
    /// Within 400 × 400 pixels.
    Small,
    /// Within 800 × 800 pixels.
    Medium,
    /// Within 1920 × 1920 pixels.
    Large,
    /// All pixels.
    Optimized,
}

impl Variant {
    /// Those that pages choose from by their width, from the largest down.
    pub const RESPONSIVE: [Self; 4] = [Self::Large, Self::Medium, Self::Small, Self::Thumbnail];

    /// The name in answers and addresses.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Thumbnail => "thumbnail",
            Self::Small => "small",
            Self::Medium => "medium",
            Self::Large => "large",
            Self::Optimized => "optimized",
        }
    }

    /// The side of its box, in pixels.
    #[must_use]
    pub const fn side_max(self) -> u32 {
        match self {
            Self::Thumbnail => 150,
            Self::Small => 400,
            Self::Medium => 800,
            Self::Large => 1920,
            Self::Optimized => u32::MAX,
        }
    }

    /// From 1 to 100. The full size is for those who zoom in: it has pixels to spare.
    const fn quality(self) -> u8 {
        match self {
            Self::Thumbnail | Self::Optimized => 80,
            Self::Small | Self::Medium => 85,
            Self::Large => 90,
        }
    }
}

/// A variant as a file: upright, in sRGB, and with nothing in it but pixels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendition {
    /// Which size.
    pub variant: Variant,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// The file.
    pub bytes: Bytes,
}

/// What a user waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preview {
    /// The sizes of [`Variant::RESPONSIVE`], in its order.
    pub renditions: Vec<Rendition>,
    /// A blur of the picture, as an address with its content (`data:image/webp;base64,…`).
    pub placeholder: String,
    /// The colour that most of it has.
    pub dominant_colour: Colour,
}

/// The full size, made smaller; or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Optimized {
    /// It has fewer bytes than the file that was sent.
    Smaller(Rendition),
    /// It would have more: serve what [`crate::strip`] makes of the original.
    Original,
}

/// A picture in memory, from which every stage starts: [`Decoded::preview`] first, then [`Decoded::optimized`], in this format and that.
///
/// It holds three bytes a pixel, or four with alpha. Whoever cannot afford that between stages drops it and decodes again: that costs a fifth of what the
/// optimised full size does (docs/images.md).
pub struct Decoded {
    bitmap: Bitmap,
    inspected: Inspected,
}

/// Decodes an image that was inspected, and converts its colours. Of an animation it is the first frame.
///
/// # Errors
/// [`Error::Malformed`], [`Error::Truncated`] or [`Error::Unsupported`] when the decoder finds out what the structure did not show; [`Error::Cancelled`].
pub fn decode(bytes: &[u8], inspected: &Inspected, limits: &Limits, stop: Stop<'_>) -> Result<Decoded, Error> {
    check(stop)?;
    // Strangers' bytes meet other people's decoders here. None is known to panic on any; if one does, it is this file's fault, not the worker's end.
    let raw = catch_unwind(AssertUnwindSafe(|| decode_raw(bytes, inspected, limits)));
    let bitmap = raw.unwrap_or_else(|_| Err(Error::malformed("its decoder gave up")))?;
    check(stop)?;
    Ok(Decoded { bitmap: bitmap.without_idle_alpha(), inspected: inspected.clone() })
}

fn decode_raw(bytes: &[u8], inspected: &Inspected, limits: &Limits) -> Result<Bitmap, Error> {
    let raw: Raw = match inspected.format {
        Format::Jpeg => format::jpeg::decode(bytes, inspected)?,
        Format::Png => format::png::decode(bytes, inspected, limits)?,
        Format::WebP => format::webp::decode(bytes, inspected)?,
        Format::Gif => format::gif::decode(bytes, inspected)?,
        Format::Avif => return format::avif::decode(bytes, inspected, limits),
    };
    colour::to_srgb(raw, inspected.profile.as_deref())
}

impl Decoded {
    /// Width and height as people see it.
    #[must_use]
    pub const fn size(&self) -> (u32, u32) {
        self.inspected.upright_size()
    }

    /// Whether any pixel is transparent.
    #[must_use]
    pub const fn has_alpha(&self) -> bool {
        self.bitmap.has_alpha
    }

    /// The four sizes, the placeholder and the colour: a quarter of the work.
    ///
    /// # Errors
    /// [`Error::Cancelled`], [`Error::Encoder`].
    pub fn preview(&self, encoding: Encoding, stop: Stop<'_>) -> Result<Preview, Error> {
        let pyramid = Pyramid::new(&self.bitmap, Variant::Thumbnail, stop)?;
        let small = pyramid.level(Variant::Small);
        let smallest = pyramid.level(Variant::Thumbnail);
        let upright = self.inspected.orientation.upright(smallest);
        Ok(Preview {
            placeholder: placeholder::blur(upright.as_ref().unwrap_or(smallest), stop)?,
            dominant_colour: placeholder::dominant(small),
            renditions: self.render(&pyramid, &Variant::RESPONSIVE, encoding, stop)?,
        })
    }

    /// Some of the four sizes, for what is made later or on request; the same pixels that [`Decoded::preview`] would encode. Asked for the full size, it makes it
    /// whether it is smaller than the original or not.
    ///
    /// # Errors
    /// [`Error::Cancelled`], [`Error::Encoder`].
    pub fn renditions(&self, variants: &[Variant], encoding: Encoding, stop: Stop<'_>) -> Result<Vec<Rendition>, Error> {
        let smallest = variants.iter().copied().min_by_key(|variant| variant.side_max()).unwrap_or(Variant::Optimized);
        self.render(&Pyramid::new(&self.bitmap, smallest, stop)?, variants, encoding, stop)
    }

    /// The full size, unless it would be larger than the file that was sent: three quarters of the work. Nor is it made of more than 8.5 megapixels with alpha in
    /// WebP or AVIF, whose encoders would take half a gigabyte for that.
    ///
    /// # Errors
    /// [`Error::Cancelled`], [`Error::Encoder`].
    pub fn optimized(&self, encoding: Encoding, stop: Stop<'_>) -> Result<Optimized, Error> {
        if self.bitmap.has_alpha && self.inspected.pixels() > encoding.alpha_pixels_max() {
            return Ok(Optimized::Original);
        }
        let rendition = self.rendition(&self.bitmap, Variant::Optimized, encoding, stop)?;
        Ok(if (rendition.bytes.len() as u64) < self.inspected.bytes { Optimized::Smaller(rendition) } else { Optimized::Original })
    }

    fn render(&self, pyramid: &Pyramid<'_>, variants: &[Variant], encoding: Encoding, stop: Stop<'_>) -> Result<Vec<Rendition>, Error> {
        let mut renditions: Vec<Rendition> = Vec::with_capacity(variants.len());
        for &variant in variants {
            let level = pyramid.level(variant);
            // A picture that is smaller than several boxes is the same file in each of the same quality.
            let size = self.inspected.orientation.turned(level.size());
            let same = renditions.iter().find(|other| (other.width, other.height) == size && other.variant.quality() == variant.quality());
            let rendition = match same {
                Some(same) => Rendition { variant, ..same.clone() },
                None => self.rendition(level, variant, encoding, stop)?,
            };
            renditions.push(rendition);
        }
        Ok(renditions)
    }

    /// Turned last, when there is least to turn.
    fn rendition(&self, level: &Bitmap, variant: Variant, encoding: Encoding, stop: Stop<'_>) -> Result<Rendition, Error> {
        let upright = self.inspected.orientation.upright(level);
        let upright = upright.as_ref().unwrap_or(level);
        let bytes = encode(upright, encoding, variant.quality(), stop)?.into();
        Ok(Rendition { variant, width: upright.width, height: upright.height, bytes })
    }
}

/// The picture in its sizes, each made of the next larger one.
struct Pyramid<'a> {
    full: &'a Bitmap,
    /// By the order of [`Variant::RESPONSIVE`]; `None` if the level is the one before.
    levels: Vec<(Variant, Option<Bitmap>)>,
}

impl<'a> Pyramid<'a> {
    fn new(full: &'a Bitmap, smallest: Variant, stop: Stop<'_>) -> Result<Self, Error> {
        let mut pyramid = Self { full, levels: Vec::new() };
        for variant in Variant::RESPONSIVE.into_iter().filter(|variant| variant.side_max() >= smallest.side_max()) {
            check(stop)?;
            // By the full size: from level to level roundings would add up.
            let level = resize::to(pyramid.level(variant), resize::fit(full.size(), variant.side_max()))?;
            pyramid.levels.push((variant, level));
        }
        Ok(pyramid)
    }

    /// The level of a variant, or the smallest that there is above it.
    fn level(&self, variant: Variant) -> &Bitmap {
        let above = self.levels.iter().filter(|(level, _)| level.side_max() >= variant.side_max());
        above.filter_map(|(_, level)| level.as_ref()).next_back().unwrap_or(self.full)
    }
}
