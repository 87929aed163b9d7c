/** Traces, and W3C Trace Context (https://www.w3.org/TR/trace-context/). */

/** Where in a trace something is: ids in lower-case hexadecimal, neither of them all zeros. */
export interface TraceIds {
  /** 32 digits. */
  readonly traceId: string;
  /** 16 digits. */
  readonly spanId: string;
}

/** The span that a message descends from. */
export interface TraceContext extends TraceIds {
  /** The trace flags, 8 bits: bit 0 is {@link SAMPLED}. */
  readonly flags: number;
  /** The `tracestate` beside it, as it came; null: none. */
  readonly state: string | null;
}

/** The span of a message: begun when its row was routed, its ids in the message's own `traceparent`. */
export interface MessageTrace extends TraceContext {
  /** Null: the row came without a trace, and this is the first span of a new one. */
  readonly parentSpanId: string | null;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  /** The same moment by `performance.now()`, for its duration. */
  readonly startedTick: number;
}

/** Decides which messages are traced. */
export interface MessageTracer {
  /**
   * Begins the span of a message.
   *
   * @param parent what the row carries; null: nothing
   * @returns null: not sampled, and what the row carries is passed on as it is
   */
  begin(parent: TraceContext | null): MessageTrace | null;
}

/** How spans reach a collector: OTLP in protobuf, over HTTP or over gRPC. */
export const OTLP_PROTOCOLS = ['http/protobuf', 'grpc'] as const;
export type OtlpProtocol = (typeof OTLP_PROTOCOLS)[number];

/** The samplers, by their names in OpenTelemetry's `OTEL_TRACES_SAMPLER`. */
export const SAMPLERS = [
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
  'always_on',
  'always_off',
  'traceidratio',
] as const;
export type SamplerName = (typeof SAMPLERS)[number];

/** The bit of the trace flags that says that a trace is recorded. */
export const SAMPLED = 0x01;

/** What later versions append is to be ignored. */
const FORMAT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const NO_TRACE = '0'.repeat(32);
const NO_SPAN = '0'.repeat(16);

/** Reads a `traceparent`; null when it is none. */
export function parseTraceparent(text: string): Omit<TraceContext, 'state'> | null {
  const [, version, traceId, spanId, flags, rest] = FORMAT.exec(text) ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return null;
  if (version === 'ff' || (version === '00' && rest !== undefined)) return null;
  if (traceId === NO_TRACE || spanId === NO_SPAN) return null;
  return { traceId, spanId, flags: parseInt(flags, 16) };
}

/** Writes a `traceparent` of version 00. */
export function formatTraceparent({ traceId, spanId, flags }: Omit<TraceContext, 'state'>): string {
  return `00-${traceId}-${spanId}-${flags.toString(16).padStart(2, '0')}`;
}
