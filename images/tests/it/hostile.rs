//! Files that mean harm, and files that were harmed.

use crate::corpus::{decoded, file, inspected, names, never};
use images::{
    Error, Limits,
    limit::Measure::{self, Frames, MemoryBytes, Pixels, ProfileBytes, Scans},
};
use proptest::prelude::*;
use std::time::{Duration, Instant};

/// Refused for this reason, in no time: the best of three, since the machine may be busy.
fn refused(what: &str, bytes: &[u8], limits: &Limits, measure: Measure) {
    let mut best = Duration::MAX;
    for _ in 0..3 {
        let begun = Instant::now();
        let error = images::inspect(bytes, limits).map(|inspected| inspected.upright_size());
        best = best.min(begun.elapsed());
        assert!(matches!(error, Err(Error::TooLarge { measure: found, .. }) if found == measure), "{what}: {error:?}");
    }
    assert!(best < Duration::from_millis(100), "{what}: {best:?}");
}

/// The bytes with some of them replaced.
fn patched(bytes: &[u8], at: usize, with: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at..at + with.len()].copy_from_slice(with);
    bytes
}

fn position(bytes: &[u8], what: &[u8]) -> usize {
    bytes.windows(what.len()).position(|window| window == what).expect("it is there")
}

#[test]
fn bombs_are_refused_before_they_go_off() {
    let limits = Limits::default();
    refused("a real bomb", &file("bomb_40000.png"), &limits, Pixels);
    let png = file("chelsea_icc.png");
    refused("65535 pixels a side of PNG", &patched(&png, 16, &[0, 0, 0xFF, 0xFF, 0, 0, 0xFF, 0xFF]), &limits, Pixels);
    refused("all pixels that PNG can state", &patched(&png, 16, &[0x7F, 0xFF, 0xFF, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF]), &limits, Pixels);
    let jpeg = file("progressive_444.jpg");
    refused("65535 pixels a side of JPEG", &patched(&jpeg, position(&jpeg, b"\xFF\xC2") + 5, &[0xFF; 4]), &limits, Pixels);
    let gif = file("anim.gif");
    refused("a canvas of GIF", &patched(&gif, 6, &[0xFF; 4]), &limits, Pixels);
    let frame = position(&gif, b"\x21\xF9\x04") + 8;
    assert_eq!(gif[frame], 0x2C);
    refused("a frame of GIF", &patched(&gif, frame + 5, &[0xFF; 4]), &limits, Pixels);
    let webp = file("anim.webp");
    refused("a canvas of WebP", &patched(&webp, position(&webp, b"VP8X") + 12, &[0xFF; 6]), &limits, Pixels);
    let avif = file("1MP.avif");
    refused("a picture of AVIF", &patched(&avif, position(&avif, b"ispe") + 8, &[0, 0, 0xFF, 0xFF, 0, 0, 0xFF, 0xFF]), &limits, Pixels);
    // Within the pixels, and beyond what they may cost.
    let narrow = Limits { memory_bytes_max: 70 << 20, ..limits };
    refused("three megapixels", &jpeg, &narrow, MemoryBytes);
    assert!(images::inspect(&file("2MP.webp"), &narrow).is_ok());
}

/// A PNG that has a chunk with this in it, behind its header, and no colour profile but that.
fn with_packed_profile(chunks: &[&[u8]]) -> Vec<u8> {
    let png = file("alpha_palette.png");
    assert!(!png.windows(4).any(|name| name == b"iCCP"));
    let mut profiled = png[..33].to_vec();
    for packed in chunks {
        let named = [b"iCCPa name\0\0".as_slice(), packed].concat();
        profiled.extend_from_slice(&((named.len() - 4) as u32).to_be_bytes());
        profiled.extend_from_slice(&named);
        profiled.extend_from_slice(&crc32fast::hash(&named).to_be_bytes());
    }
    profiled.extend_from_slice(&png[33..]);
    profiled
}

#[test]
fn a_profile_has_its_limit_however_it_is_packed() {
    let limits = Limits::default();
    let max = limits.profile_bytes_max;
    let packed = |bytes: usize| fdeflate::compress_to_vec(&vec![0; bytes]);
    let bomb = with_packed_profile(&[&packed(64 << 20)]);
    assert!(bomb.len() < 1 << 20, "{} bytes of it are sent", bomb.len());
    refused("64 MiB in a PNG", &bomb, &limits, ProfileBytes);
    refused("a byte more than may be in a PNG", &with_packed_profile(&[&packed(max + 1)]), &limits, ProfileBytes);
    assert_eq!(inspected(&with_packed_profile(&[&packed(max)])).profile.map(|profile| profile.len()), Some(max));
    // What is no profile is as if it were not there; a second one would be unpacked by others only.
    let broken = with_packed_profile(&[b"no zlib"]);
    assert_eq!(inspected(&broken).profile, None);
    assert!(decoded(&broken).is_ok());
    let twice = with_packed_profile(&[&packed(100), &packed(64 << 20)]);
    assert!(matches!(images::inspect(&twice, &limits), Err(Error::Malformed { .. })));

    refused("a profile", &file("cmyk_icc.jpg"), &Limits { profile_bytes_max: 100_000, ..limits }, ProfileBytes);
    let jpeg = file("exif1_small.jpg");
    let piece = |number: u8| [b"\xFF\xE2\xFF\xFFICC_PROFILE\0".as_slice(), &[number, 255], &vec![0; 65_519]].concat();
    let pieces = |count: u8| [&jpeg[..2], &(1..=count).flat_map(piece).collect::<Vec<_>>(), &jpeg[2..]].concat();
    refused("65 pieces in a JPEG", &pieces(65), &limits, ProfileBytes);
    assert!(inspected(&pieces(64)).profile.is_some_and(|profile| profile.len() == 64 * 65_519));
    let webp = file("anim.webp");
    let behind = position(&webp, b"VP8X") + 18;
    let mut profiled = [&webp[..behind], b"ICCP", &(max as u32 + 2).to_le_bytes(), &vec![0; max + 2], &webp[behind..]].concat();
    let riff = (profiled.len() - 8) as u32;
    profiled[4..8].copy_from_slice(&riff.to_le_bytes());
    refused("4 MiB and a little in a WebP", &profiled, &limits, ProfileBytes);
}

#[test]
fn animations_and_progressions_have_an_end() {
    let limits = Limits::default();
    let jpeg = file("progressive_444.jpg");
    // The last scan, a hundred thousand times.
    let scan = jpeg.windows(2).rposition(|window| window == b"\xFF\xDA").expect("a scan");
    let header = &jpeg[scan..scan + 2 + usize::from(jpeg[scan + 3])];
    let many = [&jpeg[..jpeg.len() - 2], &header.repeat(100_000), b"\xFF\xD9"].concat();
    refused("a hundred thousand scans", &many, &limits, Scans);
    let allowed = [&jpeg[..jpeg.len() - 2], &header.repeat(50), b"\xFF\xD9"].concat();
    assert_eq!(inspected(&allowed).scans, 60);

    let gif = file("anim.gif");
    let frame = [b"\x2C\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0".as_slice()].concat();
    let many = [&gif[..gif.len() - 1], &frame.repeat(3_000_000), b";"].concat();
    refused("three million frames of GIF", &many, &limits, Frames);

    let webp = file("anim.webp");
    let first = position(&webp, b"ANMF");
    let length = 8 + u32::from_le_bytes(webp[first + 4..first + 8].try_into().expect("four bytes")) as usize;
    let mut many = [webp.as_slice(), &webp[first..first + length + length % 2].repeat(1000)].concat();
    let riff = (many.len() - 8) as u32;
    many[4..8].copy_from_slice(&riff.to_le_bytes());
    refused("a thousand frames of WebP", &many, &limits, Frames);

    let png = file("chelsea_icc.png");
    let control = b"\0\0\0\x08acTL\0\x0F\xFF\xFF\0\0\0\0\0\0\0\0";
    refused("a million frames of PNG", &[&png[..33], control, &png[33..]].concat(), &limits, Frames);
    // Large files of nothing take no time either.
    for (what, start, unit) in
        [("segments", b"\xFF\xD8\xFF\xE0".as_slice(), b"\xFF\xE0\0\x02".as_slice()), ("extensions", &gif[..13 + 768], b"\x21\xFE\0")]
    {
        let bytes = [start, &unit.repeat((8 << 20) / unit.len())].concat();
        let begun = Instant::now();
        let _ = images::inspect(&bytes, &limits);
        assert!(begun.elapsed() < Duration::from_secs(1), "{what}: {:?}", begun.elapsed());
    }
}

#[test]
fn what_is_cut_off_is_refused() {
    assert_eq!(images::inspect(&file("truncated.jpg"), &Limits::default()), Err(Error::Truncated));
    for name in names() {
        let bytes = file(&name);
        for part in [1, 2, 5, 9] {
            let cut = &bytes[..bytes.len() * part / 10];
            match decoded(cut).map(|decoded| decoded.size()) {
                Err(Error::Truncated) => {}
                other => panic!("{name}, {part} tenths: {other:?}"),
            }
        }
    }
}

#[test]
fn what_is_no_image_and_what_is_not_supported_says_so() {
    let error = |bytes: &[u8]| images::inspect(bytes, &Limits::default()).map(|_| ()).expect_err("refused");
    assert_eq!(error(b""), Error::NotAnImage);
    assert_eq!(error(b"%PDF-1.7\n"), Error::NotAnImage);
    assert_eq!(error(b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>"), Error::NotAnImage);
    // A web page with the first bytes of a picture is a damaged picture.
    assert!(matches!(
        error(b"GIF89a<html><script>alert(1)</script></html>"),
        Error::Malformed { .. } | Error::Truncated | Error::TooLarge { .. }
    ));
    let jpeg = file("gray.jpg");
    let frame = position(&jpeg, b"\xFF\xC0");
    assert!(matches!(error(&patched(&jpeg, frame + 1, &[0xC3])), Error::Unsupported { .. }));
    assert!(matches!(error(&patched(&jpeg, frame + 4, &[12])), Error::Unsupported { .. }));
    let limits = Limits { bytes_max: 1000, ..Limits::default() };
    assert!(matches!(images::inspect(&jpeg, &limits), Err(Error::TooLarge { measure: Measure::Bytes, .. })));
}

/// What a file may cost here: enough for the corpus' small files.
fn small() -> Limits {
    Limits { pixels_max: 1_000_000, ..Limits::default() }
}

/// Runs everything that reads strangers' bytes. No decoder may need the last line of defence.
fn survives(bytes: &[u8]) {
    let limits = small();
    let Ok(inspected) = images::inspect(bytes, &limits) else { return };
    match images::decode(bytes, &inspected, &limits, &never) {
        Ok(decoded) => assert_eq!(decoded.size(), inspected.upright_size()),
        Err(error) => assert!(error.is_of_the_file() && !error.to_string().contains("gave up"), "{error}"),
    }
    if let Ok(stripped) = images::strip(bytes, &inspected) {
        assert!(stripped.len() <= bytes.len() + 40);
    }
}

fn victims() -> Vec<Vec<u8>> {
    let names = names().into_iter().filter(|name| !name.starts_with("progressive") && !name.starts_with("cmyk"));
    names.map(|name| file(&name)).filter(|bytes| bytes.len() < 100_000).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn harmed_files_end_in_a_picture_or_an_error(victim in any::<prop::sample::Index>(), wounds in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4_u8), 1..12)) {
        let victims = victims();
        let mut bytes = victim.get(&victims).clone();
        for (at, value, kind) in wounds {
            let length = bytes.len();
            // Headers are where the interesting things are.
            let at = if kind % 2 == 0 { at.index(length) } else { at.index(length.min(700)) };
            match kind {
                0 | 1 => bytes[at] = value,
                2 => drop(bytes.splice(at..at, [value; 3])),
                _ => drop(bytes.splice(at..(at + usize::from(value % 16)).min(length), [])),
            }
        }
        survives(&bytes);
    }

    #[test]
    fn noise_behind_a_magic_number_is_refused(magic in prop::sample::select(vec![b"\xFF\xD8\xFF".as_slice(), b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF\xFF\0\0\0WEBPVP8X", b"\0\0\0\x14ftypavif\0\0\0\0avif"]), noise in prop::collection::vec(any::<u8>(), 0..300)) {
        survives(&[magic, &noise].concat());
    }
}
