import { RelayError } from '../../core/errors.ts';
import type { Header } from '../../core/message.ts';
import type { OutboxRow } from '../../core/row.ts';
import type { OutboxTable } from '../../core/table.ts';
import { type Contents, Encoder, type MessageEncoder } from '../encoder.ts';
import type { RouteSpec } from '../spec.ts';
import type { TraceHeaders } from '../trace-headers.ts';
import { DebeziumBody } from './body.ts';
import { compileConnectText, type ConnectText } from './connect-column.ts';
import type { DebeziumSpec } from './spec.ts';

/**
 * Makes a row's values the contents of a message as Debezium's outbox event router does, with the converters that the
 * route's `debezium` section names. What Debezium does not have, the row's own headers and those of a trace, is added as it is.
 */
export class DebeziumEncoder implements MessageEncoder {
  readonly #plain: Encoder;
  readonly #body: DebeziumBody;
  readonly #idOf: ConnectText;
  /** RabbitMQ has the id as a property: only there it is a header like others. */
  readonly #idIsHeader: boolean;
  readonly #headers: readonly (readonly [name: string, value: ConnectText])[];
  readonly #names: ReadonlySet<string>;

  /** As the constructor of {@link Encoder}. @throws RelayError `config_invalid` */
  constructor(
    spec: RouteSpec & { readonly debezium: DebeziumSpec },
    table: OutboxTable,
    where: string,
    tracing: TraceHeaders | null,
  ) {
    const { debezium } = spec;
    const json = debezium.value === 'plain' ? null : 'application/json';
    this.#plain = new Encoder({ headers: {}, contentType: spec.contentType ?? json }, table, where, tracing);
    this.#body = new DebeziumBody(debezium, table, where);
    this.#idOf = compileConnectText('${id}', debezium.headers, table, `${where}.debezium.headers`);
    this.#idIsHeader = spec.address.kind === 'exchange';
    this.#headers = Object.entries(spec.headers).map(([name, template]) => [
      name,
      compileConnectText(template, debezium.headers, table, `${where}.headers.${name}`),
    ]);
    this.#names = new Set(Object.keys(spec.headers));
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
    const body = this.#body.encode(row, plain.body);
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
}
