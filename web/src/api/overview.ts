/** How the platform runs, as its nodes tell admins. Whichever node is asked answers of itself, so what is known is kept for each of them. */
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { answer, api } from './client';
import type { Overview } from './types';

/** From one answer to the next question, while somebody looks. */
export const ASKED_EVERY_MS = 5000;
/** How far back the figures of "lately" reach. */
const LATELY_MS = 60_000;

/** A node's counters at one moment, by its own clock. */
interface Sample {
  atMs: number;
  reads: Overview['reads'];
}

/** What one node told. */
export interface Told {
  overview: Overview;
  /** When, by this browser's clock. */
  heardMs: number;
  /** The oldest first, of the same life of the node. */
  samples: readonly Sample[];
}

export interface Known {
  /** By boot, or by the one word of a process that is alone. */
  nodes: ReadonlyMap<string, Told>;
  /** Who answered last. */
  last: string;
}

/** How reads of a kind were answered: lately, and since the node began. */
export interface Reads {
  strategy: string;
  perSecond: number;
  /** From 0 to 1; `null` where nothing was read. */
  hitRateLately: number | null;
  hitRate: number | null;
  reads: number;
  loads: number;
}

const keyOf = ({ node }: Overview): string => node.boot ?? 'alone';

/** Takes in an answer. Nodes that are no members any more are forgotten. */
export function withAnswer(known: Known | undefined, overview: Overview, heardMs: number): Known {
  const last = keyOf(overview);
  const members = overview.cluster?.members.map(({ boot }) => boot) ?? [last];
  const nodes = new Map([...(known?.nodes ?? [])].filter(([boot]) => members.includes(boot)));
  const before = nodes.get(last);
  const atMs = Date.parse(overview.at);
  // A process that is alone has no name for its lives, but none is younger than it was.
  const isSameLife = before !== undefined && overview.node.uptimeS >= before.overview.node.uptimeS;
  const samples = (isSameLife ? before.samples : []).filter((sample) => atMs - sample.atMs <= LATELY_MS && sample.atMs < atMs);
  nodes.set(last, { overview, heardMs, samples: [...samples, { atMs, reads: overview.reads }] });
  return { nodes, last };
}

const rate = (hits: number, misses: number): number | null => (hits + misses > 0 ? hits / (hits + misses) : null);

const none = { strategy: 'all', hits: 0, loans: 0, misses: 0, loads: 0 };
const sum = (rows: Overview['reads']) =>
  rows.reduce((all, row) => ({ ...all, hits: all.hits + row.hits, misses: all.misses + row.misses, loads: all.loads + row.loads }), none);

/** What a node's counters say of each kind that was read, the most read first; before them all kinds together. */
export function readsOf({ samples }: Told): Reads[] {
  const [first, last] = [samples[0], samples.at(-1)];
  if (!first || !last) return [];
  const seconds = (last.atMs - first.atMs) / 1000;
  const began = new Map(first.reads.map((reads) => [reads.strategy, reads]));
  const told = (now: Overview['reads'][number], then: Overview['reads'][number] | undefined): Reads => {
    const [hits, misses] = [now.hits - (then?.hits ?? 0), now.misses - (then?.misses ?? 0)];
    return {
      strategy: now.strategy,
      perSecond: seconds > 0 ? (hits + misses) / seconds : 0,
      hitRateLately: rate(hits, misses),
      hitRate: rate(now.hits, now.misses),
      reads: now.hits + now.misses,
      loads: now.loads,
    };
  };
  const kinds = last.reads.map((now) => told(now, began.get(now.strategy))).filter((kind) => kind.reads > 0);
  return [told(sum(last.reads), sum(first.reads)), ...kinds.toSorted((a, b) => b.reads - a.reads)];
}

/** Asks again and again while the page is visible. */
export function useOverview() {
  const queries = useQueryClient();
  const queryKey = ['overview'];
  return useQuery({
    queryKey,
    queryFn: async ({ signal }) => withAnswer(queries.getQueryData<Known>(queryKey), await answer(api.GET('/api/overview', { signal })), Date.now()),
    refetchInterval: ASKED_EVERY_MS,
    staleTime: 0,
    // Old figures mislead whoever comes back.
    gcTime: 0,
    structuralSharing: false,
  });
}
