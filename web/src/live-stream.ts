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

/** Why nobody needs to come back: there is nobody to tell, or there are as many streams as one may have. With the codes that close sockets for these. */
const FINAL = new Map([
  ['unauthenticated', 4401],
  ['session_ended', 4401],
  ['limit_reached', 4409],
  ['garbage', 1008],
]);
const FINAL_CODES = new Set(FINAL.values());
/** The same before a stream begins, and where the platform has none. */
const FINAL_STATUSES = new Set([401, 403, 404, 409]);
/** Twice as long as a platform is silent by default, and some: then whatever is in between has forgotten the stream. */
const SILENT_MS_MAX = 60_000;
const WAIT_MS = { first: 500, most: 30_000 };
/** So many sockets that said nothing, one after the other, say that something in between does not let them through. */
const SOCKETS_REFUSED_MAX = 2;
/** How long a socket may take to say something: there are those in between that open them and pass nothing on. */
const HELLO_MS_MAX = 10_000;

/** What server-sent events are called; those of no other name are passed over. */
const EVENTS = ['hello', 'ping', 'reset', 'post.created', 'post.changed', 'follows.changed', 'product.changed', 'order.changed']
  .concat(['file.pending', 'file.ready', 'file.failed', 'gone', 'end']);

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

/** Whether there is any stream to be had: a socket does not say why it failed. `null` if nobody answers. */
async function isServed(): Promise<boolean | null> {
  const response = await fetch('/api/live/events', { method: 'HEAD' }).catch(() => null);
  return response && !FINAL_STATUSES.has(response.status);
}

/** What is watched, as the query of server-sent events asks for it: kinds with their ids. */
export function asked(subjects: Iterable<Subject>): Record<string, string> {
  const kinds: Record<string, string> = {};
  for (const subject of subjects) {
    for (const [kind, id] of Object.entries(subject)) kinds[kind] = kinds[kind] ? `${kinds[kind]},${id}` : id;
  }
  return kinds;
}

/** Opens the stream for whoever is signed in, and keeps it open until the answer is called. */
export function openStream(take: (event: LiveEvent) => void): () => void {
  let cursor: string | null = null;
  let failures = 0;
  let socketsRefused = 0;
  let isOver = false;
  let socket: WebSocket | null = null;
  let source: EventSource | null = null;
  /** What the platform was told that is watched. */
  let told: ReadonlyMap<string, Subject> = new Map();
  let next: ReturnType<typeof setTimeout> | undefined;
  let silence: ReturnType<typeof setTimeout> | undefined;

  const address = (path: string, query: Record<string, string> = {}) => {
    const whole = new URLSearchParams(cursor === null ? query : { cursor, ...query });
    return whole.size ? `${path}?${whole}` : path;
  };

  /** Lets go of what there is, without hearing of its end. */
  const drop = () => {
    clearTimeout(next);
    clearTimeout(silence);
    if (socket) {
      socket.onclose = null;
      socket.close();
    }
    source?.close();
    [socket, source] = [null, null];
  };

  const again = () => {
    if (isOver) return;
    drop();
    next = setTimeout(() => (socketsRefused >= SOCKETS_REFUSED_MAX ? openSource() : openSocket()), waitMs(failures++));
  };

  const finish = () => {
    isOver = true;
    drop();
    unsubscribe();
    removeEventListener('online', again);
  };

  const heard = (text: unknown) => {
    const event = parsed(text);
    if (!event) return;
    if (event.cursor) cursor = event.cursor;
    failures = 0;
    clearTimeout(silence);
    silence = setTimeout(again, SILENT_MS_MAX);
    if (event.type === 'end' && FINAL.has(event.reason ?? '')) finish();
    take(event);
  };

  /** Tells the platform what has come to be watched, and what is no more. */
  const tellWatched = () => {
    const now = watchedNow();
    const begun = [...now].filter(([word]) => !told.has(word)).map(([, subject]) => subject);
    const ended = [...told].filter(([word]) => !now.has(word)).map(([, subject]) => subject);
    if (!begun.length && !ended.length) return;
    // Server-sent events have no way back: what is asked for stands in the address.
    if (source) again();
    if (socket?.readyState !== WebSocket.OPEN) return;
    if (begun.length) socket.send(JSON.stringify({ subscribe: begun }));
    if (ended.length) socket.send(JSON.stringify({ unsubscribe: ended }));
    told = now;
  };

  function openSocket(): void {
    let saidSomething = false;
    const opened = new WebSocket(address('/api/live'));
    socket = opened;
    silence = setTimeout(() => opened.close(), HELLO_MS_MAX);
    socket.onopen = () => {
      told = new Map();
      tellWatched();
    };
    socket.onmessage = (message) => {
      saidSomething = true;
      socketsRefused = 0;
      heard(message.data);
    };
    socket.onclose = async ({ code }) => {
      if (FINAL_CODES.has(code)) return finish();
      if (!saidSomething) {
        const served = await isServed();
        // The session may have ended meanwhile.
        if (served === false) return finish();
        // A platform that is away refuses nothing.
        if (served) socketsRefused++;
      }
      again();
    };
  }

  function openSource(): void {
    told = watchedNow();
    silence = setTimeout(again, SILENT_MS_MAX);
    source = new EventSource(address('/api/live/events', asked(told.values())));
    for (const name of EVENTS) source.addEventListener(name, (event) => heard((event as MessageEvent).data));
    // It comes back by itself from an ordinary end, by Last-Event-ID.
    source.onerror = () => source?.readyState === EventSource.CLOSED && again();
  }

  const unsubscribe = subscribe(tellWatched);
  // Whoever is back need not wait for what is left of a wait, and what was open before may be dead without knowing it.
  addEventListener('online', again);
  // A socket that is refused is an error on the browser's console, whatever is done about it: so the first is opened where there is something to open.
  void isServed().then((served) => (served === false ? finish() : isOver || openSocket()));
  return finish;
}
