import { handleWhen, retry as retryPolicy } from 'cockatiel';
import { type BackoffOptions, backoffDelay } from '../core/backoff.ts';
import { pause } from '../core/pause.ts';
import { type ErrorPredicate, transientBy } from './errors.ts';
import { DEFAULT_NAME, type PolicyOptions } from './events.ts';
import { wholeNumber } from './option-range.ts';
import { neverAborted, type Policy } from './policy.ts';

export interface RetryOptions extends PolicyOptions, Partial<BackoffOptions> {
  /** In all, the first one included. @default 4 */
  readonly attempts?: number;
  /** Before the first repetition at most so long, in ms; doubled with each one. @default 100 */
  readonly baseMs?: number;
  /** No pause is longer, in ms. @default 5000 */
  readonly maxMs?: number;
  /** Which errors of the call may be gone at the next attempt. @default all */
  readonly isTransient?: ErrorPredicate;
  /** In [0, 1); give a seeded one in tests. @default Math.random */
  readonly random?: () => number;
}

/**
 * Repeats a call that fails by a transient error, after pauses of exponential back-off with full jitter: callers that
 * failed together do not come back together
 * (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
 *
 * Only for calls that may happen twice: reads, and writes with an idempotency key. An open circuit breaker and a full
 * bulkhead are not answered by repeating.
 */
export function retry(options: RetryOptions = {}): Policy {
  const { name = DEFAULT_NAME, onEvent, random = Math.random } = options;
  const backoff: BackoffOptions = {
    baseMs: wholeNumber('baseMs', options.baseMs ?? 100, 0),
    maxMs: wholeNumber('maxMs', options.maxMs ?? 5000, 0),
  };
  const attempts = wholeNumber('attempts', options.attempts ?? 4, 1);
  const isTransient = transientBy(options.isTransient ?? (() => true));
  const policy = retryPolicy(handleWhen(isTransient), { maxAttempts: attempts - 1 });
  return {
    execute(call, signal = neverAborted()) {
      let last: unknown;
      return policy.execute(async ({ attempt }) => {
        if (attempt > 0) {
          const delayMs = backoffDelay(backoff, attempt - 1, random);
          onEvent?.({ type: 'retry', name, attempt: attempt + 1, delayMs, error: last });
          // Not by the library's own back-off: nothing cancels that one, and it makes one more attempt after an abort.
          await pause(delayMs, signal);
        }
        signal.throwIfAborted();
        try {
          return await call(signal);
        } catch (error) {
          last = error;
          const isLast = attempt + 1 >= attempts;
          if (isLast && !signal.aborted && isTransient(error)) onEvent?.({ type: 'exhausted', name, attempts, error });
          throw error;
        }
      }, signal);
    },
  };
}
