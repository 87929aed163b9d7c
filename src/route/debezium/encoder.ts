import { RelayError } from '../../core/errors.ts';
import type { Header } from '../../core/message.ts';
import type { OutboxRow } from '../../core/row.ts';
import type { OutboxTable } from '../../core/table.ts';
import { rowColumn } from '../column.ts';
import { type Contents, Encoder, type MessageEncoder } from '../encoder.ts';
import type { RouteSpec } from '../spec.ts';
import { compileTemplate } from '../template.ts';
import type { TraceHeaders } from '../trace-headers.ts';
import { compileConnectValue } from './connect-value.ts';
import { expandJson } from './expansion.ts';
import { jacksonString } from './java-text.ts';
import type { ConnectFormat, DebeziumSpec } from './spec.ts';

/** The name under which an envelope has the payload. */
const PAYLOAD = 'payload';
const SPACE = 0x20;

/** A template in the form of a converter; null where there is no value, and the format has none for that. */
export type ConnectText = (row: OutboxRow) => string | null;

/**
 * Compiles a template for a converter: a template of a single column is that column with its type, all others are texts.
 *
 * @param where the option it stands in, for messages
 * @throws RelayError `config_invalid`
 */
export function compileConnectText(
  template: string,
  format: ConnectFormat,
  table: OutboxTable,
  where: string,
): ConnectText {
  const { soleColumn, render } = compileTemplate(template, table, where);
  if (soleColumn !== null) return connectColumn(soleColumn, format, table, where);
  return format === 'json' ? (row) => jacksonString(render(row) ?? '') : render;
}

function connectColumn(name: string, format: ConnectFormat, table: OutboxTable, where: string): ConnectText {
  const { column, read } = rowColumn(table, name, where);
  const valueOf = compileConnectValue(column);
  return (row) => {
    const printed = read(row);
    if (printed === null) return format === 'json' ? 'null' : null;
    const { text, json } = valueOf(printed);
    return format === 'json' ? json : text;
  };
}

/**
 * Makes a row's values the contents of a message as Debezium's outbox event router does, with the converters that the
 * route's `debezium` section names. What Debezium does not have, the row's own headers and those of a trace, is added as it is.
 */
export class DebeziumEncoder implements MessageEncoder {
  readonly #spec: DebeziumSpec;
  readonly #plain: Encoder;
  readonly #payload: number;
  readonly #bytea: boolean;
  readonly #idOf: ConnectText;
  /** RabbitMQ has the id as a property: only there it is a header like others. */
  readonly #idIsHeader: boolean;
  readonly #headers: readonly (readonly [name: string, value: ConnectText])[];
  readonly #names: ReadonlySet<string>;
  readonly #envelope: readonly (readonly [name: string, value: ConnectText])[];

  /** As the constructor of {@link Encoder}. @throws RelayError `config_invalid` */
  constructor(
    spec: RouteSpec & { readonly debezium: DebeziumSpec },
    table: OutboxTable,
    where: string,
    tracing: TraceHeaders | null,
  ) {
    const { debezium } = spec;
    const json = debezium.value === 'json' ? 'application/json' : null;
    this.#plain = new Encoder({ headers: {}, contentType: spec.contentType ?? json }, table, where, tracing);
    this.#spec = debezium;
    this.#payload = table.layout.indexOf(PAYLOAD);
    this.#bytea = table.reads[this.#payload]?.type === 'bytea';
    this.#idOf = connectColumn('id', debezium.headers, table, where);
    this.#idIsHeader = spec.address.kind === 'exchange';
    this.#headers = Object.entries(spec.headers).map(([name, template]) => [
      name,
      compileConnectText(template, debezium.headers, table, `${where}.headers.${name}`),
    ]);
    this.#names = new Set(Object.keys(spec.headers));
    this.#envelope = Object.entries(debezium.envelope).map(([name, column]) => [
      name,
      connectColumn(column, 'json', table, `${where}.debezium.envelope.${name}`),
    ]);
  }

  /** @throws RelayError `route_headers`, `route_template` */
  encode(row: OutboxRow): Contents {
    return this.#contents(row, this.#plain.encode(row), this.#headersOf(row));
  }

  /** What can be said of a row that is at fault: without headers when these are the fault. */
  encodeWhatCan(row: OutboxRow): Contents {
    try {
      return this.encode(row);
    } catch (error) {
      if (!(error instanceof RelayError)) throw error;
      return this.#contents(row, this.#plain.encodeWhatCan(row), []);
    }
  }

  #contents(row: OutboxRow, plain: Contents, headers: readonly Header[]): Contents {
    const body = this.#bodyOf(row, plain.body);
    return {
      ...plain,
      body,
      type: null,
      headers: [...headers, ...plain.headers.filter(([name]) => !this.#names.has(name))],
      idHeader: this.#idOf(row) ?? row.id,
      copied: body === plain.body || body === null ? 0 : body.length,
    };
  }

  #headersOf(row: OutboxRow): readonly Header[] {
    const headers: Header[] = this.#idIsHeader ? [['id', this.#idOf(row) ?? row.id]] : [];
    for (const [name, valueOf] of this.#headers) {
      const value = valueOf(row);
      if (value !== null) headers.push([name, value]);
    }
    return headers;
  }

  #bodyOf(row: OutboxRow, payload: Buffer | null): Buffer | null {
    const { value, tombstoneOnEmpty, nullValue } = this.#spec;
    const none = tombstoneOnEmpty && this.#isEmpty(payload);
    const body = none ? null : value === 'plain' ? payload : Buffer.from(this.#jsonOf(row, payload));
    return body === null && nullValue !== null ? Buffer.from(nullValue) : body;
  }

  #jsonOf(row: OutboxRow, payload: Buffer | null): string {
    const json = this.#payloadJson(payload);
    if (this.#envelope.length === 0) return json;
    const members = this.#envelope.map(([name, valueOf]) => `,${jacksonString(name)}:${valueOf(row) ?? 'null'}`);
    return `{"${PAYLOAD}":${json}${members.join('')}}`;
  }

  #payloadJson(payload: Buffer | null): string {
    if (payload === null) return 'null';
    if (this.#bytea) return `"${payload.toString('base64')}"`;
    const text = payload.toString();
    const expanded = this.#spec.expandJson ? expandJson(text, this.#spec.expandedNulls) : null;
    return expanded ?? jacksonString(text);
  }

  /** As Java's `trim().isEmpty()` has it of a text; bytes never are, not even none. */
  #isEmpty(payload: Buffer | null): boolean {
    return payload === null || (!this.#bytea && payload.every((byte) => byte <= SPACE));
  }
}
