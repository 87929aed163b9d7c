export type CircuitState = 'closed' | 'open' | 'half-open';

/** What a policy has done, for metrics and logs. */
export type ResilienceEvent = { /** Of the policy. */ readonly name: string } & (
  | {
      readonly type: 'retry';
      /** Of the attempt that follows: 2 for the first repetition. */
      readonly attempt: number;
      readonly delayMs: number;
      readonly error: unknown;
    }
  /** The last attempt failed too, by an error that is transient. */
  | { readonly type: 'exhausted'; readonly attempts: number; readonly error: unknown }
  | { readonly type: 'timeout'; readonly limit: 'attempt' | 'deadline'; readonly ms: number }
  | { readonly type: 'circuit'; readonly state: CircuitState }
  | { readonly type: 'rejected'; readonly by: 'circuit-breaker' | 'bulkhead' }
);

/** Options that all policies have. */
export interface PolicyOptions {
  /** Of the callee, for events and messages. @default 'call' */
  readonly name?: string;
  /** Called synchronously with each event; must not throw. */
  readonly onEvent?: (event: ResilienceEvent) => void;
}

export const DEFAULT_NAME = 'call';
