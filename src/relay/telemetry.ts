import type { RelayError } from '../core/errors.ts';
import type { OutgoingMessage } from '../core/message.ts';
import type { OnError, Routed } from '../core/routing.ts';
import type { CircuitStateName } from '../core/status.ts';
import type { DestinationState } from './machine.ts';
import type { PassOutcome } from './pass.ts';
import type { SettlingObserver } from './settling.ts';

/** What one destination tells, for metrics and log. Called synchronously, batch-wise; must not throw. */
export interface DestinationTelemetry {
  /** `reason` is the event that caused it; `error` what is behind the event. */
  transition(
    from: DestinationState['name'],
    to: DestinationState['name'],
    reason: string,
    error: RelayError | null,
  ): void;
  circuit(from: CircuitStateName, to: CircuitStateName): void;
  /** A session with the broker is open. */
  opened(): void;
  openFailed(error: RelayError): void;
  acknowledged(messages: readonly OutgoingMessage[]): void;
  /** An attempt of so many messages failed and is repeated inside the session. */
  retrying(error: RelayError, messages: number): void;
  /** These were sent to a session that ended before they were acknowledged; their rows are read and sent again. */
  forgotten(messages: readonly OutgoingMessage[]): void;
  setAside(routed: Routed, fault: RelayError, how: OnError): void;
  deadLetterFailed(routed: Routed, error: RelayError): void;
  passEnded(outcome: PassOutcome, durationMs: number): void;
  /** Streamed transactions that a pass had already published. */
  skipped(transactions: number): void;
  failed(error: RelayError): void;
}

/** What the relay tells. */
export interface RelayTelemetry {
  destination(name: string): DestinationTelemetry;
  readonly settling: SettlingObserver;
  streamOpened(slotName: string): void;
  /** Opened again after so many milliseconds at the earliest. */
  streamEnded(error: RelayError, retryMs: number): void;
  /** Nobody needs it any more. */
  streamClosed(): void;
  /** No stream is to be had; tried again after so many milliseconds. */
  streamUnavailable(error: RelayError, retryMs: number): void;
  streamed(transactions: number, rows: number, bytes: number): void;
  stragglers(rows: number): void;
  failed(error: RelayError): void;
}
