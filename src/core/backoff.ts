/** Exponential back-off with full jitter: the delay before an attempt is uniform in [0, min(maxMs, baseMs * 2^attempt)). */
export interface BackoffOptions {
  /** @default 200 */
  readonly baseMs: number;
  /** @default 30000 */
  readonly maxMs: number;
}

/**
 * The delay before the next attempt, in milliseconds.
 *
 * @param attempt 0 for the first repetition
 * @param random in [0, 1); injected so that tests are exact
 */
export function backoffDelay(options: BackoffOptions, attempt: number, random: () => number = Math.random): number {
  const ceiling = Math.min(options.maxMs, options.baseMs * 2 ** Math.min(attempt, 30));
  return Math.floor(random() * ceiling);
}
