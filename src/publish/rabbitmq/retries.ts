import { backoffDelay } from '../../core/backoff.ts';
import type { Entry } from './lane.ts';

/** Nacks of one message on one channel after which the channel itself is taken for the cause. */
const NACKS_BEFORE_RENEWAL = 3;
/** A queue that is full for long is no reason to open channels all the time. In milliseconds. */
const RENEWAL_INTERVAL = 5000;
const BACKOFF = { baseMs: 100, maxMs: 30_000 };

/**
 * When a nacked message is sent again, in milliseconds from now.
 */
export function nackDelay(entry: Entry, random?: () => number): number {
  return backoffDelay(BACKOFF, entry.attempts++, random);
}

/**
 * When a returned message is sent again, in milliseconds from now; null: it was tried for long enough.
 *
 * @param retryForMs how long after the first return the last attempt is made
 */
export function returnDelay(entry: Entry, retryForMs: number, now: number, random?: () => number): number | null {
  entry.returnedSince ??= now;
  const left = entry.returnedSince + retryForMs - now;
  return left <= 0 ? null : Math.min(left, backoffDelay(BACKOFF, entry.attempts++, random));
}

/**
 * Counts nacks, to find the channel on which a quorum queue goes on refusing although there is room again (it does so
 * when a limit's policy was deleted; another channel is not affected).
 */
export class StickyNack {
  #epoch = 1;
  #renewedAt = -Infinity;

  /** @returns whether the channel should be replaced */
  nacked(entry: Entry, now: number): boolean {
    if (entry.epoch !== this.#epoch) {
      entry.epoch = this.#epoch;
      entry.nacks = 0;
    }
    return ++entry.nacks >= NACKS_BEFORE_RENEWAL && now - this.#renewedAt >= RENEWAL_INTERVAL;
  }

  /** The channel is being replaced: counting begins anew. */
  renewed(now: number): void {
    this.#epoch++;
    this.#renewedAt = now;
  }
}

/** The messages that wait for their next attempt. */
export class RetryTimers {
  readonly #timers = new Set<NodeJS.Timeout>();

  #stopped = false;

  schedule(ms: number, action: () => void): void {
    if (this.#stopped) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      action();
    }, ms);
    this.#timers.add(timer);
  }

  /** Forgets all, and all that is scheduled later. */
  stop(): void {
    this.#stopped = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }
}
