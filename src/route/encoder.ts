import { RelayError } from '../core/errors.ts';
import type { Header } from '../core/message.ts';
import type { ColumnValue, OutboxRow } from '../core/row.ts';
import type { OutboxTable } from '../core/table.ts';
import type { MessageTrace } from '../core/trace.ts';
import { parseHeaders } from './headers.ts';
import type { RouteSpec } from './spec.ts';
import { compileTemplate, type Template } from './template.ts';
import type { TraceHeaders } from './trace-headers.ts';

/** What a message costs in memory beside its contents: its objects, and its entries in queues and ledgers. */
const OVERHEAD_BYTES = 400;
/** Names that each broker has a place of its own for. */
const RESERVED_HEADERS: ReadonlySet<string> = new Set(['id', 'type']);
const NO_HEADERS: readonly Header[] = [];

/** What a message carries, without its address and key. */
export interface Contents {
  readonly body: Buffer | null;
  readonly type: string | null;
  readonly contentType: string;
  readonly headers: readonly Header[];
  readonly trace: MessageTrace | null;
  /** What the header `id` says where that is not the row's id as it is. */
  readonly idHeader?: string;
  /** How large the body is when it is not the row's own, in bytes; left out: it is. */
  readonly copied?: number;
}

/** Makes a row's values the contents of a message. */
export interface MessageEncoder {
  /** @throws RelayError of class `row` for a row that is at fault */
  encode(row: OutboxRow): Contents;
  /** What can be said of a row that is at fault. */
  encodeWhatCan(row: OutboxRow): Contents;
}

/** The payload as it is, with headers and type beside it. The body's bytes are not copied. */
export class Encoder implements MessageEncoder {
  /** The type of the payload column, as `format_type()` prints it. */
  readonly payloadType: string;
  /** The media type of the payload. */
  readonly contentType: string;
  readonly #payload: number;
  readonly #type: number;
  readonly #headers: number;
  readonly #added: readonly (readonly [name: string, value: Template])[];
  readonly #addedNames: ReadonlySet<string>;
  readonly #tracing: TraceHeaders | null;

  /**
   * @param where the route, for messages, e.g. `routes[2]`
   * @param tracing null: messages are not traced
   * @throws RelayError `config_invalid` for a header that cannot be used, or a table without payload
   */
  constructor(
    spec: Pick<RouteSpec, 'headers' | 'contentType'>,
    table: OutboxTable,
    where: string,
    tracing: TraceHeaders | null,
  ) {
    this.#tracing = tracing;
    this.#payload = table.layout.indexOf('payload');
    const payload = table.reads[this.#payload];
    if (payload === undefined) throw new RelayError('config_invalid', 'the outbox table has no payload column');
    this.payloadType = payload.type;
    this.#type = table.layout.indexOf('type');
    this.#headers = table.layout.indexOf('headers');
    this.contentType = spec.contentType ?? contentTypeOf(payload.type);
    this.#added = Object.entries(spec.headers).map(([name, text]) => {
      if (name === '' || RESERVED_HEADERS.has(name)) {
        throw new RelayError('config_invalid', `${where}.headers: '${name}' cannot be the name of an added header`);
      }
      return [name, compileTemplate(text, table, `${where}.headers.${name}`)];
    });
    this.#addedNames = new Set(this.#added.map(([name]) => name));
  }

  /** @throws RelayError `route_headers`, `route_template` */
  encode(row: OutboxRow): Contents {
    return this.contents(row, this.headersOf(row));
  }

  /** What can be said of a row that is at fault: without headers when these are the fault. */
  encodeWhatCan(row: OutboxRow): Contents {
    try {
      return this.encode(row);
    } catch (error) {
      if (!(error instanceof RelayError)) throw error;
      return this.contents(row, NO_HEADERS);
    }
  }

  /** The message with these headers; where it is traced, its span begins here. */
  contents(row: OutboxRow, own: readonly Header[]): Contents {
    const traced = this.#tracing === null ? null : this.#tracing.begin(row, own);
    return {
      body: this.payloadOf(row),
      type: row.values[this.#type]?.toString() ?? null,
      contentType: this.contentType,
      headers: traced === null ? own : traced.headers,
      trace: traced === null ? null : traced.trace,
    };
  }

  /** The payload's bytes; null is a tombstone. */
  payloadOf(row: OutboxRow): Buffer | null {
    return bytesOf(row.values[this.#payload] ?? null);
  }

  /** The headers with the context of the trace that inserted the row, wherever it carries that. */
  carriedBy(row: OutboxRow, own: readonly Header[]): readonly Header[] {
    return this.#tracing === null ? own : this.#tracing.carriedBy(row, own);
  }

  /** The row's own headers and those that the route adds. @throws RelayError `route_headers`, `route_template` */
  headersOf(row: OutboxRow): readonly Header[] {
    const own = this.#ownHeaders(row);
    if (this.#added.length === 0) return own;
    const headers: Header[] = own.filter(([name]) => !this.#addedNames.has(name));
    for (const [name, template] of this.#added) {
      const value = template.render(row);
      if (value !== null) headers.push([name, value]);
    }
    return headers;
  }

  #ownHeaders(row: OutboxRow): readonly Header[] {
    const value = row.values[this.#headers] ?? null;
    if (value === null) return NO_HEADERS;
    const headers = parseHeaders(value.toString());
    return headers.some(([name]) => RESERVED_HEADERS.has(name))
      ? headers.filter(([name]) => !RESERVED_HEADERS.has(name))
      : headers;
  }
}

/** A payload is bytes already, as both lanes bring it. */
function bytesOf(value: ColumnValue): Buffer | null {
  return typeof value === 'string' ? Buffer.from(value) : value;
}

/** What a message counts against the memory budget, in bytes: the row's values, which it keeps alive, headers, overhead. */
export function messageBytes(row: OutboxRow, headers: readonly Header[]): number {
  let bytes = OVERHEAD_BYTES;
  for (const value of row.values) if (value !== null) bytes += value.length;
  for (const [name, value] of headers) bytes += name.length + value.length;
  return bytes;
}

/** The media type of what Postgres prints for a type, as `format_type()` names it. */
function contentTypeOf(type: string): string {
  switch (type) {
    case 'json':
    case 'jsonb':
      return 'application/json';
    case 'bytea':
      return 'application/octet-stream';
    case 'xml':
      return 'application/xml';
    default:
      return 'text/plain; charset=utf-8';
  }
}
