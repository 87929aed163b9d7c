import type { CircuitState } from '../resilience/events.ts';
import type { DeadLetter } from './dead-letter.ts';
import type { Outcome } from './message.ts';

/** What the inbox has done, for logs and metrics. */
export type InboxEvent =
  /** A delivery has come to its end. */
  | { readonly type: 'settled'; readonly id: string | null; readonly outcome: Exclude<Outcome, 'abandoned'> }
  /** An attempt failed, and another one follows. */
  | {
      readonly type: 'retry';
      readonly id: string;
      /** Of the attempt that follows. */
      readonly attempt: number;
      readonly delayMs: number;
      readonly error: unknown;
    }
  /** Written and committed. */
  | { readonly type: 'dead-letter'; readonly letter: DeadLetter }
  /** The database is in trouble: nothing is acknowledged, and it is tried again. */
  | { readonly type: 'database-trouble'; readonly delayMs: number; readonly error: unknown }
  /** The circuit breaker between this process and the database. */
  | { readonly type: 'circuit'; readonly state: CircuitState }
  /** The broker did not take offsets or an acknowledgement, or did not give messages: what it gives again is told by its id. */
  | { readonly type: 'broker-trouble'; readonly error: unknown };
