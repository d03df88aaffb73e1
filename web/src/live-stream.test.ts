import { expect, test } from 'vitest';
import { asked, parsed, waitMs } from './live-stream';

test('whoever was cut off comes back later each time, and not all at once', () => {
  expect(waitMs(0, 0)).toBe(250);
  expect(waitMs(0, 1)).toBe(750);
  expect(waitMs(3, 0.5)).toBe(4000);
  expect(waitMs(100, 1)).toBe(45_000);
});

test('what is no event is passed over', () => {
  for (const text of ['', '{', 'null', '7', '[]', '{"type":7}', new ArrayBuffer(2)]) expect(parsed(text)).toBeNull();
  expect(parsed('{"type":"post.created","postId":"p","cursor":"7"}')).toEqual({ type: 'post.created', postId: 'p', cursor: '7' });
});

test('server-sent events are asked for what is watched, kind by kind', () => {
  expect(asked([{ post: 'a' }, { file: 'b' }, { post: 'c' }])).toEqual({ post: 'a,c', file: 'b' });
  expect(asked([])).toEqual({});
});
