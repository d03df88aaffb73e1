//! AVIF. Its boxes are walked here; AV1 is decoded by a port of dav1d to Rust.

mod container;
#[cfg(feature = "avif")]
mod frame;
mod sequence;

use crate::{Error, Format, Inspected, Limits, Model, bitmap::Bitmap, limit::Measure};
use container::{Container, Item};

/// Frames that AV1 may hold for a still: one, or a few that refine it.
const CODED_FRAMES_MAX: u32 = 4;

/// See [`crate::inspect`].
pub(crate) fn inspect(bytes: &[u8], limits: &Limits) -> Result<Inspected, Error> {
    let container = Container::read(bytes)?;
    let primary = container.primary()?;
    limits.check_canvas(primary.size.0, primary.size.1)?;
    let frames = sequence::frames(bytes)?;
    limits.check(Measure::Frames, frames.into())?;
    let alpha = container.alpha();
    for item in [Some(primary), alpha].into_iter().flatten() {
        if item.size != primary.size {
            return Err(Error::malformed("its alpha has another size"));
        }
        let data = container.payload(bytes, item)?;
        if sequence::coded_frames(&data) > CODED_FRAMES_MAX {
            return Err(Error::malformed("its picture has more frames than one needs"));
        }
    }
    limits.check_profile(primary.profile.map_or(0, <[u8]>::len))?;
    let pixels = u64::from(primary.size.0) * u64::from(primary.size.1);
    // Planes as they are decoded, once more before they are filtered, and the colours made of them.
    let planes = 3 * 2 * if primary.bits > 8 { 2 } else { 1 };
    let result = 3 + u64::from(alpha.is_some());
    Ok(Inspected {
        orientation: primary.orientation,
        frames,
        model: if primary.is_gray { Model::Gray } else { Model::Rgb },
        has_alpha: alpha.is_some(),
        bits: primary.bits,
        profile: primary.profile.map(<[u8]>::to_vec),
        decoder_bytes: pixels * (planes + result),
        ..Inspected::new(Format::Avif, primary.size, bytes.len())
    })
}

/// Decodes the picture; of a sequence, the one that it says stands for it.
#[cfg(feature = "avif")]
pub(crate) fn decode(bytes: &[u8], inspected: &Inspected, limits: &Limits) -> Result<Bitmap, Error> {
    use crate::colour::{Raw, Samples, to_srgb, to_srgb_from};
    let container = Container::read(bytes)?;
    let primary = container.primary()?;
    let alpha = container.alpha();
    let picture = frame::decode(container.payload(bytes, primary)?, primary.size, limits)?;
    let mut samples = frame::colours(&picture, primary.nclx, alpha.is_some())?;
    let profile = frame::profile(primary.nclx);
    drop(picture);
    if let Some(alpha) = alpha {
        let picture = frame::decode(container.payload(bytes, alpha)?, alpha.size, limits)?;
        frame::fill_alpha(&picture, &mut samples)?;
    }
    let (width, height) = primary.size;
    let raw = Raw { width, height, model: Model::Rgb, has_alpha: alpha.is_some(), samples: Samples::Eight(samples) };
    match &inspected.profile {
        Some(profile) => to_srgb(raw, Some(profile)),
        None => to_srgb_from(raw, profile),
    }
}

#[cfg(not(feature = "avif"))]
pub(crate) fn decode(_: &[u8], _: &Inspected, _: &Limits) -> Result<Bitmap, Error> {
    Err(Error::Unsupported { what: "AVIF" })
}

/// See [`crate::strip`]. Where things are is written in many places of the file, so what goes is overwritten with zeros where it stands.
pub(crate) fn strip(bytes: &[u8]) -> Result<Vec<u8>, Error> {
    let container = Container::read(bytes)?;
    let mut stripped = bytes.to_vec();
    let shown = [Some(container.primary()?), container.alpha()].map(|item| item.map(|item| item.id));
    // Metadata, thumbnails of what the picture was before it was cut, and whatever else.
    let is_beside = |item: &&Item<'_>| !shown.contains(&Some(item.id));
    let extents = container.items.iter().filter(is_beside).flat_map(|item| item.extents.iter().cloned());
    for range in extents.chain(sequence::private_boxes(bytes)?) {
        stripped.get_mut(range).ok_or(Error::Truncated)?.fill(0);
    }
    Ok(stripped)
}
