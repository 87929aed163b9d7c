import { RelayError } from '../../core/errors.ts';
import type { TableColumn } from '../../core/table.ts';
import { readDefault } from './column-default.ts';
import { compileConnectValue } from './connect-value.ts';
import { jacksonString } from './java-text.ts';

/** A schema of Kafka Connect as JsonConverter writes it: a JSON object. */
export type ConnectSchema = string;

/** What schemas have besides their type. */
export interface SchemaTraits {
  readonly optional: boolean;
  /** Null: none. */
  readonly name?: string | null;
  /** Debezium's own types have one; structs have none. */
  readonly version?: number;
  /** The default as JSON; null: none. */
  readonly byDefault?: string | null;
}

/** Of a text that is not the value of one column. */
export const TEXT_SCHEMA: ConnectSchema = scalarSchema('string', { optional: false });

interface ConnectType {
  readonly type: string;
  /** Of Debezium's own types, all in version 1. */
  readonly name?: string;
}

const TYPES: Readonly<Record<string, ConnectType>> = {
  smallint: { type: 'int16' },
  integer: { type: 'int32' },
  bigint: { type: 'int64' },
  oid: { type: 'int64' },
  boolean: { type: 'boolean' },
  real: { type: 'float' },
  'double precision': { type: 'double' },
  bytea: { type: 'bytes' },
  text: { type: 'string' },
  json: { type: 'string', name: 'io.debezium.data.Json' },
  jsonb: { type: 'string', name: 'io.debezium.data.Json' },
  uuid: { type: 'string', name: 'io.debezium.data.Uuid' },
  date: { type: 'int32', name: 'io.debezium.time.Date' },
  'timestamp with time zone': { type: 'string', name: 'io.debezium.time.ZonedTimestamp' },
  'timestamp without time zone': { type: 'int64', name: 'io.debezium.time.MicroTimestamp' },
};
const CHARACTERS = /^character(?: varying)?(?:\(\d+\))?$/;
const PRECISION = /^timestamp\((\d)\) (without|with) time zone$/;

/**
 * The schema that Debezium's Postgres connector has for a column, with its default settings.
 *
 * @param where the option that names the column, for messages
 * @throws RelayError `config_invalid` for a type, or a DEFAULT, of which it is not known what Debezium makes
 */
export function columnSchema(column: TableColumn, where: string): ConnectSchema {
  const known = connectType(column.type);
  if (known === undefined) throw unknownSchema(column, where, `is of type ${column.type}`);
  const byDefault = readDefault(column);
  if (byDefault === undefined)
    throw unknownSchema(column, where, `has the default ${column.defaultExpression ?? 'NULL'}`);
  const { type, name } = known;
  return scalarSchema(type, {
    optional: column.notNull !== true,
    ...(name !== undefined && { name, version: 1 }),
    byDefault: byDefault === null ? null : compileConnectValue(column)(byDefault).json,
  });
}

/** @param type of Kafka Connect, as JsonConverter names it */
export function scalarSchema(type: string, traits: SchemaTraits): ConnectSchema {
  return schemaOf(`"type":"${type}"`, traits);
}

export function arraySchema(items: ConnectSchema, traits: SchemaTraits): ConnectSchema {
  return schemaOf(`"type":"array","items":${items}`, traits);
}

export function structSchema(
  fields: readonly (readonly [name: string, schema: ConnectSchema])[],
  traits: SchemaTraits,
): ConnectSchema {
  const named = fields.map(([name, schema]) => `${schema.slice(0, -1)},"field":${jacksonString(name)}}`);
  return schemaOf(`"type":"struct","fields":[${named.join(',')}]`, traits);
}

/** A value with its schema. @param json the value as JSON */
export function withSchema(schema: ConnectSchema, json: string): string {
  return `{"schema":${schema},"payload":${json}}`;
}

/** Members in the order in which JsonConverter writes them. */
function schemaOf(type: string, { optional, name = null, version, byDefault = null }: SchemaTraits): ConnectSchema {
  const members = [type, `"optional":${optional}`];
  if (name !== null) members.push(`"name":${jacksonString(name)}`);
  if (version !== undefined) members.push(`"version":${version}`);
  if (byDefault !== null) members.push(`"default":${byDefault}`);
  return `{${members.join(',')}}`;
}

function connectType(type: string): ConnectType | undefined {
  if (CHARACTERS.test(type)) return { type: 'string' };
  const [precise, digits, zone] = PRECISION.exec(type) ?? [];
  if (precise === undefined || zone === 'with') return TYPES[type.replace(/\(\d\)/, '')];
  return { type: 'int64', name: `io.debezium.time.${Number(digits) <= 3 ? 'Timestamp' : 'MicroTimestamp'}` };
}

function unknownSchema({ name }: TableColumn, where: string, what: string): RelayError {
  return new RelayError(
    'config_invalid',
    `${where}: the column ${name} ${what}, and the relay does not know the schema that Debezium writes for it`,
    {
      remedy:
        'Write this part of messages without schemas (`json`) or as it is (`plain`) in `debezium` of the route, once consumers take that; or use another column.',
    },
  );
}
