/**
 * A list that goes on by itself.
 *
 * When its end comes within two screens the next page is asked for: an IntersectionObserver tells, so scrolling itself costs nothing. The same is a button,
 * for keyboards and screen readers, and for trying again where a page could not be had. An end is said, so that nobody waits for more.
 */
import { type ReactNode, useEffect, useRef } from 'react';
import type { Pages } from '../api/queries';

interface Props {
  pages: Pages<unknown>;
  children: ReactNode;
  /** What is said behind the last row. */
  end?: string;
}

export function InfiniteScroll({ pages, children, end = 'That is all.' }: Props) {
  const mark = useRef<HTMLDivElement>(null);
  const { hasNextPage, isFetchingNextPage, isFetchNextPageError, fetchNextPage } = pages;
  useEffect(() => {
    // After a failure nothing goes on by itself: it would fail again for as long as somebody looks at the list's end.
    if (!mark.current || !hasNextPage || isFetchingNextPage || isFetchNextPageError) return;
    const observer = new IntersectionObserver(([entry]) => entry?.isIntersecting && void fetchNextPage(), { rootMargin: '200% 0%' });
    observer.observe(mark.current);
    return () => observer.disconnect();
  }, [hasNextPage, isFetchingNextPage, isFetchNextPageError, fetchNextPage]);
  return (
    <>
      {children}
      <div ref={mark} className="list-end" aria-live="polite">
        {isFetchNextPageError && <p>{pages.error?.message}</p>}
        {hasNextPage ? (
          <button type="button" className="button quiet" disabled={isFetchingNextPage} onClick={() => void fetchNextPage()}>
            {isFetchingNextPage ? 'Loading more…' : isFetchNextPageError ? 'Try again' : 'Load more'}
          </button>
        ) : (
          <p>{end}</p>
        )}
      </div>
    </>
  );
}
