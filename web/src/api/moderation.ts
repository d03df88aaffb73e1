/** Flags, and the cases that moderators decide. */
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { answer, api, idempotencyKey, once } from './client';
import { usePages } from './queries';
import type { CaseStatus, Reason, TargetType } from './types';

export const REASONS: readonly Reason[] = ['spam', 'abuse', 'nudity', 'violence', 'fraud', 'other'];

export const useFlag = () =>
  useMutation({
    meta: { shown: true },
    mutationFn: (body: { targetType: TargetType; targetId: string; reason: Reason; note: string | null }) =>
      answer(api.POST('/api/user/moderation/flags', { body, params: once(idempotencyKey()) })),
  });

export const useQueue = (status: CaseStatus) =>
  usePages(['cases', status], (cursor, signal) => answer(api.GET('/api/user/moderation/queue', { params: { query: { status, cursor } }, signal })));

/** A case alone. Of a file that is not for everybody it says where that is, to a moderator who may decide on it: their look is noted. */
export const useLook = (id: string) =>
  useMutation({
    meta: { shown: true },
    mutationFn: () => answer(api.GET('/api/user/moderation/cases/{id}', { params: { path: { id } } })),
  });

/** Cases about what is one's own. */
export const useOwnCases = (enabled: boolean) =>
  usePages(['cases', 'own'], (cursor, signal) => answer(api.GET('/api/user/moderation/mine', { params: { query: { cursor } }, signal })), enabled);

/** Says why what is hidden should be shown again: once a hiding. */
export function useAppeal(id: string) {
  const queries = useQueryClient();
  return useMutation({
    meta: { shown: true },
    mutationFn: ({ key, note }: { key: string; note: string }) =>
      answer(api.POST('/api/user/moderation/cases/{id}/appeal', { params: { path: { id }, ...once(key) }, body: { note } })),
    onSettled: () => queries.invalidateQueries({ queryKey: ['cases'] }),
  });
}

export type Decision = 'hide' | 'restore' | 'dismiss';

export function useDecide(id: string) {
  const queries = useQueryClient();
  return useMutation({
    meta: { shown: true },
    mutationFn: (body: { action: Decision; note: string | null }) =>
      answer(api.POST('/api/user/moderation/cases/{id}/decision', { params: { path: { id } }, body })),
    onSettled: () => queries.invalidateQueries({ queryKey: ['cases'] }),
  });
}
