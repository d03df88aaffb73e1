import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

/** A platform to develop against: start one with `--set gateway.public_url=http://localhost:5173`, since cookies count only from its own origin. */
const platform = process.env['LETS_CONNECT'] ?? 'http://localhost:8000';
const proxy = { '/api': { target: platform, ws: true } };

export default defineConfig({
  plugins: [react()],
  build: {
    target: 'es2022',
    // The policy that the node sends allows no `data:` scripts or styles, and small icons are better in the bundle that uses them.
    assetsInlineLimit: 0,
    // Every asset has its content's hash in its name, and is served as immutable.
    assetsDir: 'assets',
    manifest: 'manifest.json',
    modulePreload: { polyfill: false },
    // One chunk of what all screens use compresses better than three, and stays in caches while our own code changes.
    rolldownOptions: { output: { codeSplitting: { groups: [{ name: 'vendor', test: /node_modules/ }] } } },
  },
  server: { port: 5173, strictPort: true, proxy },
  preview: { port: 5173, strictPort: true, proxy },
});
