//! What a caller gets, stage by stage.

use crate::corpus::{decoded, file, inspected, names, never, picture};
use images::{Encoding, Error, Limits, Optimized, Variant};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

#[test]
fn a_photo_has_four_sizes_a_placeholder_and_a_colour() {
    let decoded = decoded(&file("progressive_444.jpg")).expect("an image");
    let preview = decoded.preview(Encoding::WebP, &never).expect("a preview");
    let sizes: Vec<_> = preview.renditions.iter().map(|rendition| (rendition.variant.name(), rendition.width, rendition.height)).collect();
    assert_eq!(sizes, [("large", 1920, 1080), ("medium", 800, 450), ("small", 400, 225), ("thumbnail", 150, 84)]);
    for rendition in &preview.renditions {
        assert_eq!(picture(&rendition.bytes).size, (rendition.width, rendition.height));
    }
    assert!(preview.placeholder.starts_with("data:image/webp;base64,") && preview.placeholder.len() < 400, "{}", preview.placeholder);
    // Somewhere in the picture that colour is.
    let colour = preview.dominant_colour;
    let small = picture(&preview.renditions[2].bytes);
    let near = small
        .pixels
        .iter()
        .filter(|[r, g, b, _]| r.abs_diff(colour.r) <= 16 && g.abs_diff(colour.g) <= 16 && b.abs_diff(colour.b) <= 16)
        .count();
    assert!(near * 50 > small.pixels.len(), "{colour:?}: {near}");
}

#[test]
fn what_is_made_later_is_what_was_made_first() {
    let decoded = decoded(&file("exif6_small.jpg")).expect("an image");
    let preview = decoded.preview(Encoding::WebP, &never).expect("a preview");
    for made in &preview.renditions {
        assert_eq!(&decoded.renditions(&[made.variant], Encoding::WebP, &never).expect("a rendition")[0], made);
    }
}

#[test]
fn nothing_is_enlarged_and_equal_sizes_are_one_file() {
    let decoded = decoded(&file("displayp3.png")).expect("an image");
    let preview = decoded.preview(Encoding::WebP, &never).expect("a preview");
    let [large, medium, small, thumbnail] = preview.renditions.as_slice() else { panic!() };
    assert_eq!([(large.width, large.height), (medium.width, medium.height), (small.width, small.height)], [(200, 112); 3]);
    assert_eq!((thumbnail.width, thumbnail.height), (150, 84));
    assert_eq!(medium.bytes.as_ptr(), small.bytes.as_ptr());
}

#[test]
fn the_optimised_file_is_never_larger_than_the_original() {
    let mut kept = Vec::new();
    for name in names() {
        let bytes = file(&name);
        let decoded = decoded(&bytes).expect("an image");
        match decoded.optimized(Encoding::WebP, &never).expect("a full size") {
            Optimized::Smaller(rendition) => {
                assert!(rendition.bytes.len() < bytes.len(), "{name}");
                assert_eq!((rendition.variant, (rendition.width, rendition.height)), (Variant::Optimized, decoded.size()), "{name}");
            }
            Optimized::Original => kept.push(name),
        }
    }
    // AVIF is smaller than WebP; so is what was WebP of a lower quality.
    assert!(kept.contains(&"1MP.avif".to_owned()) && !kept.contains(&"rgb16.png".to_owned()), "{kept:?}");
}

#[test]
fn work_stops_between_stages_and_within_a_large_one() {
    let bytes = file("progressive_444.jpg");
    let limits = Limits::default();
    let decoded = decoded(&bytes).expect("an image");
    assert_eq!(images::decode(&bytes, &inspected(&bytes), &limits, &|| true).err(), Some(Error::Cancelled));
    assert_eq!(decoded.preview(Encoding::Jpeg, &|| true).err(), Some(Error::Cancelled));
    assert_eq!(decoded.optimized(Encoding::Png, &|| true).err(), Some(Error::Cancelled));
    // The full size alone asks often enough to be stopped in its midst.
    let asked = AtomicUsize::new(0);
    decoded.optimized(Encoding::WebP, &|| asked.fetch_add(1, Relaxed) == usize::MAX).expect("a full size");
    let often = asked.swap(0, Relaxed);
    assert!(often > 20, "{often}");
    assert_eq!(decoded.optimized(Encoding::WebP, &|| asked.fetch_add(1, Relaxed) >= often / 2).err(), Some(Error::Cancelled));
    assert!(asked.load(Relaxed) < often, "{asked:?} of {often}");
}

#[test]
fn only_the_first_frame_of_an_animation_is_shown() {
    for name in ["anim.gif", "anim.webp"] {
        let bytes = file(name);
        assert!(inspected(&bytes).is_animated());
        let thumbnail = crate::corpus::thumbnail(&bytes).expect("an image");
        assert!(crate::corpus::difference(&thumbnail, &picture(&file(&format!("reference/{name}.png")))).0 < 1.6);
    }
}
