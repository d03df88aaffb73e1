/** People for tests, by the API and in a browser. */
import { type APIRequestContext, expect, type Page } from '@playwright/test';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const photos = new URL('../../images/tests/corpus/', import.meta.url);
export const photo = (name: string): string => fileURLToPath(new URL(name, photos));
export const PHOTOS = ['rocket_444_icc.jpg', 'displayp3.jpg', 'exif6_small.jpg', '2MP.webp', 'chelsea_icc.png'];

export interface Somebody {
  id: string;
  username: string;
  email: string;
  password: string;
}

/** A name that nobody had before. */
export const unused = (name: string): string => `${name}-${crypto.randomUUID().slice(0, 8)}`;

export const origin = (): Record<string, string> => ({ origin: process.env['BASE_URL'] ?? '' });

/** Calls the API as whoever the context's cookie says. */
export async function call<T>(request: APIRequestContext, method: string, path: string, data?: unknown): Promise<T> {
  const answer = await request.fetch(`/api${path}`, { method, headers: origin(), ...(data === undefined ? {} : { data }) });
  expect(answer.ok(), `${method} ${path}: ${answer.status()} ${answer.ok() ? '' : await answer.text()}`).toBe(true);
  return (answer.status() === 204 ? undefined : await answer.json()) as T;
}

/** Registers somebody, who is signed in then. */
export async function register(request: APIRequestContext, name: string): Promise<Somebody> {
  const username = unused(name);
  const person = { username, email: `${username}@example.org`, password: 'a long enough password' };
  const { user } = await call<{ user: { id: string } }>(request, 'POST', '/user/register', { ...person, cookie: true });
  return { ...person, id: user.id };
}

export async function signIn(request: APIRequestContext, email: string, password: string): Promise<void> {
  await call(request, 'POST', '/user/login', { email, password, cookie: true });
}

export async function upload(request: APIRequestContext, name: string, visibility = 'public'): Promise<{ id: string; responsiveSizes: { medium: string } }> {
  const file = { name, mimeType: 'image/jpeg', buffer: readFileSync(photo(name)) };
  const answer = await request.post('/api/media/upload', { headers: origin(), multipart: { visibility, file } });
  expect(answer.ok(), await answer.text()).toBe(true);
  return answer.json();
}

/** Has a page tell what went wrong in it: a test that passes over that proves little. */
export function watch(page: Page): string[] {
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('console', (message) => {
    // Browsers tell of each answer that is no success; whoever is not signed in is one.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) faults.push(message.text());
  });
  return faults;
}

export const phone = { width: 390, height: 844 };
export const desktop = { width: 1280, height: 900 };
