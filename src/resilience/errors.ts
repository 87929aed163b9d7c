/** What a policy itself ends a call with. */
export type ResilienceErrorCode =
  /** An attempt took longer than its timeout; whether it had its effect is not known. */
  | 'attempt_timeout'
  /** The call as a whole, repetitions and waiting included, took too long. */
  | 'deadline_exceeded'
  /** The circuit breaker is open: the call was not made. */
  | 'circuit_open'
  /** All slots of the bulkhead and its queue are taken: the call was not made. */
  | 'bulkhead_full';

/** Thrown by policies. What the call itself throws is passed on as it is. */
export class ResilienceError extends Error {
  override readonly name = 'ResilienceError';
  readonly code: ResilienceErrorCode;

  constructor(code: ResilienceErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }

  /** Whether the call was not made at all, to spare its callee or the caller: repeating it at once would undo that. */
  get rejected(): boolean {
    return this.code === 'circuit_open' || this.code === 'bulkhead_full';
  }
}

/** Decides whether an error may be gone at the next attempt. */
export type ErrorPredicate = (error: unknown) => boolean;

/** Applies `predicate` to what calls throw; of the policies' own errors only an attempt's timeout is transient. */
export function transientBy(predicate: ErrorPredicate): ErrorPredicate {
  return (error) => (error instanceof ResilienceError ? error.code === 'attempt_timeout' : predicate(error));
}
