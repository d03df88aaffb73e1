/** Who is signed in, and what is theirs alone: sessions, password, leaving. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { answer, api, once } from './client';
import { problem } from './problem';
import { usePages } from './queries';
import type { Me } from './types';

/** The person who is signed in: `null` if nobody is, `undefined` while that is not known yet. */
export function useMe(): Me | null | undefined {
  return useQuery({
    queryKey: ['me'],
    queryFn: async ({ signal }) => {
      try {
        return await answer(api.GET('/api/user/me', { signal }));
      } catch (thrown) {
        if (problem(thrown).status === 401) return null;
        throw thrown;
      }
    },
    staleTime: 60_000,
  }).data;
}

/** Ranks from which somebody may decide on cases. */
export const isModerator = (me: Me | null | undefined): boolean => me?.role === 'moderator' || me?.role === 'admin';

export const isAdmin = (me: Me | null | undefined): boolean => me?.role === 'admin';

export interface SignUp {
  username: string;
  email: string;
  password: string;
}

function useSignedIn() {
  const queries = useQueryClient();
  return (me: Me | null) => {
    // Everything that was read was read by somebody else.
    queries.removeQueries({ predicate: (query) => query.queryKey[0] !== 'me' });
    queries.setQueryData(['me'], me);
  };
}

export function useSignUp() {
  const enter = useSignedIn();
  return useMutation({
    meta: { shown: true },
    mutationFn: ({ key, ...body }: SignUp & { key: string }) =>
      answer(api.POST('/api/user/register', { body: { ...body, cookie: true }, params: once(key) })),
    onSuccess: ({ user }) => enter(user),
  });
}

export function useSignIn() {
  const enter = useSignedIn();
  return useMutation({
    meta: { shown: true },
    mutationFn: (body: { email: string; password: string }) => answer(api.POST('/api/user/login', { body: { ...body, cookie: true } })),
    onSuccess: ({ user }) => enter(user),
  });
}

export function useSignOut() {
  const enter = useSignedIn();
  return useMutation({ mutationFn: () => answer(api.POST('/api/user/logout')), onSuccess: () => enter(null) });
}

export const useForgotPassword = () =>
  useMutation({
    meta: { shown: true },
    mutationFn: (email: string) => answer(api.POST('/api/user/password/forgot', { body: { email } })),
  });

export const useResetPassword = () =>
  useMutation({
    meta: { shown: true },
    mutationFn: (body: { token: string; newPassword: string }) => answer(api.POST('/api/user/password/reset', { body })),
  });

export const useChangePassword = () =>
  useMutation({
    meta: { shown: true },
    mutationFn: (body: { currentPassword: string; newPassword: string }) => answer(api.PUT('/api/user/password', { body })),
  });

export function useLeave() {
  const enter = useSignedIn();
  return useMutation({
    meta: { shown: true },
    mutationFn: (password: string) => answer(api.DELETE('/api/user/me', { body: { password } })),
    onSuccess: () => enter(null),
  });
}

export const useSessions = () =>
  useQuery({ queryKey: ['sessions'], queryFn: ({ signal }) => answer(api.GET('/api/user/sessions', { signal })) });

/** Ends one session, or, without an id, all others. */
export function useEndSession() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (id: string | null) =>
      id === null ? answer(api.DELETE('/api/user/sessions')) : answer(api.DELETE('/api/user/sessions/{id}', { params: { path: { id } } })),
    onSettled: () => queries.invalidateQueries({ queryKey: ['sessions'] }),
  });
}

export interface ProfileEdit {
  firstName: string | null;
  lastName: string | null;
  bio: string | null;
  avatar: string | null;
  location: string | null;
  jobTitle: string | null;
  company: string | null;
  website: string | null;
}

/** Changes one's profile, unless it was changed elsewhere since it was read: then that is said, and shown. */
export function useEditProfile(me: Me) {
  const queries = useQueryClient();
  return useMutation({
    meta: { shown: true },
    mutationFn: ({ location, jobTitle, company, website, ...rest }: ProfileEdit) =>
      answer(
        api.PUT('/api/user/profile/{userId}', {
          params: { path: { userId: me.id } },
          headers: { 'If-Match': `"${me.version}"` },
          body: { ...rest, profile: { location, jobTitle, company, website } },
        }),
      ),
    onSuccess: (user) => queries.setQueryData(['me'], user),
    onSettled: () => {
      void queries.invalidateQueries({ queryKey: ['me'] });
      void queries.invalidateQueries({ queryKey: ['person', me.id] });
    },
  });
}

/** People whom the caller blocks. */
export const useBlocks = (enabled: boolean) =>
  usePages(['blocks'], (cursor, signal) => answer(api.GET('/api/user/blocks', { params: { query: { cursor } }, signal })), enabled);

