//! JPEG. Its structure is walked here; pixels are decoded by zune-jpeg, which is Rust.

use crate::{
    Error, Format, Inspected, Limits, Model, Orientation,
    colour::{Raw, Samples},
    limit::Measure,
    read::{be16, byte, piece},
};
use zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions};
use zune_jpeg::JpegDecoder;

const END_OF_IMAGE: u8 = 0xD9;
const START_OF_SCAN: u8 = 0xDA;
const EXIF_OR_XMP: u8 = 0xE1;
const PROFILE_OR_MORE_IMAGES: u8 = 0xE2;
const ADOBE: u8 = 0xEE;
const PROFILE: &[u8] = b"ICC_PROFILE\0";

/// A piece between two markers.
struct Segment<'a> {
    marker: u8,
    /// Without marker and length.
    payload: &'a [u8],
    /// Where its marker begins.
    start: usize,
    /// Where what follows begins: behind the coded data, for a scan.
    end: usize,
}

/// The segments from the first on. The last is the end of the image: what follows it is not the image, and a file without it was cut off. That is refused, since
/// decoders would fill what is missing with gray, and the owner would learn of it from others.
fn segments(bytes: &[u8]) -> impl Iterator<Item = Result<Segment<'_>, Error>> {
    let mut at = Some(2);
    std::iter::from_fn(move || {
        let segment = next_segment(bytes, at?);
        at = segment.as_ref().ok().filter(|segment| segment.marker != END_OF_IMAGE).map(|segment| segment.end);
        Some(segment)
    })
}

fn next_segment(bytes: &[u8], from: usize) -> Result<Segment<'_>, Error> {
    // What stands between segments is skipped, as all decoders do.
    let mut start = from + memchr::memchr(0xFF, bytes.get(from..).unwrap_or_default()).ok_or(Error::Truncated)?;
    let marker = loop {
        match byte(bytes, start + 1)? {
            0xFF => start += 1,
            // A stuffed byte, a restart, or another start of the image: nothing follows that has a length.
            0x00 | 0x01 | 0xD0..=0xD8 => return next_lone(bytes, start + 2),
            marker => break marker,
        }
    };
    if marker == END_OF_IMAGE {
        return Ok(Segment { marker, payload: &[], start, end: start + 2 });
    }
    let length = usize::from(be16(bytes, start + 2)?);
    let payload = piece(bytes, start + 4, length.checked_sub(2).ok_or_else(|| Error::malformed("a segment is shorter than its length"))?)?;
    let end = start + 2 + length;
    let end = if marker == START_OF_SCAN { end_of_scan(bytes, end)? } else { end };
    Ok(Segment { marker, payload, start, end })
}

/// [`next_segment`] behind a marker that stands alone; not recursive, however many there are.
fn next_lone(bytes: &[u8], mut from: usize) -> Result<Segment<'_>, Error> {
    loop {
        let rest = bytes.get(from..).unwrap_or_default();
        let start = from + memchr::memchr(0xFF, rest).ok_or(Error::Truncated)?;
        match byte(bytes, start + 1)? {
            0xFF => from = start + 1,
            0x00 | 0x01 | 0xD0..=0xD8 => from = start + 2,
            _ => return next_segment(bytes, start),
        }
    }
}

/// Where coded data end: at a marker that is neither a stuffed byte nor a restart.
fn end_of_scan(bytes: &[u8], from: usize) -> Result<usize, Error> {
    let rest = bytes.get(from..).ok_or(Error::Truncated)?;
    let ends = |at: &usize| !matches!(rest.get(at + 1), Some(0x00 | 0xD0..=0xD7 | 0xFF));
    let end = memchr::memchr_iter(0xFF, rest).find(ends).ok_or(Error::Truncated)?;
    Ok(from + end)
}

/// The header of a frame.
struct Frame {
    size: (u32, u32),
    components: u8,
    is_progressive: bool,
    /// Samples of all components for one of the picture's pixels, at most.
    samples_a_pixel: u64,
}

fn frame(segment: &Segment<'_>) -> Result<Frame, Error> {
    let is_progressive = match segment.marker {
        0xC0 | 0xC1 => false,
        0xC2 => true,
        _ => return Err(Error::Unsupported { what: "JPEG with lossless or arithmetic coding" }),
    };
    let payload = segment.payload;
    if byte(payload, 0)? != 8 {
        return Err(Error::Unsupported { what: "JPEG with other than 8 bits a sample" });
    }
    let (height, width, components) = (be16(payload, 1)?, be16(payload, 3)?, byte(payload, 5)?);
    if !matches!(components, 1 | 3 | 4) {
        return Err(Error::Unsupported { what: "JPEG with other than 1, 3 or 4 components" });
    }
    // A component with a quarter of the samples of the finest has a quarter of the coefficients.
    let factors =
        (0..usize::from(components)).map(|number| byte(payload, 7 + number * 3).map(|both| u64::from(both >> 4) * u64::from(both & 15)));
    let factors = factors.collect::<Result<Vec<_>, _>>()?;
    let finest = factors.iter().copied().max().unwrap_or(1).max(1);
    let samples_a_pixel = factors.iter().sum::<u64>().div_ceil(finest).max(1);
    Ok(Frame { size: (width.into(), height.into()), components, is_progressive, samples_a_pixel })
}

/// See [`crate::inspect`].
pub(crate) fn inspect(bytes: &[u8], limits: &Limits) -> Result<Inspected, Error> {
    let mut found: Option<Frame> = None;
    let (mut scans, mut orientation, mut chunks) = (0, Orientation::UPRIGHT, Vec::new());
    for segment in segments(bytes) {
        let segment = segment?;
        match segment.marker {
            // Tables of Huffman codes and of arithmetic coding have numbers in the midst of the frames'.
            0xC4 | 0xC8 | 0xCC => {}
            0xC0..=0xCF if found.is_some() => return Err(Error::malformed("it has two headers")),
            0xC0..=0xCF => {
                let frame = frame(&segment)?;
                limits.check_canvas(frame.size.0, frame.size.1)?;
                found = Some(frame);
            }
            START_OF_SCAN => {
                scans += 1;
                limits.check(Measure::Scans, scans)?;
            }
            EXIF_OR_XMP if segment.payload.starts_with(b"Exif\0\0") => orientation = Orientation::from_exif_block(segment.payload),
            PROFILE_OR_MORE_IMAGES => {
                chunks.extend(profile_chunk(segment.payload));
                // Their numbers have eight bits.
                if chunks.len() > usize::from(u8::MAX) {
                    return Err(Error::malformed("its colour profile is in too many pieces"));
                }
            }
            _ => {}
        }
    }
    let frame = found.filter(|_| scans > 0).ok_or_else(|| Error::malformed("it has no picture"))?;
    limits.check_profile(chunks.iter().map(|(_, chunk)| chunk.len()).sum())?;
    chunks.sort_by_key(|(number, _)| *number);
    let profile = chunks.iter().flat_map(|(_, chunk)| chunk.iter().copied()).collect::<Vec<u8>>();
    let (pixels, samples) = (u64::from(frame.size.0) * u64::from(frame.size.1), u64::from(frame.components).max(3));
    // Coefficients of 16 bits are kept for the whole picture while scans refine them.
    let coefficients = if frame.is_progressive || scans > 1 { 2 * frame.samples_a_pixel } else { 0 };
    let converted = if frame.components == 3 { 0 } else { 3 };
    Ok(Inspected {
        orientation,
        scans: u32::try_from(scans).unwrap_or(u32::MAX),
        model: model(frame.components),
        profile: Some(profile).filter(|profile| !profile.is_empty()),
        decoder_bytes: pixels * (samples + coefficients.max(converted)),
        ..Inspected::new(Format::Jpeg, frame.size, bytes.len())
    })
}

const fn model(components: u8) -> Model {
    match components {
        1 => Model::Gray,
        4 => Model::Cmyk,
        _ => Model::Rgb,
    }
}

/// The number and the content of a piece of the profile, which may be larger than a segment.
fn profile_chunk(payload: &[u8]) -> Option<(u8, &[u8])> {
    let ([number, _count], chunk) = payload.strip_prefix(PROFILE)?.split_first_chunk::<2>()?;
    Some((*number, chunk))
}

/// Decodes into the components as they are stored, except that chroma becomes colour.
pub(crate) fn decode(bytes: &[u8], inspected: &Inspected) -> Result<Raw, Error> {
    let options = DecoderOptions::default().set_strict_mode(false).set_max_width(usize::MAX).set_max_height(usize::MAX);
    let options = options.jpeg_set_max_scans(inspected.scans as usize + 1);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(Error::malformed)?;
    let stored = decoder.input_colorspace().ok_or_else(|| Error::malformed("it has no colour space"))?;
    let (wanted, model) = match stored {
        ColorSpace::Luma => (ColorSpace::Luma, Model::Gray),
        ColorSpace::CMYK | ColorSpace::YCCK => (stored, Model::Cmyk),
        ColorSpace::YCbCr | ColorSpace::RGB => (ColorSpace::RGB, Model::Rgb),
        _ => return Err(Error::Unsupported { what: "this colour space of JPEG" }),
    };
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options.jpeg_set_out_colorspace(wanted));
    decoder.decode_headers().map_err(Error::malformed)?;
    let size = decoder.dimensions().map(|(width, height)| (width as u32, height as u32));
    if size != Some((inspected.width, inspected.height)) || model != inspected.model {
        return Err(Error::malformed("its headers contradict each other"));
    }
    let mut samples = decoder.decode().map_err(Error::malformed)?;
    if model == Model::Cmyk {
        to_inks(&mut samples, stored == ColorSpace::YCCK, has_adobe(bytes));
    }
    Ok(Raw { width: inspected.width, height: inspected.height, model, has_alpha: false, samples: Samples::Eight(samples) })
}

/// Adobe's programs, which write nearly all of these files, store inks upside down, and say that it was they.
fn has_adobe(bytes: &[u8]) -> bool {
    segments(bytes).map_while(Result::ok).any(|segment| segment.marker == ADOBE && segment.payload.starts_with(b"Adobe"))
}

fn to_inks(samples: &mut [u8], are_chroma: bool, are_inverted: bool) {
    let (pixels, _) = samples.as_chunks_mut::<4>();
    for pixel in pixels {
        if are_chroma {
            let [y, blue, red] = [pixel[0], pixel[1], pixel[2]].map(f32::from);
            let (blue, red) = (blue - 128.0, red - 128.0);
            // The matrix of JFIF gives what is left of the inks.
            pixel[0] = 255 - (y + 1.402 * red).round() as u8;
            pixel[1] = 255 - (y - 0.344_136 * blue - 0.714_136 * red).round() as u8;
            pixel[2] = 255 - (y + 1.772 * blue).round() as u8;
        }
        if are_inverted {
            *pixel = pixel.map(|ink| 255 - ink);
        }
    }
}

/// See [`crate::strip`]: what decoders need stays, and the orientation in a block of its own.
pub(crate) fn strip(bytes: &[u8], orientation: Orientation) -> Result<Vec<u8>, Error> {
    let mut stripped = Vec::with_capacity(bytes.len());
    stripped.extend_from_slice(piece(bytes, 0, 2)?);
    if orientation != Orientation::UPRIGHT {
        let block = orientation.exif_block();
        stripped.extend_from_slice(&[0xFF, EXIF_OR_XMP, 0, 2 + 6 + block.len() as u8]);
        stripped.extend_from_slice(b"Exif\0\0");
        stripped.extend_from_slice(&block);
    }
    for segment in segments(bytes) {
        let segment = segment?;
        let is_kept = match segment.marker {
            0xE0 => segment.payload.starts_with(b"JFIF\0"),
            PROFILE_OR_MORE_IMAGES => segment.payload.starts_with(PROFILE),
            ADOBE => segment.payload.starts_with(b"Adobe"),
            0xE1..=0xEF | 0xFE => false,
            _ => true,
        };
        if is_kept {
            stripped.extend_from_slice(&bytes[segment.start..segment.end]);
        }
    }
    Ok(stripped)
}
