/** Short messages about what was just done. They are read out, and go away by themselves; nothing that must be answered is said here. */
import { useEffect, useSyncExternalStore } from 'react';
import { Icon } from './icon';

type Tone = 'good' | 'bad';
interface Toast {
  id: number;
  text: string;
  tone: Tone;
}

/** Long enough to read two sentences. */
const SHOWN_MS = 7000;
/** More at once would hide what they are about. */
const SHOWN_MAX = 3;

let toasts: readonly Toast[] = [];
let nextId = 0;
const listeners = new Set<() => void>();

function set(next: readonly Toast[]): void {
  toasts = next;
  for (const listener of listeners) listener();
}

/** Says something. */
export function say(text: string, tone: Tone = 'good'): void {
  // What is on the screen already need not be said twice.
  set([...toasts.filter((toast) => toast.text !== text), { id: nextId++, text, tone }].slice(-SHOWN_MAX));
}

const dismiss = (id: number): void => set(toasts.filter((toast) => toast.id !== id));

const subscribe = (listener: () => void) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};

export function Toasts() {
  const shown = useSyncExternalStore(subscribe, () => toasts);
  return (
    <div className="toasts" role="status" aria-live="polite">
      {shown.map((toast) => (
        <Shown key={toast.id} toast={toast} />
      ))}
    </div>
  );
}

function Shown({ toast }: { toast: Toast }) {
  useEffect(() => {
    const timer = setTimeout(dismiss, SHOWN_MS, toast.id);
    return () => clearTimeout(timer);
  }, [toast.id]);
  return (
    <div className={`toast ${toast.tone}`}>
      <span>{toast.text}</span>
      <button type="button" className="icon-button" aria-label="Dismiss" onClick={() => dismiss(toast.id)}>
        <Icon name="close" />
      </button>
    </div>
  );
}
