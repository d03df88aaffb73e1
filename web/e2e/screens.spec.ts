/** Every screen, as somebody who has used the platform for a while sees it: without a fault for those who see or hear it differently, dark and light. */
import AxeBuilder from '@axe-core/playwright';
import { type BrowserContext, expect, type Page, test } from '@playwright/test';
import { call, desktop, PHOTOS, phone, register, signIn, type Somebody, upload, watch } from './people';
import { ADMIN } from './server';

/** Where pictures of the screens are put for people to look at. */
const PICTURES = 'e2e/out/screens';

interface World {
  me: Somebody;
  postId: string;
  friendId: string;
  productId: string;
  fileId: string;
}

type Items<T> = { items: T[] };

/** Somebody with a feed, pictures, a cart, an order and a wish. */
async function live(context: BrowserContext): Promise<World> {
  const { request } = context;
  const me = await register(request, 'ada');
  const people = await call<Items<{ id: string }>>(request, 'GET', '/user/search?q=an&limit=6');
  for (const { id } of people.items) await call(request, 'PUT', `/user/users/${id}/follow`);
  await call(request, 'PUT', `/user/profile/${me.id}`, { firstName: 'Ada', lastName: 'Lovelace', bio: 'Poetical science. #engines', profile: { location: 'London', jobTitle: 'Analyst' } });
  await call(request, 'POST', `/user/users/${me.id}/skills`, { name: 'Bernoulli numbers', level: 'expert' });
  const files = [];
  for (const name of PHOTOS) files.push(await upload(request, name));
  const [first, second] = files;
  if (!first || !second) throw new Error('there are photos');
  const mediaIds = files.slice(0, 3).map((file) => file.id);
  const post = await call<{ id: string }>(request, 'POST', '/content/posts', { content: 'Three pictures from today, and https://example.org to read. #photos', type: 'image', mediaIds });
  await call(request, 'POST', '/content/posts', { content: 'One picture, large.', type: 'image', mediaIds: [second.id] });
  await call(request, 'PUT', `/content/posts/${post.id}/reaction`, { type: 'love' });
  const comment = await call<{ id: string }>(request, 'POST', `/content/posts/${post.id}/comments`, { content: 'The second is best.' });
  await call(request, 'POST', `/content/posts/${post.id}/comments`, { content: 'It is.', parentId: comment.id });
  await call(request, 'POST', '/content/bookmarks', { postId: post.id });
  const products = await call<Items<{ id: string; stock: number }>>(request, 'GET', '/shop/public/products?limit=50');
  const [bought, wanted] = products.items.filter((product) => product.stock > 3);
  if (!bought || !wanted) throw new Error('there are products');
  await call(request, 'POST', '/shop/orders', { productId: bought.id, quantity: 1 });
  await call(request, 'POST', `/shop/products/${bought.id}/reviews`, { rating: 4, title: 'Good', reviewText: 'Does what it should.' });
  await call(request, 'POST', '/shop/cart', { productId: wanted.id, quantity: 2 });
  await call(request, 'POST', '/shop/wishlist', { productId: wanted.id });
  const [friend] = people.items;
  return { me, postId: post.id, friendId: friend?.id ?? '', productId: bought.id, fileId: first.id };
}

const screens = ({ me, postId, friendId, productId, fileId }: World): Record<string, string> => ({
  feed: '/',
  explore: '/explore',
  post: `/posts/${postId}`,
  people: '/people?q=an',
  'own-profile': `/people/${me.id}`,
  profile: `/people/${friendId}`,
  following: `/people/${me.id}/following`,
  shop: '/shop',
  product: `/shop/${productId}`,
  offer: '/shop/new',
  cart: '/cart',
  orders: '/orders',
  wishlist: '/wishlist',
  saved: '/saved',
  media: '/media',
  file: `/media/${fileId}`,
  account: '/account',
  missing: '/no/such/page',
});

/** Nothing is awaited any more, and what is in sight is painted. */
async function settled(page: Page): Promise<void> {
  await expect(page.locator('h1')).toBeAttached();
  await expect(page.locator('[aria-busy="true"]')).toHaveCount(0);
  await page.waitForFunction(() =>
    [...document.images].every((image) => {
      const { top, bottom } = image.getBoundingClientRect();
      return bottom < 0 || top > innerHeight || image.complete;
    }),
  );
}

const STANDARDS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
/** What a theme and a width can change. */
const BY_LOOKS = ['color-contrast', 'target-size', 'link-in-text-block'];

async function judge(page: Page, name: string, path: string): Promise<void> {
  const faults = watch(page);
  await page.setViewportSize(phone);
  await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' });
  await page.goto(path);
  await look(page, `${name}-phone`, new AxeBuilder({ page }).withTags(STANDARDS));
  await page.setViewportSize(desktop);
  await page.emulateMedia({ colorScheme: 'dark', reducedMotion: 'reduce' });
  // The next frame has the other theme.
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  await look(page, `${name}-desktop`, new AxeBuilder({ page }).withRules(BY_LOOKS));
  expect(faults).toEqual([]);
}

async function look(page: Page, name: string, axe: AxeBuilder): Promise<void> {
  await settled(page);
  await page.screenshot({ path: `${PICTURES}/${name}.png` });
  const { violations } = await axe.analyze();
  const grave = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
  expect(grave.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' ')}`), name).toEqual([]);
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  expect(overflow, `${name} is no wider than its window`).toBeLessThanOrEqual(0);
}

test('screens of somebody who is signed in', async ({ context, page }) => {
  test.setTimeout(120_000);
  const world = await live(context);
  for (const [name, path] of Object.entries(screens(world))) await test.step(name, () => judge(page, name, path));
});

test('screens of strangers', async ({ page }) => {
  const open = { welcome: '/', 'sign-in': '/signin', 'sign-up': '/signup', 'forgot-password': '/forgot-password', 'reset-password': '/reset-password#token=x', 'own-only': '/orders' };
  for (const [name, path] of Object.entries(open)) await test.step(name, () => judge(page, name, path));
});

test('the moderation queue', async ({ context, browser, page }) => {
  const stranger = await browser.newContext();
  await register(stranger.request, 'flagger');
  const [post] = (await call<Items<{ id: string }>>(stranger.request, 'GET', '/content/public/posts?limit=1')).items;
  await call(stranger.request, 'POST', '/user/moderation/flags', { targetType: 'post', targetId: post?.id, reason: 'spam', note: 'It sells something.' });
  await stranger.close();
  await signIn(context.request, ADMIN.email, ADMIN.password);
  await judge(page, 'moderation', '/moderation');
  // Other tests have cases, too.
  const flagged = page.getByRole('list', { name: 'Cases' }).getByRole('article').filter({ has: page.locator(`a[href="/posts/${post?.id}"]`) });
  await expect(flagged).toContainText('spam × 1');
  await flagged.getByRole('button', { name: 'Dismiss' }).click();
  await expect(flagged).toHaveCount(0);
});

test('what is hidden is appealed against by its author, and shown again by a moderator', async ({ context, browser, page }) => {
  const author = await register(context.request, 'author');
  const post = await call<{ id: string }>(context.request, 'POST', '/content/posts', { content: 'Buy my book, it is good.' });
  const [stranger, moderator] = [await browser.newContext(), await browser.newContext()];
  await register(stranger.request, 'flagger');
  await call(stranger.request, 'POST', '/user/moderation/flags', { targetType: 'post', targetId: post.id, reason: 'spam' });
  await signIn(moderator.request, ADMIN.email, ADMIN.password);
  await call(moderator.request, 'POST', `/user/moderation/cases/${post.id}/decision`, { action: 'hide', note: 'No advertisements, please.' });
  await page.goto(`/people/${author.id}`);
  await page.getByRole('link', { name: 'Hidden by moderators' }).click();
  const own = page.getByRole('list', { name: 'Cases' }).getByRole('article');
  await expect(own).toContainText('No advertisements, please.');
  await judge(page, 'cases', '/cases');
  await page.getByLabel('Why should it be shown again?').fill('It is a gift, not a sale.');
  await page.getByRole('button', { name: 'Appeal' }).click();
  await expect(own).toContainText('Moderators have your appeal.');
  await expect(page.getByLabel('Why should it be shown again?')).toHaveCount(0);

  const queue = await moderator.newPage();
  await queue.goto('/moderation');
  const appealed = queue.getByRole('article').filter({ hasText: 'It is a gift, not a sale.' });
  await expect(appealed).toContainText('its author appeals');
  await judge(queue, 'moderation-appeal', '/moderation');
  await appealed.getByLabel('A note, which its author may read').fill('You are right.');
  await appealed.getByRole('button', { name: 'Show again' }).click();
  await expect(appealed).toHaveCount(0);
  await page.reload();
  await expect(own).toContainText('It is shown again.');
  await expect(own).toContainText('You are right.');
  await page.goto(`/posts/${post.id}`);
  await expect(page.getByText('Buy my book')).toBeVisible();
  await expect(page.getByText('Hidden by moderators')).toHaveCount(0);
  await stranger.close();
  await moderator.close();
});

const member = (name: string, status: string, slots: number, link: object | null) => ({ name, boot: name, status, roles: ['edge', 'entity', 'media'], slots, link });

/** What one of three nodes would tell that sees trouble: this server is alone. */
function ofThree(alone: { node: object; reads: object[] }): object {
  const link = { ageS: 86_400 * 3, wire: 3, calls: 4, queuedBytes: 20_000 };
  const members = [member('node-1', 'up', 1366, null), member('node-2', 'up', 1365, link), member('node-3-with-a-longer-name', 'leaving', 1300, null)];
  return {
    ...alone,
    node: { ...alone.node, boot: 'node-1' },
    cluster: { view: 41, certificateExpiresAt: '2027-05-01T00:00:00Z', members },
    slots: { of: 4096, owned: 1366, unowned: 65, moving: 12 },
    dependencies: { 'database:users': { healthy: true, message: 'it answers', latency: 1.2 }, object_storage: { healthy: false, message: 'it does not answer', latency: 4000 } },
  };
}

test("the operator's page", async ({ context, browser, page }) => {
  await signIn(context.request, ADMIN.email, ADMIN.password);
  await judge(page, 'operator', '/operator');
  await expect(page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Operator' })).toHaveAttribute('aria-current', 'page');
  const reads = page.getByRole('region', { name: 'Reads by strategy' });
  const user = reads.getByRole('row').filter({ has: page.getByRole('rowheader', { name: 'user', exact: true }) });
  await expect(user).toBeVisible();
  // It asks again by itself, and what happens meanwhile is told.
  const count = async () => Number((await user.getByRole('cell').nth(3).textContent())?.replaceAll(',', ''));
  const before = await count();
  const { items } = await call<Items<{ id: string }>>(context.request, 'GET', '/user/search?q=an&limit=1');
  for (let time = 0; time < 50; time++) await call(context.request, 'GET', `/user/profile/${items[0]?.id}`);
  await expect.poll(count).toBeGreaterThanOrEqual(before + 50);
  await expect(user.getByRole('cell').first()).not.toHaveText('0.0');

  await page.route('**/api/overview', async (route) => route.fulfill({ json: ofThree(await (await route.fetch()).json()) }));
  await judge(page, 'operator-of-three', '/operator');
  await expect(page.getByRole('region', { name: 'Nodes', exact: true }).getByRole('row')).toHaveCount(4);
  await expect(page.getByRole('status').filter({ hasText: 'Slots without an owner that it knows: 65.' })).toContainText('It has no link to node-3-with-a-longer-name.');

  // What was told last stays, as old as it says, with what is wrong now.
  const refusal = { status: 403, code: 'forbidden', detail: 'This needs the rank of an admin.' };
  await page.route('**/api/overview', (route) => route.fulfill({ status: 403, contentType: 'application/problem+json', body: JSON.stringify(refusal) }));
  await expect(page.getByRole('alert')).toContainText(refusal.detail);
  await expect(page.getByRole('region', { name: 'Nodes', exact: true })).toBeVisible();

  const other = await browser.newContext();
  await register(other.request, 'curious');
  const theirs = await other.newPage();
  let asked = 0;
  await theirs.route('**/api/overview', (route) => {
    asked++;
    return route.continue();
  });
  await theirs.goto('/operator');
  await expect(theirs.getByText('This is for admins.')).toBeVisible();
  await expect(theirs.getByRole('link', { name: 'Operator' })).toHaveCount(0);
  expect(asked).toBe(0);
  await other.close();
});
