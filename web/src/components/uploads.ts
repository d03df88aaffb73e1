/** Files on their way to the platform: a few at a time, each with its progress, each to be given up or tried again. */
import { useCallback, useEffect, useRef, useState } from 'react';
import { idempotencyKey } from '../api/client';
import { upload, useDeleteFile } from '../api/media';
import { problem } from '../api/problem';
import type { File as Kept, FileVisibility } from '../api/types';

/** More would only share the same line, and keep the first from being done. */
const AT_ONCE_MAX = 3;

export interface Sending {
  key: string;
  source: File;
  visibility: FileVisibility;
  state: 'sending' | 'done' | 'failed';
  /** 0 to 1; at 1 the platform has it all, and works on it. */
  progress: number;
  file: Kept | null;
  error: string | null;
  /** What is shown of it meanwhile. */
  preview: string | null;
}

export interface Uploads {
  all: readonly Sending[];
  add: (files: readonly File[], visibility: FileVisibility) => void;
  retry: (key: string) => void;
  /** Takes one off the list, and gives it up if it is on its way; `deletes` says that the platform is not to keep it either. */
  remove: (key: string, deletes: boolean) => void;
  clear: () => void;
  restore: (all: readonly Sending[]) => void;
  /** Frees what the previews of these hold. */
  forget: (all: readonly Sending[]) => void;
}

const begin = (source: File, visibility: FileVisibility): Sending => ({
  key: idempotencyKey(),
  source,
  visibility,
  state: 'sending',
  progress: 0,
  file: null,
  error: null,
  preview: source.type.startsWith('image/') ? URL.createObjectURL(source) : null,
});

const forget = (gone: readonly Sending[]) => {
  for (const each of gone) if (each.preview) URL.revokeObjectURL(each.preview);
};

export function useUploads(done?: (file: Kept) => void): Uploads {
  const [all, setAll] = useState<readonly Sending[]>([]);
  const running = useRef(new Map<string, AbortController>());
  const { mutate: deleteFile } = useDeleteFile();

  const change = useCallback(
    (key: string, part: Partial<Sending>) => setAll((now) => now.map((each) => (each.key === key ? { ...each, ...part } : each))),
    [],
  );

  // Whatever waits is begun as soon as there is room for it.
  useEffect(() => {
    for (const each of all) {
      if (running.current.size >= AT_ONCE_MAX) break;
      if (each.state !== 'sending' || running.current.has(each.key)) continue;
      const control = new AbortController();
      running.current.set(each.key, control);
      upload({ file: each.source, visibility: each.visibility, key: each.key, progress: (progress) => change(each.key, { progress }), signal: control.signal })
        .then((file) => {
          change(each.key, { state: 'done', progress: 1, file });
          done?.(file);
        })
        .catch((thrown: unknown) => !control.signal.aborted && change(each.key, { state: 'failed', error: problem(thrown).message }))
        .finally(() => {
          running.current.delete(each.key);
          // Room for the next.
          setAll((now) => [...now]);
        });
    }
  }, [all, change, done]);

  useEffect(() => {
    const controls = running.current;
    return () => {
      for (const control of controls.values()) control.abort();
    };
  }, []);

  return {
    all,
    add: (files, visibility) => setAll((now) => [...now, ...files.map((file) => begin(file, visibility))]),
    retry: (key) => change(key, { state: 'sending', progress: 0, error: null }),
    remove: (key, deletes) => {
      running.current.get(key)?.abort();
      const each = all.find((one) => one.key === key);
      if (each?.file && deletes) deleteFile(each.file.id);
      if (each) forget([each]);
      setAll((now) => now.filter((one) => one.key !== key));
    },
    clear: () => setAll([]),
    restore: (before) => setAll((now) => (now.length ? now : before)),
    forget,
  };
}
