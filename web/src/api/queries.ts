/** How the screens ask: one client of TanStack Query, and the forms of question that all of them share. */
import {
  type InfiniteData,
  MutationCache,
  QueryCache,
  QueryClient,
  type UseInfiniteQueryResult,
  useInfiniteQuery,
} from '@tanstack/react-query';
import { say } from '../components/toast';
import { problem, retries, retryDelay } from './problem';
import type { Page } from './types';

declare module '@tanstack/react-query' {
  interface Register {
    mutationMeta: {
      /** The screen shows the problem itself, beside what caused it. */
      shown?: true;
    };
  }
}

export function makeQueries(): QueryClient {
  const queries: QueryClient = new QueryClient({
    queryCache: new QueryCache({ onError: noteEnd }),
    mutationCache: new MutationCache({
      onError: (thrown, _variables, _context, mutation) => {
        noteEnd(thrown);
        if (!mutation.meta?.shown) say(problem(thrown).message, 'bad');
      },
    }),
    defaultOptions: {
      // The platform answers a question about what has not changed with 304, so asking again costs little; within a few seconds it would only flicker.
      queries: { staleTime: 10_000, retry: retries, retryDelay },
      mutations: { retry: retries, retryDelay },
    },
  });
  function noteEnd(thrown: unknown) {
    // The session ended elsewhere: by its time, by a new password, or from another device.
    if (problem(thrown).code === 'unauthenticated') queries.setQueryData(['me'], null);
  }
  return queries;
}

export type Pages<T> = UseInfiniteQueryResult<InfiniteData<Page<T>>>;

/** A list, page by page. */
export function usePages<T>(
  key: readonly unknown[],
  load: (cursor: string | undefined, signal: AbortSignal) => Promise<Page<T>>,
  enabled = true,
): Pages<T> {
  return useInfiniteQuery({
    queryKey: key,
    queryFn: ({ pageParam, signal }) => load(pageParam, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.nextCursor ?? undefined,
    enabled,
  });
}

/** The rows of all pages that are there. One that moved between two pages while they were read is shown once. */
export function rowsOf<T>(pages: Pages<T>, id: (row: T) => string): T[] {
  const rows = new Map<string, T>();
  for (const page of pages.data?.pages ?? []) for (const row of page.items) if (!rows.has(id(row))) rows.set(id(row), row);
  return [...rows.values()];
}
