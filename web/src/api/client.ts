/** The one way to the API: typed by its description, with the session as a cookie that no script can read. */
import type { Client } from 'openapi-fetch';
import { Problem } from './problem';
import type { paths } from './schema';

interface Asked {
  params?: { path?: Record<string, unknown>; query?: Record<string, unknown>; header?: Record<string, string> };
  headers?: Record<string, string>;
  body?: unknown;
  signal?: AbortSignal;
}

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** An address with what stands in for its `{names}`, and its query without what nobody asked for. */
export function addressOf(path: string, { path: names = {}, query = {} }: NonNullable<Asked['params']> = {}): string {
  const address = path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(names[name])));
  const asked = new URLSearchParams(Object.entries(query).flatMap(([name, value]) => (value === undefined || value === null ? [] : [[name, String(value)]])));
  return asked.size ? `${address}?${asked}` : address;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Whatever stands between may answer anything; the status says enough.
    return undefined;
  }
}

const call =
  (method: string) =>
  async (path: string, { params, headers, body, signal }: Asked = {}): Promise<Answer<unknown>> => {
    const type: Record<string, string> = body === undefined ? {} : { 'Content-Type': 'application/json' };
    const response = await fetch(addressOf(path, params), {
      method,
      credentials: 'same-origin',
      headers: { ...type, ...params?.header, ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal ? { signal } : {}),
    });
    const value = parsed(await response.text());
    return response.ok ? { data: value, response } : { error: value, response };
  };

type Methods = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** The types of openapi-fetch, without its 2.5 kB: nothing of what it does beside this is used here, and the first load has a budget. */
export const api = { GET: call('GET'), POST: call('POST'), PUT: call('PUT'), PATCH: call('PATCH'), DELETE: call('DELETE') } as unknown as Pick<
  Client<paths>,
  Methods
>;

/** What a call answered; throws a {@link Problem} for everything else. */
export async function answer<T>(asked: Promise<Answer<T>>): Promise<T> {
  const { data, error, response } = await asked.catch((thrown: unknown) => {
    // Whoever gave up on the request wants to hear just that.
    if (thrown instanceof DOMException && thrown.name === 'AbortError') throw thrown;
    throw Problem.unreachable();
  });
  if (!response.ok) throw Problem.of(response.status, response.headers.get('retry-after'), error);
  return data as T;
}

/** A key under which something is created once, however often it is sent. */
export const idempotencyKey = (): string => crypto.randomUUID();

/** Parameters that make a creating call repeatable. */
export const once = (key: string) => ({ header: { 'Idempotency-Key': key } });

/**
 * A file's address on this origin, or `null` for one of another site: those are not shown, because whoever serves them would learn who looks at what.
 * The API writes addresses with its public origin, which need not be the one that this page was opened at.
 */
export function ownAddress(address: string | null | undefined): string | null {
  if (!address) return null;
  const url = URL.parse(address, location.origin);
  return url?.pathname.startsWith('/api/media/media/') ? url.pathname + url.search : null;
}
