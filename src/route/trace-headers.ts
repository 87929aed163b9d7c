import { RelayError } from '../core/errors.ts';
import type { Header } from '../core/message.ts';
import type { OutboxRow } from '../core/row.ts';
import type { OutboxTable } from '../core/table.ts';
import { formatTraceparent, type MessageTrace, type MessageTracer, parseTraceparent } from '../core/trace.ts';
import { BAGGAGE, contextIn, isHeader, TRACEPARENT, TRACESTATE } from '../core/trace-propagation.ts';
import { rowColumn, type RowColumn } from './column.ts';
import { parseHeaders } from './headers.ts';

/** Whether and how messages are traced. */
export interface TracingSpec {
  readonly tracer: MessageTracer;
  /** The column that carries the context of the inserting trace; null: the headers column does. */
  readonly column: string | null;
}

/** Headers with the context that consumers are to see, and the message's span, if it is traced. */
export interface TracedHeaders {
  readonly headers: readonly Header[];
  readonly trace: MessageTrace | null;
}

const CARRIED: readonly string[] = [TRACEPARENT, TRACESTATE, BAGGAGE];

/**
 * Takes the context of the inserting trace from a row and puts the message's own into its headers: `traceparent` becomes
 * that of the message's span, `tracestate` and `baggage` are passed on. Without a span, be it that the trace is not
 * sampled or that what the row carries is malformed, all is passed on as it is. Nothing here can be a row's fault.
 */
export class TraceHeaders {
  readonly #tracer: MessageTracer;
  readonly #column: RowColumn | null;

  /** @throws RelayError `config_invalid` when the table is not read with such a column */
  constructor({ tracer, column }: TracingSpec, table: OutboxTable) {
    this.#tracer = tracer;
    this.#column = column === null ? null : rowColumn(table, column, 'tracing.column');
  }

  /** @param own of the message, as they are without tracing */
  begin(row: OutboxRow, own: readonly Header[]): TracedHeaders {
    const headers = this.carriedBy(row, own);
    const parent = contextIn(headers);
    if (parent === 'malformed') return { headers, trace: null };
    const trace = this.#tracer.begin(parent === 'none' ? null : parent);
    if (trace === null) return { headers, trace };
    return { headers: withTraceparent(headers, formatTraceparent(trace)), trace };
  }

  /** The headers with the context that the row carries, before the message has a span. */
  carriedBy(row: OutboxRow, own: readonly Header[]): readonly Header[] {
    const text = this.#column?.read(row) ?? null;
    const carried = text === null ? null : readCarrier(text);
    return carried === null ? own : [...own.filter(([name]) => !isCarried(name)), ...carried];
  }
}

/**
 * Reads what a column of its own carries: a `traceparent` alone; a JSON object, as the headers column; or lines of
 * `name=value`, as Debezium's tracing writes them (java.util.Properties).
 *
 * @returns null when there is no `traceparent` in it
 */
export function readCarrier(text: string): readonly Header[] | null {
  if (parseTraceparent(text) !== null) return [[TRACEPARENT, text]];
  const found = text.trimStart().startsWith('{') ? readObject(text) : readProperties(text);
  const carried = found.flatMap(([name, value]): Header[] => {
    const known = CARRIED.find((each) => isHeader(name, each));
    return known === undefined ? [] : [[known, value]];
  });
  return carried.some(([name]) => name === TRACEPARENT) ? carried : null;
}

function readObject(text: string): readonly Header[] {
  try {
    return parseHeaders(text);
  } catch (error) {
    if (error instanceof RelayError) return [];
    throw error;
  }
}

/** Its reader for the few characters that a context can have: `\=` and `\:` are escaped, `#` begins a comment. */
function readProperties(text: string): readonly Header[] {
  return text.split('\n').flatMap((line): Header[] => {
    const [, name, value] = /^\s*([^#!=:\s][^=:\s]*)\s*[=:]\s*(.*?)\r?$/.exec(line) ?? [];
    return name === undefined || value === undefined ? [] : [[name, value.replace(/\\(.)/g, '$1')]];
  });
}

function isCarried(name: string): boolean {
  return CARRIED.some((each) => isHeader(name, each));
}

function withTraceparent(headers: readonly Header[], value: string): readonly Header[] {
  const replaced: Header[] = [];
  let found = false;
  for (const header of headers) {
    const is = isHeader(header[0], TRACEPARENT);
    replaced.push(is ? [TRACEPARENT, value] : header);
    found ||= is;
  }
  if (!found) replaced.push([TRACEPARENT, value]);
  return replaced;
}
