import { expect, test } from 'vitest';
import { addressOf } from './client';

test('what stands in an address cannot lead out of it', () => {
  expect(addressOf('/api/content/hashtags/{tag}/posts', { path: { tag: '../ü?x#y' }, query: { limit: 2, cursor: undefined } })).toBe(
    '/api/content/hashtags/..%2F%C3%BC%3Fx%23y/posts?limit=2',
  );
  expect(addressOf('/api/user/search', { query: { q: 'a b&c', skill: '' } })).toBe('/api/user/search?q=a+b%26c&skill=');
  expect(addressOf('/api/user/me')).toBe('/api/user/me');
});
