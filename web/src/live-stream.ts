/**
 * The stream of live updates: by WebSocket, or where something in between lets none through, as server-sent events. docs/live.md has the protocol.
 *
 * Events say that something is newer, by id and version, and never what it says; so a doubled one costs a question, and a lost one is made up for by reading
 * again. A stream that ended is taken up where it was, by its last cursor, after a wait that grows. A platform without live updates is asked once.
 */
import { subscribe, type Subject, watchedNow } from './live';

/** What the platform says. Other types may come, and are passed over. */
export interface LiveEvent {
  type: string;
  cursor?: string;
  version?: number;
  postId?: string;
  userId?: string;
  productId?: string;
  orderId?: string;
  fileId?: string;
  reason?: string;
  subject?: Subject;
}

/** Why nobody needs to come back: there is nobody to tell, or nothing to hear. */
const FINAL = new Set(['unauthenticated', 'session_ended', 'garbage']);
const WAIT_MS = { first: 500, most: 30_000 };
/** So many sockets that never opened, one after the other, say that something in between does not let them through. */
const SOCKETS_REFUSED_MAX = 2;

/** How long to wait before coming back: longer each time, and spread, so that a node that restarts does not have everybody at its door at once. */
export function waitMs(failures: number, random = Math.random()): number {
  return Math.min(WAIT_MS.first * 2 ** failures, WAIT_MS.most) * (0.5 + random);
}

/** An event out of a message; `null` for what is none. */
export function parsed(text: unknown): LiveEvent | null {
  if (typeof text !== 'string') return null;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && typeof (value as LiveEvent).type === 'string' ? (value as LiveEvent) : null;
  } catch {
    return null;
  }
}

/** Whether there is any stream to be had: a socket does not say why it failed. */
async function isServed(): Promise<boolean> {
  const response = await fetch('/api/live/events', { method: 'HEAD' }).catch(() => null);
  return response === null || (response.status !== 404 && response.status !== 401);
}

/** Opens the stream for whoever is signed in, and keeps it open until the answer is called. */
export function openStream(take: (event: LiveEvent) => void): () => void {
  let cursor: string | null = null;
  let failures = 0;
  let socketsRefused = 0;
  let isOver = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let socket: WebSocket | null = null;
  let source: EventSource | null = null;
  let told = new Map<string, Subject>();

  const address = (path: string) => (cursor === null ? path : `${path}?cursor=${encodeURIComponent(cursor)}`);

  const heard = (text: unknown) => {
    const event = parsed(text);
    if (!event) return;
    if (event.cursor) cursor = event.cursor;
    failures = 0;
    if (event.type === 'end' && FINAL.has(event.reason ?? '')) finish();
    take(event);
  };

  const again = () => {
    if (isOver) return;
    clearTimeout(timer);
    timer = setTimeout(() => void (socketsRefused > SOCKETS_REFUSED_MAX ? openSource() : openSocket()), waitMs(failures++));
  };

  /** Tells the platform what has come to be watched, and what is no more. */
  const tellWatched = () => {
    if (socket?.readyState !== WebSocket.OPEN) return;
    const now = watchedNow();
    const begun = [...now].filter(([word]) => !told.has(word)).map(([, subject]) => subject);
    const ended = [...told].filter(([word]) => !now.has(word)).map(([, subject]) => subject);
    if (begun.length) socket.send(JSON.stringify({ subscribe: begun }));
    if (ended.length) socket.send(JSON.stringify({ unsubscribe: ended }));
    told = new Map(now);
  };

  function openSocket(): void {
    let wasOpen = false;
    socket = new WebSocket(address('/api/live'));
    socket.onopen = () => {
      wasOpen = true;
      socketsRefused = 0;
      told = new Map();
      tellWatched();
    };
    socket.onmessage = (message) => heard(message.data);
    socket.onclose = async ({ reason }) => {
      socket = null;
      if (isOver) return;
      if (FINAL.has(reason)) return finish();
      if (!wasOpen) {
        socketsRefused++;
        // The session may have ended meanwhile.
        if (navigator.onLine && !(await isServed())) return finish();
      }
      again();
    };
  }

  function openSource(): void {
    source = new EventSource(address('/api/live/events'));
    // It comes back by itself where it was, by Last-Event-ID; here it is only told what the events are called.
    for (const name of ['hello', 'reset', 'post.created', 'follows.changed', 'file.ready', 'file.failed', 'order.changed', 'end']) {
      source.addEventListener(name, (event) => heard((event as MessageEvent).data));
    }
    source.onerror = () => {
      if (source?.readyState !== EventSource.CLOSED) return;
      source = null;
      again();
    };
  }

  function finish(): void {
    isOver = true;
    clearTimeout(timer);
    socket?.close();
    source?.close();
    unsubscribe();
    removeEventListener('online', again);
  }

  const unsubscribe = subscribe(tellWatched);
  // Whoever is back need not wait for what is left of a wait.
  addEventListener('online', again);
  // A socket that is refused is an error on the browser's console, whatever is done about it: so the first is opened where there is something to open.
  void isServed().then((served) => (served ? isOver || openSocket() : finish()));
  return finish;
}
