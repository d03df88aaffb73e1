/** What somebody new does, from joining to leaving, as they see it. */
import { expect, type Page, test } from '@playwright/test';
import { call, desktop, phone, photo, register, unused, watch } from './people';

const password = 'a long enough password';

async function join(page: Page, name: string): Promise<string> {
  const username = unused(name);
  await page.goto('/');
  await page.getByRole('link', { name: 'Join' }).click();
  await page.getByLabel('Username').fill(username);
  await page.getByLabel('Email').fill(`${username}@example.org`);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Join' }).click();
  await expect(page.getByRole('heading', { name: 'Feed' })).toBeVisible();
  return username;
}

/** One of the demo people who has written something and has a skill: not all have. */
async function somebodyWhoWrites(page: Page): Promise<{ username: string; id: string }> {
  const posts = await call<{ items: { userId: string }[] }>(page.request, 'GET', '/content/public/posts?limit=100');
  for (const { userId } of posts.items) {
    const person = await call<{ username: string; id: string; skills: unknown[] }>(page.request, 'GET', `/user/profile/${userId}`);
    if (person.skills.length > 1) return person;
  }
  throw new Error('nobody writes');
}

const said = (page: Page, text: string) => page.getByRole('status').getByText(text);

test('somebody joins, follows, posts with a picture, talks, buys, shows pictures, and leaves', async ({ page }) => {
  await page.setViewportSize(phone);
  const faults = watch(page);
  const username = await join(page, 'newcomer');
  const nav = page.getByRole('navigation', { name: 'Main' });

  await test.step('finds people and follows one', async () => {
    await page.getByRole('link', { name: 'Find people' }).click();
    const writer = await somebodyWhoWrites(page);
    await page.getByLabel('Name').fill(writer.username);
    await page.getByRole('button', { name: 'Search' }).click();
    await expect(page).toHaveURL(/q=/);
    await page.getByRole('list', { name: 'People' }).locator(`a[href="/people/${writer.id}"]`).click();
    await page.getByRole('button', { name: 'Follow', exact: true }).click();
    await expect(page.getByRole('button', { name: 'Following' })).toHaveAttribute('aria-pressed', 'true');
    await page.getByRole('button', { name: /^Endorse / }).first().click();
    await expect(page.getByRole('button', { name: /^Endorse / }).first()).toHaveAttribute('aria-pressed', 'true');
    await nav.getByRole('link', { name: 'Feed' }).click();
    await expect(page.getByRole('list', { name: 'Posts' }).getByRole('article').first()).toBeVisible();
  });

  await test.step('posts with a picture', async () => {
    await page.getByTestId('pictures').setInputFiles(photo('rocket_444_icc.jpg'));
    await page.getByLabel('What do you want to say?').fill('To the #moon');
    await expect(page.getByRole('list', { name: 'Pictures of the post' }).getByText('There')).toBeVisible();
    await page.getByRole('button', { name: 'Post', exact: true }).click();
    const post = page.getByRole('article').filter({ hasText: 'To the #moon' });
    await expect(post).toHaveCount(1);
    await expect(post.getByText('Being published…')).toHaveCount(0);
    await expect(post.getByRole('link', { name: /^Picture/ }).locator('img').first()).toHaveJSProperty('complete', true);
    // What was shown at once is what the platform has.
    await page.reload();
    await expect(page.getByRole('article').filter({ hasText: 'To the #moon' })).toHaveCount(1);
  });

  await test.step('reacts and comments', async () => {
    const post = page.getByRole('article').filter({ hasText: 'To the #moon' });
    await post.getByRole('button', { name: /^Like/ }).click();
    await expect(post.getByRole('button', { name: 'Like, 1 so far' })).toHaveAttribute('aria-pressed', 'true');
    await post.getByRole('link', { name: /^Comments/ }).click();
    await page.getByRole('button', { name: /^wow/ }).click();
    await expect(page.getByRole('button', { name: 'wow, 1' })).toHaveAttribute('aria-pressed', 'true');
    await expect(page.getByRole('button', { name: 'like, 0' })).toBeVisible();
    await page.getByLabel('Your comment').fill('It is far.');
    await page.getByRole('button', { name: 'Comment', exact: true }).click();
    await expect(page.getByRole('list', { name: 'Comments' }).getByText('It is far.')).toBeVisible();
    await expect(page.getByRole('link', { name: 'Comments, 1 so far' })).toBeVisible();
  });

  await test.step('buys', async () => {
    await nav.getByRole('link', { name: 'Shop' }).click();
    await page.getByText('Filter and sort').click();
    await page.getByLabel('Sort by').selectOption('price_asc');
    await page.getByRole('button', { name: 'Search' }).click();
    await expect(page).toHaveURL(/sort=price_asc/);
    const product = page.getByRole('list', { name: 'Products' }).getByRole('article').filter({ hasNotText: 'Out of stock' }).first();
    await product.getByRole('button', { name: /^Wishlist/ }).click();
    await product.getByRole('link').first().click();
    await page.getByRole('button', { name: 'Add to cart' }).click();
    await page.getByRole('link', { name: 'Cart, 1 piece' }).click();
    for (const part of ['Name', 'Street', 'City', 'Country']) await page.getByLabel(part, { exact: true }).fill('Somewhere');
    await page.getByRole('button', { name: 'Order', exact: true }).click();
    await expect(page.getByText('Your order is placed')).toBeVisible();
    await page.getByRole('link', { name: 'See your orders' }).click();
    await expect(page.getByRole('list', { name: 'Orders' }).getByText('pending', { exact: true })).toBeVisible();
    await page.goto('/wishlist');
    await expect(page.getByRole('list', { name: 'Wishes' }).getByRole('article')).toHaveCount(1);
  });

  await test.step('puts pictures into the gallery, one for themselves alone', async () => {
    await nav.getByRole('link', { name: 'Pictures' }).click();
    await page.getByTestId('files').setInputFiles([photo('displayp3.jpg'), photo('chelsea_icc.png')]);
    await expect(page.getByText('2 of 2 uploaded')).toBeVisible();
    await page.getByText('Only me').click();
    await page.getByTestId('files').setInputFiles(photo('exif6_small.jpg'));
    await expect(page.getByText('3 of 3 uploaded')).toBeVisible();
    await page.getByRole('link', { name: 'Yours' }).click();
    const own = page.getByRole('list', { name: 'Pictures', exact: true });
    await expect(own.getByRole('link')).toHaveCount(4);
    await own.getByRole('link', { name: 'exif6_small.jpg, only you see it' }).click();
    await expect(page.getByText('Only you')).toBeVisible();
    await page.getByRole('button', { name: 'Show it to everybody' }).click();
    await expect(page.getByRole('definition').filter({ hasText: 'Everybody' })).toBeVisible();
    await expect(page.getByAltText('exif6_small.jpg')).toHaveJSProperty('complete', true);
  });

  await test.step('says who they are, and leaves', async () => {
    await nav.getByRole('link', { name: 'You' }).click();
    await page.getByLabel('First name').fill('Newly');
    await page.getByLabel('Last name').fill('Come');
    await page.getByRole('button', { name: 'Save', exact: true }).click();
    await expect(said(page, 'Saved.')).toBeVisible();
    await expect(page.getByRole('list', { name: 'Sessions' }).getByText('This one')).toBeVisible();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await expect(page.getByText('Sign in to see this.')).toBeVisible();
    await nav.getByRole('link', { name: 'You' }).click();
    await page.getByLabel('Email').fill(`${username}@example.org`);
    await page.getByLabel('Password').fill('not the password');
    await page.getByRole('button', { name: 'Sign in' }).click();
    // In the platform's words.
    await expect(page.getByRole('alert')).toContainText(/password/i);
    await page.getByLabel('Password').fill(password);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await expect(page.getByRole('heading', { name: 'Feed' })).toBeVisible();
  });
  expect(faults).toEqual([]);
});

test('what the platform is too busy for is tried again by itself, and said meanwhile', async ({ page, context }) => {
  await register(context.request, 'patient');
  let refusals = 0;
  await page.route('**/api/user/search*', async (route) => {
    if (refusals++ < 2) {
      const problem = { type: 'about:blank', title: 'Service Unavailable', status: 503, code: 'overloaded', detail: 'The platform is at its limit.', traceId: 't' };
      return route.fulfill({ status: 503, headers: { 'retry-after': '1' }, contentType: 'application/problem+json', body: JSON.stringify(problem) });
    }
    return route.continue();
  });
  await page.goto('/people?q=an');
  await expect(page.getByText('The platform is at its limit. Trying again by itself…')).toBeVisible();
  await expect(page.getByRole('list', { name: 'People' }).getByRole('link').first()).toBeVisible();
  expect(refusals).toBeGreaterThanOrEqual(3);
});

test('a post that is refused comes back to its author', async ({ page, context }) => {
  await register(context.request, 'refused');
  await page.route('**/api/content/posts', (route) => {
    const problem = { status: 409, code: 'limit_reached', detail: 'You have as many posts as you may have.' };
    return route.fulfill({ status: 409, contentType: 'application/problem+json', body: JSON.stringify(problem) });
  });
  await page.goto('/');
  await page.getByLabel('What do you want to say?').fill('Once more');
  await page.getByRole('button', { name: 'Post', exact: true }).click();
  await expect(page.getByRole('alert')).toContainText('You have as many posts as you may have.');
  await expect(page.getByLabel('What do you want to say?')).toHaveValue('Once more');
  await expect(page.getByRole('article').filter({ hasText: 'Once more' })).toHaveCount(0);
});

test('without a network that is said, and what is done waits for it', async ({ page, context }) => {
  await register(context.request, 'offline');
  await page.goto('/');
  await page.getByLabel('What do you want to say?').fill('From the tunnel');
  await context.setOffline(true);
  await expect(page.getByText('You are offline.')).toBeVisible();
  await page.getByRole('button', { name: 'Post', exact: true }).click();
  const post = page.getByRole('article').filter({ hasText: 'From the tunnel' });
  await expect(post.getByText('Being published…')).toBeVisible();
  await context.setOffline(false);
  await expect(page.getByText('You are offline.')).toHaveCount(0);
  await expect(post.getByText('Being published…')).toHaveCount(0);
  await expect(post).toHaveCount(1);
});

test('the keyboard alone is enough, and the theme is remembered', async ({ page }) => {
  await page.setViewportSize(desktop);
  await page.emulateMedia({ colorScheme: 'light' });
  await page.goto('/people');
  await expect(page.getByRole('list', { name: 'People' })).toBeVisible();
  await page.keyboard.press('Tab');
  await expect(page.getByRole('link', { name: 'Skip to content' })).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(page.locator('main')).toBeFocused();
  await page.keyboard.press('Tab');
  await expect(page.getByLabel('Name')).toBeFocused();
  await page.keyboard.type('an');
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/q=an/);
  await page.getByRole('button', { name: 'Use the dark theme' }).focus();
  await page.keyboard.press('Enter');
  await expect(page.locator('html')).toHaveCSS('color-scheme', 'dark');
  await page.reload();
  await expect(page.locator('html')).toHaveCSS('color-scheme', 'dark');
});

test('a session that was ended elsewhere ends here', async ({ page, context, browser }) => {
  const person = await register(context.request, 'two-places');
  await page.goto('/account');
  await expect(page.getByRole('heading', { name: 'Password' })).toBeVisible();
  const elsewhere = await browser.newContext();
  await call(elsewhere.request, 'POST', '/user/login', { email: person.email, password: person.password, cookie: true });
  await call(elsewhere.request, 'DELETE', '/user/sessions');
  await elsewhere.close();
  await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Feed' }).click();
  await expect(page.getByRole('link', { name: 'Join' })).toBeVisible();
});

test('a part of the page that is gone is loaded anew once, and said if that does not help', async ({ page }) => {
  let asked = 0;
  await page.route('**/assets/shop-*.js', (route) => {
    asked++;
    return route.fulfill({ status: 404, body: '' });
  });
  await page.goto('/shop');
  await expect(page.getByRole('alert')).toContainText('does not work');
  expect(asked).toBeLessThanOrEqual(4);
  // The rest of the page works.
  await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'People' }).click();
  await expect(page.getByRole('list', { name: 'People' }).getByRole('link').first()).toBeVisible();
});
