import { backoffDelay } from '../core/backoff.ts';
import type { WaitDelay } from './machine.ts';

const RETRY = { baseMs: 200, maxMs: 30_000 };
const RETRY_SLOWLY = { baseMs: 5_000, maxMs: 30_000 };
/** Between passes of a handover that find nothing and wait for a writer to end. */
const HANDOVER_PAUSE_MS = 20;

/** How long the state machine's next timer takes, in milliseconds. */
export function waitMs(delay: WaitDelay, pollIntervalMs: number): number {
  switch (delay.kind) {
    case 'poll':
      return pollIntervalMs;
    case 'handover':
      return HANDOVER_PAUSE_MS;
    case 'backoff':
      return 1 + backoffDelay(delay.slowly ? RETRY_SLOWLY : RETRY, delay.attempt);
  }
}
