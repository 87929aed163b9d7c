import { bytesOf, numberOf, type ProtobufFields, readFields, textOf } from './protobuf.ts';

/** A span as a collector gets it. */
export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** Empty: none. */
  readonly parentSpanId: string;
  readonly traceState: string;
  readonly name: string;
  readonly kind: string;
  /** Nanoseconds since 1970. */
  readonly start: bigint;
  readonly end: bigint;
  readonly attributes: Attributes;
  /** `trace-span` of each. */
  readonly links: readonly string[];
  /** 0: unset, 2: error. */
  readonly status: { readonly code: number; readonly message: string };
  readonly resource: Attributes;
  readonly scope: string;
}

export type Attributes = Readonly<Record<string, string | number | boolean>>;

const KINDS = ['unspecified', 'internal', 'server', 'client', 'producer', 'consumer'];

/**
 * Reads the body of an export.
 * https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto
 */
export function readExport(body: Buffer): readonly ReceivedSpan[] {
  return messages(readFields(body), 1).flatMap((resourceSpans) => {
    const resource = attributesOf(messages(resourceSpans, 1)[0] ?? new Map(), 1);
    return messages(resourceSpans, 2).flatMap((scopeSpans) => {
      const scope = textOf(messages(scopeSpans, 1)[0] ?? new Map(), 1);
      return messages(scopeSpans, 2).map((span) => ({ ...spanOf(span), resource, scope }));
    });
  });
}

function spanOf(span: ProtobufFields): Omit<ReceivedSpan, 'resource' | 'scope'> {
  const status = messages(span, 15)[0] ?? new Map();
  return {
    traceId: hex(span, 1),
    spanId: hex(span, 2),
    traceState: textOf(span, 3),
    parentSpanId: hex(span, 4),
    name: textOf(span, 5),
    kind: KINDS[Number(numberOf(span, 6))] ?? 'unknown',
    start: numberOf(span, 7),
    end: numberOf(span, 8),
    attributes: attributesOf(span, 9),
    links: messages(span, 13).map((link) => `${hex(link, 1)}-${hex(link, 2)}`),
    status: { code: Number(numberOf(status, 3)), message: textOf(status, 2) },
  };
}

function attributesOf(fields: ProtobufFields, field: number): Attributes {
  return Object.fromEntries(
    messages(fields, field).map((attribute) => [textOf(attribute, 1), valueOf(messages(attribute, 2)[0] ?? new Map())]),
  );
}

function valueOf(value: ProtobufFields): string | number | boolean {
  if (value.has(2)) return numberOf(value, 2) === 1n;
  return value.has(3) ? Number(numberOf(value, 3)) : textOf(value, 1);
}

const messages = (fields: ProtobufFields, field: number): readonly ProtobufFields[] =>
  bytesOf(fields, field).map(readFields);

const hex = (fields: ProtobufFields, field: number): string => bytesOf(fields, field)[0]?.toString('hex') ?? '';
