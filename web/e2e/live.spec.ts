/** Live updates: what moves is seen, and what is missed is made up for. */
import { expect, test } from '@playwright/test';
import { call, register } from './people';

/** From one person's click to the other's screen. */
const SEEN_MS_MAX = 1000;

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
