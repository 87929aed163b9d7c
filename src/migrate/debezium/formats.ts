import type { DebeziumRuntime } from './sources.ts';
import type { Reading } from './value.ts';

/** How key, value and headers are written: see the section `debezium` of a route. */
export type Formats = Readonly<Record<Part, Format>>;
type Part = 'key' | 'value' | 'headers';
type Format = 'plain' | 'json' | 'json-with-schema';

const PARTS: readonly (readonly [part: Part, server: string, converter: string])[] = [
  ['key', 'format.key', 'key.converter'],
  ['value', 'format.value', 'value.converter'],
  ['headers', 'format.header', 'header.converter'],
];
/** Formats of Debezium Server, by the class of their converter. */
const SERVER_FORMATS: Readonly<Record<string, string>> = {
  json: 'JsonConverter',
  jsonbytearray: 'JsonConverter',
  simplestring: 'StringConverter',
  binary: 'BinaryDataConverter',
};
const AS_IT_IS: readonly string[] = [
  'StringConverter',
  'SimpleHeaderConverter',
  'ByteArrayConverter',
  'BinaryDataConverter',
  'ByteBufferConverter',
];

/** Reads the formats of Debezium Server, or the converters of Kafka Connect. */
export function readFormats(runtime: DebeziumRuntime, reading: Reading): Formats {
  const formats: Record<Part, Format> = { key: 'plain', value: 'plain', headers: 'plain' };
  for (const [part, server, converter] of PARTS)
    formats[part] = runtime === 'server' ? serverFormat(server, reading) : connectFormat(part, converter, reading);
  return formats;
}

function serverFormat(name: string, reading: Reading): Format {
  const { settings } = reading;
  const format = (settings.text(name) ?? 'json').toLowerCase();
  const given = settings.text(`${name}.class`);
  const converter = given === undefined ? (SERVER_FORMATS[format] ?? format) : className(given);
  const shared = settings.text('format.schemas.enable');
  const schemas = settings.text(`${name}.schemas.enable`) ?? shared ?? 'true';
  return formatOf(name, converter, schemas, reading);
}

function connectFormat(part: Part, name: string, reading: Reading): Format {
  const { settings, findings } = reading;
  const given = settings.text(name);
  const schemas = settings.text(`${name}.schemas.enable`) ?? 'true';
  if (given !== undefined) return formatOf(name, className(given), schemas, reading);
  // the default of Kafka Connect itself; for keys and values every worker has to say it
  if (part !== 'headers')
    findings.error(
      name,
      "the connector does not say it, so that the worker's converter holds, which is not known",
      'Give the properties of the worker with --worker connect-distributed.properties.',
    );
  return 'plain';
}

function formatOf(name: string, converter: string, schemas: string, reading: Reading): Format {
  const { settings, findings } = reading;
  readDelegate(`${name}.delegate.converter.type`, reading);
  if (AS_IT_IS.includes(converter)) return 'plain';
  if (converter === 'JsonConverter') return schemas.toLowerCase() === 'true' ? 'json-with-schema' : 'json';
  const cloudEvents = /cloudevents/i.test(converter);
  findings.error(
    settings.nameOf(name),
    cloudEvents
      ? "the relay writes CloudEvents, but not with Debezium's attributes"
      : `${converter} encodes with a schema, mostly of a registry: the relay sends the payload as it is, or as JSON`,
    cloudEvents
      ? 'Let consumers go by the attributes that the relay gives, and take them over in the route.'
      : 'Let the application encode into a bytea payload, or move consumers to JSON first.',
  );
  return 'plain';
}

/** Converters for bytes leave to another what is none: heartbeats, or a payload of text. */
function readDelegate(name: string, { settings, findings }: Reading): void {
  const delegate = settings.text(name);
  if (delegate === undefined) return;
  const subject = settings.nameOf(name);
  for (const [each] of settings.unused(`${name}.`)) settings.settle(each);
  if (className(delegate) === 'StringConverter') findings.ok(subject, 'texts are sent as they are');
  else
    findings.warning(
      subject,
      'it writes what is not bytes, such as heartbeats; a payload that is no bytea would be written by it, too',
      'Where the payload is text or JSON, say in `debezium` of the route how it is written: value: json, for JsonConverter, or json-with-schema.',
    );
}

function className(qualified: string): string {
  return qualified.slice(qualified.lastIndexOf('.') + 1);
}
