import { expect, test } from 'vitest';
import { Problem, problem, retries, retryDelay } from './problem';

test('a refusal says what the platform says', () => {
  const refusal = Problem.of(409, null, { code: 'out_of_stock', detail: 'Only 2 are left.', traceId: 't' });
  expect([refusal.status, refusal.code, refusal.message, refusal.traceId, refusal.passes]).toEqual([409, 'out_of_stock', 'Only 2 are left.', 't', false]);
});

test('bodies of whatever stands in between are survived', () => {
  for (const body of [undefined, null, 'gateway', 7, []]) expect(Problem.of(502, null, body).message).toBe('The platform answered 502.');
  expect(problem(new TypeError('x')).code).toBe('unreachable');
});

test('what passes is tried again, for about a minute, and nothing else is', () => {
  const away = Problem.of(503, '2', {});
  expect(retries(0, away) && retries(5, away)).toBe(true);
  expect(retries(6, away)).toBe(false);
  expect(retries(0, Problem.of(404, null, {}))).toBe(false);
  expect(retries(0, new Error('a fault of ours'))).toBe(false);
});

test('the wait is the platform’s at least, grows, and is bounded', () => {
  expect(retryDelay(0, Problem.of(503, '2', {}))).toBeGreaterThanOrEqual(2000);
  expect(retryDelay(4, Problem.of(503, '2', {}))).toBeGreaterThanOrEqual(8000);
  expect(retryDelay(0, Problem.of(503, '99999', {}))).toBeLessThanOrEqual(37_500);
  expect(retryDelay(0, Problem.of(503, 'Thu, 01 Jan 2026', {}))).toBeLessThanOrEqual(625);
});
