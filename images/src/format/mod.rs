//! The formats that are decoded. Each can `inspect` a file by its structure, `decode` it, and `strip` it of what its owner did not mean to publish.

pub(crate) mod avif;
pub(crate) mod gif;
pub(crate) mod jpeg;
pub(crate) mod png;
pub(crate) mod webp;

use crate::{
    Error, Model,
    colour::{Raw, Samples},
};
use image::{ColorType, ImageDecoder, ImageError};

/// Decodes what a decoder of the `image` crate is ready to, whose size was inspected before.
fn decode_with(decoder: impl ImageDecoder, size: (u32, u32)) -> Result<Raw, Error> {
    if decoder.dimensions() != size {
        return Err(Error::malformed("its headers contradict each other"));
    }
    let (model, has_alpha) = match decoder.color_type() {
        ColorType::L8 | ColorType::L16 => (Model::Gray, false),
        ColorType::La8 | ColorType::La16 => (Model::Gray, true),
        ColorType::Rgb8 | ColorType::Rgb16 => (Model::Rgb, false),
        ColorType::Rgba8 | ColorType::Rgba16 => (Model::Rgb, true),
        _ => return Err(Error::Unsupported { what: "this kind of pixel" }),
    };
    let is_sixteen = decoder.color_type().bytes_per_pixel() > decoder.color_type().channel_count();
    let bytes = usize::try_from(decoder.total_bytes()).map_err(Error::malformed)?;
    let samples = if is_sixteen {
        let mut samples = vec![0_u16; bytes / 2];
        decoder.read_image(bytemuck::cast_slice_mut(&mut samples)).map_err(fault)?;
        Samples::Sixteen(samples)
    } else {
        let mut samples = vec![0; bytes];
        decoder.read_image(&mut samples).map_err(fault)?;
        Samples::Eight(samples)
    };
    Ok(Raw { width: size.0, height: size.1, model, has_alpha, samples })
}

/// What an error of the `image` crate is to us.
fn fault(error: ImageError) -> Error {
    match error {
        ImageError::Unsupported(_) => Error::Unsupported { what: "this variant of the format" },
        ImageError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Error::Truncated,
        error => Error::malformed(error),
    }
}
