//! The files, and ways to look at pictures and into files.

use images::{Decoded, Error, Inspected, Limits, Variant};
use std::{fs, path::PathBuf};

/// Nobody asks to stop.
pub fn never() -> bool {
    false
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

/// A file by its name.
pub fn file(name: &str) -> Vec<u8> {
    fs::read(folder().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// All whole images, by name.
pub fn names() -> Vec<String> {
    let entries = fs::read_dir(folder()).expect("the corpus");
    let names = entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"));
    let mut names: Vec<_> =
        names.filter(|name| name.contains('.') && !["LICENSES.txt", "truncated.jpg", "bomb_40000.png"].contains(&name.as_str())).collect();
    names.sort();
    assert!(names.len() > 30, "{names:?}");
    names
}

pub fn inspected(bytes: &[u8]) -> Inspected {
    images::inspect(bytes, &Limits::default()).expect("an image")
}

pub fn decoded(bytes: &[u8]) -> Result<Decoded, Error> {
    let limits = Limits::default();
    images::decode(bytes, &images::inspect(bytes, &limits)?, &limits, &never)
}

/// RGBA.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    pub size: (u32, u32),
    pub pixels: Vec<[u8; 4]>,
}

/// A picture by another decoder; of formats for which there is none here, by ours, which the references judge.
pub fn picture(bytes: &[u8]) -> Picture {
    if let images::Kind::Image(images::Format::Jpeg | images::Format::Avif) = images::sniff(bytes) {
        let renditions = decoded(bytes).expect("an image").renditions(&[Variant::Optimized], images::Encoding::Png, &never);
        return picture(&renditions.expect("a rendition")[0].bytes);
    }
    let image = image::load_from_memory(bytes).expect("an image").into_rgba8();
    Picture { size: image.dimensions(), pixels: image.as_chunks::<4>().0.to_vec() }
}

/// The thumbnail, losslessly.
pub fn thumbnail(bytes: &[u8]) -> Result<Picture, Error> {
    let renditions = decoded(bytes)?.renditions(&[Variant::Thumbnail], images::Encoding::Png, &never)?;
    Ok(picture(&renditions[0].bytes))
}

/// Mean and largest difference of two pictures' levels; what is transparent in both has no colour.
pub fn difference(one: &Picture, other: &Picture) -> (f64, u8) {
    assert_eq!(one.size, other.size);
    let over = |[r, g, b, a]: [u8; 4]| [r, g, b].map(|level| (u16::from(level) * u16::from(a) / 255) as u8).into_iter().chain([a]);
    let differences: Vec<u8> = one
        .pixels
        .iter()
        .zip(&other.pixels)
        .flat_map(|(one, other)| over(*one).zip(over(*other)).map(|(one, other)| one.abs_diff(other)))
        .collect();
    let mean = differences.iter().map(|level| f64::from(*level)).sum::<f64>() / differences.len() as f64;
    (mean, differences.into_iter().max().unwrap_or(0))
}
