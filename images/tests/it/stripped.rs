//! Nothing that a camera knows leaves with a picture.

use crate::corpus::{decoded, file, inspected, names, never, picture};
use images::{Encoding, Optimized, Variant};

const SECRET: &[u8] = b"52.5163N 13.3777E";

fn has_secret(bytes: &[u8]) -> bool {
    bytes.windows(SECRET.len()).any(|window| window == SECRET)
}

/// The file with the secret in each place where its format keeps such things; the picture is the same.
fn with_secret(bytes: &[u8]) -> Vec<u8> {
    let spliced = |at: usize, piece: &[u8]| [&bytes[..at], piece, &bytes[at..]].concat();
    match inspected(bytes).format.name() {
        "jpeg" => {
            let segment = |marker: u8, start: &[u8]| [&[0xFF, marker, 0, (2 + start.len() + SECRET.len()) as u8], start, SECRET].concat();
            let pieces = [
                segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0"),
                segment(0xED, b"Photoshop 3.0\0"),
                segment(0xFE, b""),
                segment(0xE2, b"MPF\0"),
                segment(0xE5, b""),
            ];
            // And behind the end, where phones put their films.
            [spliced(2, &pieces.concat()), SECRET.to_vec()].concat()
        }
        "png" => {
            let chunk = |name: &[u8], content: &[u8]| {
                let named = [name, content].concat();
                [(content.len() as u32).to_be_bytes().as_slice(), &named, &crc32fast::hash(&named).to_be_bytes()].concat()
            };
            let exif = [b"MM\0\x2A\0\0\0\x08\0\0\0\0\0\0".as_slice(), SECRET].concat();
            let text = [b"Comment\0".as_slice(), SECRET].concat();
            [spliced(33, &[chunk(b"tEXt", &text), chunk(b"eXIf", &exif), chunk(b"prVt", SECRET)].concat()), SECRET.to_vec()].concat()
        }
        "webp" => {
            let chunk = |name: &[u8]| [name, &(SECRET.len() as u32).to_le_bytes(), SECRET, &[0]].concat();
            let mut file = [bytes, &chunk(b"XMP "), &chunk(b"priv")].concat();
            if !file.windows(4).any(|window| window == b"EXIF") {
                file.extend(chunk(b"EXIF"));
            }
            let length = (file.len() - 8) as u32;
            file[4..8].copy_from_slice(&length.to_le_bytes());
            [file, SECRET.to_vec()].concat()
        }
        "gif" => {
            let table = if bytes[10] & 0x80 == 0 { 0 } else { 3 << ((bytes[10] & 7) + 1) };
            let block = [&[SECRET.len() as u8], SECRET, &[0]].concat();
            let pieces = [[0x21, 0xFE].as_slice(), &block, b"\x21\xFF\x0BXMP DataXMP", &block].concat();
            [spliced(13 + table, &pieces), SECRET.to_vec()].concat()
        }
        _ => {
            let boxed = |kind: &[u8]| [((8 + SECRET.len()) as u32).to_be_bytes().as_slice(), kind, SECRET].concat();
            [bytes, &boxed(b"uuid"), &boxed(b"free")].concat()
        }
    }
}

#[test]
fn secrets_are_gone_from_everything() {
    for name in names() {
        let bytes = with_secret(&file(&name));
        assert!(has_secret(&bytes), "{name}");
        let inspected = inspected(&bytes);
        let decoded = decoded(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        let stripped = images::strip(&bytes, &inspected).expect("a file");
        assert!(!has_secret(&stripped) && stripped.len() <= bytes.len(), "{name}");
        let preview = decoded.preview(Encoding::WebP, &never).expect("a preview");
        assert!(preview.renditions.iter().all(|rendition| !has_secret(&rendition.bytes)), "{name}");
        if let Optimized::Smaller(rendition) = decoded.optimized(Encoding::Jpeg, &never).expect("a full size") {
            assert!(!has_secret(&rendition.bytes), "{name}");
        }
    }
}

#[test]
fn what_is_stripped_is_the_same_picture_turned_the_same_way() {
    for name in names() {
        let bytes = with_secret(&file(&name));
        let before = inspected(&bytes);
        let stripped = images::strip(&bytes, &before).expect("a file");
        let after = inspected(&stripped);
        assert_eq!((after.upright_size(), after.frames, &after.profile), (before.upright_size(), before.frames, &before.profile), "{name}");
        let small = |bytes: &[u8]| {
            decoded(bytes).expect("an image").renditions(&[Variant::Small], Encoding::Png, &never).expect("one").remove(0).bytes
        };
        assert!(small(&bytes) == small(&stripped), "{name}");
        // To strip again changes nothing.
        assert!(images::strip(&stripped, &after).expect("a file") == stripped, "{name}");
    }
}

/// Other programs read it, too: what was kept is a file of its format.
#[test]
fn what_is_stripped_is_read_by_others() {
    for name in names().into_iter().filter(|name| !name.ends_with(".avif")) {
        let bytes = file(&name);
        let stripped = images::strip(&with_secret(&bytes), &inspected(&bytes)).expect("a file");
        assert!(picture(&stripped) == picture(&bytes), "{name}");
    }
}
