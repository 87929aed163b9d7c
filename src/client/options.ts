import { RelayError } from '../core/errors.ts';
import { quoteIdentifier, quoteTable } from '../core/identifier.ts';
import { parseTableName } from '../core/table-name.ts';
import { OutboxError } from './errors.ts';
import type { UntypedEvents } from './message.ts';
import type { StandardSchema } from './standard-schema.ts';
import { activeTraceContext, type TraceCarrier } from './trace-context.ts';

/** What the payload column is: `json` for json and jsonb, `text` for text and varchar, `bytea`. */
export type PayloadKind = 'json' | 'text' | 'bytea';

/** Where ids come from: made here, so that they are known before the insert, or by the column's default. */
export type IdSource = 'uuidv7' | 'database';

/** Which column of the table takes which part of a message, by exact names without quotes; null where the table has none. */
export interface OutboxColumns {
  /** @default 'id' */
  readonly id: string;
  /** @default 'aggregatetype' */
  readonly aggregateType: string | null;
  /** @default 'aggregateid' */
  readonly aggregateId: string;
  /** @default 'type' */
  readonly type: string | null;
  /** @default 'payload' */
  readonly payload: string;
  /** @default 'headers' */
  readonly headers: string | null;
  /** Written, by this machine's clock, where the column has no default. @default null: the database fills it */
  readonly createdAt: string | null;
  /** Takes the trace context, as `tracing.column` of the relay reads it. @default null: the headers take it */
  readonly trace: string | null;
  /** Further columns, whose values come with `message.extra`. @default none */
  readonly extra: readonly string[];
}

/** What a message may take, in bytes. The defaults are what brokers take as they come. */
export interface OutboxLimits {
  /** Payload, key, type and headers together. @default 1_000_000: a Kafka broker's message.max.bytes is 1,048,588 */
  readonly messageBytes: number;
  /** Names and values of the headers. @default 61_440: what the relay gets into a frame of RabbitMQ */
  readonly headerBytes: number;
}

/** How an outbox is written. */
export interface OutboxOptions<Events extends object = UntypedEvents> {
  /** As in SQL: `outbox`, `orders."OutboxEvent"`. @default 'public.outbox' */
  readonly table?: string;
  readonly columns?: Partial<OutboxColumns>;
  /** @default 'json' */
  readonly payload?: PayloadKind;
  /** `database` needs SELECT on the id column besides, to give the ids out. @default 'uuidv7' */
  readonly ids?: IdSource;
  /**
   * A schema for the payload of each event type; a type that is not among them is refused. What is written is what the
   * schema returns, with its defaults and transformations.
   */
  readonly events?: { readonly [Type in keyof Events]: StandardSchema<Events[Type], unknown> };
  readonly limits?: Partial<OutboxLimits>;
  /**
   * Where the trace context comes from that messages carry on. False: they carry none but what their headers say.
   *
   * @default the active span of OpenTelemetry, if there is one
   */
  readonly trace?: false | (() => TraceCarrier);
}

/** The options with all defaults, checked. */
export interface OutboxSettings {
  /** Quoted, with its schema. */
  readonly table: string;
  readonly columns: OutboxColumns;
  readonly payload: PayloadKind;
  readonly ids: IdSource;
  readonly events: Readonly<Record<string, StandardSchema>> | null;
  readonly limits: OutboxLimits;
  readonly trace: () => TraceCarrier;
}

const DEFAULT_COLUMNS: OutboxColumns = {
  id: 'id',
  aggregateType: 'aggregatetype',
  aggregateId: 'aggregateid',
  type: 'type',
  payload: 'payload',
  headers: 'headers',
  createdAt: null,
  trace: null,
  extra: [],
};

const DEFAULT_LIMITS: OutboxLimits = { messageBytes: 1_000_000, headerBytes: 60 * 1024 };

const NO_TRACE: TraceCarrier = {};

/** @throws OutboxError `invalid_options` */
export function resolveOptions<Events extends object>(options: OutboxOptions<Events>): OutboxSettings {
  const columns = { ...DEFAULT_COLUMNS, ...options.columns };
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  for (const [name, bytes] of Object.entries(limits) as [string, unknown][]) {
    if (!(Number.isSafeInteger(bytes) && Number(bytes) > 0))
      throw new OutboxError('invalid_options', `limits.${name}: expected a number of bytes above 0`);
  }
  requireDistinct(columns);
  return {
    table: quotedTable(options.table ?? 'public.outbox'),
    columns,
    payload: oneOf('payload', options.payload ?? 'json', ['json', 'text', 'bytea']),
    ids: oneOf('ids', options.ids ?? 'uuidv7', ['uuidv7', 'database']),
    events: (options.events as Readonly<Record<string, StandardSchema>> | undefined) ?? null,
    limits,
    trace: options.trace === false ? () => NO_TRACE : (options.trace ?? activeTraceContext),
  };
}

/** The columns that are written, in order, without the payload. */
export function plainColumns({ columns, ids }: OutboxSettings): readonly string[] {
  const { id, aggregateType, aggregateId, type, headers, createdAt, trace, extra } = columns;
  const own = [ids === 'database' ? null : id, aggregateType, aggregateId, type, headers, createdAt, trace];
  return [...own.filter((column) => column !== null), ...extra];
}

/** A name that no statement can be made of is told at once, not by the first message. */
function quotedTable(text: string): string {
  try {
    return quoteTable(parseTableName(text));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new OutboxError('invalid_options', `table: ${error.message}`);
  }
}

function requireDistinct({ extra, ...columns }: OutboxColumns): void {
  const seen = new Set<string>();
  for (const column of [...Object.values(columns), ...extra]) {
    if (column === null) continue;
    try {
      quoteIdentifier(column);
    } catch (error) {
      if (!(error instanceof RelayError)) throw error;
      throw new OutboxError('invalid_options', `columns: ${error.message}`);
    }
    if (seen.has(column)) throw new OutboxError('invalid_options', `columns: ${column} is given twice`);
    seen.add(column);
  }
}

function oneOf<T extends string>(option: string, given: T, known: readonly T[]): T {
  if (known.includes(given)) return given;
  throw new OutboxError('invalid_options', `${option}: expected one of ${known.join(', ')}`);
}
