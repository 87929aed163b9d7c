/** How a trace travels in headers: what a row carries of the trace that inserted it. */
import type { Header } from './message.ts';
import type { Routed } from './routing.ts';
import { parseTraceparent, type TraceContext, type TraceIds } from './trace.ts';

/** The names under which a context travels, in HTTP and in the headers of messages. */
export const TRACEPARENT = 'traceparent';
export const TRACESTATE = 'tracestate';
export const BAGGAGE = 'baggage';

/** Whether a header is the one that is asked for: HTTP libraries write `Traceparent`, too. */
export function isHeader(name: string, wanted: string): boolean {
  return name === wanted || (name.length === wanted.length && name.toLowerCase() === wanted);
}

/** What headers say of a trace: its context, `none`, or `malformed`, as which several count, too. */
export function contextIn(headers: readonly Header[]): TraceContext | 'none' | 'malformed' {
  let parent: string | null = null;
  let state: string | null = null;
  for (const [name, value] of headers) {
    if (isHeader(name, TRACEPARENT)) {
      if (parent !== null) return 'malformed';
      parent = value;
    } else if (isHeader(name, TRACESTATE)) state = state === null ? value : `${state},${value}`;
  }
  if (parent === null) return 'none';
  const parsed = parseTraceparent(parent);
  return parsed === null ? 'malformed' : { ...parsed, state };
}

/** The trace that a routed row belongs to, for log lines; null: none that is known. */
export function traceOf(routed: Routed): TraceIds | null {
  const { trace, headers } = routed.message ?? routed;
  if (trace) return trace;
  const context = contextIn(headers ?? []);
  return typeof context === 'string' ? null : context;
}
