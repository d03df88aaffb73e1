/** Browsers at different nodes of one cluster, as `web/cluster` starts it: NODES has an address of each. */
import { expect, test } from '@playwright/test';
import { call, register, watch } from '../people';

/** From one person's click to the other's screen. */
const SEEN_MS_MAX = 1000;

const nodes = (process.env['NODES'] ?? '').split(' ');

test('a post by one browser appears within a second in the feed of another, which is at another node', async ({ browser }) => {
  const [here, there] = [await browser.newContext({ baseURL: nodes[0] ?? '' }), await browser.newContext({ baseURL: nodes[1] ?? '' })];
  const reader = await register(here.request, 'reader');
  const author = await register(there.request, 'author');
  await call(here.request, 'PUT', `/user/users/${author.id}/follow`);
  const page = await here.newPage();
  const faults = watch(page);
  const hello = page.waitForEvent('websocket').then((socket) => socket.waitForEvent('framereceived', (frame) => String(frame.payload).includes('"hello"')));
  await page.goto('/');
  await hello;
  await call(there.request, 'POST', '/content/posts', { content: `For ${reader.username}` });
  const posted = Date.now();
  await page.getByRole('button', { name: 'A new post' }).waitFor({ timeout: SEEN_MS_MAX });
  expect(Date.now() - posted).toBeLessThanOrEqual(SEEN_MS_MAX);
  await page.getByRole('button', { name: 'A new post' }).click();
  await expect(page.getByRole('article').filter({ hasText: `For ${reader.username}` })).toBeVisible();
  expect(faults).toEqual([]);
  await here.close();
  await there.close();
});
