//! GIF. Blocks are walked here; pixels are decoded by the gif crate.

use crate::{
    Error, Format, Inspected, Limits,
    colour::Raw,
    limit::Measure,
    read::{byte, le16, piece},
};
use image::codecs::gif::GifDecoder;
use std::{io::Cursor, ops::Range};

const IMAGE: u8 = 0x2C;
const EXTENSION: u8 = 0x21;
const TRAILER: u8 = 0x3B;
const APPLICATION: u8 = 0xFF;
const GRAPHIC_CONTROL: u8 = 0xF9;

struct Block {
    introducer: u8,
    whole: Range<usize>,
}

/// The bytes of a table of colours, by the flags beside it.
const fn table_bytes(flags: u8) -> usize {
    if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) }
}

fn first_block(bytes: &[u8]) -> Result<usize, Error> {
    Ok(13 + table_bytes(byte(bytes, 10)?))
}

/// The blocks, up to the trailer. Many files lack it, and are whole all the same.
fn blocks(bytes: &[u8]) -> Result<impl Iterator<Item = Result<Block, Error>> + '_, Error> {
    let mut at = Some(first_block(bytes)?);
    Ok(std::iter::from_fn(move || {
        let from = at.filter(|at| *at != bytes.len())?;
        let block = block(bytes, from);
        at = block.as_ref().ok().filter(|block| block.introducer != TRAILER).map(|block| block.whole.end);
        Some(block)
    }))
}

fn block(bytes: &[u8], at: usize) -> Result<Block, Error> {
    let introducer = byte(bytes, at)?;
    let mut end = match introducer {
        TRAILER => return Ok(Block { introducer, whole: at..at + 1 }),
        EXTENSION => at + 2,
        // The descriptor, a table of colours, and the code size.
        IMAGE => at + 10 + table_bytes(byte(bytes, at + 9)?) + 1,
        _ => return Err(Error::malformed("a block of no known kind")),
    };
    loop {
        let length = usize::from(byte(bytes, end)?);
        end += 1 + length;
        if length == 0 {
            return Ok(Block { introducer, whole: at..end });
        }
    }
}

/// See [`crate::inspect`].
pub(crate) fn inspect(bytes: &[u8], limits: &Limits) -> Result<Inspected, Error> {
    let (width, height) = (u32::from(le16(bytes, 6)?), u32::from(le16(bytes, 8)?));
    limits.check_canvas(width, height)?;
    let (mut frames, mut first) = (0_u32, 0);
    for block in blocks(bytes)? {
        let block = block?;
        if block.introducer == IMAGE {
            let descriptor = &bytes[block.whole];
            // The decoder makes room for a frame of any size, whatever the canvas has.
            let (width, height) = (u32::from(le16(descriptor, 5)?), u32::from(le16(descriptor, 7)?));
            if frames == 0 {
                limits.check_canvas(width, height)?;
                first = u64::from(width) * u64::from(height);
            }
            frames += 1;
            limits.check(Measure::Frames, frames.into())?;
        }
    }
    if frames == 0 {
        return Err(Error::malformed("it has no picture"));
    }
    let inspected = Inspected::new(Format::Gif, (width, height), bytes.len());
    // RGBA of the canvas and of the frame, and the frame's indexes.
    let decoder_bytes = inspected.pixels() * 4 + first * 5;
    Ok(Inspected { frames, has_alpha: true, decoder_bytes, ..inspected })
}

/// Decodes the first frame, on its canvas.
pub(crate) fn decode(bytes: &[u8], inspected: &Inspected) -> Result<Raw, Error> {
    let decoder = GifDecoder::new(Cursor::new(bytes)).map_err(super::fault)?;
    super::decode_with(decoder, (inspected.width, inspected.height))
}

/// See [`crate::strip`]: pictures, their timing, and how often they are repeated.
pub(crate) fn strip(bytes: &[u8]) -> Result<Vec<u8>, Error> {
    let mut stripped = Vec::with_capacity(bytes.len());
    stripped.extend_from_slice(piece(bytes, 0, first_block(bytes)?)?);
    for block in blocks(bytes)? {
        let block = &bytes[block?.whole];
        let is_kept = match block {
            [EXTENSION, GRAPHIC_CONTROL, ..] => true,
            [EXTENSION, APPLICATION, 11, name @ ..] => name.starts_with(b"NETSCAPE2.0") || name.starts_with(b"ANIMEXTS1.0"),
            [EXTENSION, ..] => false,
            _ => true,
        };
        if is_kept {
            stripped.extend_from_slice(block);
        }
    }
    Ok(stripped)
}
