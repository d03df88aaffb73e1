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
  const cases = page.getByRole('list', { name: 'Cases' }).getByRole('article');
  const before = await cases.count();
  expect(before).toBeGreaterThan(0);
  await cases.first().getByRole('button', { name: 'Dismiss' }).click();
  await expect(cases).toHaveCount(before - 1);
});
