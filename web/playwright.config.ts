import { defineConfig } from '@playwright/test';

export default defineConfig({
  testDir: 'e2e',
  // What needs several nodes is started by `web/cluster`.
  testIgnore: process.env['NODES'] ? [] : ['cluster/**'],
  outputDir: 'e2e/out/results',
  globalSetup: './e2e/setup.ts',
  fullyParallel: true,
  // A test that fails once is wrong, or what it tests is.
  retries: 0,
  workers: 2,
  timeout: 60_000,
  expect: { timeout: 10_000 },
  reporter: [['list']],
  use: {
    // The set-up says where: this file is read again by each worker.
    baseURL: process.env['BASE_URL'],
    screenshot: 'only-on-failure',
    launchOptions: {
      executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
      // Nothing is asked of the world outside; and in containers and as root there is no sandbox to be had.
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
        '--disable-dev-shm-usage',
      ],
    },
  },
});
