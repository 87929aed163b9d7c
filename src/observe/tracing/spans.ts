/** Tracing as the rest of the relay sees it, without the packages of OpenTelemetry: these are loaded only where it is on. */
import type { RelayError } from '../../core/errors.ts';
import type { OutgoingMessage } from '../../core/message.ts';
import type { Routed } from '../../core/routing.ts';
import type { MessageTracer } from '../../core/trace.ts';

/** The spans of one destination's messages. Nothing here throws, or waits. */
export interface DestinationSpans {
  /** The broker has stored these, together. */
  acknowledged(messages: readonly OutgoingMessage[]): void;
  /** What became of these is not known. */
  unacknowledged(messages: readonly OutgoingMessage[]): void;
  /** It is set aside. */
  refused(routed: Routed, fault: RelayError): void;
}

/** Tracing, while it is on. */
export interface Tracing {
  readonly tracer: MessageTracer;
  destination(name: string): DestinationSpans;
  /** Exports what waits, for so long at most. */
  close(deadlineMs: number): Promise<void>;
}
