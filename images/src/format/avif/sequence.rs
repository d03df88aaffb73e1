//! How many pictures there are: in the tracks of a sequence, and in the AV1 of one picture.

use super::container::{boxes, find};
use crate::{Error, read::be32};
use std::ops::Range;

/// Tracks that are looked at: one with the pictures, one with their alpha, and some.
const TRACKS_MAX: usize = 8;

/// Frames of the longest track; 1 if the file has none.
pub(super) fn frames(bytes: &[u8]) -> Result<u32, Error> {
    let Some(movie) = find(bytes, 0..bytes.len(), b"moov")? else { return Ok(1) };
    let mut frames = 1;
    let tracks = boxes(bytes, movie).filter(|boxed| boxed.as_ref().map_or(true, |boxed| &boxed.kind == b"trak"));
    for track in tracks.take(TRACKS_MAX) {
        let mut within = Some(track?.content);
        for kind in [b"mdia", b"minf", b"stbl", b"stsz"] {
            within = within.map(|within| find(bytes, within, kind)).transpose()?.flatten();
        }
        if let Some(sizes) = within {
            frames = frames.max(be32(&bytes[sizes], 8)?);
        }
    }
    Ok(frames)
}

/// Where a file may say more than its pictures do, beside the items: boxes of nobody's or anybody's, and what movies are told of.
pub(super) fn private_boxes(bytes: &[u8]) -> Result<Vec<Range<usize>>, Error> {
    let mut found = Vec::new();
    gather_private(bytes, 0..bytes.len(), 3, &mut found)?;
    Ok(found)
}

/// In a file, its movie, and the movie's tracks: three levels.
fn gather_private(bytes: &[u8], within: Range<usize>, levels: u8, found: &mut Vec<Range<usize>>) -> Result<(), Error> {
    for boxed in boxes(bytes, within) {
        let boxed = boxed?;
        match &boxed.kind {
            b"uuid" | b"udta" | b"free" | b"skip" => found.push(boxed.content),
            b"moov" | b"trak" if levels > 1 => gather_private(bytes, boxed.content, levels - 1, found)?,
            _ => {}
        }
    }
    Ok(())
}

/// Frames that a decoder would have to decode in AV1's low-overhead format (section 5 of its specification). What makes no sense counts no further: the decoder
/// will say so.
pub(super) fn coded_frames(data: &[u8]) -> u32 {
    let (mut rest, mut frames) = (data, 0);
    while let [header, after @ ..] = rest {
        const FRAME_HEADER: u8 = 3;
        const FRAME: u8 = 6;
        frames += u32::from(matches!(header >> 3 & 15, FRAME_HEADER | FRAME));
        let after = if header & 4 == 0 { after } else { after.get(1..).unwrap_or_default() };
        if header & 2 == 0 {
            break;
        }
        let Some((length, after)) = leb128(after) else { break };
        rest = after.get(length..).unwrap_or_default();
    }
    frames
}

/// A number of up to eight bytes, seven bits each, the lowest first.
fn leb128(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let length = bytes.iter().take(8).position(|byte| byte & 0x80 == 0)? + 1;
    let number = bytes[..length].iter().rev().fold(0_u64, |number, byte| number << 7 | u64::from(byte & 0x7F));
    Some((usize::try_from(number).ok()?, &bytes[length..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_counted_without_decoding() {
        // A temporal delimiter, a sequence header of two bytes, then frames.
        let start = [0x12, 0x00, 0x0A, 0x02, 0xAA, 0xBB];
        let frame = [0x32, 0x03, 1, 2, 3];
        assert_eq!(coded_frames(&[start.as_slice(), &frame].concat()), 1);
        assert_eq!(coded_frames(&[start.as_slice(), &frame.repeat(9)].concat()), 9);
        // One without a length is the last; a length beyond the end ends it, too.
        assert_eq!(coded_frames(&[start.as_slice(), &frame, &[0x30, 0x32, 0x00]].concat()), 2);
        assert_eq!(coded_frames(&[0x32, 0xFF, 0x7F]), 1);
        assert_eq!(coded_frames(&[0x32, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]), 1);
    }
}
