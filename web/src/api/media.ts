/** Files: the gallery, one of them, and sending new ones with their progress. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { answer, api } from './client';
import { Problem, retries, retryDelay } from './problem';
import { usePages } from './queries';
import type { File as Kept, FileVisibility } from './types';

/** Whose files: everybody's public ones, or one person's. */
export const useFiles = (userId: string | null, enabled: boolean) =>
  usePages(
    ['files', userId],
    (cursor, signal) =>
      userId
        ? answer(api.GET('/api/media/files/{id}', { params: { path: { id: userId }, query: { limit: 30, cursor } }, signal }))
        : answer(api.GET('/api/media/public/files', { params: { query: { limit: 30, cursor } }, signal })),
    enabled,
  );

/** Addresses of private files are worth something for five minutes: they are asked for again before. */
const ADDRESS_LIFE_MS = 4 * 60_000;

export const useFile = (id: string) =>
  useQuery({
    queryKey: ['file', id],
    queryFn: ({ signal }) => answer(api.GET('/api/media/files/id/{id}', { params: { path: { id } }, signal })),
    staleTime: ADDRESS_LIFE_MS,
    // While its variants are made: until they are there, or cannot be.
    refetchInterval: (query) => (query.state.data?.status === 'pending' ? 1000 : query.state.data?.visibility === 'private' ? ADDRESS_LIFE_MS : false),
  });

export function useSetFileVisibility(id: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (visibility: FileVisibility) => answer(api.PATCH('/api/media/files/{id}', { params: { path: { id } }, body: { visibility } })),
    onSuccess: (file) => {
      queries.setQueryData(['file', id], file);
      void queries.invalidateQueries({ queryKey: ['files'] });
    },
  });
}

export function useDeleteFile() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (id: string) => answer(api.DELETE('/api/media/files/{id}', { params: { path: { id } } })),
    onSettled: () => queries.invalidateQueries({ queryKey: ['files'] }),
  });
}

export interface Upload {
  file: File;
  visibility: FileVisibility;
  /** One for each file that somebody chose: what is sent twice is kept once. */
  key: string;
  /** Told how much has been sent, 0 to 1. */
  progress: (share: number) => void;
  signal: AbortSignal;
}

/**
 * Sends a file. By XMLHttpRequest, because `fetch` does not tell how much of a body has been sent. Repeats by itself what the platform was too busy for.
 *
 * Throws a {@link Problem}, or an `AbortError` once `signal` says so.
 */
export async function upload(what: Upload): Promise<Kept> {
  for (let failures = 0; ; failures++) {
    try {
      return await send(what);
    } catch (thrown) {
      if (!retries(failures, thrown)) throw thrown;
      await new Promise((resolve) => setTimeout(resolve, retryDelay(failures, thrown)));
      what.signal.throwIfAborted();
    }
  }
}

function send({ file, visibility, key, progress, signal }: Upload): Promise<Kept> {
  return new Promise((resolve, reject) => {
    const form = new FormData();
    form.append('visibility', visibility);
    form.append('file', file);
    const request = new XMLHttpRequest();
    request.open('POST', '/api/media/upload');
    request.responseType = 'json';
    request.setRequestHeader('Idempotency-Key', key);
    request.upload.onprogress = (event) => event.lengthComputable && progress(event.loaded / event.total);
    request.onload = () => {
      if (request.status >= 200 && request.status < 300) resolve(request.response as Kept);
      else reject(Problem.of(request.status, request.getResponseHeader('retry-after'), request.response));
    };
    request.onerror = () => reject(Problem.unreachable());
    request.onabort = () => reject(new DOMException('given up', 'AbortError'));
    signal.addEventListener('abort', () => request.abort(), { once: true });
    request.send(form);
  });
}
