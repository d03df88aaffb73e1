import { expect, test } from 'vitest';
import { type Known, readsOf, withAnswer } from './overview';
import type { Overview } from './types';

const member = (of: string) => ({ name: of, boot: of, status: 'up', roles: [], slots: 1, link: null });

/** A node's word, `s` seconds after noon. */
function overview(s: number, boot: string | null, hits: number, misses: number, members: string[] = []): Overview {
  const reads = [
    { strategy: 'user', hits, loans: 0, misses, loads: misses },
    { strategy: 'order', hits: 0, loans: 0, misses: 0, loads: 0 },
  ];
  const node = { boot, version: '1', stage: 'serving', uptimeS: s, leased: true, alive: true, restarts: 0, requests: 1, requestsMax: 9 };
  return {
    at: new Date(Date.UTC(2026, 0, 1, 12, 0, s)).toISOString(),
    node,
    cluster: boot ? { view: 1, certificateExpiresAt: '2027-01-01T00:00:00Z', members: members.map(member) } : null,
    slots: { of: 4096, owned: 4096, unowned: 0, moving: 0 },
    dependencies: {},
    reads,
    memory: { entities: 0, bytes: 0 },
    live: { streams: 0, people: 0 },
  };
}

const heard = (...answers: Overview[]): Known => {
  const known = answers.reduce<Known | undefined>((before, answer) => withAnswer(before, answer, 0), undefined);
  if (!known) throw new Error('nothing was heard');
  return known;
};
const told = (known: Known, boot: string) => {
  const node = known.nodes.get(boot);
  if (!node) throw new Error(`${boot} was not heard`);
  return readsOf(node);
};

test('rates are of the last minute, and beside them since the node began', () => {
  const [all, user, ...others] = told(heard(overview(0, null, 900, 100), overview(10, null, 910, 130)), 'alone');
  expect(user).toEqual({ strategy: 'user', perSecond: 4, hitRateLately: 0.25, hitRate: 0.875, reads: 1040, loads: 130 });
  expect(all).toEqual({ ...user, strategy: 'all' });
  expect(others).toEqual([]);
  // What is older than a minute does not count any more.
  const [, later] = told(heard(overview(0, null, 900, 100), overview(10, null, 910, 130), overview(65, null, 965, 130)), 'alone');
  expect(later).toMatchObject({ perSecond: 1, hitRateLately: 1 });
});

test('a first answer has no rates of lately, nor has one of a process that began anew', () => {
  expect(told(heard(overview(30, null, 900, 100)), 'alone')[1]).toMatchObject({ perSecond: 0, hitRateLately: null, hitRate: 0.9 });
  expect(told(heard(overview(30, null, 900, 100), { ...overview(40, null, 1, 1), node: overview(2, null, 0, 0).node }), 'alone')[1]).toMatchObject({ perSecond: 0, hitRate: 0.5 });
});

test('counters of two nodes are never taken for those of one, and who has left is forgotten', () => {
  const both = ['a', 'b'];
  const known = heard(overview(0, 'a', 100, 0, both), overview(1, 'b', 7, 0, both), overview(5, 'a', 105, 0, both));
  expect(told(known, 'a')[1]).toMatchObject({ perSecond: 1, reads: 105 });
  expect(told(known, 'b')[1]).toMatchObject({ perSecond: 0, reads: 7 });
  expect(known.last).toBe('a');
  expect([...withAnswer(known, overview(6, 'a', 106, 0, ['a']), 0).nodes.keys()]).toEqual(['a']);
});
