/** People: who they are, whom they follow, what they can do. */
import { type QueryClient, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useMe } from './account';
import { answer, api, idempotencyKey, once } from './client';
import { usePages } from './queries';
import type { Level, Person, Skill } from './types';

/** What pages of people are read with: each row is kept as that person, too. */
function keep<T extends { items: Person[] }>(queries: QueryClient, page: T): T {
  for (const person of page.items) queries.setQueryData(['person', person.id], person);
  return page;
}

export const usePerson = (id: string | null | undefined) =>
  useQuery({
    queryKey: ['person', id],
    queryFn: ({ signal }) => answer(api.GET('/api/user/profile/{userId}', { params: { path: { userId: id ?? '' } }, signal })),
    enabled: Boolean(id),
    staleTime: 60_000,
  });

/** How somebody is called. */
export const nameOf = (person: { firstName: string | null; lastName: string | null; username: string }): string =>
  [person.firstName, person.lastName].filter(Boolean).join(' ') || person.username;

export interface PeopleSearch {
  q?: string;
  skill?: string;
  location?: string;
}

export function usePeople(search: PeopleSearch) {
  const queries = useQueryClient();
  return usePages(['people', search], async (cursor, signal) =>
    keep(queries, await answer(api.GET('/api/user/search', { params: { query: { ...search, cursor } }, signal }))),
  );
}

export type Side = 'followers' | 'following';

export function useFollows(userId: string, side: Side) {
  const queries = useQueryClient();
  return usePages(['follows', userId, side], async (cursor, signal) => {
    const params = { path: { userId }, query: { cursor } };
    const asked =
      side === 'followers'
        ? api.GET('/api/user/users/{userId}/followers', { params, signal })
        : api.GET('/api/user/users/{userId}/following', { params, signal });
    return keep(queries, await answer(asked));
  });
}

/** Whether the caller follows somebody. Nobody follows themselves, and where there is a block the platform says nothing. */
export function useFollowing(userId: string) {
  const me = useMe();
  return useQuery({
    queryKey: ['following', userId],
    queryFn: ({ signal }) => answer(api.GET('/api/user/users/{userId}/follow', { params: { path: { userId } }, signal })),
    enabled: Boolean(me),
    staleTime: 60_000,
  });
}

/** Follows somebody, or no more: shown at once, taken back if the platform refuses. */
export function useFollow(userId: string) {
  const queries = useQueryClient();
  const queryKey = ['following', userId];
  const show = (following: boolean) => queries.setQueryData(queryKey, { userId, following });
  return useMutation({
    mutationFn: (follows: boolean) => {
      const params = { path: { userId } };
      return answer(follows ? api.PUT('/api/user/users/{userId}/follow', { params }) : api.DELETE('/api/user/users/{userId}/follow', { params }));
    },
    onMutate: async (follows) => {
      await queries.cancelQueries({ queryKey });
      show(follows);
    },
    onError: (_thrown, follows) => show(!follows),
    onSuccess: (standing) => {
      show(standing.following);
      void queries.invalidateQueries({ queryKey: ['follows', userId] });
      void queries.invalidateQueries({ queryKey: ['posts', 'feed'] });
    },
  });
}

export function useBlock(userId: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (blocks: boolean) => {
      const params = { path: { userId } };
      return answer(blocks ? api.PUT('/api/user/users/{userId}/block', { params }) : api.DELETE('/api/user/users/{userId}/block', { params }));
    },
    // What somebody sees of whom they block changes everywhere.
    onSuccess: () => queries.invalidateQueries(),
  });
}

export const useSkills = (userId: string) =>
  useQuery({
    queryKey: ['skills', userId],
    queryFn: ({ signal }) => answer(api.GET('/api/user/users/{userId}/skills', { params: { path: { userId } }, signal })),
  });

export function useAddSkill(userId: string) {
  const queries = useQueryClient();
  return useMutation({
    meta: { shown: true },
    mutationFn: (body: { name: string; level: Level }) =>
      answer(api.POST('/api/user/users/{userId}/skills', { body, params: { path: { userId }, ...once(idempotencyKey()) } })),
    onSettled: () => queries.invalidateQueries({ queryKey: ['skills', userId] }),
  });
}

export function useRemoveSkill(userId: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (id: string) => answer(api.DELETE('/api/user/skills/{id}', { params: { path: { id } } })),
    onSettled: () => queries.invalidateQueries({ queryKey: ['skills', userId] }),
  });
}

/** Who vouches for a skill. */
export const useEndorsements = (skillId: string) =>
  usePages(['endorsements', skillId], (cursor, signal) =>
    answer(api.GET('/api/user/skills/{id}/endorsements', { params: { path: { id: skillId }, query: { cursor } }, signal })),
  );

export function useEndorse(userId: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: ({ skill, endorses }: { skill: Skill; endorses: boolean }) => {
      const params = { path: { id: skill.id } };
      return answer(endorses ? api.POST('/api/user/skills/{id}/endorse', { params }) : api.DELETE('/api/user/skills/{id}/endorse', { params }));
    },
    onSettled: (_skill, _thrown, { skill }) => {
      void queries.invalidateQueries({ queryKey: ['skills', userId] });
      void queries.invalidateQueries({ queryKey: ['endorsements', skill.id] });
    },
  });
}
