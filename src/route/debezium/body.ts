import type { OutboxRow } from '../../core/row.ts';
import type { OutboxTable } from '../../core/table.ts';
import { compileTemplate } from '../template.ts';
import { type ConnectColumn, connectColumn } from './connect-column.ts';
import { type ConnectSchema, structSchema, withSchema } from './connect-schema.ts';
import { expandJson } from './expansion.ts';
import { jacksonString } from './java-text.ts';
import type { DebeziumSpec } from './spec.ts';

/** The name under which an envelope has the payload. */
const PAYLOAD = 'payload';
const SPACE = 0x20;

interface PayloadJson {
  readonly json: string;
  /** Only asked for where it is written. */
  readonly schema: () => ConnectSchema;
}

/** Makes the value of a message: the payload alone, or in an envelope with other columns. */
export class DebeziumBody {
  readonly #spec: DebeziumSpec;
  readonly #payload: ConnectColumn;
  readonly #bytea: boolean;
  readonly #payloadDefault: Buffer | null;
  readonly #envelope: readonly (readonly [name: string, column: ConnectColumn])[];
  readonly #envelopeSchema: (row: OutboxRow) => string | null;

  /** @param where the route, for messages. @throws RelayError `config_invalid` */
  constructor(spec: DebeziumSpec, table: OutboxTable, where: string) {
    const at = `${where}.debezium`;
    this.#spec = spec;
    this.#payload = connectColumn(PAYLOAD, spec.value, table, `${at}.value`);
    this.#bytea = table.reads[table.layout.indexOf(PAYLOAD)]?.type === 'bytea';
    const { byDefault } = this.#payload;
    this.#payloadDefault = byDefault === null ? null : Buffer.from(byDefault);
    const format = spec.value === 'plain' ? 'json' : spec.value;
    this.#envelope = Object.entries(spec.envelope).map(([name, column]) => [
      name,
      connectColumn(column, format, table, `${at}.envelope.${name}`),
    ]);
    this.#envelopeSchema = compileName(spec.envelopeSchema, table, `${at}.envelopeSchema`);
  }

  /** @param given the row's payload. @returns the same buffer where the payload is sent as it is; null: a tombstone */
  encode(row: OutboxRow, given: Buffer | null): Buffer | null {
    const { value, tombstoneOnEmpty, nullValue } = this.#spec;
    const payload = given ?? this.#payloadDefault;
    const none = tombstoneOnEmpty && this.#isEmpty(payload);
    const body = none ? null : value === 'plain' ? payload : Buffer.from(this.#jsonOf(row, payload));
    return body === null && nullValue !== null ? Buffer.from(nullValue) : body;
  }

  #jsonOf(row: OutboxRow, payload: Buffer | null): string {
    const { json, schema } = this.#payloadJson(payload);
    const bare = this.#spec.value !== 'json-with-schema';
    if (this.#envelope.length === 0) return bare ? json : withSchema(schema(), json);
    const members = this.#envelope.map(
      ([name, { valueOf }]) => `,${jacksonString(name)}:${valueOf(row)?.json ?? 'null'}`,
    );
    const struct = `{"${PAYLOAD}":${json}${members.join('')}}`;
    if (bare) return struct;
    const fields = this.#envelope.map(([name, column]) => [name, column.schema] as const);
    const traits = { optional: false, name: this.#envelopeSchema(row) };
    return withSchema(structSchema([[PAYLOAD, schema()], ...fields], traits), struct);
  }

  #payloadJson(payload: Buffer | null): PayloadJson {
    const ofColumn = (json: string): PayloadJson => ({ json, schema: () => this.#payload.schema });
    if (payload === null) return ofColumn('null');
    if (this.#bytea) return ofColumn(`"${payload.toString('base64')}"`);
    const text = payload.toString();
    const { expandJson: expands, expandedNulls } = this.#spec;
    const expanded = expands ? expandJson(text, expandedNulls) : null;
    if (expanded === null) return ofColumn(jacksonString(text));
    return { json: expanded.json, schema: () => expanded.schemaFor(this.#payload.name) };
  }

  /** As Java's `trim().isEmpty()` has it of a text; bytes never are, not even none. */
  #isEmpty(payload: Buffer | null): boolean {
    return payload === null || (!this.#bytea && payload.every((byte) => byte <= SPACE));
  }
}

/** The name of an envelope's schema: null in a column is `null` there, as Java appends it to a text. */
function compileName(template: string | null, table: OutboxTable, where: string): (row: OutboxRow) => string | null {
  if (template === null) return () => null;
  const { render } = compileTemplate(
    template,
    table,
    where,
    ({ read }) =>
      (row) =>
        read(row) ?? 'null',
  );
  return render;
}
