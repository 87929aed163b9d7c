import { type Bulkhead, bulkhead, type BulkheadOptions } from './bulkhead.ts';
import { type CircuitBreaker, circuitBreaker, type CircuitBreakerOptions } from './circuit-breaker.ts';
import type { ErrorPredicate } from './errors.ts';
import type { PolicyOptions } from './events.ts';
import { compose, type Policy } from './policy.ts';
import { retry, type RetryOptions } from './retry.ts';
import { timeout } from './timeout.ts';

type Own<Options> = Omit<Options, keyof PolicyOptions | 'isTransient'>;

export interface ResilienceOptions extends PolicyOptions {
  /** Of the callee; here it must have one. */
  readonly name: string;
  /** All in all, pauses and waiting included, in ms. @default 10000 */
  readonly deadlineMs?: number;
  /** One attempt, in ms. @default 2000 */
  readonly timeoutMs?: number;
  /** `false` for calls that must not happen twice. */
  readonly retry?: Own<RetryOptions> | false;
  readonly bulkhead?: Own<BulkheadOptions> | false;
  readonly circuitBreaker?: Own<CircuitBreakerOptions> | false;
  /** Which errors are the callee's trouble and may pass: they are repeated, and counted by the breaker. @default all */
  readonly isTransient?: ErrorPredicate;
}

export interface Resilience extends Policy {
  readonly circuitBreaker: CircuitBreaker | null;
  readonly bulkhead: Bulkhead | null;
}

/**
 * All policies around the calls of one callee, in the order in which they hold:
 *
 *     deadline( retry( bulkhead( circuit breaker( timeout( call )))))
 *
 * - The deadline is outermost: no number of repetitions keeps a caller waiting longer.
 * - Retry is outside of the bulkhead: a slot is held by a call that runs, not by one that pauses.
 * - The breaker is inside of retry, so that it counts attempts, and inside of the bulkhead: a call that waited for its
 *   slot while the breaker opened is not made; calls that the bulkhead refused say nothing of the callee.
 * - The timeout is innermost: each attempt has all of it, none of it is spent waiting, and a slow callee counts as a failing one.
 */
export function resilient(options: ResilienceOptions): Resilience {
  const { name, isTransient } = options;
  const common: PolicyOptions = { name, ...(options.onEvent !== undefined && { onEvent: options.onEvent }) };
  const judging = { ...common, ...(isTransient !== undefined && { isTransient }) };
  const slots = options.bulkhead === false ? null : bulkhead({ ...options.bulkhead, ...common });
  const breaker = options.circuitBreaker === false ? null : circuitBreaker({ ...options.circuitBreaker, ...judging });
  const policies = [
    timeout({ ...common, ms: options.deadlineMs ?? 10_000, limit: 'deadline' }),
    options.retry === false ? null : retry({ ...options.retry, ...judging }),
    slots,
    breaker,
    timeout({ ...common, ms: options.timeoutMs ?? 2000 }),
  ];
  const all = compose(...policies.filter((policy) => policy !== null));
  return { execute: (call, signal) => all.execute(call, signal), circuitBreaker: breaker, bulkhead: slots };
}
