import {
  BrokenCircuitError,
  circuitBreaker as breakerPolicy,
  CircuitState as LibraryState,
  CountBreaker,
  DelegateBackoff,
  handleWhen,
} from 'cockatiel';
import { type ErrorPredicate, ResilienceError, transientBy } from './errors.ts';
import { type CircuitState, DEFAULT_NAME, type PolicyOptions } from './events.ts';
import { wholeNumber } from './option-range.ts';
import { neverAborted, type Policy } from './policy.ts';

export interface CircuitBreakerOptions extends PolicyOptions {
  /** Opens when more than this share of the calls looked at has failed; between 0 and 1, both excluded. @default 0.5 */
  readonly failureRatio?: number;
  /** How many of the last calls are looked at. @default 20 */
  readonly window?: number;
  /** Never opens before so many calls have ended. @default 10 */
  readonly minimumCalls?: number;
  /** How long it stays open before one call is let through on trial, in ms; doubled each time that fails. @default 5000 */
  readonly openMs?: number;
  /** At most, in ms. @default 60000 */
  readonly maxOpenMs?: number;
  /** Which errors of the call say that the callee is in trouble. One that says that the request is at fault does not. @default all */
  readonly isTransient?: ErrorPredicate;
}

/** A breaker belongs to one callee; all who call it share the breaker. */
export interface CircuitBreaker extends Policy {
  readonly state: CircuitState;
}

const STATES: Readonly<Record<LibraryState, CircuitState>> = {
  [LibraryState.Closed]: 'closed',
  [LibraryState.Open]: 'open',
  [LibraryState.HalfOpen]: 'half-open',
  [LibraryState.Isolated]: 'open',
};

/** Hides from the breaker what a caller's cancellation made of a call. */
class Cancelled {
  readonly error: unknown;
  constructor(error: unknown) {
    this.error = error;
  }
}

/**
 * Stops calling a callee that mostly fails, so that neither side spends its time on calls that are lost anyway
 * (https://learn.microsoft.com/azure/architecture/patterns/circuit-breaker):
 *
 *     closed ── more than failureRatio of the last calls failed ──> open <──┐
 *       ^                                                            │      │ it fails: twice as long
 *       └──── the call on trial passes ──── half-open <── openMs ────┘      │
 *                                               └───────────────────────────┘
 *
 * While one call is on trial the others wait for what comes of it. A trial that its caller cancels closes the breaker,
 * but what it remembers stays: the next failure opens it again.
 */
export function circuitBreaker(options: CircuitBreakerOptions = {}): CircuitBreaker {
  const { name = DEFAULT_NAME, onEvent } = options;
  const openMs = wholeNumber('openMs', options.openMs ?? 5000, 0);
  const maxOpenMs = wholeNumber('maxOpenMs', options.maxOpenMs ?? 60_000, 0);
  const isTransient = transientBy(options.isTransient ?? (() => true));
  const size = wholeNumber('window', options.window ?? 20, 1);
  const policy = breakerPolicy(
    handleWhen((error: unknown) => !(error instanceof Cancelled) && isTransient(error)),
    {
      halfOpenAfter: new DelegateBackoff(({ attempt }) => Math.min(maxOpenMs, openMs * 2 ** (attempt - 1))),
      breaker: new CountBreaker({
        threshold: options.failureRatio ?? 0.5,
        size,
        minimumNumberOfCalls: options.minimumCalls ?? Math.min(10, size),
      }),
    },
  );
  policy.onStateChange((state) => onEvent?.({ type: 'circuit', name, state: STATES[state] }));
  return {
    get state() {
      return STATES[policy.state];
    },
    async execute(call, signal = neverAborted()) {
      signal.throwIfAborted();
      const progress = { called: false };
      const watched = async (): ReturnType<typeof call> => {
        progress.called = true;
        try {
          // By this signal, not by the library's, which is lost on those who waited for a trial.
          return await call(signal);
        } catch (error) {
          throw signal.aborted ? new Cancelled(error) : error;
        }
      };
      try {
        return await policy.execute(watched, signal);
      } catch (error) {
        if (error instanceof Cancelled) throw error.error;
        if (progress.called || !(error instanceof BrokenCircuitError)) throw error;
        onEvent?.({ type: 'rejected', name, by: 'circuit-breaker' });
        throw new ResilienceError('circuit_open', `${name}: not called, the circuit breaker is open`);
      }
    },
  };
}
