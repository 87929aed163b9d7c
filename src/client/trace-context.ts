import { context, type TextMapSetter } from '@opentelemetry/api';
import { W3CBaggagePropagator, W3CTraceContextPropagator } from '@opentelemetry/core';
import { TRACEPARENT } from '../core/trace-propagation.ts';

/** The W3C headers by which a trace travels; empty outside of one. */
export type TraceCarrier = Readonly<Record<string, string>>;

const SETTER: TextMapSetter<Record<string, string>> = {
  set(carrier, name, value) {
    carrier[name] = value;
  },
};

/**
 * The context of OpenTelemetry's active span, with its baggage. In W3C's form whatever propagators the application has set up for
 * other ways, since it is this that the relay reads (docs/tracing.md).
 */
export function activeTraceContext(): TraceCarrier {
  const active = context.active();
  const carrier: Record<string, string> = {};
  new W3CTraceContextPropagator().inject(active, carrier, SETTER);
  if (carrier[TRACEPARENT] === undefined) return {};
  new W3CBaggagePropagator().inject(active, carrier, SETTER);
  return carrier;
}
