//! One picture of AV1, and its colours.

use super::container::Nclx;
use crate::{Error, Limits};
use moxcms::{CicpColorPrimaries, CicpProfile, ColorProfile, MatrixCoefficients, TransferCharacteristics};
use re_rav1d::dav1d::{Decoder, Picture, PixelLayout, PlanarImageComponent, Plane, Settings, pixel};
use std::borrow::Cow;

/// Decodes the first picture.
pub(super) fn decode(data: Cow<'_, [u8]>, size: (u32, u32), limits: &Limits) -> Result<Picture, Error> {
    let mut settings = Settings::new();
    settings.set_n_threads(1);
    settings.set_max_frame_delay(1);
    settings.set_frame_size_limit(u32::try_from(limits.pixels_max).unwrap_or(u32::MAX));
    let mut decoder = Decoder::with_settings(&settings).map_err(Error::malformed)?;
    match decoder.send_data(data.into_owned(), None, None, None) {
        Ok(()) => {}
        // A picture is ready before all data are read.
        Err(error) if error.is_again() => {}
        Err(error) => return Err(Error::malformed(error)),
    }
    let picture = match decoder.get_picture() {
        Err(error) if error.is_again() => decoder.get_picture(),
        other => other,
    };
    let picture = picture.map_err(|error| if error.is_again() { Error::Truncated } else { Error::malformed(error) })?;
    if (picture.width(), picture.height()) != size {
        return Err(Error::malformed("its headers contradict each other"));
    }
    Ok(picture)
}

/// A plane's samples, whatever their number of bits, as 0 to 1 of its full range.
struct Samples {
    plane: Plane,
    stride: usize,
    is_wide: bool,
    /// What a sample is multiplied with.
    unit: f32,
    /// How much coarser it is than the picture, as a shift to the right.
    coarser: (u8, u8),
}

impl Samples {
    fn of(picture: &Picture, component: PlanarImageComponent) -> Self {
        let bits = picture.bits_per_component().map_or(8, |bits| bits.0);
        let coarser = match (component, picture.pixel_layout()) {
            (PlanarImageComponent::Y, _) => (0, 0),
            (_, PixelLayout::I420) => (1, 1),
            (_, PixelLayout::I422) => (1, 0),
            _ => (0, 0),
        };
        Self {
            plane: picture.plane(component),
            stride: picture.stride(component) as usize,
            is_wide: bits > 8,
            unit: 1.0 / ((1_u32 << bits) - 1) as f32,
            coarser,
        }
    }

    /// The sample for a pixel of the picture. One that is not there is black: planes are as large as the picture says, so all are there.
    fn at(&self, x: usize, y: usize) -> f32 {
        let (x, y) = (x >> self.coarser.0, y >> self.coarser.1);
        let plane = self.plane.as_ref();
        let level = if self.is_wide {
            plane.get(y * self.stride + x * 2..).and_then(|rest| rest.first_chunk()).copied().map(u16::from_le_bytes)
        } else {
            plane.get(y * self.stride + x).copied().map(u16::from)
        };
        f32::from(level.unwrap_or_default()) * self.unit
    }
}

/// How a picture's planes become colours.
struct Coding {
    matrix: Matrix,
    is_full_range: bool,
}

#[derive(Clone, Copy)]
enum Matrix {
    /// Green, blue, red as they are.
    Identity,
    /// Weights of red and blue in luma.
    Weights(f32, f32),
}

impl Coding {
    /// By what the file says. Of the stream only the range is asked: the decoder panics at numbers of colours that are reserved. Without either word it is the matrix of
    /// JPEG, which writers of AVIF use for sRGB.
    fn of(picture: &Picture, nclx: Option<Nclx>) -> Result<Self, Error> {
        let is_full_range = nclx.map_or(picture.color_range() == pixel::YUVRange::Full, |nclx| nclx.is_full_range);
        let number = nclx.map_or(2, |nclx| nclx.matrix);
        let matrix = match number {
            0 => Matrix::Identity,
            1 => Matrix::Weights(0.2126, 0.0722),
            4 => Matrix::Weights(0.30, 0.11),
            // Unspecified is that of JPEG.
            2 | 5 | 6 => Matrix::Weights(0.299, 0.114),
            7 => Matrix::Weights(0.212, 0.087),
            9 => Matrix::Weights(0.2627, 0.0593),
            _ => return Err(Error::Unsupported { what: "this coding of colours in AVIF" }),
        };
        Ok(Self { matrix, is_full_range })
    }

    fn luma(&self, level: f32) -> f32 {
        if self.is_full_range { level } else { (level * 255.0 - 16.0) / 219.0 }
    }

    fn chroma(&self, level: f32) -> f32 {
        // The middle is 128 of 255, not a half.
        (level * 255.0 - 128.0) / if self.is_full_range { 255.0 } else { 224.0 }
    }

    fn colour(&self, [y, u, v]: [f32; 3]) -> [u8; 3] {
        let colour = match self.matrix {
            Matrix::Identity => [self.luma(v), self.luma(y), self.luma(u)],
            Matrix::Weights(red, blue) => {
                let (y, u, v) = (self.luma(y), self.chroma(u), self.chroma(v));
                let (r, b) = (y + 2.0 * (1.0 - red) * v, y + 2.0 * (1.0 - blue) * u);
                [r, (y - red * r - blue * b) / (1.0 - red - blue), b]
            }
        };
        colour.map(|level| (level * 255.0).round() as u8)
    }
}

/// RGB, or RGBA that is opaque so far.
pub(super) fn colours(picture: &Picture, nclx: Option<Nclx>, with_alpha: bool) -> Result<Vec<u8>, Error> {
    let coding = Coding::of(picture, nclx)?;
    let (width, height, channels) = (picture.width() as usize, picture.height() as usize, if with_alpha { 4 } else { 3 });
    let luma = Samples::of(picture, PlanarImageComponent::Y);
    let chroma = (picture.pixel_layout() != PixelLayout::I400)
        .then(|| (Samples::of(picture, PlanarImageComponent::U), Samples::of(picture, PlanarImageComponent::V)));
    let mut samples = vec![u8::MAX; width * height * channels];
    for (y, row) in samples.chunks_exact_mut(width * channels).enumerate() {
        for (x, pixel) in row.chunks_exact_mut(channels).enumerate() {
            let colour = match &chroma {
                Some((u, v)) => coding.colour([luma.at(x, y), u.at(x, y), v.at(x, y)]),
                None => [(coding.luma(luma.at(x, y)) * 255.0).round() as u8; 3],
            };
            pixel[..3].copy_from_slice(&colour);
        }
    }
    Ok(samples)
}

/// Sets the alpha of RGBA to a picture's luma.
pub(super) fn fill_alpha(picture: &Picture, samples: &mut [u8]) -> Result<(), Error> {
    let coding = Coding { matrix: Matrix::Identity, is_full_range: picture.color_range() == pixel::YUVRange::Full };
    let luma = Samples::of(picture, PlanarImageComponent::Y);
    let width = picture.width() as usize;
    for (y, row) in samples.chunks_exact_mut(width * 4).enumerate() {
        for (x, pixel) in row.chunks_exact_mut(4).enumerate() {
            pixel[3] = (coding.luma(luma.at(x, y)) * 255.0).round() as u8;
        }
    }
    Ok(())
}

/// The colour space that the numbers stand for; `None` if it is sRGB, or nobody says.
pub(super) fn profile(nclx: Option<Nclx>) -> Option<ColorProfile> {
    let primaries = nclx.map_or(1, |nclx| nclx.primaries);
    let transfer = nclx.map_or(13, |nclx| nclx.transfer);
    // BT.709's curve is drawn as sRGB's by all browsers.
    let transfer = if matches!(transfer, 1 | 2 | 6 | 14 | 15) { 13 } else { transfer };
    let primaries = if primaries == 2 { 1 } else { primaries };
    if (primaries, transfer) == (1, 13) {
        return None;
    }
    Some(ColorProfile::new_from_cicp(CicpProfile {
        color_primaries: CicpColorPrimaries::try_from(primaries).ok()?,
        transfer_characteristics: TransferCharacteristics::try_from(transfer).ok()?,
        matrix_coefficients: MatrixCoefficients::Identity,
        full_range: true,
    }))
}
