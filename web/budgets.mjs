/**
 * How much JavaScript a browser loads, by brotli as the node sends it (a kB is 1000 bytes): before anything is shown, and for each screen beside that.
 * Usage: node budgets.mjs FOLDER-OF-THE-BUILT-FRONT-END
 */
import { readFileSync, statSync } from 'node:fs';

const BUDGETS = { first: 90_000, screen: 40_000 };

const folder = process.argv[2] ?? 'dist';
const manifest = JSON.parse(readFileSync(`${folder}/.vite/manifest.json`, 'utf8'));
const bytes = (keys) => [...keys].reduce((sum, key) => sum + statSync(`${folder}/${manifest[key].file}.br`, { throwIfNoEntry: false }).size, 0);

/** A chunk with all that it cannot begin without. */
function whole(key, found = new Set()) {
  if (found.has(key)) return found;
  found.add(key);
  for (const needed of manifest[key].imports ?? []) whole(needed, found);
  return found;
}

const entry = Object.keys(manifest).find((key) => manifest[key].isEntry);
const first = whole(entry);
const rows = [['what comes first', bytes(first), BUDGETS.first]];
for (const screen of manifest[entry].dynamicImports ?? []) {
  rows.push([screen, bytes([...whole(screen)].filter((key) => !first.has(key))), BUDGETS.screen]);
}
if (rows.length < 20) throw new Error('these are not all screens: the manifest has changed its form');
let failed = false;
for (const [name, size, budget] of rows.toSorted((a, b) => b[1] - a[1])) {
  const over = size > budget;
  failed ||= over;
  console.log(`${(size / 1000).toFixed(1).padStart(6)} kB of ${budget / 1000}  ${name}${over ? '  OVER ITS BUDGET' : ''}`);
}
process.exit(failed ? 1 : 0);
