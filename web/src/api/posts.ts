/** Posts: lists of them, writing one, and what people say and feel about it. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useMe } from './account';
import { answer, api, idempotencyKey, once } from './client';
import { usePages } from './queries';
import { begun, changed, everyList, type ListedPost, type PostPages, settled, take, without } from './reconcile';
import type { Comment, Page, Post, PostVisibility, ReactionSummary, ReactionType } from './types';

export type PostList =
  | { of: 'feed'; userId: string }
  | { of: 'public' }
  | { of: 'author'; userId: string }
  | { of: 'tag'; tag: string }
  | { of: 'search'; q: string };

function load(list: PostList, cursor: string | undefined, signal: AbortSignal): Promise<Page<ListedPost>> {
  const query = { cursor };
  switch (list.of) {
    case 'feed':
      return answer(api.GET('/api/content/feed/{userId}', { params: { path: { userId: list.userId }, query }, signal }));
    case 'public':
      return answer(api.GET('/api/content/public/posts', { params: { query }, signal }));
    case 'author':
      return answer(api.GET('/api/content/users/{userId}/posts', { params: { path: { userId: list.userId }, query }, signal }));
    case 'tag':
      return answer(api.GET('/api/content/hashtags/{tag}/posts', { params: { path: { tag: list.tag }, query }, signal }));
    case 'search':
      return answer(api.GET('/api/content/posts/search', { params: { query: { ...query, q: list.q } }, signal }));
  }
}

/** The key under which a list of posts is kept: all begin with `posts`, so that a change of a post finds every one of them. */
export const listKey = (list: PostList) => ['posts', list.of, 'userId' in list ? list.userId : 'tag' in list ? list.tag : 'q' in list ? list.q : ''];

export const usePosts = (list: PostList) => usePages(listKey(list), (cursor, signal) => load(list, cursor, signal));

export const usePost = (id: string) =>
  useQuery({ queryKey: ['post', id], queryFn: ({ signal }) => answer(api.GET('/api/content/posts/{id}', { params: { path: { id } }, signal })) });

export const useTrends = () =>
  useQuery({
    queryKey: ['trends'],
    queryFn: ({ signal }) => answer(api.GET('/api/content/hashtags/trending', { params: { query: { limit: 10 } }, signal })),
    staleTime: 60_000,
  });

export interface Draft {
  content: string;
  visibility: PostVisibility;
  /** Files that are there already. They are private until the post is published. */
  mediaIds: string[];
}

/**
 * Publishes a post. It stands in the feed at once, as one that waits; the platform's answer takes its place, or it is taken out again and the caller is
 * told, who still has the draft. Each draft has one key, so what was sent twice is one post.
 */
export function usePublish() {
  const queries = useQueryClient();
  const me = useMe();
  const feed = listKey({ of: 'feed', userId: me?.id ?? '' });
  const inFeed = (change: (pages: PostPages) => PostPages) => queries.setQueryData<PostPages>(feed, (pages) => pages && change(pages));
  return useMutation({
    meta: { shown: true },
    mutationFn: async ({ content, visibility, mediaIds, key }: Draft & { key: string }) => {
      if (visibility === 'public') {
        await Promise.all(
          mediaIds.map((id) => answer(api.PATCH('/api/media/files/{id}', { params: { path: { id } }, body: { visibility: 'public' } }))),
        );
      }
      const type = mediaIds.length ? 'image' : 'text';
      return answer(api.POST('/api/content/posts', { body: { content, visibility, mediaIds, type }, params: once(key) }));
    },
    onMutate: async ({ key, ...draft }) => {
      // A page that was asked for before would show the feed without it.
      await queries.cancelQueries({ queryKey: feed });
      inFeed((pages) => begun(pages, waiting(key, draft, me?.id ?? '')));
    },
    onError: (_thrown, { key }) => inFeed((pages) => without(pages, key)),
    onSuccess: (post, { key }) => {
      inFeed((pages) => settled(pages, post, key));
      queries.setQueryData(['post', post.id], post);
      void queries.invalidateQueries({ queryKey: ['posts'], predicate: (query) => query.queryKey[1] !== 'feed' });
    },
  });
}

function waiting(id: string, draft: Draft, userId: string): ListedPost {
  const now = new Date().toISOString();
  const counts = { likesCount: 0, commentsCount: 0, sharesCount: 0, reactions: {}, version: 0 };
  const rest = { userId, parentId: null, type: draft.mediaIds.length ? 'image' : 'text', isPublished: true, hidden: false } as const;
  return { id, ...rest, ...draft, ...counts, createdAt: now, updatedAt: now, pending: true };
}

/** Changes a post. Without If-Match: each reaction makes it a new version, and its text is its author's alone. */
export function useEditPost(id: string) {
  const queries = useQueryClient();
  return useMutation({
    meta: { shown: true },
    mutationFn: (body: { content: string; visibility: PostVisibility }) =>
      answer(api.PUT('/api/content/posts/{id}', { body, params: { path: { id } } })),
    onSuccess: (saved) => take(queries, saved),
  });
}

export function useDeletePost(id: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: () => answer(api.DELETE('/api/content/posts/{id}', { params: { path: { id } } })),
    onSuccess: () => {
      everyList(queries, (pages) => without(pages, id));
      queries.removeQueries({ queryKey: ['post', id] });
    },
  });
}

export function useShare(id: string) {
  const queries = useQueryClient();
  return useMutation({
    meta: { shown: true },
    mutationFn: ({ key, ...body }: { content: string; visibility: PostVisibility; key: string }) =>
      answer(api.POST('/api/content/posts/{id}/share', { body, params: { path: { id }, ...once(key) } })),
    onSuccess: () => {
      void queries.invalidateQueries({ queryKey: ['posts'] });
      void queries.invalidateQueries({ queryKey: ['post', id] });
    },
  });
}

/** How people reacted, and the caller. A post that nobody reacted to need not be asked about. */
export const useReactions = (post: Post, enabled: boolean) =>
  useQuery({
    queryKey: ['reactions', post.id],
    queryFn: ({ signal }) => answer(api.GET('/api/content/posts/{id}/reactions', { params: { path: { id: post.id } }, signal })),
    enabled: enabled && post.likesCount > 0,
    staleTime: 60_000,
  });

/** Reacts, or with `null` no more: shown at once, and put right by the answer. */
export function useReact(post: Post) {
  const queries = useQueryClient();
  const key = ['reactions', post.id];
  const count = (likesCount: number) => {
    const change = <P extends Post>(held: P): P => ({ ...held, likesCount });
    everyList(queries, (pages) => changed(pages, post.id, change));
    queries.setQueryData<Post>(['post', post.id], (held) => held && change(held));
  };
  return useMutation({
    mutationFn: (type: ReactionType | null) => {
      const params = { path: { id: post.id } };
      return answer(
        type ? api.PUT('/api/content/posts/{id}/reaction', { params, body: { type } }) : api.DELETE('/api/content/posts/{id}/reaction', { params }),
      );
    },
    onMutate: async (type) => {
      await queries.cancelQueries({ queryKey: key });
      const held = queries.getQueryData<ReactionSummary>(key);
      const assumed = reacted(held ?? { summary: {}, total: post.likesCount, own: null }, type);
      queries.setQueryData(key, assumed);
      count(assumed.total);
      return { held };
    },
    onError: (_thrown, _type, before) => {
      queries.setQueryData(key, before?.held);
      count(post.likesCount);
      void queries.invalidateQueries({ queryKey: key });
    },
    onSuccess: (summary) => {
      queries.setQueryData(key, summary);
      count(summary.total);
    },
  });
}

/** A summary as it will be once somebody has reacted so. */
export function reacted(held: ReactionSummary, type: ReactionType | null): ReactionSummary {
  const summary = { ...held.summary };
  if (held.own) summary[held.own] = Math.max(0, (summary[held.own] ?? 1) - 1);
  if (type) summary[type] = (summary[type] ?? 0) + 1;
  return { summary, own: type, total: Math.max(0, held.total + Number(Boolean(type)) - Number(Boolean(held.own))) };
}

/** Comments of a post, or the answers to one of them. */
export const useComments = (postId: string, parent?: string) =>
  usePages<Comment>(['comments', postId, parent ?? null], (cursor, signal) =>
    answer(api.GET('/api/content/posts/{id}/comments', { params: { path: { id: postId }, query: { parent, cursor } }, signal })),
  );

export function useAddComment(postId: string) {
  const queries = useQueryClient();
  return useMutation({
    meta: { shown: true },
    mutationFn: ({ key, ...body }: { content: string; parentId: string | null; key: string }) =>
      answer(api.POST('/api/content/posts/{id}/comments', { body, params: { path: { id: postId }, ...once(key) } })),
    onSettled: () => refreshComments(queries, postId),
  });
}

export function useDeleteComment(postId: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (id: string) => answer(api.DELETE('/api/content/comments/{id}', { params: { path: { id } } })),
    onSettled: () => refreshComments(queries, postId),
  });
}

function refreshComments(queries: ReturnType<typeof useQueryClient>, postId: string): void {
  void queries.invalidateQueries({ queryKey: ['comments', postId] });
  void queries.invalidateQueries({ queryKey: ['post', postId] });
}

export const useBookmarks = () =>
  usePages(['bookmarks'], (cursor, signal) => answer(api.GET('/api/content/bookmarks', { params: { query: { cursor } }, signal })));

/** Keeps a post, or gives it up by its bookmark's id. */
export function useKeep() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: async (what: { postId: string } | { bookmarkId: string }) => {
      if ('postId' in what) await answer(api.POST('/api/content/bookmarks', { body: what, params: once(idempotencyKey()) }));
      else await answer(api.DELETE('/api/content/bookmarks/{id}', { params: { path: { id: what.bookmarkId } } }));
    },
    onSettled: () => queries.invalidateQueries({ queryKey: ['bookmarks'] }),
  });
}
