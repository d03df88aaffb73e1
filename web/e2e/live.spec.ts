/** Live updates: what moves is seen, and what is missed is made up for. */
import { expect, test } from '@playwright/test';
import { call, register } from './people';
import { proxy } from './proxy';

/** From one person's click to the other's screen. */
const SEEN_MS_MAX = 1000;
/** After how long browsers come back to a stream of events that broke, as the platform tells them (`retry`), and some. */
const RETRY_MS = 3000;

test('a post by one appears in the feed of another within a second', async ({ page, context, browser }) => {
  const reader = await register(context.request, 'reader');
  const elsewhere = await browser.newContext();
  const author = await register(elsewhere.request, 'author');
  await call(context.request, 'PUT', `/user/users/${author.id}/follow`);
  const hello = page.waitForEvent('websocket').then((socket) => socket.waitForEvent('framereceived', (frame) => String(frame.payload).includes('"hello"')));
  await page.goto('/');
  await expect(page.getByText('Nothing here yet.')).toBeVisible();
  await hello;
  // A feed that is empty has nothing that could move: what is new is behind the pill all the same.
  await call(elsewhere.request, 'POST', '/content/posts', { content: `For ${reader.username}` });
  const posted = Date.now();
  await page.getByRole('button', { name: 'A new post' }).waitFor({ timeout: SEEN_MS_MAX });
  expect(Date.now() - posted).toBeLessThanOrEqual(SEEN_MS_MAX);
  await page.getByRole('button', { name: 'A new post' }).click();
  await expect(page.getByRole('article').filter({ hasText: `For ${reader.username}` })).toBeVisible();
  await expect(page.getByRole('button', { name: 'A new post' })).toHaveCount(0);

  // What somebody says appears below the post that is looked at.
  const [post] = (await call<{ items: { id: string }[] }>(context.request, 'GET', `/content/feed/${reader.id}`)).items;
  const watching = page.waitForEvent('websocket').then((socket) => socket.waitForEvent('framesent', (frame) => String(frame.payload).includes('subscribe')));
  await page.goto(`/posts/${post?.id}`);
  await watching;
  await call(elsewhere.request, 'POST', `/content/posts/${post?.id}/comments`, { content: 'And for everybody' });
  await expect(page.getByText('And for everybody')).toBeVisible();
  await elsewhere.close();
});

test('where streams are cut, they are taken up again, and nothing is missed', async ({ page, context, browser }) => {
  await register(context.request, 'cut-off');
  const elsewhere = await browser.newContext();
  const author = await register(elsewhere.request, 'author');
  await call(context.request, 'PUT', `/user/users/${author.id}/follow`);
  await call(elsewhere.request, 'POST', '/content/posts', { content: 'Before' });
  const first = page.waitForEvent('websocket');
  await page.goto('/');
  await expect(page.getByText('Before')).toBeVisible();
  await (await first).waitForEvent('framereceived');
  await context.setOffline(true);
  await call(elsewhere.request, 'POST', '/content/posts', { content: 'Meanwhile' });
  await context.setOffline(false);
  // Whoever is back reads again what is on the screen, and is told what is new: whichever comes first shows it.
  const [pill, post] = [page.getByRole('button', { name: 'A new post' }), page.getByText('Meanwhile')];
  await expect(pill.or(post).first()).toBeVisible();
  if (!(await post.isVisible())) await pill.click();
  await expect(post).toBeVisible();
  await elsewhere.close();
});

test('where no WebSocket gets through, server-sent events tell the same, and are taken up again where they broke', async ({ context, browser }) => {
  const reader = await register(context.request, 'proxied');
  const elsewhere = await browser.newContext();
  const author = await register(elsewhere.request, 'author');
  await call(context.request, 'PUT', `/user/users/${author.id}/follow`);
  await call(elsewhere.request, 'POST', '/content/posts', { content: 'Before' });
  const between = await proxy();
  const behind = await browser.newContext({ storageState: await context.storageState(), proxy: { server: between.server } });
  const page = await behind.newPage();
  const pill = page.getByRole('button', { name: 'A new post' });
  const appears = async (content: string, within: number) => {
    await call(elsewhere.request, 'POST', '/content/posts', { content });
    await pill.waitFor({ timeout: within });
    await pill.click();
    await expect(page.getByText(content)).toBeVisible();
  };
  const stream = page.waitForResponse((response) => response.url().includes('/api/live/events') && response.request().method() === 'GET');
  await page.goto('/');
  await expect(page.getByText('Before')).toBeVisible();
  await stream;
  expect(between.refused()).toBeGreaterThanOrEqual(2);
  await appears(`For ${reader.username}`, SEEN_MS_MAX);

  // The browser comes back by itself after the wait that it was told, and says where it was.
  const again = page.waitForResponse((response) => response.url().includes('/api/live/events'));
  between.cut();
  await appears('Meanwhile', SEEN_MS_MAX + RETRY_MS);
  await again;
  expect(between.streams.map((headers) => typeof headers['last-event-id'])).toEqual(['undefined', 'string']);
  await appears('And after that', SEEN_MS_MAX);
  await between.close();
  await behind.close();
  await elsewhere.close();
});

test('sockets that are opened and pass nothing on are given up for server-sent events', async ({ page, context, browser }) => {
  await register(context.request, 'swallowed');
  const elsewhere = await browser.newContext();
  const author = await register(elsewhere.request, 'author');
  await call(context.request, 'PUT', `/user/users/${author.id}/follow`);
  await page.routeWebSocket('**/api/live', (socket) => socket.close());
  const stream = page.waitForResponse((response) => response.url().includes('/api/live/events') && response.request().method() === 'GET');
  await page.goto('/');
  await expect(page.getByText('Nothing here yet.')).toBeVisible();
  await stream;
  await call(elsewhere.request, 'POST', '/content/posts', { content: 'All the same' });
  await page.getByRole('button', { name: 'A new post' }).waitFor({ timeout: SEEN_MS_MAX });
  await elsewhere.close();
});

test('a platform without streams is asked once, and nobody notices', async ({ page, context }) => {
  await register(context.request, 'quiet');
  const asked: string[] = [];
  await page.route('**/api/live/**', (route) => {
    asked.push(route.request().url());
    return route.fulfill({ status: 404, contentType: 'application/problem+json', body: '{"status":404,"code":"unknown_route","detail":"There is none."}' });
  });
  await page.goto('/');
  await expect.poll(() => asked.length).toBe(1);
  await page.getByRole('link', { name: 'People', exact: true }).click();
  await expect(page.getByRole('list', { name: 'People' }).getByRole('link').first()).toBeVisible();
  await expect(page.getByRole('alert')).toHaveCount(0);
  expect(asked.length).toBe(1);
});
