import { backoffDelay } from '../core/backoff.ts';
import type { WaitDelay } from './machine.ts';

const RETRY = { baseMs: 200, maxMs: 30_000 };
const RETRY_SLOWLY = { baseMs: 5_000, maxMs: 30_000 };
/** Between passes of a handover that find nothing and wait for a writer to end. */
const HANDOVER_PAUSE_MS = 20;

/**
 * How long the state machine's next timer takes, in milliseconds.
 *
 * @param fruitlessMs how long the last pass took if it found nothing, else 0: dead rows that vacuum cannot remove yet
 *   make passes slow, and these are then at most half of what the server does for us
 */
export function waitMs(delay: WaitDelay, pollIntervalMs: number, fruitlessMs: number): number {
  switch (delay.kind) {
    case 'poll':
      return Math.max(pollIntervalMs, fruitlessMs);
    case 'handover':
      return Math.max(HANDOVER_PAUSE_MS, fruitlessMs);
    case 'backoff':
      return 1 + backoffDelay(delay.slowly ? RETRY_SLOWLY : RETRY, delay.attempt);
  }
}
