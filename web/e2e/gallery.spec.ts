/** What two hundred photos cost: whether anything moves while they come, how soon the first is there, and how many bytes, beside the same with originals. */
import { type APIRequestContext, expect, type Page, test } from '@playwright/test';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { call, desktop, origin, photo, register } from './people';

const PHOTOS = 200;
const CLS_MAX = 0.02;
const FEWER_BYTES_MIN = 10;
/** As phones of some years ago took them, at a quality that cameras use. */
const SIZE = { width: 1600, height: 1200, quality: 0.92 };
const AT_ONCE = 4;
/** A phone's network on a fair day: pictures come while they are looked at. */
const NETWORK = { offline: false, latency: 80, downloadThroughput: 1_250_000, uploadThroughput: 1_250_000 };

/** A photo out of another one: another part of it, in other colours, with a sensor's noise. No two have the same bytes. */
function variation(page: Page, index: number): Promise<string> {
  return page.evaluate(
    async ([number, { width, height, quality }]) => {
      const image = document.querySelector('img');
      const canvas = document.createElement('canvas');
      const pen = Object.assign(canvas, { width, height }).getContext('2d');
      if (!image || !pen) throw new Error('no canvas');
      pen.filter = `hue-rotate(${number * 17}deg)`;
      pen.drawImage(image, number % 40, number % 30, image.naturalWidth * 0.8, image.naturalHeight * 0.8, 0, 0, width, height);
      const pixels = pen.getImageData(0, 0, width, height);
      let seed = number + 1;
      for (let at = 0; at < pixels.data.length; at++) {
        seed = (seed * 1_103_515_245 + 12_345) & 0x7fffffff;
        if (at % 4 !== 3) pixels.data[at] = (pixels.data[at] ?? 0) + (seed >> 16) % 9 - 4;
      }
      pen.putImageData(pixels, 0, 0);
      return canvas.toDataURL('image/jpeg', quality).slice('data:image/jpeg;base64,'.length);
    },
    [index, SIZE] as const,
  );
}

async function fill(page: Page, request: APIRequestContext): Promise<void> {
  const source = readFileSync(photo('rocket_444_icc.jpg')).toString('base64');
  await page.setContent(`<img src="data:image/jpeg;base64,${source}">`);
  const rest = Array.from({ length: PHOTOS }, (_, index) => index);
  const work = async () => {
    for (let index = rest.pop(); index !== undefined; index = rest.pop()) {
      const buffer = Buffer.from(await variation(page, index), 'base64');
      const multipart = { visibility: 'public', file: { name: `photo-${index}.jpg`, mimeType: 'image/jpeg', buffer } };
      const answer = await request.post('/api/media/upload', { headers: { ...origin(), prefer: 'respond-async' }, multipart });
      expect(answer.ok(), await answer.text()).toBe(true);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  type Files = { items: { status: string }[]; nextCursor: string | null };
  const { id } = await call<{ id: string }>(request, 'GET', '/user/me');
  await expect
    .poll(
      async () => {
        let [cursor, pending]: [string | null, number] = ['', 0];
        while (cursor !== null) {
          const listed: Files = await call<Files>(request, 'GET', `/media/files/${id}?limit=100${cursor && `&cursor=${cursor}`}`);
          pending += listed.items.filter((file) => file.status === 'pending').length;
          cursor = listed.nextCursor;
        }
        return pending;
      },
      { timeout: 120_000, intervals: [500] },
    )
    .toBe(0);
}

interface Cost {
  cls: number;
  lcpMs: number;
  bytes: number;
  pictures: number;
}

/** Opens the gallery and scrolls through all of it. */
async function cost(page: Page): Promise<Cost> {
  await page.goto('/media?of=me');
  await page.evaluate(() => {
    const seen = { cls: 0, lcpMs: 0 };
    Object.assign(window, { seen });
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) seen.cls += (entry as PerformanceEntry & { value: number }).value;
    }).observe({ type: 'layout-shift', buffered: true });
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) seen.lcpMs = entry.startTime;
    }).observe({ type: 'largest-contentful-paint', buffered: true });
    // The browser forgets beyond 250.
    performance.setResourceTimingBufferSize(2000);
  });
  const tiles = page.getByRole('list', { name: 'Pictures', exact: true }).getByRole('link');
  await expect(tiles.first().locator('picture img')).toHaveJSProperty('complete', true);
  // By a wheel, as people do: it is no input that excuses a shift.
  await expect(async () => {
    await page.mouse.move(700, 600);
    await page.mouse.wheel(0, 500);
    await expect(page.getByText('That is all.')).toBeInViewport({ timeout: 50 });
  }).toPass({ intervals: [60], timeout: 90_000 });
  await expect(tiles).toHaveCount(PHOTOS);
  await page.waitForFunction(() => [...document.querySelectorAll<HTMLImageElement>('.gallery picture img')].every((image) => image.complete && image.naturalWidth > 0));
  return page.evaluate(() => {
    const loaded = performance.getEntriesByType('resource') as PerformanceResourceTiming[];
    const pictures = loaded.filter((entry) => entry.name.includes('/api/media/media/'));
    const { seen } = window as unknown as { seen: { cls: number; lcpMs: number } };
    return { ...seen, bytes: pictures.reduce((sum, entry) => sum + entry.encodedBodySize, 0), pictures: pictures.length };
  });
}

test('two hundred photos', async ({ page, context, browser }) => {
  test.setTimeout(240_000);
  await page.setViewportSize(desktop);
  await register(context.request, 'photographer');
  await fill(page, context.request);

  const devtools = await context.newCDPSession(page);
  await devtools.send('Network.emulateNetworkConditions', NETWORK);
  const ours = await cost(page);
  const other = await browser.newContext({ storageState: await context.storageState(), viewport: desktop });
  const plain = await other.newPage();
  // The same page, where each picture is the original.
  await plain.route(/\/api\/media\/media\/\w+\/(thumbnail|small|medium|large)\.webp/, (route) =>
    route.continue({ url: route.request().url().replace(/\/\w+\.webp/, '/original.jpeg') }),
  );
  const originals = await cost(plain);
  await other.close();

  const figures = { ours, originals, fewerBytes: originals.bytes / ours.bytes };
  mkdirSync('e2e/out', { recursive: true });
  writeFileSync('e2e/out/gallery.json', `${JSON.stringify(figures, null, 2)}\n`);
  expect(ours.pictures).toBe(PHOTOS);
  expect(ours.cls, 'nothing moves').toBeLessThanOrEqual(CLS_MAX);
  expect(figures.fewerBytes, 'bytes of the same with originals').toBeGreaterThanOrEqual(FEWER_BYTES_MIN);
  expect(ours.lcpMs).toBeGreaterThan(0);
});
