import { backoffDelay } from '../core/backoff.ts';
import type { ErrorCode } from '../core/error-catalogue.ts';
import type { RelayError } from '../core/errors.ts';

const BACKOFF = { baseMs: 100, maxMs: 15_000 };
/** What a stream is closed for to spare the server's disk: ours, and the server's own limit. */
const GUARDS: ReadonlySet<ErrorCode> = new Set(['wal_budget_exceeded', 'replication_slot_lost']);
/** A stream that has lived for so many times the wait has not been opened too early. */
const CALM = 10;
const MAX_DOUBLINGS = 5;

/**
 * When a stream is opened again after one that broke or was not to be had.
 *
 * - What may pass by itself: soon, with growing pauses, until a stream makes progress again.
 * - What somebody has to mend: after the configured wait, each time.
 * - Too much retained log: after the configured wait, twice as long each time that it happens again before the stream has
 *   lived for a while. A new slot begins with nothing retained, and its creation outlasts the transactions that held the
 *   last one back, so that it would come about at once; what made it necessary may not be over, though.
 */
export class ReopenPolicy {
  readonly #waitMs: number;
  readonly #now: () => number;
  #failures = 0;
  #trips = 0;
  #openedAt: number | null = null;

  /**
   * @param waitMs the configured wait, in milliseconds
   * @param now milliseconds of a monotonic clock
   */
  constructor(waitMs: number, now: () => number = () => performance.now()) {
    this.#waitMs = waitMs;
    this.#now = now;
  }

  opened(): void {
    this.#openedAt = this.#now();
  }

  /** The stream brings something. */
  progressed(): void {
    this.#failures = 0;
  }

  /** Milliseconds until a stream may be opened again, after one that was not to be had. */
  afterRefusal(error: RelayError): number {
    return error.retryable ? this.afterEnd(error) : this.#waitMs;
  }

  /** Milliseconds until a stream may be opened again, after one that ended. */
  afterEnd(error: RelayError): number {
    const livedMs = this.#openedAt === null ? 0 : this.#now() - this.#openedAt;
    this.#openedAt = null;
    if (!GUARDS.has(error.code)) return 1 + backoffDelay(BACKOFF, this.#failures++);
    if (livedMs >= CALM * this.#waitMs) this.#trips = 0;
    return this.#waitMs * 2 ** Math.min(this.#trips++, MAX_DOUBLINGS);
  }
}
