import { expect, test } from 'vitest';
import { begun, changed, type ListedPost, newer, type PostPages, settled, without } from './reconcile';

const post = (id: string, version = 1, rest: Partial<ListedPost> = {}): ListedPost => ({
  id,
  version,
  userId: 'u',
  parentId: null,
  content: id,
  type: 'text',
  mediaIds: [],
  visibility: 'public',
  likesCount: 0,
  commentsCount: 0,
  sharesCount: 0,
  reactions: {},
  isPublished: true,
  hidden: false,
  createdAt: '2026-01-01T00:00:00Z',
  updatedAt: '2026-01-01T00:00:00Z',
  ...rest,
});
const pages = (...lists: ListedPost[][]): PostPages => ({
  pages: lists.map((items) => ({ items, nextCursor: null })),
  pageParams: lists.map(() => undefined),
});
const shown = (of: PostPages) => of.pages.map((page) => page.items.map((item) => `${item.id}@${item.version}`));

test('an answer that was overtaken changes nothing', () => {
  expect(newer(post('a', 3), post('a', 2)).version).toBe(3);
  expect(newer(post('a', 3), post('a', 4)).version).toBe(4);
  expect(newer(undefined, post('a', 1)).version).toBe(1);
  expect(shown(settled(pages([post('a', 3)], [post('b', 1)]), post('a', 2)))).toEqual([['a@3'], ['b@1']]);
});

test('of the same version the answer wins over what was assumed', () => {
  const assumed = changed(pages([post('a', 2)]), 'a', (held) => ({ ...held, likesCount: 1 }));
  expect(assumed.pages[0]?.items[0]?.likesCount).toBe(1);
  expect(settled(assumed, post('a', 2)).pages[0]?.items[0]?.likesCount).toBe(0);
});

test('a new post stands first, and its answer takes its place', () => {
  const waiting = begun(pages([post('a')], [post('b')]), post('draft', 0, { pending: true }));
  expect(shown(waiting)).toEqual([['draft@0', 'a@1'], ['b@1']]);
  const done = settled(waiting, post('c', 1), 'draft');
  expect(shown(done)).toEqual([['c@1', 'a@1'], ['b@1']]);
  expect(done.pages[0]?.items[0]?.pending).toBeUndefined();
});

test('a post that came another way first is not shown twice', () => {
  const waiting = begun(pages([post('c', 1), post('a')]), post('draft', 0, { pending: true }));
  expect(shown(settled(waiting, post('c', 1), 'draft'))).toEqual([['c@1', 'a@1']]);
});

test('a post is taken out of whichever page has it', () => {
  expect(shown(without(pages([post('a')], [post('b'), post('c')]), 'b'))).toEqual([['a@1'], ['c@1']]);
});
