/**
 * `outbox-relay/resilience`: what calls between services need, around any promise: retry, circuit breaker, bulkhead,
 * timeout, and all of them in the right order. See docs/patterns.md.
 */
export { type Bulkhead, bulkhead, type BulkheadOptions } from './bulkhead.ts';
export { type CircuitBreaker, circuitBreaker, type CircuitBreakerOptions } from './circuit-breaker.ts';
export { type ErrorPredicate, ResilienceError, type ResilienceErrorCode } from './errors.ts';
export type { CircuitState, PolicyOptions, ResilienceEvent } from './events.ts';
export { type Call, compose, type Policy } from './policy.ts';
export { type Resilience, resilient, type ResilienceOptions } from './resilient.ts';
export { retry, type RetryOptions } from './retry.ts';
export { timeout, type TimeoutOptions } from './timeout.ts';
export {
  classifyTransactionError,
  retryTransaction,
  type TransactionBody,
  type TransactionFailure,
  type TransactionRetryOptions,
} from './transaction.ts';
