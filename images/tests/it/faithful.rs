//! Pictures look as they should: beside what sharp (libvips, Little CMS, libheif) makes of the same files, `tests/corpus/reference`.

use crate::corpus::{decoded, difference, file, inspected, names, never, picture, thumbnail};
use images::{Format, Model, Variant};

/// Mean difference of levels. Decoders and kernels differ by less than one; a wrong matrix, gamma or profile is off by ten.
const MEAN_MAX: f64 = 1.6;
/// Of inks: two engines interpolate tables of nine points a side, and find black in their own way. Without a profile the difference is 20, without the black point 9.
const INKS_MEAN_MAX: f64 = 3.2;

#[test]
fn every_file_looks_like_its_reference() {
    let mut far = Vec::new();
    for name in names() {
        let ours = thumbnail(&file(&name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let reference = picture(&file(&format!("reference/{name}.png")));
        let (mean, largest) = difference(&ours, &reference);
        println!("{name}: {mean:.2} {largest}");
        if mean > if name.starts_with("cmyk") { INKS_MEAN_MAX } else { MEAN_MAX } {
            far.push(format!("{name}: {mean:.2}, at most {largest}"));
        }
    }
    assert_eq!(far, [""; 0]);
}

/// What the eye would see last: a picture that is mirrored or turned is far from its reference.
#[test]
fn every_orientation_lands_upright() {
    for number in 1..=8 {
        let name = format!("exif{number}_small.jpg");
        let bytes = file(&name);
        assert_eq!(inspected(&bytes).orientation.exif(), number, "{name}");
        let upright = if number >= 5 || number == 1 { (338, 600) } else { (600, 338) };
        assert_eq!(decoded(&bytes).expect("an image").size(), upright, "{name}");
        let reference = picture(&file(&format!("reference/{name}.png")));
        let (mean, _) = difference(&thumbnail(&bytes).expect("an image"), &reference);
        assert!(mean < MEAN_MAX, "{name}: {mean}");
        // The same bytes with any other number are something else.
        for other in (1..=8).filter(|other| *other != number && (*other >= 5) == (number >= 5)) {
            let turned = with_orientation(&bytes, other);
            let (mean, _) = difference(&thumbnail(&turned).expect("an image"), &reference);
            assert!(mean > 10.0, "{name} as {other}: {mean}");
        }
    }
}

/// A JPEG whose block of EXIF says another orientation.
fn with_orientation(bytes: &[u8], number: u8) -> Vec<u8> {
    let mut inspected = inspected(bytes);
    inspected.orientation = images::Orientation::from_exif(number);
    images::strip(bytes, &inspected).expect("a file")
}

#[test]
fn what_is_inspected_is_what_is_there() {
    let about = |name: &str| {
        let inspected = inspected(&file(name));
        (inspected.format, inspected.upright_size(), inspected.model, inspected.has_alpha, inspected.bits, inspected.frames)
    };
    assert_eq!(about("cmyk_icc.jpg"), (Format::Jpeg, (1600, 900), Model::Cmyk, false, 8, 1));
    assert_eq!(about("gray.jpg"), (Format::Jpeg, (1200, 675), Model::Gray, false, 8, 1));
    assert_eq!(about("rgb16.png"), (Format::Png, (700, 394), Model::Rgb, false, 16, 1));
    assert_eq!(about("gray16.png"), (Format::Png, (338, 600), Model::Gray, false, 16, 1));
    assert_eq!(about("alpha_interlaced.png"), (Format::Png, (300, 300), Model::Rgb, true, 8, 1));
    assert_eq!(about("anim.gif"), (Format::Gif, (480, 300), Model::Rgb, true, 8, 8));
    assert_eq!(about("anim.webp"), (Format::WebP, (480, 300), Model::Rgb, true, 8, 8));
    assert_eq!(about("turned.webp"), (Format::WebP, (338, 600), Model::Rgb, false, 8, 1));
    assert_eq!(about("1MP.avif"), (Format::Avif, (1280, 720), Model::Rgb, false, 8, 1));
    assert_eq!(about("alpha.avif"), (Format::Avif, (160, 160), Model::Rgb, true, 8, 1));
    assert_eq!(about("ten_bits.avif"), (Format::Avif, (338, 600), Model::Rgb, false, 10, 1));
    assert_eq!(inspected(&file("progressive_444.jpg")).scans, 10);
    assert_eq!(inspected(&file("displayp3.jpg")).profile.map(|profile| profile.len()), Some(480));
    assert_eq!(inspected(&file("displayp3.png")).profile.map(|profile| profile.len()), Some(480));
    assert_eq!(inspected(&file("cmyk_icc.jpg")).profile.map(|profile| profile.len()), Some(961_644));
}

#[test]
fn alpha_is_kept_where_it_hides_something_and_only_there() {
    for name in names() {
        let expected = name.starts_with("alpha");
        assert_eq!(decoded(&file(&name)).expect("an image").has_alpha(), expected, "{name}");
    }
}

#[test]
fn every_encoding_shows_the_same_picture() {
    use images::Encoding::{Avif, Jpeg, Png, WebP};
    for name in ["alpha_interlaced.png", "exif6_small.jpg"] {
        let decoded = decoded(&file(name)).expect("an image");
        let render = |encoding| decoded.renditions(&[Variant::Small], encoding, &never).expect("a rendition").remove(0);
        let lossless = picture(&render(Png).bytes);
        for (encoding, mean_max) in [(WebP, 4.0), (Avif, 4.0), (Jpeg, 4.0)] {
            let rendition = render(encoding);
            assert_eq!((rendition.width, rendition.height), lossless.size);
            let shown = picture(&rendition.bytes);
            let mut expected = lossless.clone();
            if encoding == Jpeg {
                // On white.
                for pixel in &mut expected.pixels {
                    let [r, g, b, a] = *pixel;
                    let over = |level: u8| (u16::from(level) * u16::from(a) / 255) as u8 + (255 - a);
                    *pixel = [over(r), over(g), over(b), 255];
                }
            }
            let (mean, _) = difference(&shown, &expected);
            println!("{name} {encoding:?}: {mean:.2}, {} bytes", rendition.bytes.len());
            assert!(mean < mean_max, "{name} {encoding:?}: {mean}");
        }
    }
}
