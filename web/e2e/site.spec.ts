/** What the binary serves: this front-end, and nothing that a browser would not run under its policy. */
import { expect, test } from '@playwright/test';
import { readFileSync } from 'node:fs';
import { call, register, watch } from './people';

test('the binary has the front-end of these sources', async ({ request }) => {
  const folder = process.env['DIST'];
  test.skip(!folder, 'DIST is not set: nothing was built to compare with');
  expect(await (await request.get('/')).text()).toBe(readFileSync(`${folder}/index.html`, 'utf8'));
});

test('a link into the middle works, and no script of another kind runs', async ({ page, context }) => {
  const faults = watch(page);
  const me = await register(context.request, 'linked');
  const { id } = await call<{ id: string }>(context.request, 'POST', '/content/posts', { content: 'Here <img src=x onerror=alert(1)> and <b>there</b>' });
  await page.goto(`/posts/${id}`);
  // What people write is text.
  await expect(page.getByText('Here <img src=x onerror=alert(1)> and <b>there</b>')).toBeVisible();
  await page.goto(`/people/${me.id}/followers`);
  await expect(page.getByText('Nobody yet.')).toBeVisible();
  expect(faults).toEqual([]);
  const blocked = page.waitForEvent('console', (message) => message.text().includes('Content Security Policy'));
  await page.evaluate(() => {
    const script = document.createElement('script');
    script.textContent = 'document.title = "taken over"';
    document.body.append(script);
  });
  await blocked;
  await expect(page).not.toHaveTitle('taken over');
});

test('what is not there is said by the page, with its status', async ({ page }) => {
  const answer = await page.goto('/no/such/page');
  expect(answer?.status()).toBe(404);
  await expect(page.getByRole('heading', { name: 'There is no such page' })).toBeVisible();
});
