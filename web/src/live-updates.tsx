/** Has what is on the screen follow what the platform says is newer. */
import { type QueryClient, useQueryClient } from '@tanstack/react-query';
import { useEffect } from 'react';
import { useMe } from './api/account';
import type { PostPages } from './api/reconcile';
import type { Page, Post } from './api/types';
import { addNewPosts } from './live';
import type { LiveEvent } from './live-stream';

export function LiveUpdates() {
  const queries = useQueryClient();
  const id = useMe()?.id;
  useEffect(() => {
    if (!id) return;
    let close = () => {};
    let isGone = false;
    // No part of the first load: nothing on a screen waits for it.
    import('./live-stream')
      .then(({ openStream }) => {
        if (!isGone) close = openStream((event) => take(queries, id, event));
      })
      // Then nothing moves by itself, and all else works.
      .catch(() => undefined);
    return () => {
      isGone = true;
      close();
    };
  }, [queries, id]);
  return null;
}

/** Takes in an event: what it names is read again if what is held is older. */
function take(queries: QueryClient, me: string, event: LiveEvent): void {
  const refresh = (...key: string[]) => void queries.invalidateQueries({ queryKey: key });
  const isNews = (...key: string[]) => (queries.getQueryData<{ version: number }>(key)?.version ?? 0) < (event.version ?? Infinity);
  switch (event.type) {
    case 'hello':
    case 'reset':
      // What came before the stream began, or is too much to be told one by one.
      void findNewPosts(queries, me);
      break;
    case 'post.created':
      if (event.postId && event.userId !== me && !isListed(queries, me, event.postId)) addNewPosts([event.postId]);
      break;
    case 'post.changed':
      if (!event.postId || !isNews('post', event.postId)) break;
      refresh('post', event.postId);
      refresh('comments', event.postId);
      refresh('reactions', event.postId);
      break;
    case 'follows.changed':
      refresh('following');
      refresh('posts', 'feed');
      break;
    case 'product.changed':
      if (event.productId && isNews('product', event.productId)) refresh('product', event.productId);
      break;
    case 'order.changed':
      refresh('orders');
      break;
    case 'file.pending':
    case 'file.ready':
    case 'file.failed':
      if (event.fileId && isNews('file', event.fileId)) refresh('file', event.fileId);
      refresh('files');
      break;
    case 'gone':
      for (const [kind, subject] of Object.entries(event.subject ?? {})) refresh(kind, subject);
      break;
    case 'end':
      if (event.reason === 'session_ended') refresh('me');
      break;
  }
}

const feedKey = (me: string) => ['posts', 'feed', me];

const isListed = (queries: QueryClient, me: string, id: string): boolean =>
  queries.getQueryData<PostPages>(feedKey(me))?.pages.some((page) => page.items.some((post) => post.id === id)) ?? false;

/** Counts what is at the feed's head and not on the screen. A feed that is not on any screen is read whole when it is. */
async function findNewPosts(queries: QueryClient, me: string): Promise<void> {
  const held = queries.getQueryData<PostPages>(feedKey(me));
  if (!held) return;
  const response = await fetch(`/api/content/feed/${me}`, { credentials: 'same-origin' }).catch(() => null);
  if (!response?.ok) return;
  const { items } = (await response.json()) as Page<Post>;
  const newest = held.pages[0]?.items[0]?.createdAt ?? '';
  addNewPosts(items.filter((post) => post.userId !== me && post.createdAt > newest && !isListed(queries, me, post.id)).map((post) => post.id));
}
