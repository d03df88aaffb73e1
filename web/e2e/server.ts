/** The real binary, on a store of its own, with demo people in it. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const ADMIN = { email: 'admin@example.org', password: 'admins have long passwords' };

/** Longest that a server and its demo data take. */
const START_MS_MAX = 60_000;
const DEMO_PEOPLE = 150;

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => (address && typeof address === 'object' ? resolve(address.port) : reject(new Error('no port'))));
    });
  });
}

export interface Server {
  /** The origin that browsers are given. */
  origin: string;
  stop: () => Promise<void>;
}

/** Waits until the server says in its log that all of its demo people are there, and what they wrote and sell. */
async function ready(log: string, child: ChildProcess): Promise<void> {
  const until = Date.now() + START_MS_MAX;
  while (Date.now() < until) {
    if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}: ${readFileSync(log, 'utf8').slice(-2000)}`);
    if (readFileSync(log, 'utf8').includes(`Made ${DEMO_PEOPLE} people`)) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('the server has no demo data in time');
}

/** Starts the binary of a folder, and waits for its demo data. */
export async function start(folder: string): Promise<Server> {
  const binary = join(folder, 'lets-connect');
  const data = mkdtempSync(join(tmpdir(), 'lets-connect-web-'));
  const port = await freePort();
  const settings = [
    `listen.gateway=127.0.0.1:${port}`,
    ...['user', 'content', 'shop', 'media'].map((service) => `listen.${service}=off`),
    'listen.admin=127.0.0.1:0',
    `demo.users=${DEMO_PEOPLE}`,
    // Tests sign up and in more than anybody does.
    'rate.sign_in_per_min=0',
    'rate.write_per_s=0',
    'rate.read_per_s=0',
  ].flatMap((setting) => ['--set', setting]);
  const admin = ['user', 'create-admin', '--username', 'the-admin', '--email', ADMIN.email, '--data-dir', data];
  execFileSync(binary, admin, { input: `${ADMIN.password}\n`, stdio: ['pipe', 'ignore', 'inherit'] });
  const log = join(data, 'server.log');
  const output = openSync(log, 'w');
  const child = spawn(binary, ['--data-dir', data, ...settings], { stdio: ['ignore', output, output] });
  const stop = async () => {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    if (child.exitCode === null) child.kill('SIGTERM');
    else return;
    await ended;
    rmSync(data, { recursive: true, force: true });
  };
  // A browser counts `localhost` as secure, and so does the platform's own default.
  const origin = `http://localhost:${port}`;
  try {
    await ready(log, child);
  } catch (thrown) {
    await stop();
    throw thrown;
  }
  return { origin, stop };
}
