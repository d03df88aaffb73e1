//! PNG and APNG. Chunks are walked here; pixels are decoded by the png crate.

use crate::{
    Error, Format, Inspected, Limits, Model, Orientation,
    colour::Raw,
    limit::Measure,
    read::{be32, byte, piece, span},
};
use fdeflate::BoundedDecompressionError;
use image::codecs::png::PngDecoder;
use std::{io::Cursor, ops::Range};

const SIGNATURE_BYTES: usize = 8;

struct Chunk<'a> {
    name: [u8; 4],
    payload: &'a [u8],
    /// With length, name and checksum.
    whole: Range<usize>,
}

/// The chunks, up to the end of the image.
fn chunks(bytes: &[u8]) -> impl Iterator<Item = Result<Chunk<'_>, Error>> {
    let mut at = Some(SIGNATURE_BYTES);
    std::iter::from_fn(move || {
        let chunk = chunk(bytes, at?);
        at = chunk.as_ref().ok().filter(|chunk| &chunk.name != b"IEND").map(|chunk| chunk.whole.end);
        Some(chunk)
    })
}

fn chunk(bytes: &[u8], at: usize) -> Result<Chunk<'_>, Error> {
    let payload = span(bytes, at + 8, be32(bytes, at)?)?;
    let checksum = piece(bytes, payload.end, 4)?;
    let name = be32(bytes, at + 4)?.to_be_bytes();
    Ok(Chunk { name, payload: &bytes[payload.clone()], whole: at..payload.end + checksum.len() })
}

/// See [`crate::inspect`].
pub(crate) fn inspect(bytes: &[u8], limits: &Limits) -> Result<Inspected, Error> {
    let header = chunk(bytes, SIGNATURE_BYTES)?;
    if &header.name != b"IHDR" {
        return Err(Error::malformed("it does not begin with a header"));
    }
    let size = (be32(header.payload, 0)?, be32(header.payload, 4)?);
    limits.check_canvas(size.0, size.1)?;
    let (bits, colour) = (byte(header.payload, 8)?, byte(header.payload, 9)?);
    let mut inspected = Inspected::new(Format::Png, size, bytes.len());
    inspected.bits = bits;
    inspected.model = if matches!(colour, 0 | 4) { Model::Gray } else { Model::Rgb };
    inspected.has_alpha = matches!(colour, 4 | 6);
    let mut packed = None;
    for chunk in chunks(bytes) {
        let chunk = chunk?;
        match &chunk.name {
            b"tRNS" => inspected.has_alpha = true,
            // Others would be kept unread, for whoever is served the file.
            b"iCCP" if packed.is_some() => return Err(Error::malformed("it has two colour profiles")),
            b"iCCP" => packed = Some(chunk.payload),
            b"acTL" => {
                inspected.frames = be32(chunk.payload, 0)?.max(1);
                limits.check(Measure::Frames, inspected.frames.into())?;
            }
            b"eXIf" => inspected.orientation = Orientation::from_exif_block(chunk.payload),
            _ => {}
        }
    }
    if let Some(packed) = packed {
        inspected.profile = unpacked(packed, limits)?;
    }
    let alpha = u64::from(inspected.has_alpha);
    let stored = (if inspected.model == Model::Gray { 1 } else { 3 } + alpha) * if bits == 16 { 2 } else { 1 };
    // What is RGB of 8 bits is not converted, or in place.
    let converted = if bits == 16 || inspected.model == Model::Gray { 3 + alpha } else { 0 };
    inspected.decoder_bytes = inspected.pixels() * (stored + converted);
    Ok(inspected)
}

/// A colour profile, of which no more is unpacked than may be; `None` of what is none, which is shown as if it were not there, as browsers do.
///
/// # Errors
/// [`Error::TooLarge`]: in a kilobyte there may be a megabyte, and whoever unpacks the file after us would have all of them.
fn unpacked(chunk: &[u8], limits: &Limits) -> Result<Option<Vec<u8>>, Error> {
    // Behind its name and the number of the only compression that there is.
    let Some((0, packed)) =
        memchr::memchr(0, chunk).and_then(|end| chunk[end + 1..].split_first()).map(|(method, packed)| (*method, packed))
    else {
        return Ok(None);
    };
    let beyond = limits.profile_bytes_max.saturating_add(1);
    match fdeflate::decompress_to_vec_bounded(packed, beyond) {
        Ok(profile) => limits.check_profile(profile.len()).map(|()| Some(profile)),
        Err(BoundedDecompressionError::OutputTooLarge { .. }) => limits.check_profile(beyond).map(|()| None),
        Err(BoundedDecompressionError::DecompressionError { .. }) => Ok(None),
    }
}

/// A decoder that allocates no more for what is beside the pixels than chunks of the file's size, and a profile's.
fn decoder<'a>(bytes: &'a [u8], limits: &Limits) -> Result<PngDecoder<Cursor<&'a [u8]>>, Error> {
    let mut bounds = image::Limits::no_limits();
    bounds.max_alloc = Some(bytes.len() as u64 + limits.profile_bytes_max as u64 + (1 << 20));
    PngDecoder::with_limits(Cursor::new(bytes), bounds).map_err(super::fault)
}

/// Decodes the default picture, which is an animation's first frame nearly always.
pub(crate) fn decode(bytes: &[u8], inspected: &Inspected, limits: &Limits) -> Result<Raw, Error> {
    super::decode_with(decoder(bytes, limits)?, (inspected.width, inspected.height))
}

/// What decoders need to show the picture: the critical chunks, transparency, colour, density, and the frames of an animation.
const KEPT: [&[u8; 4]; 17] = [
    b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"cICP", b"sBIT", b"bKGD", b"pHYs", b"acTL", b"fcTL",
    b"fdAT", b"mDCV",
];

/// See [`crate::strip`].
pub(crate) fn strip(bytes: &[u8], orientation: Orientation) -> Result<Vec<u8>, Error> {
    let mut stripped = Vec::with_capacity(bytes.len());
    stripped.extend_from_slice(piece(bytes, 0, SIGNATURE_BYTES)?);
    for chunk in chunks(bytes) {
        let chunk = chunk?;
        if KEPT.contains(&&chunk.name) {
            stripped.extend_from_slice(&bytes[chunk.whole]);
        }
        if &chunk.name == b"IHDR" && orientation != Orientation::UPRIGHT {
            let block = orientation.exif_block();
            let named = [b"eXIf".as_slice(), &block].concat();
            stripped.extend_from_slice(&(block.len() as u32).to_be_bytes());
            stripped.extend_from_slice(&named);
            stripped.extend_from_slice(&crc32fast::hash(&named).to_be_bytes());
        }
    }
    Ok(stripped)
}
