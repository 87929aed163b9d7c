/**
 * The circuit breaker of a destination, read off its state machine, which counts the sessions that failed in a row.
 *
 *     closed ──a session fails──> open ──back-off is over──> half-open ──first acknowledgement──> closed
 *                                  ^                             │
 *                                  └──── opening or session fails ┘
 *
 * While half-open a session is on trial: see {@link Trial}.
 */
import type { CircuitStateName } from '../core/status.ts';
import type { DestinationState } from './machine.ts';

/** Where the circuit stands: open while nothing is sent, half-open until the broker has acknowledged something. */
export function circuitOf(state: DestinationState): CircuitStateName {
  if (state.name === 'halted') return 'open';
  if (state.failures === 0) return 'closed';
  return state.name === 'down' && !state.opening ? 'open' : 'half-open';
}
