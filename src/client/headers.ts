import { BAGGAGE, isHeader, TRACEPARENT, TRACESTATE } from '../core/trace-propagation.ts';
import type { MessageFaults } from './faults.ts';
import type { HeaderValue, OutboxMessage } from './message.ts';
import type { OutboxColumns } from './options.ts';
import type { TraceCarrier } from './trace-context.ts';

/** What goes into the headers column and into that of the trace; null: SQL null. */
export interface EncodedHeaders {
  readonly headers: Readonly<Record<string, HeaderValue>> | null;
  readonly trace: TraceCarrier | null;
  /** What the headers take in the message. */
  readonly bytes: number;
}

/** The relay has these itself, and ignores them in a row's headers. */
const RELAYS_OWN: readonly string[] = ['id', 'type'];
const OF_TRACE: readonly string[] = [TRACEPARENT, TRACESTATE, BAGGAGE];
/** Of each header, beside name and value: what AMQP adds. */
const OVERHEAD_BYTES = 6;

/**
 * A message's headers with the trace context, unless they have one of their own, which then stands for the whole of it.
 *
 * @throws OutboxError `invalid_message`
 */
export function encodeHeaders(
  message: OutboxMessage,
  context: TraceCarrier,
  columns: OutboxColumns,
  faults: MessageFaults,
): EncodedHeaders {
  const own = Object.entries(message.headers ?? {});
  if (own.length > 0 && columns.headers === null)
    throw faults.invalid('headers', 'none, for the table has no column for them');
  for (const [name, value] of own) requireHeader(name, value, faults);
  const traced = own.some(([name]) => isHeader(name, TRACEPARENT)) || context[TRACEPARENT] === undefined;
  const carried = traced ? [] : Object.entries(context);
  const separate = columns.trace !== null;
  const kept = carried.length === 0 ? own : own.filter(([name]) => !OF_TRACE.some((each) => isHeader(name, each)));
  const written = separate || columns.headers === null ? own : [...kept, ...carried];
  return {
    headers: written.length === 0 ? null : Object.fromEntries(written),
    trace: separate && carried.length > 0 ? context : null,
    bytes: bytesOf(separate ? [...kept, ...carried] : written),
  };
}

function requireHeader(name: string, value: unknown, faults: MessageFaults): void {
  if (RELAYS_OWN.includes(name))
    throw faults.invalid(`headers.${name}`, 'another name: the relay sends this one itself');
  faults.shortText('a name in headers', name);
  const path = `headers.${name}`;
  if (typeof value === 'string') faults.writable(path, value);
  else if (typeof value !== 'boolean' && value !== null && !Number.isFinite(value))
    throw faults.invalid(path, 'a string, a finite number, a boolean or null');
}

function bytesOf(headers: readonly (readonly [name: string, value: HeaderValue])[]): number {
  return headers.reduce(
    (bytes, [name, value]) => bytes + OVERHEAD_BYTES + Buffer.byteLength(name) + Buffer.byteLength(String(value)),
    0,
  );
}
