// The variants of images by sharp. Usage: node variants.js reference|tuned|lossless all|sizes WORKERS OUT|- FILE…
//
// `reference` is what is written first: a pipeline for each output, and statistics of all pixels for the dominant colour. `tuned` is by hand: decoded once, each size from the
// next larger one, one file for equal sizes, the colour from 400 pixels. `lossless` makes what both are judged by. Prints one line of JSON.
import fs from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';

const [how, stages, workers, out, ...files] = process.argv.slice(2);
const SIZES = [['large', 1920, 90], ['medium', 800, 85], ['small', 400, 85], ['thumbnail', 150, 80]];
const QUALITY = 80;
const inside = side => ({ width: side, height: side, fit: 'inside', withoutEnlargement: true });

async function reference(input) {
  const made = {};
  for (const [name, side, quality] of SIZES) {
    made[name] = await sharp(input).rotate().resize(inside(side)).webp({ quality }).toBuffer();
  }
  if (stages === 'all') made.optimized = await sharp(input).rotate().webp({ quality: QUALITY }).toBuffer();
  await sharp(input).rotate().resize(inside(20)).webp({ quality: 20 }).toBuffer();
  await sharp(input).stats();
  return made;
}

async function tuned(input) {
  const made = {};
  const raw = await sharp(input).rotate().toColourspace('srgb').raw().toBuffer({ resolveWithObject: true });
  const again = ({ data, info }) => sharp(data, { raw: { width: info.width, height: info.height, channels: info.channels } });
  let level = raw, last;
  for (const [name, side, quality] of SIZES) {
    const isLarger = Math.max(level.info.width, level.info.height) > side;
    if (isLarger) level = await again(level).resize(inside(side)).raw().toBuffer({ resolveWithObject: true });
    made[name] = !isLarger && last?.quality === quality ? last.file : await again(level).webp({ quality }).toBuffer();
    last = { quality, file: made[name] };
    if (name === 'small') await again(level).stats();
  }
  await again(level).resize(inside(20)).webp({ quality: 20 }).toBuffer();
  if (stages === 'all') made.optimized = await again(raw).webp({ quality: QUALITY }).toBuffer();
  return made;
}

async function lossless(input) {
  const made = {};
  for (const [name, side] of SIZES) made[name] = await sharp(input).rotate().resize({ ...inside(side), fastShrinkOnLoad: false }).png({ compressionLevel: 1 }).toBuffer();
  made.optimized = await sharp(input).rotate().png({ compressionLevel: 1 }).toBuffer();
  return made;
}

const make = { reference, tuned, lossless }[how];
const inputs = files.map(file => [path.basename(file), fs.readFileSync(file)]);
const bytes = {};
const since = process.hrtime.bigint(), cpu = process.cpuUsage();
let next = 0;
async function work() {
  while (next < inputs.length) {
    const [name, input] = inputs[next++];
    for (const [variant, file] of Object.entries(await make(input))) {
      (bytes[variant] ??= {})[name] = file.length;
      if (out !== '-') fs.writeFileSync(path.join(out, `${name}.${variant}`), file);
    }
  }
}
await Promise.all(Array.from({ length: Number(workers) }, work));
const seconds = Number(process.hrtime.bigint() - since) / 1e9, used = process.cpuUsage(cpu);
console.log(JSON.stringify({ seconds, cpu_seconds: (used.user + used.system) / 1e6, peak_kib: process.resourceUsage().maxRSS, bytes }));
