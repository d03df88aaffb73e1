//! What decoders give, into sRGB of 8 bits: the one colour space of everything that is served, so that no profile has to go along.

use crate::{Error, bitmap::Bitmap};
use moxcms::{ColorProfile, DataColorSpace, Layout, TransformExecutor, TransformOptions};
use std::sync::Arc;

/// What a pixel is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Model {
    /// Light and dark.
    Gray,
    /// Red, green, blue.
    Rgb,
    /// Four inks.
    Cmyk,
}

/// What a decoder gave.
pub(crate) struct Raw {
    pub width: u32,
    pub height: u32,
    pub model: Model,
    /// After the samples of the model; never with CMYK.
    pub has_alpha: bool,
    pub samples: Samples,
}

/// Row by row without gaps.
pub(crate) enum Samples {
    Eight(Vec<u8>),
    Sixteen(Vec<u16>),
}

/// Pixels that are converted at once: as many as the processor's nearest caches hold with their result.
const BATCH_PIXELS: usize = 2048;

/// Converts to sRGB. A profile that cannot be read, or is not of this model of colour, is ignored, as browsers do; without one, RGB and gray are taken for sRGB,
/// and inks for ideal ones.
///
/// # Errors
/// [`Error::Malformed`] when there are too few samples or too many.
pub(crate) fn to_srgb(raw: Raw, profile: Option<&[u8]>) -> Result<Bitmap, Error> {
    let profile = profile.and_then(|profile| ColorProfile::new_from_slice(profile).ok());
    to_srgb_from(raw, profile.filter(|profile| !looks_like_srgb(profile)))
}

/// [`to_srgb`] by a profile that was read or made.
pub(crate) fn to_srgb_from(raw: Raw, profile: Option<ColorProfile>) -> Result<Bitmap, Error> {
    let Raw { width, height, model, has_alpha, samples } = raw;
    let profile = profile.filter(|profile| profile.color_space == space(model));
    let (from, to) = (layout(model, has_alpha), if has_alpha { Layout::Rgba } else { Layout::Rgb });
    let srgb = ColorProfile::new_srgb();
    let samples = match samples {
        Samples::Eight(samples) => {
            let transform = profile.and_then(|profile| profile.create_transform_8bit(from, &srgb, to, TransformOptions::default()).ok());
            let mut samples = eight(samples, model, has_alpha, transform.as_deref());
            if let Some(transform) = transform.filter(|_| model == Model::Cmyk) {
                deepen(&mut samples, transform.as_ref());
            }
            samples
        }
        Samples::Sixteen(samples) => {
            let transform = profile.and_then(|profile| profile.create_transform_16bit(from, &srgb, to, TransformOptions::default()).ok());
            sixteen(&samples, model, has_alpha, transform.as_deref())
        }
    };
    Bitmap::new(width, height, has_alpha, samples)
}

type Transform<S> = dyn TransformExecutor<S> + Send + Sync;

fn eight(mut samples: Vec<u8>, model: Model, has_alpha: bool, transform: Option<&Transform<u8>>) -> Vec<u8> {
    let (from, to) = (channels(model, has_alpha), if has_alpha { 4 } else { 3 });
    if from == to && model == Model::Rgb {
        // In place, by way of a copy of the batch.
        let Some(transform) = transform else { return samples };
        let mut batch = Vec::with_capacity(BATCH_PIXELS * from);
        for pixels in samples.chunks_mut(BATCH_PIXELS * from) {
            batch.clear();
            batch.extend_from_slice(pixels);
            // A transform that fails leaves what it was given: the lengths agree, so it does not.
            let _ = transform.transform(&batch, pixels);
        }
        return samples;
    }
    let mut converted = vec![0; samples.len() / from * to];
    for (pixels, result) in samples.chunks(BATCH_PIXELS * from).zip(converted.chunks_mut(BATCH_PIXELS * to)) {
        if transform.is_none_or(|transform| transform.transform(pixels, result).is_err()) {
            for (pixel, result) in pixels.chunks_exact(from).zip(result.chunks_exact_mut(to)) {
                plain(pixel, result, model);
            }
        }
    }
    converted
}

fn sixteen(samples: &[u16], model: Model, has_alpha: bool, transform: Option<&Transform<u16>>) -> Vec<u8> {
    let (from, to) = (channels(model, has_alpha), if has_alpha { 4 } else { 3 });
    let mut converted = Vec::with_capacity(samples.len() / from * to);
    let mut batch = vec![0; BATCH_PIXELS * to];
    for pixels in samples.chunks(BATCH_PIXELS * from) {
        let result = &mut batch[..pixels.len() / from * to];
        if transform.is_none_or(|transform| transform.transform(pixels, result).is_err()) {
            for (pixel, result) in pixels.chunks_exact(from).zip(result.chunks_exact_mut(to)) {
                plain(pixel, result, model);
            }
        }
        converted.extend(result.iter().map(|sample| narrow(*sample)));
    }
    converted
}

/// Makes the darkest that inks can do black, and all else darker with it, as Little CMS and Adobe's programs do by black point compensation: moxcms shows
/// a print under glass, which is gray where it should be black. The darkest is taken for neutral, so that it is one curve for all three colours.
fn deepen(samples: &mut [u8], transform: &Transform<u8>) {
    let mut darkest = [0; 3];
    if transform.transform(&[u8::MAX; 4], &mut darkest).is_err() {
        return;
    }
    let [r, g, b] = darkest.map(light);
    // What is lighter than middle gray is no black, but nonsense.
    let black = (0.2126 * r + 0.7152 * g + 0.0722 * b).min(0.184);
    let curve: [u8; 256] = std::array::from_fn(|at| level((light(at as u8) - black) / (1.0 - black)));
    samples.iter_mut().for_each(|sample| *sample = curve[usize::from(*sample)]);
}

/// The light of a level of sRGB, from 0 to 1.
fn light(level: u8) -> f32 {
    let level = f32::from(level) / 255.0;
    if level <= 0.040_45 { level / 12.92 } else { ((level + 0.055) / 1.055).powf(2.4) }
}

/// The level of sRGB for some light; below none there is none.
fn level(light: f32) -> u8 {
    let level = if light <= 0.003_130_8 { light * 12.92 } else { 1.055 * light.powf(1.0 / 2.4) - 0.055 };
    (level * 255.0).round() as u8
}

/// 16 bits to the nearest of 8.
fn narrow(sample: u16) -> u8 {
    ((u32::from(sample) * 255 + 32_767) / 65_535) as u8
}

/// A pixel without a profile.
fn plain<S: Sample>(pixel: &[S], result: &mut [S], model: Model) {
    match (model, pixel) {
        (Model::Gray, [gray, alpha @ ..]) => {
            result[..3].fill(*gray);
            result[3..].copy_from_slice(alpha);
        }
        // Each ink takes its colour out of the light that the black ink leaves.
        (Model::Cmyk, [cyan, magenta, yellow, black]) => {
            for (result, ink) in result.iter_mut().zip([cyan, magenta, yellow]) {
                *result = ink.left().of(black.left());
            }
        }
        _ => result.copy_from_slice(pixel),
    }
}

trait Sample: Copy {
    /// What is left of full.
    fn left(self) -> Self;
    /// The share of another one that it is.
    fn of(self, other: Self) -> Self;
}

impl Sample for u8 {
    fn left(self) -> Self {
        Self::MAX - self
    }

    fn of(self, other: Self) -> Self {
        ((u16::from(self) * u16::from(other) + 127) / 255) as Self
    }
}

impl Sample for u16 {
    fn left(self) -> Self {
        Self::MAX - self
    }

    fn of(self, other: Self) -> Self {
        ((u64::from(self) * u64::from(other) + 32_767) / 65_535) as Self
    }
}

const fn space(model: Model) -> DataColorSpace {
    match model {
        Model::Gray => DataColorSpace::Gray,
        Model::Rgb => DataColorSpace::Rgb,
        Model::Cmyk => DataColorSpace::Cmyk,
    }
}

const fn layout(model: Model, has_alpha: bool) -> Layout {
    match (model, has_alpha) {
        (Model::Gray, false) => Layout::Gray,
        (Model::Gray, true) => Layout::GrayAlpha,
        (Model::Rgb, false) => Layout::Rgb,
        // Four inks are laid out like RGBA.
        (Model::Rgb, true) | (Model::Cmyk, _) => Layout::Rgba,
    }
}

const fn channels(model: Model, has_alpha: bool) -> usize {
    match model {
        Model::Gray => 1 + has_alpha as usize,
        Model::Rgb => 3 + has_alpha as usize,
        Model::Cmyk => 4,
    }
}

/// Whether a profile is sRGB by another name: whether it moves none of 4913 colours, spread over the cube, by more than a level. Most profiles are, and to
/// skip them saves more than the test costs from a tenth of a megapixel on.
fn looks_like_srgb(profile: &ColorProfile) -> bool {
    if profile.color_space != DataColorSpace::Rgb {
        return false;
    }
    let Ok(transform) = profile.create_transform_8bit(Layout::Rgb, &ColorProfile::new_srgb(), Layout::Rgb, TransformOptions::default())
    else {
        return false;
    };
    let levels = || (0..=16_u16).map(|step| (step * 16).min(255) as u8);
    let colours: Vec<u8> = levels().flat_map(|r| levels().flat_map(move |g| levels().flat_map(move |b| [r, g, b]))).collect();
    let mut moved = vec![0; colours.len()];
    let transform: Arc<Transform<u8>> = transform;
    transform.transform(&colours, &mut moved).is_ok() && colours.iter().zip(&moved).all(|(from, to)| from.abs_diff(*to) <= 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn converted(model: Model, has_alpha: bool, samples: Samples, profile: Option<ColorProfile>) -> Vec<u8> {
        let count = match &samples {
            Samples::Eight(samples) => samples.len(),
            Samples::Sixteen(samples) => samples.len(),
        };
        let raw = Raw { width: (count / channels(model, has_alpha)) as u32, height: 1, model, has_alpha, samples };
        to_srgb_from(raw, profile).expect("a bitmap").samples
    }

    #[test]
    fn without_a_profile_every_model_has_its_plain_meaning() {
        assert_eq!(converted(Model::Gray, false, Samples::Eight(vec![0, 7, 255]), None), [0, 0, 0, 7, 7, 7, 255, 255, 255]);
        assert_eq!(converted(Model::Gray, true, Samples::Eight(vec![7, 9]), None), [7, 7, 7, 9]);
        assert_eq!(converted(Model::Rgb, true, Samples::Eight(vec![1, 2, 3, 4]), None), [1, 2, 3, 4]);
        assert_eq!(converted(Model::Cmyk, false, Samples::Eight(vec![255, 0, 0, 0, 0, 128, 0, 128]), None), [0, 255, 255, 127, 63, 127]);
        assert_eq!(converted(Model::Rgb, false, Samples::Sixteen(vec![0, 32_896, 65_535]), None), [0, 128, 255]);
        assert_eq!(converted(Model::Gray, true, Samples::Sixteen(vec![128, 129]), None), [0, 0, 0, 1]);
    }

    #[test]
    fn display_p3_is_wider_than_srgb() {
        // By hand, with the matrices of CSS Color 4: light of (.0802, .4342, .0513) becomes (.0007, .4490, .0206).
        let expected = [2, 179, 39_u8];
        let eight = converted(Model::Rgb, false, Samples::Eight(vec![0x50, 0xB0, 0x40]), Some(ColorProfile::new_display_p3()));
        let sixteen = Samples::Sixteen([0x50, 0xB0, 0x40].map(|level: u16| level * 257).to_vec());
        let sixteen = converted(Model::Rgb, false, sixteen, Some(ColorProfile::new_display_p3()));
        for (at, expected) in expected.into_iter().enumerate() {
            assert!(eight[at].abs_diff(expected) <= 2 && sixteen[at].abs_diff(expected) <= 2, "{eight:?} {sixteen:?}");
        }
    }

    #[test]
    fn many_pixels_are_converted_as_few_are() {
        let pixels = BATCH_PIXELS * 2 + 77;
        let colour = converted(Model::Rgb, false, Samples::Eight(vec![10, 200, 90]), Some(ColorProfile::new_adobe_rgb()));
        let colours = converted(Model::Rgb, false, Samples::Eight([10, 200, 90].repeat(pixels)), Some(ColorProfile::new_adobe_rgb()));
        assert_eq!(colours, colour.repeat(pixels));
    }

    #[test]
    fn a_profile_counts_for_its_own_model_only() {
        let gray = converted(Model::Rgb, false, Samples::Eight(vec![9, 99, 199]), Some(ColorProfile::new_gray_with_gamma(1.0)));
        assert_eq!(gray, [9, 99, 199]);
        let linear = converted(Model::Gray, false, Samples::Eight(vec![55]), Some(ColorProfile::new_gray_with_gamma(1.0)));
        // A fifth of the light is level 127 of sRGB.
        assert!(linear.iter().all(|level| level.abs_diff(127) <= 2), "{linear:?}");
    }

    #[test]
    fn levels_and_light_are_inverse() {
        assert!((0..=255).all(|sample| level(light(sample)) == sample));
        assert_eq!((level(-0.1), level(1.1)), (0, 255));
    }

    #[test]
    fn srgb_is_known_whatever_it_is_called() {
        assert!(looks_like_srgb(&ColorProfile::new_srgb()));
        assert!(!looks_like_srgb(&ColorProfile::new_display_p3()) && !looks_like_srgb(&ColorProfile::new_adobe_rgb()));
        assert!(!looks_like_srgb(&ColorProfile::new_gray_with_gamma(2.2)));
    }
}
