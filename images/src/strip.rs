//! Files as they were sent, without what their owner did not mean to publish.

use crate::{Error, Format, Inspected, format};

/// The same picture in the same bytes, without EXIF (where and when, with which camera), XMP, IPTC, comments, embedded previews and further pictures, and what
/// follows the image's end. Kept are the pixels as they are coded, the colour profile, animation, and a block that says no more than the orientation. Nothing is
/// decoded: it costs a copy. It is what is served as the original, and in place of an optimised file that would be larger.
///
/// The result has no more bytes than the file, but for [`crate::Orientation`]'s block of 36 bytes.
///
/// # Errors
/// Those of [`crate::inspect`], on a file that it has not seen.
pub fn strip(bytes: &[u8], inspected: &Inspected) -> Result<Vec<u8>, Error> {
    match inspected.format {
        Format::Jpeg => format::jpeg::strip(bytes, inspected.orientation),
        Format::Png => format::png::strip(bytes, inspected.orientation),
        Format::WebP => format::webp::strip(bytes, inspected.orientation),
        Format::Gif => format::gif::strip(bytes),
        Format::Avif => format::avif::strip(bytes),
    }
}
