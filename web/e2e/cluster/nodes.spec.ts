/** Browsers at different nodes of one cluster, as `web/cluster` starts it: NODES has an address of each. */
import { expect, test } from '@playwright/test';
import { call, register, signIn, watch } from '../people';
import { ADMIN } from '../server';

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

test('an admin sees all nodes, whichever of them answers', async ({ browser }) => {
  for (const [number, baseURL] of nodes.entries()) {
    const context = await browser.newContext({ baseURL });
    await signIn(context.request, ADMIN.email, ADMIN.password);
    await expect.poll(async () => (await call<{ role: string }>(context.request, 'GET', '/user/me')).role).toBe('admin');
    const page = await context.newPage();
    const faults = watch(page);
    await page.goto('/operator');
    const members = page.getByRole('region', { name: 'Nodes', exact: true }).getByRole('row').filter({ hasText: 'edge, entity, media' });
    await expect(members.filter({ hasText: 'up' })).toHaveCount(nodes.length);
    await expect(page.getByText('All is well, as far as this node sees.')).toBeVisible();
    await expect(page.getByRole('heading', { name: `Of node-${number + 1}` })).toBeVisible();
    await page.screenshot({ path: `e2e/out/screens/operator-node-${number + 1}.png`, fullPage: true });
    expect(faults).toEqual([]);
    await context.close();
  }
});
