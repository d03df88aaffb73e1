import react from '@vitejs/plugin-react';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { defineConfig, type Plugin } from 'vite';

/** A platform to develop against: start one with `--set gateway.public_url=http://localhost:5173`, since cookies count only from its own origin. */
const platform = process.env['LETS_CONNECT'] ?? 'http://localhost:8000';
const proxy = { '/api': { target: platform, ws: true } };

function compress(path: string): void {
  const bytes = readFileSync(path);
  const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length };
  const forms = { br: brotliCompressSync(bytes, { params }), gz: gzipSync(bytes, { level: 9 }) };
  for (const [end, form] of Object.entries(forms)) {
    if (form.length < bytes.length) writeFileSync(`${path}.${end}`, form);
  }
}

/** Compresses what compresses well, once and as well as can be: servers send these as they are. */
function compressed(): Plugin {
  let folder = '';
  return {
    name: 'compressed',
    apply: 'build',
    configResolved: (config) => {
      folder = config.build.outDir;
    },
    closeBundle: () => {
      const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
      for (const file of files.filter((name) => /\.(html|js|css|svg)$/.test(name))) compress(join(folder, file));
    },
  };
}

export default defineConfig({
  plugins: [react(), compressed()],
  build: {
    target: 'es2022',
    // The policy that the node sends allows no `data:` scripts or styles, and small icons are better in the bundle that uses them.
    assetsInlineLimit: 0,
    // Every asset has its content's hash in its name, and is served as immutable.
    assetsDir: 'assets',
    // For the check of sizes; what begins with a dot is not served.
    manifest: true,
    modulePreload: { polyfill: false },
    // One chunk of what all screens use compresses better than three, and stays in caches while our own code changes.
    rolldownOptions: { output: { codeSplitting: { groups: [{ name: 'vendor', test: /node_modules/ }] } } },
  },
  server: { port: 5173, strictPort: true, proxy },
  preview: { port: 5173, strictPort: true, proxy },
});
