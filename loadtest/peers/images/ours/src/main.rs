//! The platform's image pipeline over files, for comparison with others.
//!
//! ```text
//! lets-connect-peer-images make all|sizes|avif WORKERS OUT|- FILE…   variants, as the platform makes them; one line of JSON
//! lets-connect-peer-images stages FILE…                            milliseconds of each stage, one image at a time
//! lets-connect-peer-images memory FILE                             bytes at the peak beside what was foretold
//! lets-connect-peer-images score REFERENCE FOLDER                  SSIMULACRA2 of a folder's files, by variant
//! ```

use anyhow::{Context, Result, bail};
use images::{Encoding, Limits, Optimized, Variant};
use serde_json::{Map, Value, json};
use ssimulacra2::{ColorPrimaries, Rgb, TransferCharacteristic, compute_frame_ssimulacra2};
use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// The platform's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["make", stages, workers, out, files @ ..] => make(stages, workers.parse()?, out, files),
        ["stages", files @ ..] => stages(files),
        ["memory", file] => memory(file),
        ["score", reference, folder] => score(Path::new(reference), Path::new(folder)),
        _ => bail!("see the source for what it does"),
    }
}

fn never() -> bool {
    false
}

/// The file's variants by name.
fn variants(stages: &str, file: &[u8]) -> Result<Vec<(&'static str, Vec<u8>)>> {
    let limits = Limits::default();
    let decoded = images::decode(file, &images::inspect(file, &limits)?, &limits, &never)?;
    let encoding = if stages == "avif" { Encoding::Avif } else { Encoding::WebP };
    let preview = decoded.preview(encoding, &never)?;
    let mut made: Vec<_> = preview.renditions.iter().map(|rendition| (rendition.variant.name(), rendition.bytes.to_vec())).collect();
    if stages == "all" {
        let rendition = match decoded.optimized(encoding, &never)? {
            Optimized::Smaller(rendition) => rendition,
            // What was made and is not used is compared, too.
            Optimized::Original => decoded.renditions(&[Variant::Optimized], encoding, &never)?.remove(0),
        };
        made.push((rendition.variant.name(), rendition.bytes.to_vec()));
    }
    Ok(made)
}

fn make(stages: &str, workers: usize, out: &str, files: &[&str]) -> Result<()> {
    let inputs = files.iter().map(|file| Ok((name(file)?, fs::read(file)?))).collect::<Result<Vec<_>>>()?;
    let bytes: Mutex<BTreeMap<&str, Map<String, Value>>> = Mutex::default();
    let (next, since, cpu) = (AtomicUsize::new(0), Instant::now(), cpu_seconds());
    std::thread::scope(|scope| {
        let work = || -> Result<()> {
            while let Some((name, file)) = inputs.get(next.fetch_add(1, Relaxed)) {
                for (variant, made) in variants(stages, file).with_context(|| name.clone())? {
                    bytes.lock().expect("no worker panicked").entry(variant).or_default().insert(name.clone(), made.len().into());
                    if out != "-" {
                        fs::write(Path::new(out).join(format!("{name}.{variant}")), made)?;
                    }
                }
            }
            Ok(())
        };
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().expect("no worker panics"))
    })?;
    let line = json!({ "seconds": since.elapsed().as_secs_f64(), "cpu_seconds": cpu_seconds() - cpu, "peak_kib": peak_kib()?, "bytes": *bytes.lock().expect("no worker panicked") });
    println!("{line}");
    Ok(())
}

fn stages(files: &[&str]) -> Result<()> {
    let limits = Limits::default();
    let mut sums: BTreeMap<&str, Duration> = BTreeMap::new();
    for file in files {
        let file = fs::read(file)?;
        let mut since = Instant::now();
        let mut done = |stage: &'static str| *sums.entry(stage).or_default() += std::mem::replace(&mut since, Instant::now()).elapsed();
        let inspected = images::inspect(&file, &limits)?;
        done("inspect");
        let decoded = images::decode(&file, &inspected, &limits, &never)?;
        done("decode");
        decoded.preview(Encoding::WebP, &never)?;
        done("preview webp");
        decoded.optimized(Encoding::WebP, &never)?;
        done("optimized webp");
        images::strip(&file, &inspected)?;
        done("strip");
        for encoding in [Encoding::Jpeg, Encoding::Png, Encoding::Avif] {
            decoded.renditions(&[Variant::Large], encoding, &never)?;
            done(match encoding {
                Encoding::Jpeg => "large jpeg",
                Encoding::Png => "large png",
                _ => "large avif",
            });
        }
    }
    for (stage, sum) in sums {
        println!("{stage}: {:.1} ms", sum.as_secs_f64() * 1e3 / files.len() as f64);
    }
    Ok(())
}

fn memory(file: &str) -> Result<()> {
    let (bytes, limits) = (fs::read(file)?, Limits::default());
    let before = peak_kib()? * 1024 - bytes.len() as u64;
    let inspected = images::inspect(&bytes, &limits)?;
    let foretold = inspected.memory_bytes(Encoding::WebP);
    let decoded = images::decode(&bytes, &inspected, &limits, &never)?;
    let after_decode = peak_kib()? * 1024 - before;
    decoded.preview(Encoding::WebP, &never)?;
    decoded.optimized(Encoding::WebP, &never)?;
    let peak = peak_kib()? * 1024 - before;
    println!("{}: {after_decode} after decoding, {peak} in all, {foretold} foretold: {:.2}", name(file)?, peak as f64 / foretold as f64);
    Ok(())
}

fn score(reference: &Path, folder: &Path) -> Result<()> {
    let mut scores: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = name(path.to_str().context("a name")?)?;
        let variant = name.rsplit('.').next().context("a variant")?.to_owned();
        let (expected, found) = (picture(&reference.join(&name))?, picture(&path)?);
        // Half a pixel is rounded up here and down there.
        if (expected.width(), expected.height()) != (found.width(), found.height()) {
            continue;
        }
        let score = compute_frame_ssimulacra2(expected, found).with_context(|| name)?;
        scores.entry(variant).or_default().push(score);
    }
    let means: Map<String, Value> =
        scores.into_iter().map(|(variant, scores)| (variant, (scores.iter().sum::<f64>() / scores.len() as f64).into())).collect();
    println!("{}", Value::Object(means));
    Ok(())
}

fn picture(path: &Path) -> Result<Rgb> {
    let bytes = fs::read(path)?;
    let image = match image::load_from_memory(&bytes) {
        Ok(image) => image.into_rgb8(),
        // AVIF, by way of what the pipeline decodes it to.
        Err(_) => {
            let limits = Limits::default();
            let decoded = images::decode(&bytes, &images::inspect(&bytes, &limits)?, &limits, &never)?;
            image::load_from_memory(&decoded.renditions(&[Variant::Optimized], Encoding::Png, &never)?[0].bytes)?.into_rgb8()
        }
    };
    let pixels = image.pixels().map(|pixel| pixel.0.map(|level| f32::from(level) / 255.0)).collect();
    Rgb::new(pixels, image.width() as usize, image.height() as usize, TransferCharacteristic::SRGB, ColorPrimaries::BT709)
        .context("a picture")
}

fn name(file: &str) -> Result<String> {
    Ok(Path::new(file).file_name().and_then(|name| name.to_str()).context("a file's name")?.to_owned())
}

fn cpu_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// The most memory that the process had.
fn peak_kib() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("a peak")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
