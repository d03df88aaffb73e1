/** What is shown while the platform has not answered yet, and how its answers take its place: by version, so that nothing goes back in time. */
import type { InfiniteData, QueryClient } from '@tanstack/react-query';
import type { Page, Post } from './types';

/** A post as lists show it: `pending` while its author waits for the platform. */
export type ListedPost = Post & { pending?: true };
export type PostPages = InfiniteData<Page<ListedPost>, string | undefined>;

/** The newer of two states of one thing. Answers may overtake each other; versions do not. */
export function newer<T extends { version: number }>(held: T | undefined, come: T): T {
  return held && held.version > come.version ? held : come;
}

const mapItems = (pages: PostPages, change: (items: ListedPost[], page: number) => ListedPost[]): PostPages => ({
  ...pages,
  pages: pages.pages.map((page, number) => ({ ...page, items: change(page.items, number) })),
});

/** Puts a post in its place wherever it is listed already: a newer state of itself, or what `pendingId` stood for. */
export function settled(pages: PostPages, post: ListedPost, pendingId?: string): PostPages {
  const isListed = pages.pages.some((page) => page.items.some((item) => item.id === post.id));
  return mapItems(pages, (items) =>
    items.flatMap((item) => {
      // A live event or a refetch may have brought the post before its own answer came.
      if (item.id === pendingId) return isListed ? [] : [post];
      return [item.id === post.id ? newer(item, post) : item];
    }),
  );
}

/** Puts a post before all others. */
export const begun = (pages: PostPages, post: ListedPost): PostPages =>
  mapItems(pages, (items, page) => (page === 0 ? [post, ...items] : items));

/** Takes a post out. */
export const without = (pages: PostPages, id: string): PostPages => mapItems(pages, (items) => items.filter((item) => item.id !== id));

/** Changes a post for the time until the platform's word comes; its version stays, so that any answer is as new. */
export const changed = (pages: PostPages, id: string, change: (post: ListedPost) => ListedPost): PostPages =>
  mapItems(pages, (items) => items.map((item) => (item.id === id ? change(item) : item)));

/** Applies a change to every list of posts that is held. */
export function everyList(queries: QueryClient, change: (pages: PostPages) => PostPages): void {
  queries.setQueriesData<PostPages>({ queryKey: ['posts'] }, (pages) => pages && change(pages));
}

/** Takes in a post that the platform answered. */
export function take(queries: QueryClient, post: Post): void {
  queries.setQueryData<Post>(['post', post.id], (held) => newer(held, post));
  everyList(queries, (pages) => settled(pages, post));
}
