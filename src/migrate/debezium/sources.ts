import { RelayError } from '../../core/errors.ts';
import { readProperties } from './properties-file.ts';
import { type Setting, Settings } from './settings.ts';

/** Where a configuration runs. */
export type DebeziumRuntime = 'server' | 'connect';

/** A file as it was read. */
export interface SourceFile {
  readonly name: string;
  readonly text: string;
}

/** Which capitals a variable of the environment stands for, where the names are not in lower letters. */
const MIXED_CASE = [
  'routingKey',
  'routingKeyFromTopicName',
  'autoCreateRoutingKey',
  'routingKeyDurable',
  'deliveryMode',
  'ackTimeout',
];
const SERVER = 'debezium.';
const PROFILE = /^%([A-Za-z0-9_-]+)\.(.*)$/;

/**
 * The settings of a Debezium Server: properties by their names, those of the profile `prod` before others of the name, and
 * variables of the environment (`DEBEZIUM_SINK_TYPE`) before both; later files before earlier ones.
 */
export function serverSettings(files: readonly SourceFile[]): Settings {
  const plain = new Map<string, Setting>();
  const profiled = new Map<string, Setting>();
  const variables = new Map<string, Setting>();
  for (const { text } of files) {
    for (const [name, value] of readProperties(text)) {
      const [, profile, inner] = PROFILE.exec(name) ?? [];
      if (/^[A-Z][A-Z0-9_]*$/.test(name)) variables.set(common(propertyName(name)), { name, value });
      else if (profile === undefined || inner === undefined) plain.set(common(name), { name, value });
      else if (profile === 'prod') profiled.set(common(inner), { name, value });
    }
  }
  return new Settings(new Map([...plain, ...profiled, ...variables]));
}

/**
 * The settings of a connector of Kafka Connect: `{name, config}` as its REST interface takes them, or the config alone.
 *
 * @param worker the worker's own properties, which hold where the connector says nothing
 * @throws RelayError `config_invalid` for what is no connector
 */
export function connectSettings(connector: SourceFile, worker: readonly SourceFile[]): Settings {
  const settings = new Map<string, Setting>();
  for (const [name, value] of worker.flatMap(({ text }) => [...readProperties(text)])) {
    const known = /^(?:key|value|header)\.converter/.test(name) ? name : workerSetting(name);
    if (known !== null) settings.set(known, { name, value });
  }
  const config = connectorConfig(connector);
  // a converter that the connector names itself has none of the worker's settings
  for (const converter of ['key.converter', 'value.converter', 'header.converter'])
    if (converter in config)
      for (const name of [...settings.keys()]) if (name.startsWith(converter)) settings.delete(name);
  for (const [name, value] of Object.entries(config))
    settings.set(commonOfConnect(name), { name, value: String(value) });
  return new Settings(settings);
}

function connectorConfig({ name, text }: SourceFile): Readonly<Record<string, unknown>> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch {
    // its message quotes the text, which may hold a secret
    throw new RelayError('config_invalid', `${name} is not valid JSON`, { remedy: 'Name the JSON of one connector.' });
  }
  const outer = isObject(parsed) ? parsed : {};
  const config = isObject(outer.config) ? outer.config : outer;
  if ('connector.class' in config || 'transforms' in config) return config;
  throw new RelayError(
    'config_invalid',
    `${name} is not a connector: expected {"name": .., "config": {..}}, or the config alone`,
    {
      remedy: 'Take what `GET /connectors/NAME` of Kafka Connect answers.',
    },
  );
}

/** A variable's name as Debezium Server reads it: by dots; and as Quarkus does where a name has other characters. */
function propertyName(variable: string): string {
  const dotted = variable
    .toLowerCase()
    .replaceAll('_', '.')
    .replace(/^quarkus\.debezium\.outbox\./, 'quarkus.debezium-outbox.');
  if (dotted.startsWith('quarkus.debezium-outbox.'))
    return dotted.replace('remove.after.insert', 'remove-after-insert');
  const mixed = MIXED_CASE.find((name) => dotted.endsWith(`.${name.toLowerCase()}`));
  return mixed === undefined ? dotted : `${dotted.slice(0, -mixed.length)}${mixed}`;
}

function common(name: string): string {
  return name.startsWith(SERVER) ? name.slice(SERVER.length) : `other.${name}`;
}

function commonOfConnect(name: string): string {
  if (/^(?:transforms|predicates)(?:\.|$)|^(?:key|value|header)\.converter(?:\.|$)/.test(name)) return name;
  if (name.startsWith('producer.override.')) return `sink.kafka.producer.${name.slice('producer.override.'.length)}`;
  return `source.${name}`;
}

/** What of a worker concerns its producers; null for what concerns itself alone. */
function workerSetting(name: string): string | null {
  if (name === 'bootstrap.servers') return 'sink.kafka.producer.bootstrap.servers';
  return name.startsWith('producer.') ? `sink.kafka.${name}` : null;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
