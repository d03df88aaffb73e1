/** What stands in a thing's place: while it is awaited, when it cannot be had, and when there is none. */
import type { UseQueryResult } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { problem } from '../api/problem';
import { type Pages, rowsOf } from '../api/queries';
import { InfiniteScroll } from './infinite-scroll';

/** Something that went wrong, in the platform's words. */
export function ErrorNotice({ error, retry }: { error: unknown; retry?: (() => void) | undefined }) {
  const { message, traceId, passes } = problem(error);
  return (
    <div className="notice bad" role="alert">
      <p>{message}</p>
      {traceId && passes && <p className="faint">For whoever runs the platform: {traceId}</p>}
      {retry && (
        <button type="button" className="button quiet" onClick={retry}>
          Try again
        </button>
      )}
    </div>
  );
}

/** What is known of a question that is not answered yet. */
function Awaited({ query, skeleton }: { query: Pick<UseQueryResult, 'failureReason' | 'fetchStatus'>; skeleton: ReactNode }) {
  return (
    <div aria-busy="true">
      {query.fetchStatus === 'paused' ? (
        <p className="notice" role="status">
          You are offline. This is loaded as soon as you are not.
        </p>
      ) : (
        query.failureReason && (
          <p className="notice" role="status">
            {problem(query.failureReason).message} Trying again by itself…
          </p>
        )
      )}
      <span className="visually-hidden">Loading…</span>
      {skeleton}
    </div>
  );
}

/** One thing: what it is made of once it is there. */
export function Await<T>({ query, skeleton, children }: { query: UseQueryResult<T>; skeleton?: ReactNode; children: (data: T) => ReactNode }) {
  if (query.data !== undefined) return children(query.data);
  if (query.isError) return <ErrorNotice error={query.error} retry={problem(query.error).passes ? () => void query.refetch() : undefined} />;
  return <Awaited query={query} skeleton={skeleton ?? <Skeleton rows={3} />} />;
}

interface ListProps<T> {
  pages: Pages<T>;
  id: (row: T) => string;
  render: (row: T, index: number) => ReactNode;
  /** What is said where there is nothing. */
  empty: ReactNode;
  className?: string;
  label: string;
  skeleton?: ReactNode;
  end?: string;
}

/** A list that goes on by itself, with all that may stand in its place. */
export function PagedList<T>({ pages, id, render, empty, className, label, skeleton, end }: ListProps<T>) {
  if (!pages.data) {
    if (pages.isError) return <ErrorNotice error={pages.error} retry={() => void pages.refetch()} />;
    return <Awaited query={pages} skeleton={skeleton ?? <Skeleton rows={4} />} />;
  }
  const rows = rowsOf(pages, id);
  if (!rows.length && !pages.hasNextPage) return <div className="empty">{empty}</div>;
  return (
    <InfiniteScroll pages={pages as Pages<unknown>} {...(end ? { end } : {})}>
      <ul className={className ?? 'stack'} aria-label={label} aria-busy={pages.isFetchingNextPage}>
        {rows.map((row, index) => (
          <li key={id(row)}>{render(row, index)}</li>
        ))}
      </ul>
    </InfiniteScroll>
  );
}

/** Grey bars about as large as what will stand there. */
export function Skeleton({ rows, kind = 'card' }: { rows: number; kind?: 'card' | 'tile' | 'line' }) {
  return (
    <div className={kind === 'tile' ? 'tiles' : 'stack'} aria-hidden="true">
      {Array.from({ length: rows }, (_, index) => (
        <div key={index} className={`skeleton ${kind}`} />
      ))}
    </div>
  );
}
