import type { TableColumn } from '../../core/table.ts';
import { jacksonString, javaFloat } from './java-text.ts';

/** A value of a column as Kafka Connect's converters write it. */
export interface ConnectValue {
  /** As a header or a key of StringConverter and SimpleHeaderConverter. */
  readonly text: string;
  /** As JsonConverter writes it, without a schema. */
  readonly json: string;
}

const DAY_MS = 86_400_000;
const TIMESTAMP = /^timestamp(?:\((\d)\))? with(out)? time zone$/;

/**
 * Compiles how Debezium's Postgres connector and Kafka Connect print a column's value, with the connector's default settings
 * (`time.precision.mode=adaptive`, `binary.handling.mode=bytes`); `numeric` as with `decimal.handling.mode=string`, and types
 * that are not known as the text that Postgres prints.
 *
 * @returns a function of the value as Postgres prints it
 */
export function compileConnectValue({ type }: TableColumn): (printed: string) => ConnectValue {
  switch (type) {
    case 'smallint':
    case 'integer':
    case 'bigint':
    case 'oid':
      return same;
    case 'boolean':
      return (printed) => same(printed === 't' ? 'true' : 'false');
    case 'real':
    case 'double precision':
      return float;
    case 'bytea':
      return (printed) => quoted(Buffer.from(printed.slice('\\x'.length), 'hex').toString('base64'));
    case 'date':
      return (printed) => sinceEpoch(printed, (micros) => micros / BigInt(DAY_MS * 1000));
    default:
      return timestamp(type) ?? quoted;
  }
}

function same(text: string): ConnectValue {
  return { text, json: text };
}

function quoted(text: string): ConnectValue {
  return { text, json: jacksonString(text) };
}

function float(printed: string): ConnectValue {
  const text = javaFloat(printed);
  return { text, json: /[a-z]/.test(text) ? jacksonString(text) : text };
}

/** Null for another type. Without a time zone: milliseconds for a precision of up to three digits, else microseconds. */
function timestamp(type: string): ((printed: string) => ConnectValue) | null {
  const [known, digits = '6', out] = TIMESTAMP.exec(type) ?? [];
  const precision = Number(digits);
  if (known === undefined) return null;
  if (out === undefined) return (printed) => quoted(zonedTimestamp(printed, precision));
  return (printed) => sinceEpoch(printed, (micros) => (precision <= 3 ? micros / 1000n : micros));
}

function sinceEpoch(printed: string, unit: (micros: bigint) => bigint): ConnectValue {
  const micros = microsOf(printed);
  return micros === null ? quoted(printed) : same(String(unit(micros)));
}

/** Null for `infinity`, and for years that have no four digits. */
function microsOf(printed: string): bigint | null {
  const [, day, time = '00:00:00', fraction = ''] =
    /^(\d{4}-\d\d-\d\d)(?: (\d\d:\d\d:\d\d)(?:\.(\d+))?)?$/.exec(printed) ?? [];
  if (day === undefined) return null;
  return BigInt(Date.parse(`${day}T${time}Z`)) * 1000n + BigInt(fraction.padEnd(6, '0'));
}

/** `2026-03-01T08:00:00.120000Z`, with as many digits as the type has: sessions of the relay print times in UTC. */
function zonedTimestamp(printed: string, precision: number): string {
  const [, day, time, fraction = ''] = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d+))?\+00$/.exec(printed) ?? [];
  if (day === undefined || time === undefined) return printed;
  return `${day}T${time}${precision === 0 ? '' : `.${fraction.padEnd(precision, '0')}`}Z`;
}
