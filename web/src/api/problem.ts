/** What went wrong, in the API's words (RFC 9457), and whether asking again may help. */

interface Body {
  code?: string;
  detail?: string;
  traceId?: string;
}

/** Longest that a `Retry-After` is believed: nobody waits at a screen for longer. */
const RETRY_AFTER_MS_MAX = 30_000;

/** How often something that may be repeated is repeated. With the waits of {@link retryDelay} that is about a minute. */
const RETRIES_MAX = 6;

/** A refusal of the API, or that it could not be reached. */
export class Problem extends Error {
  override readonly name = 'Problem';

  constructor(
    /** The HTTP status; 0 where there was no answer. */
    readonly status: number,
    /** What programs match on: docs/errors.md lists them. `unreachable` where there was no answer. */
    readonly code: string,
    /** One sentence for people. */
    detail: string,
    /** How long the platform asks to wait. */
    readonly retryAfterMs: number | null = null,
    /** Finds the request in the platform's log. */
    readonly traceId: string | null = null,
  ) {
    super(detail);
  }

  static of(status: number, retryAfter: string | null, body: unknown): Problem {
    const { code, detail, traceId } = (typeof body === 'object' && body !== null ? body : {}) as Body;
    const seconds = Number(retryAfter);
    const wait = retryAfter !== null && Number.isFinite(seconds) ? Math.min(seconds * 1000, RETRY_AFTER_MS_MAX) : null;
    return new Problem(status, code ?? 'unknown', detail ?? `The platform answered ${status}.`, wait, traceId ?? null);
  }

  static unreachable(): Problem {
    return new Problem(0, 'unreachable', 'The platform cannot be reached.');
  }

  /** Whether the same request may succeed later: everything that creates carries an Idempotency-Key, and the rest may be said twice. */
  get passes(): boolean {
    return this.status === 503 || this.status === 429 || this.status === 0 || this.code === 'idempotency_in_flight';
  }
}

/** Takes whatever was thrown for a problem. */
export function problem(thrown: unknown): Problem {
  return thrown instanceof Problem ? thrown : Problem.unreachable();
}

export function retries(failures: number, thrown: unknown): boolean {
  return thrown instanceof Problem && thrown.passes && failures < RETRIES_MAX;
}

/** Milliseconds to the next try: what the platform asks for, and longer each time; spread, so that not all who were refused come back at once. */
export function retryDelay(failures: number, thrown: unknown): number {
  const asked = thrown instanceof Problem ? (thrown.retryAfterMs ?? 0) : 0;
  return Math.max(asked, Math.min(500 * 2 ** failures, 15_000)) * (1 + Math.random() / 4);
}
