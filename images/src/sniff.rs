//! What a file is, by its content. Names and declared types are not believed.

/// A format of images that is decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// JPEG, baseline and progressive, also CMYK.
    Jpeg,
    /// PNG and APNG.
    Png,
    /// WebP, also animated.
    WebP,
    /// GIF, also animated.
    Gif,
    /// AVIF, also sequences.
    Avif,
}

impl Format {
    /// The name in metadata, and the extension of a file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Jpeg => "jpeg",
            Self::Png => "png",
            Self::WebP => "webp",
            Self::Gif => "gif",
            Self::Avif => "avif",
        }
    }

    /// The media type.
    #[must_use]
    pub const fn mime(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::WebP => "image/webp",
            Self::Gif => "image/gif",
            Self::Avif => "image/avif",
        }
    }
}

/// What a file that is not decoded is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Moving pictures.
    Video,
    /// Sound.
    Audio,
    /// Text to read or edit.
    Document,
    /// Anything else: archives, images that are not decoded, what nobody knows.
    Other,
}

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// An image to process.
    Image(Format),
    /// A file to keep as it is, and to serve for saving.
    Attachment(Class, &'static str),
}

impl Kind {
    /// The media type to serve it as. What a browser would run (HTML, SVG, scripts, programs) is `application/octet-stream`.
    #[must_use]
    pub const fn mime(self) -> &'static str {
        match self {
            Self::Image(format) => format.mime(),
            Self::Attachment(_, mime) => mime,
        }
    }
}

/// Nothing that a browser would interpret.
const OPAQUE: &str = "application/octet-stream";

/// Says what a file is by its first bytes; a few kilobytes are enough. It looks at the beginning only, so a file that is two things at once is what a
/// decoder would take it for.
#[must_use]
pub fn sniff(bytes: &[u8]) -> Kind {
    if let Some(format) = format(bytes) {
        return Kind::Image(format);
    }
    let Some(found) = infer::get(bytes) else { return Kind::Attachment(Class::Other, OPAQUE) };
    let mime = found.mime_type();
    match found.matcher_type() {
        infer::MatcherType::Video => Kind::Attachment(Class::Video, mime),
        infer::MatcherType::Audio => Kind::Attachment(Class::Audio, mime),
        infer::MatcherType::Doc | infer::MatcherType::Book => Kind::Attachment(Class::Document, mime),
        _ if mime == "application/pdf" => Kind::Attachment(Class::Document, mime),
        infer::MatcherType::Archive => Kind::Attachment(Class::Other, mime),
        // Programs, markup, fonts, images that are not decoded.
        _ => Kind::Attachment(Class::Other, OPAQUE),
    }
}

fn format(bytes: &[u8]) -> Option<Format> {
    match bytes {
        [0xFF, 0xD8, 0xFF, ..] => Some(Format::Jpeg),
        [0x89, b'P', b'N', b'G', 0x0D, 0x0A, 0x1A, 0x0A, ..] => Some(Format::Png),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Format::Gif),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Format::WebP),
        _ => is_avif(bytes).then_some(Format::Avif),
    }
}

/// Whether the first box says that the file is AVIF: as its own brand, or as one that it is compatible with.
fn is_avif(bytes: &[u8]) -> bool {
    let Some((length, rest)) = bytes.split_first_chunk::<4>() else { return false };
    let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
    let Some(brands) = rest.strip_prefix(b"ftyp") else { return false };
    let brands = &brands[..brands.len().min(length.saturating_sub(8)).min(1024)];
    brands.chunks_exact(4).enumerate().any(|(at, brand)| at != 1 && matches!(brand, b"avif" | b"avis"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_known_by_their_first_bytes() {
        assert_eq!(sniff(b"\xFF\xD8\xFF\xE0\0\x10JFIF"), Kind::Image(Format::Jpeg));
        assert_eq!(sniff(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"), Kind::Image(Format::Png));
        assert_eq!(sniff(b"GIF89a\x01\0"), Kind::Image(Format::Gif));
        assert_eq!(sniff(b"RIFF\x10\0\0\0WEBPVP8 "), Kind::Image(Format::WebP));
        assert_eq!(sniff(b"\0\0\0\x18ftypmif1\0\0\0\0mif1avif"), Kind::Image(Format::Avif));
        // The version is no brand, and what follows the box is not in it.
        assert_ne!(sniff(b"\0\0\0\x10ftypmif1avifmif1"), Kind::Image(Format::Avif));
        assert_ne!(sniff(b"\0\0\0\x10ftypmif1\0\0\0\0avif"), Kind::Image(Format::Avif));
    }

    #[test]
    fn attachments_have_a_class_and_nothing_that_a_browser_runs() {
        assert_eq!(sniff(b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom"), Kind::Attachment(Class::Video, "video/mp4"));
        let webm = [b"\x1A\x45\xDF\xA3\x01\0\0\0\0\0\0\x1F\x42\x82\x84webm".as_slice(), &[0; 256]].concat();
        assert_eq!(sniff(&webm), Kind::Attachment(Class::Video, "video/webm"));
        assert_eq!(sniff(b"ID3\x03\0\0\0\0"), Kind::Attachment(Class::Audio, "audio/mpeg"));
        assert_eq!(sniff(b"OggS\0\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0OpusHead").mime().split('/').next(), Some("audio"));
        assert_eq!(sniff(b"%PDF-1.7\n"), Kind::Attachment(Class::Document, "application/pdf"));
        assert_eq!(sniff(b"PK\x03\x04\x14\0\0\0"), Kind::Attachment(Class::Other, "application/zip"));
        for run in
            [b"<!DOCTYPE html><script>".as_slice(), b"<?xml version=\"1.0\"?><svg>", b"#!/bin/sh\n", b"\x7fELF\x02\x01\x01", b"", b"hello"]
        {
            assert_eq!(sniff(run), Kind::Attachment(Class::Other, OPAQUE), "{}", String::from_utf8_lossy(run));
        }
    }
}
