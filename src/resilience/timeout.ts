import { timeout as timeoutPolicy, TimeoutStrategy } from 'cockatiel';
import { ResilienceError } from './errors.ts';
import { DEFAULT_NAME, type PolicyOptions } from './events.ts';
import { wholeNumber } from './option-range.ts';
import { neverAborted, type Policy } from './policy.ts';

export interface TimeoutOptions extends PolicyOptions {
  readonly ms: number;
  /** What the time is for: one attempt, or all of a call. @default 'attempt' */
  readonly limit?: 'attempt' | 'deadline';
}

/**
 * Ends a call that takes longer than `ms` and aborts its signal. The promise is rejected at once, also when the call
 * does not look at its signal; such a call runs on unseen. Read a response's body within the call: afterwards nothing
 * watches the time.
 */
export function timeout({ ms, limit = 'attempt', name = DEFAULT_NAME, onEvent }: TimeoutOptions): Policy {
  const policy = timeoutPolicy(wholeNumber('ms', ms, 1), {
    strategy: TimeoutStrategy.Aggressive,
    abortOnReturn: false, // what the call has returned may still be read
  });
  return {
    async execute(call, signal = neverAborted()) {
      signal.throwIfAborted();
      let own = signal;
      try {
        return await policy.execute((_, inner) => call((own = inner)), signal);
      } catch (error) {
        signal.throwIfAborted();
        if (!own.aborted) throw error;
        onEvent?.({ type: 'timeout', name, limit, ms });
        const code = limit === 'attempt' ? 'attempt_timeout' : 'deadline_exceeded';
        throw new ResilienceError(code, `${name}: no answer within ${ms} ms`, { cause: error });
      }
    },
  };
}
