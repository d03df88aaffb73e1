/** What screens know of live updates: how many posts are new, and what they want to hear of. The stream itself is in `live-stream.ts`, and is loaded later. */
import { useEffect, useSyncExternalStore } from 'react';

type Kind = 'post' | 'product' | 'order' | 'file';

/** A thing whose changes a screen wants to hear of, as the platform names it. */
export type Subject = Partial<Record<Kind, string>>;

let newPosts: ReadonlySet<string> = new Set();
const watched = new Map<string, { subject: Subject; screens: number }>();
const listeners = new Set<() => void>();

const tell = () => {
  for (const listener of listeners) listener();
};

/** Has a listener told whenever posts are new, or something else is watched. */
export function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function addNewPosts(ids: readonly string[]): void {
  if (ids.every((id) => newPosts.has(id))) return;
  newPosts = new Set([...newPosts, ...ids]);
  tell();
}

export function clearNewPosts(): void {
  newPosts = new Set();
  tell();
}

/** How many posts came into the feed since it was last read. */
export const useNewPosts = (): number => useSyncExternalStore(subscribe, () => newPosts.size);

/** Everything that some screen watches, by a word that tells it from all else. */
export const watchedNow = (): ReadonlyMap<string, Subject> => new Map([...watched].map(([word, { subject }]) => [word, subject]));

/** Watches something for as long as a screen shows it. */
export function useWatched(kind: Kind, id: string): void {
  useEffect(() => {
    if (!id) return;
    const word = `${kind} ${id}`;
    const screens = watched.get(word)?.screens ?? 0;
    watched.set(word, { subject: { [kind]: id }, screens: screens + 1 });
    tell();
    return () => {
      const left = (watched.get(word)?.screens ?? 1) - 1;
      if (left > 0) watched.set(word, { subject: { [kind]: id }, screens: left });
      else watched.delete(word);
      tell();
    };
  }, [kind, id]);
}
