//! WebP. Chunks are walked here; pixels are decoded by image-webp, which is Rust.

use crate::{
    Error, Format, Inspected, Limits, Orientation,
    colour::Raw,
    limit::Measure,
    read::{byte, le16, le24, le32, piece, span},
};
use image::codecs::webp::WebPDecoder;
use std::{io::Cursor, ops::Range};

/// Of the extended header.
const HAS_ALPHA: u8 = 0x10;
const HAS_EXIF: u8 = 0x08;
const HAS_XMP: u8 = 0x04;

struct Chunk<'a> {
    name: [u8; 4],
    payload: &'a [u8],
    /// With name, length and padding.
    whole: Range<usize>,
}

/// The chunks of the file's one container.
fn chunks(bytes: &[u8]) -> Result<impl Iterator<Item = Result<Chunk<'_>, Error>>, Error> {
    let container = span(bytes, 8, le32(bytes, 4)?)?;
    let mut at = 12;
    Ok(std::iter::from_fn(move || {
        let bytes = bytes.get(..container.end)?;
        if at + 1 >= bytes.len() {
            return None;
        }
        let chunk = chunk(bytes, at);
        at = chunk.as_ref().map_or(usize::MAX - 1, |chunk| chunk.whole.end);
        Some(chunk)
    }))
}

fn chunk(bytes: &[u8], at: usize) -> Result<Chunk<'_>, Error> {
    let name = le32(bytes, at)?.to_le_bytes();
    let payload = span(bytes, at + 8, le32(bytes, at + 4)?)?;
    let end = (payload.end + payload.len() % 2).min(bytes.len());
    Ok(Chunk { name, payload: &bytes[payload], whole: at..end })
}

/// See [`crate::inspect`].
pub(crate) fn inspect(bytes: &[u8], limits: &Limits) -> Result<Inspected, Error> {
    let mut inspected: Option<Inspected> = None;
    let (mut frames, mut has_picture, mut lossless) = (0_u32, false, false);
    for chunk in chunks(bytes)? {
        let Chunk { name, payload, .. } = chunk?;
        let header = match &name {
            b"VP8X" => Some((le24(payload, 4)? + 1, le24(payload, 7)? + 1, byte(payload, 0)? & HAS_ALPHA != 0)),
            b"VP8 " if piece(payload, 3, 3)? != [0x9D, 0x01, 0x2A] => return Err(Error::malformed("it does not begin with a key frame")),
            b"VP8 " => Some(((le16(payload, 6)? & 0x3FFF).into(), (le16(payload, 8)? & 0x3FFF).into(), false)),
            b"VP8L" => {
                let packed = le32(payload, 1)?;
                Some(((packed & 0x3FFF) + 1, ((packed >> 14) & 0x3FFF) + 1, packed >> 28 & 1 != 0))
            }
            _ => None,
        };
        if let (Some((width, height, has_alpha)), None) = (header, &inspected) {
            limits.check_canvas(width, height)?;
            inspected = Some(Inspected { has_alpha, ..Inspected::new(Format::WebP, (width, height), bytes.len()) });
        }
        let Some(inspected) = &mut inspected else { return Err(Error::malformed("it does not begin with a header")) };
        match &name {
            b"VP8 " | b"VP8L" => (has_picture, lossless) = (true, &name == b"VP8L"),
            b"ANMF" => {
                (has_picture, lossless) = (true, true);
                frames += 1;
                limits.check(Measure::Frames, frames.into())?;
            }
            b"ICCP" => {
                limits.check_profile(payload.len())?;
                inspected.profile = Some(payload.to_vec());
            }
            b"EXIF" => inspected.orientation = Orientation::from_exif_block(payload),
            _ => {}
        }
    }
    let mut inspected = inspected.filter(|_| has_picture).ok_or_else(|| Error::malformed("it has no picture"))?;
    inspected.frames = frames.max(1);
    // Lossless pictures, and frames, are decoded as RGBA aside; lossy ones as planes of 1.5 bytes a pixel, and one of alpha.
    let aside = if lossless { 4 } else { 2 };
    inspected.decoder_bytes = inspected.pixels() * (3 + u64::from(inspected.has_alpha) + aside);
    Ok(inspected)
}

/// Decodes the picture, or the first frame of an animation.
pub(crate) fn decode(bytes: &[u8], inspected: &Inspected) -> Result<Raw, Error> {
    let decoder = WebPDecoder::new(Cursor::new(bytes)).map_err(super::fault)?;
    super::decode_with(decoder, (inspected.width, inspected.height))
}

/// See [`crate::strip`].
pub(crate) fn strip(bytes: &[u8], orientation: Orientation) -> Result<Vec<u8>, Error> {
    let mut stripped = Vec::with_capacity(bytes.len());
    stripped.extend_from_slice(piece(bytes, 0, 12)?);
    let mut is_extended = false;
    for chunk in chunks(bytes)? {
        let chunk = chunk?;
        let start = stripped.len();
        match &chunk.name {
            b"VP8X" => {
                is_extended = true;
                stripped.extend_from_slice(&bytes[chunk.whole]);
                let flags = stripped.get_mut(start + 8).ok_or(Error::Truncated)?;
                *flags &= !(HAS_EXIF | HAS_XMP);
                *flags |= if orientation == Orientation::UPRIGHT { 0 } else { HAS_EXIF };
            }
            b"ICCP" | b"ANIM" | b"ANMF" | b"ALPH" | b"VP8 " | b"VP8L" => stripped.extend_from_slice(&bytes[chunk.whole]),
            _ => {}
        }
    }
    // A plain file has no orientation: that is in a chunk which only extended files have.
    if is_extended && orientation != Orientation::UPRIGHT {
        let block = orientation.exif_block();
        stripped.extend_from_slice(b"EXIF");
        stripped.extend_from_slice(&(block.len() as u32).to_le_bytes());
        stripped.extend_from_slice(&block);
    }
    let length = u32::try_from(stripped.len() - 8).map_err(Error::malformed)?;
    stripped[4..8].copy_from_slice(&length.to_le_bytes());
    Ok(stripped)
}
